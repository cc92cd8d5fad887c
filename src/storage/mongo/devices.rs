//! The role of the device store: each question and order, handed to the database or to the writer.

use async_trait::async_trait;
use futures_util::{TryStreamExt, future::try_join};
use mongodb::{
    bson::{Bson, Document, doc},
    options::Hint,
};

use super::{
    Mongo,
    audiences::{Route, route},
    commands::{Kind, Wait, update, write},
    core::Core,
    device_row::{read_device, write_pruned},
    failure::{OrFailed, corrupt},
    filter::compile,
    position::{parts_of, whole},
    register::DeviceOrder,
    schema::{BY_NUMBER, DEVICES},
};
use crate::{
    domain::{
        Result,
        audience::Clause,
        device::{Device, DeviceEdit, DevicePlatform, Registration, SendPlatform, Unreachable},
        ids::{AppName, DeviceId},
        timestamp::Timestamp,
    },
    storage::{AudienceCount, DeviceQuery, DeviceStore, Found, PruneOrder, Restored},
};

#[async_trait]
impl DeviceStore for Mongo {
    async fn register(
        &self,
        app: &AppName,
        registrations: Vec<Registration>,
        now: Timestamp,
    ) -> Result<Vec<Result<Device>>> {
        let app = match self.inner.core.seen_app(app) {
            Some(app) => app,
            None => {
                let name = app.clone();
                self.run(|core| async move { core.app_number(&name).await }).await?
            }
        };
        let first = registrations.first().map(|first| first.external_id.as_str());
        let lane = self.inner.devices.of(&(app, first.unwrap_or_default()));
        lane.order(|reply| DeviceOrder::Register { app, registrations, now, reply }).await
    }

    async fn edit(
        &self,
        app: &AppName,
        external_id: &str,
        edit: DeviceEdit,
        now: Timestamp,
    ) -> Result<Option<Device>> {
        let Some(app) = self.app(app).await? else { return Ok(None) };
        let lane = self.inner.devices.of(&(app, external_id));
        let name = (app, external_id.to_owned());
        lane.order(|reply| DeviceOrder::Edit { name, edit, now, reply }).await
    }

    async fn remove(&self, app: &AppName, external_id: &str) -> Result<bool> {
        let Some(app) = self.app(app).await? else { return Ok(false) };
        let lane = self.inner.devices.of(&(app, external_id));
        let name = (app, external_id.to_owned());
        lane.order(|reply| DeviceOrder::Remove { name, reply }).await
    }

    async fn get(&self, app: &AppName, external_id: &str) -> Result<Option<Device>> {
        let Some(app) = self.app(app).await? else { return Ok(None) };
        let filter = doc! { "a": app, "x": external_id };
        let found = self.run(|core| async move { all(&core, filter, 0, 1).await }).await?;
        Ok(found.into_iter().next())
    }

    async fn get_many(&self, app: Option<&AppName>, ids: &[DeviceId]) -> Result<Vec<Device>> {
        let numbers: Vec<i64> = ids.iter().map(|id| id.0.cast_signed()).collect();
        let app = match app {
            None => None,
            Some(app) => match self.app(app).await? {
                None => return Ok(Vec::new()),
                found => found,
            },
        };
        let read = |core: std::sync::Arc<Core>| async move {
            let apps = match app {
                Some(app) => vec![app],
                None => core.all_apps().await?,
            };
            let filter = doc! { "a": { "$in": apps }, "n": { "$in": numbers } };
            let mut devices = all(&core, filter, 0, usize::MAX).await?;
            devices.sort_unstable_by_key(|device| device.id);
            Ok(devices)
        };
        self.run(read).await
    }

    async fn holders(&self, app: &AppName, tokens: &[String]) -> Result<Vec<Device>> {
        let Some(app) = self.app(app).await? else { return Ok(Vec::new()) };
        let filter = doc! { "a": app, "t": { "$in": tokens } };
        self.run(|core| async move { all(&core, filter, 0, usize::MAX).await }).await
    }

    async fn search(&self, app: &AppName, query: &DeviceQuery) -> Result<Found<Device>> {
        let Some(app) = self.app(app).await? else { return Ok(Found::default()) };
        let query = query.clone();
        self.run(|core| async move { search(&core, app, &query).await }).await
    }

