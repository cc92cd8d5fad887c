//! The role of the label store. Counts are lengths of index stretches: `by_tag` holds every tag of every
//! device (`j` repeats the tags of `p` for it), `by_attribute` who has an alias. Nothing is counted
//! beside them, so nothing can drift, whatever crashes when.
//!
//! Changes of one app go one after another: each writes the app's gate document (`label_gate`) first.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::{
    ClientSession,
    bson::{Bson, Document, doc},
    options::Hint,
};
use rand::Rng;

use super::{
    Mongo,
    commands::update,
    core::Core,
    device_row::{Stored, changes, read_device, write_device},
    failure::{OrFailed, corrupt},
    label_gate::{Gate, Trouble},
    label_index::{aliased, all_tags, count_tag, tagged},
    schema::{BY_ATTRIBUTE, BY_EXTERNAL_ID, BY_TAG, DEVICES},
};
use crate::{
    domain::{
        Error, Result,
        audience::Field,
        device::{Device, DevicePlatform},
        ids::AppName,
        labels::{LabelEdit, LabelUsage, Quotas, Refusal},
    },
    storage::{LabelStore, labels::LabelPlan},
};

/// How often a change that others got in the way of is begun anew.
const TRIES: u32 = 200;
/// Counts of what is far beyond a quota need not be exact; one call changes fewer devices than this.
const MOST_IN_A_CALL: u64 = 4000;