    async fn count(
        &self,
        app: &AppName,
        clause: Option<&Clause>,
        configured: &[SendPlatform],
        now: Timestamp,
    ) -> Result<AudienceCount> {
        let Some(app) = self.app(app).await? else { return Ok(AudienceCount::default()) };
        let (clause, configured) = (clause.cloned(), configured.to_vec());
        self.run(|core| async move { count(&core, app, clause.as_ref(), &configured, now).await })
            .await
    }

    async fn reaches_any(
        &self,
        app: &AppName,
        clause: Option<&Clause>,
        configured: &[SendPlatform],
        now: Timestamp,
    ) -> Result<bool> {
        let Some(app) = self.app(app).await? else { return Ok(false) };
        let (clause, configured) = (clause.cloned(), configured.to_vec());
        self.run(|core| async move {
            let (mut matching, way) = audience(&core, app, clause.as_ref(), now).await?;
            let known = configured.iter().filter(|one| **one != SendPlatform::Unknown);
            let known: Vec<i32> = known.map(|one| i32::from(one.number())).collect();
            matching.insert("s", doc! { "$in": known });
            matching.insert("t", doc! { "$exists": true });
            matching.insert("g", doc! { "$exists": false });
            let any = core.documents(DEVICES).find_one(matching).hint(way.hint());
            let any = any.projection(doc! { "_id": 1 }).await;
            Ok(any.or_failed("look for anyone who can be reached")?.is_some())
        })
        .await
    }

    async fn prune(&self, app: &AppName, orders: Vec<PruneOrder>, now: Timestamp) -> Result<u64> {
        let Some(app) = self.app(app).await? else { return Ok(0) };
        let prune = move |order: &PruneOrder| {
            let filter = doc! {
                "a": app,
                "n": order.device.0.cast_signed(),
                "t": order.token.as_ref(),
                "g": { "$exists": false },
            };
            let given_up = write_pruned(now, order.reason.as_str());
            update(filter, doc! { "$set": { "g": given_up }, "$inc": { "v": 1_i64 } }, false)
        };
        let writes: Vec<Document> = orders.iter().map(prune).collect();
        self.run(|core| async move {
            let done = write(&core.database, DEVICES, Kind::Update, &writes, Wait::Majority).await;
            Ok(done.or_failed("prune tokens")?.n.cast_unsigned())
        })
        .await
    }

    async fn restore(&self, app: &AppName, external_id: &str) -> Result<Option<Restored>> {
        let Some(app) = self.app(app).await? else { return Ok(None) };
        let external_id = external_id.to_owned();
        self.run(|core| async move { restore(&core, app, &external_id).await }).await
    }
}

impl Mongo {
    /// An app's number, if anything of it is stored.
    pub(super) async fn app(&self, app: &AppName) -> Result<Option<i32>> {
        if let Some(number) = self.inner.core.seen_app(app) {
            return Ok(Some(number));
        }
        let app = app.clone();
        self.run(|core| async move { core.find_app(&app).await }).await
    }
}

async fn restore(core: &Core, app: i32, external_id: &str) -> Result<Option<Restored>> {
    let there = doc! { "$exists": true };
    let filter = doc! { "a": app, "x": external_id, "g": &there, "t": there };
    let change = doc! { "$unset": { "g": true }, "$inc": { "v": 1_i64 } };
    let writes = [update(filter, change, false)];
    let done = write(&core.database, DEVICES, Kind::Update, &writes, Wait::Majority).await;
    let changed = done.or_failed("restore a device")?.n > 0;
    let found = all(core, doc! { "a": app, "x": external_id }, 0, 1).await?;
    let Some(mut device) = found.into_iter().next() else { return Ok(None) };
    // Pruned all the same: its token was gone, or it was pruned anew a moment ago.
    if device.pruned.is_some() && device.push_token.is_none() {
        device.restore()?;
    }
    Ok(Some(Restored { device, changed }))
}

/// Devices in the order of their numbers.
async fn all(core: &Core, filter: Document, start: u64, size: usize) -> Result<Vec<Device>> {
    const DOING: &str = "read devices";
    let mut find = core.raw(DEVICES).find(filter).sort(doc! { "n": 1 });
    if let Some(size) = i64::try_from(size).ok().filter(|size| *size < i64::MAX) {
        find = find.limit(size);
    }
    let rows: Vec<_> =
        find.skip(start).await.or_failed(DOING)?.try_collect().await.or_failed(DOING)?;
    rows.iter().map(|row| read_device(row).map(|stored| stored.device)).collect()
}

/// The stretch that a search asks for, read row by row: what has no room is not kept.
async fn stretch(core: &Core, filter: Document, query: &DeviceQuery) -> Result<Vec<Device>> {
    const DOING: &str = "read devices";
    let find = core.raw(DEVICES).find(filter).sort(doc! { "n": 1 }).skip(query.start);
    let limit = i64::try_from(query.size).unwrap_or(i64::MAX);
    let mut rows = find.limit(limit).await.or_failed(DOING)?;
    let (mut devices, mut answered) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await.or_failed(DOING)? {
        let device = read_device(&row)?.device;
        if !query.takes(&mut answered, &device) {
            break;
        }
        devices.push(device);
    }
    Ok(devices)
}

async fn search(core: &Core, app: i32, query: &DeviceQuery) -> Result<Found<Device>> {
    let mut parts = vec![doc! { "a": app }];
    if let Some(names) = &query.external_ids {
        parts.push(doc! { "x": { "$in": names } });
    }
    if let Some(clause) = &query.clause {
        parts.push(compile(clause, query.now)?);
    }
    let matching = doc! { "$and": parts.clone() };
    if let Some(after) = query.after {
        parts.push(doc! { "n": { "$gt": after.0.cast_signed() } });
    }
    let total = async {
        let count = core.documents(DEVICES).count_documents(matching.clone());
        let count = match (&query.external_ids, &query.clause) {
            (None, None) => count.hint(Hint::Name(BY_NUMBER.to_owned())),
            (None, Some(clause)) => match route(core, app, clause, query.now).await? {
                Route::Scan => {
                    let mut within = parts_of(whole(app));
                    within.insert("$and", vec![matching]);
                    core.documents(DEVICES).count_documents(within).hint(Route::Scan.hint())
                }
                way => count.hint(way.hint()),
            },
            _ => count,
        };
        count.await.or_failed("count devices")
    };
    let items = async {
        if query.size == 0 {
            return Ok(Vec::new());
        }
        stretch(core, doc! { "$and": parts.clone() }, query).await
    };
    let (total, items) = try_join(total, items).await?;
    Ok(Found { total, items })
}

async fn count(
    core: &Core,
    app: i32,
    clause: Option<&Clause>,
    configured: &[SendPlatform],
    now: Timestamp,
) -> Result<AudienceCount> {
    const DOING: &str = "count an audience";
    let (matching, way) = audience(core, app, clause, now).await?;
    let has = |field: &str| doc! { "$gt": [format!("${field}"), Bson::Null] };
    let group = doc! {
        "_id": { "s": "$s", "d": "$d", "t": has("t"), "g": has("g") },
        "n": { "$sum": 1_i64 },
    };
    let steps = [doc! { "$match": matching }, doc! { "$group": group }];
    let groups =
        core.documents(DEVICES).aggregate(steps).hint(way.hint()).await.or_failed(DOING)?;
    let groups: Vec<Document> = groups.try_collect().await.or_failed(DOING)?;
    let mut count = AudienceCount::default();
    for group in &groups {
        add(&mut count, group, configured).ok_or_else(|| corrupt("a count"))?;
    }
    Ok(count)
}

/// The filter of an audience, and the way to find who passes it.
async fn audience(
    core: &Core,
    app: i32,
    clause: Option<&Clause>,
    now: Timestamp,
) -> Result<(Document, Route)> {
    let mut matching = parts_of(whole(app));
    matching.insert("a", app);
    let mut way = Route::Scan;
    if let Some(clause) = clause {
        matching.insert("$and", vec![compile(clause, now)?]);
        way = route(core, app, clause, now).await?;
    }
    Ok((matching, way))
}

fn add(count: &mut AudienceCount, group: &Document, configured: &[SendPlatform]) -> Option<()> {
    let key = group.get_document("_id").ok()?;
    let provider = SendPlatform::from_number(key.get_i32("s").ok()?.into())?;
    let platform = DevicePlatform::from_number(key.get_i32("d").ok()?.into())?;
    let (token, pruned) = (key.get_bool("t").ok()?, key.get_bool("g").ok()?);
    let devices = group.get_i64("n").ok()?.cast_unsigned();
    *count.platforms.slot(provider.counted_as(platform)) += devices;
    let no_credentials = (!configured.contains(&provider)).then_some(Unreachable::NoCredentials);
    match Unreachable::of(token, pruned, provider).or(no_credentials) {
        Some(why) => *count.unreachable.entry(why).or_default() += devices,
        None => *count.providers.entry(provider).or_default() += devices,
    }
    Some(())
}