#[async_trait]
impl LabelStore for Mongo {
    async fn change(
        &self,
        app: &AppName,
        edits: Vec<LabelEdit>,
        quotas: Quotas,
    ) -> Result<Result<(), Refusal>> {
        let name = app.clone();
        self.run(|core| async move {
            let app = core.app_number(&name).await?;
            // Of this node, one at a time: they would only get in each other's way.
            let _turn = core.label_turn.lock().await;
            for _ in 0..TRIES {
                match try_change(&core, app, &edits, quotas).await {
                    Err(Trouble::Passing) => {}
                    Err(Trouble::Lasting(error)) => return Err(error),
                    Ok(done) => return Ok(done),
                }
                let pause = rand::rng().random_range(1..20);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            Err(Error::unavailable("others keep changing the same devices"))
        })
        .await
    }

    async fn tags(&self, app: &AppName) -> Result<Vec<String>> {
        let Some(app) = self.app(app).await? else { return Ok(Vec::new()) };
        self.run(|core| async move {
            let mut session = core.session().await?;
            let tags = all_tags(&core, &mut session, app).await;
            tags.or_failed("list the tags")
        })
        .await
    }

    async fn counts(
        &self,
        app: &AppName,
        tags: &[String],
        platforms: &[DevicePlatform],
    ) -> Result<Vec<u64>> {
        let Some(app) = self.app(app).await? else { return Ok(vec![0; tags.len()]) };
        let (tags, platforms) = (tags.to_vec(), platforms.to_vec());
        self.run(|core| async move {
            let devices = core.documents(DEVICES);
            let mut counts = Vec::with_capacity(tags.len());
            for tag in &tags {
                let found = devices.count_documents(tagged(app, tag, &platforms));
                let found = found.hint(Hint::Name(BY_TAG.to_owned())).await;
                counts.push(found.or_failed("count a tag")?);
            }
            Ok(counts)
        })
        .await
    }

    async fn usage(&self, app: &AppName) -> Result<LabelUsage> {
        let Some(app) = self.app(app).await? else { return Ok(LabelUsage::default()) };
        self.run(|core| async move {
            const DOING: &str = "count the labels";
            let mut session = core.session().await?;
            let tags = all_tags(&core, &mut session, app).await.or_failed(DOING)?.len() as u64;
            let aliases = aliased(&core, &mut session, app, None).await.or_failed(DOING)?;
            Ok(LabelUsage { tags, aliases })
        })
        .await
    }

    async fn drop_tag(&self, app: &AppName, tag: &str, platforms: &[DevicePlatform]) -> Result<()> {
        let Some(app) = self.app(app).await? else { return Ok(()) };
        let filter = tagged(app, tag, platforms);
        let pull = doc! { "p": { "k": Field::Tag.key(), "v": tag }, "j": tag };
        self.pull(filter, pull, BY_TAG).await
    }

    async fn drop_alias(
        &self,
        app: &AppName,
        alias: &str,
        platforms: &[DevicePlatform],
    ) -> Result<()> {
        let Some(app) = self.app(app).await? else { return Ok(()) };
        let entry = doc! { "k": Field::Alias.key(), "v": alias };
        let numbers: Vec<i32> = platforms.iter().map(|one| one.number().into()).collect();
        let filter = doc! { "a": app, "p": { "$elemMatch": &entry }, "d": { "$in": numbers } };
        self.pull(filter, doc! { "p": entry }, BY_ATTRIBUTE).await
    }
}

impl Mongo {
    /// Takes elements from the lists of devices; each device changes by itself.
    async fn pull(&self, filter: Document, pull: Document, index: &'static str) -> Result<()> {
        self.run(|core| async move {
            let writer: i64 = rand::random();
            let change = doc! { "$pull": pull, "$inc": { "v": 1_i64 }, "$set": { "w": writer } };
            let devices = core.documents(DEVICES);
            let done = devices.update_many(filter, change).hint(Hint::Name(index.to_owned()));
            done.await.or_failed("take a label away").map(drop)
        })
        .await
    }
}

/// One try: reads, decides and writes behind the gate.
async fn try_change(
    core: &Core,
    app: i32,
    edits: &[LabelEdit],
    quotas: Quotas,
) -> Result<Result<(), Refusal>, Trouble> {
    let mut gate = Gate::enter(core, app).await?;
    let done = within(core, &mut gate.session, app, edits, quotas).await;
    match done {
        Ok(Ok(())) => gate.commit().await.map(Ok),
        undone => {
            gate.leave().await;
            undone
        }
    }
}

async fn within(
    core: &Core,
    session: &mut ClientSession,
    app: i32,
    edits: &[LabelEdit],
    quotas: Quotas,
) -> Result<Result<(), Refusal>, Trouble> {
    let stored = read(core, session, app, edits).await?;
    let devices = stored.iter().map(|stored| stored.device.clone()).collect();
    let plan = match LabelPlan::of(edits, devices) {
        Ok(plan) => plan,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if plan.changed.is_empty() {
        return Ok(Ok(()));
    }
    if let Err(refusal) = judge(core, session, app, &plan, quotas).await? {
        return Ok(Err(refusal));
    }
    store(core, session, app, &plan, &stored).await?;
    Ok(Ok(()))
}

async fn read(
    core: &Core,
    session: &mut ClientSession,
    app: i32,
    edits: &[LabelEdit],
) -> Result<Vec<Stored>, Trouble> {
    let names: Vec<&str> = edits.iter().map(|edit| edit.external_id.as_str()).collect();
    let find = core.raw(DEVICES).find(doc! { "a": app, "x": { "$in": names } });
    let find = find.hint(Hint::Name(BY_EXTERNAL_ID.to_owned())).session(&mut *session);
    let rows: Vec<_> = find.await?.stream(session).try_collect().await?;
    Ok(rows.iter().map(|row| read_device(row)).collect::<Result<_>>()?)
}

async fn judge(
    core: &Core,
    session: &mut ClientSession,
    app: i32,
    plan: &LabelPlan,
    quotas: Quotas,
) -> Result<Result<(), Refusal>, Trouble> {
    for (alias, device) in &plan.claims {
        if is_taken(core, session, app, alias, device).await? {
            return Ok(Err(Refusal::AliasTaken));
        }
    }
    let most = |quota: u64| Some(quota.max(MOST_IN_A_CALL) + 1);
    let mut counts = BTreeMap::new();
    for tag in plan.tags.keys() {
        let count = count_tag(core, session, app, tag, most(quotas.devices_per_tag)).await?;
        counts.insert(tag.clone(), count);
    }
    let mut usage = LabelUsage::default();
    if plan.may_add_tags(&counts) {
        usage.tags = all_tags(core, session, app).await?.len() as u64;
    }
    if plan.aliases > 0 {
        usage.aliases = aliased(core, session, app, most(quotas.aliases_per_app)).await?;
    }
    Ok(plan.check(&counts, usage, quotas))
}

/// Whether another device has an alias.
async fn is_taken(
    core: &Core,
    session: &mut ClientSession,
    app: i32,
    alias: &str,
    own: &Device,
) -> Result<bool, Trouble> {
    let entry = doc! { "k": Field::Alias.key(), "v": alias };
    let filter = doc! {
        "a": app, "p": { "$elemMatch": entry }, "n": { "$ne": own.id.0.cast_signed() },
    };
    let find = core.documents(DEVICES).find_one(filter).projection(doc! { "_id": 1 });
    Ok(find.hint(Hint::Name(BY_ATTRIBUTE.to_owned())).session(session).await?.is_some())
}

/// Writes every device as it is to be, if all are as they were read.
async fn store(
    core: &Core,
    session: &mut ClientSession,
    app: i32,
    plan: &LabelPlan,
    stored: &[Stored],
) -> Result<(), Trouble> {
    let versions: BTreeMap<_, _> =
        stored.iter().map(|stored| (stored.device.id, stored.version)).collect();
    let writer: i64 = rand::random();
    let mut writes = Vec::with_capacity(plan.changed.len());
    for (before, after) in &plan.changed {
        let version = versions.get(&before.id).copied().unwrap_or_default();
        let (old, new) = (write_device(app, before)?, write_device(app, after)?);
        let (mut set, unset) = changes(&old, &new);
        set.insert("v", version + 1);
        set.insert("w", writer);
        let mut order = doc! { "$set": set };
        if !unset.is_empty() {
            order.insert("$unset", unset);
        }
        let place = new.get_i64("_id").map_err(|_| Error::bug("place a device"))?;
        writes.push(Bson::Document(update(doc! { "_id": place, "v": version }, order, false)));
    }
    let wanted = i32::try_from(writes.len()).unwrap_or(i32::MAX);
    let command = doc! { "update": DEVICES, "updates": writes };
    let reply = core.database.run_command(command).session(session).await?;
    let matched = reply.get_i32("n").map_err(|_| corrupt("an answer"))?;
    // Somebody registered or edited one of them in between.
    if matched == wanted { Ok(()) } else { Err(Trouble::Passing) }
}
