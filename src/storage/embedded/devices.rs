//! The role of the device store: each question and order, handed to the readers or the writer.

use async_trait::async_trait;
use roaring::RoaringBitmap;
use rusqlite::{Connection, params};

use super::{
    Embedded,
    device_row::{COLUMNS, read_device},
    failure::OrFailed,
    index::Index,
    register,
};
use crate::{
    domain::{
        Result,
        audience::Clause,
        device::{Device, DeviceEdit, Registration, SendPlatform},
        ids::{AppName, DeviceId},
        timestamp::Timestamp,
    },
    storage::{AudienceCount, DeviceQuery, DeviceStore, Found, PruneOrder, Restored},
};

#[async_trait]
impl DeviceStore for Embedded {
    async fn register(
        &self,
        app: &AppName,
        registrations: Vec<Registration>,
        now: Timestamp,
    ) -> Result<Vec<Result<Device>>> {
        let app = self.app_number(app).await?;
        let job = move |work: &mut super::work::Work<'_>| {
            registrations
                .into_iter()
                .map(|registration| register::register(work, app, registration, now))
                .collect()
        };
        self.inner.writer.write_unguarded(job).await
    }

    async fn edit(
        &self,
        app: &AppName,
        external_id: &str,
        edit: DeviceEdit,
        now: Timestamp,
    ) -> Result<Option<Device>> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(None) };
        let external_id = external_id.to_owned();
        let job = move |work: &mut super::work::Work<'_>| {
            register::edit(work, app, &external_id, &edit, now)
        };
        self.inner.writer.write(job).await
    }

    async fn remove(&self, app: &AppName, external_id: &str) -> Result<bool> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(false) };
        let external_id = external_id.to_owned();
        self.inner.writer.write(move |work| register::remove(work, app, &external_id)).await
    }

    async fn get(&self, app: &AppName, external_id: &str) -> Result<Option<Device>> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(None) };
        let external_id = external_id.to_owned();
        self.inner.readers.read(move |connection| get(connection, app, &external_id)).await
    }

    async fn get_many(&self, app: Option<&AppName>, ids: &[DeviceId]) -> Result<Vec<Device>> {
        let number = app.and_then(|app| self.inner.apps.find(app));
        if app.is_some() && number.is_none() {
            return Ok(Vec::new());
        }
        let mut ids: Vec<_> = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let ids = ids.into_iter().filter_map(|id| u32::try_from(id.0).ok()).collect::<Vec<_>>();
        self.inner.readers.read(move |connection| get_all(connection, number, ids)).await
    }

    async fn holders(&self, app: &AppName, tokens: &[String]) -> Result<Vec<Device>> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(Vec::new()) };
        let tokens = tokens.to_vec();
        self.inner.readers.read(move |connection| get_holders(connection, app, &tokens)).await
    }

    async fn search(&self, app: &AppName, query: &DeviceQuery) -> Result<Found<Device>> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(Found::default()) };
        let (index, query) = (self.inner.index.clone(), query.clone());
        let question = move |connection: &Connection| {
            let named = match &query.external_ids {
                Some(names) => Some(find_ids(connection, app, names)?),
                None => None,
            };
            let (total, ids) = pick(&index.read(), app, &query, named);
            let mut answered = 0;
            let takes = |device: &Device| query.takes(&mut answered, device);
            Ok(Found { total, items: get_while(connection, Some(app), ids, takes)? })
        };
        self.inner.readers.read(question).await
    }

    async fn count(
        &self,
        app: &AppName,
        clause: Option<&Clause>,
        configured: &[SendPlatform],
        now: Timestamp,
    ) -> Result<AudienceCount> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(AudienceCount::default()) };
        let index = self.inner.index.clone();
        let (clause, configured) = (clause.cloned(), configured.to_vec());
        let question = move |_: &Connection| {
            let index = index.read();
            let matching = index.matching(app, clause.as_ref(), now);
            Ok(index.count(app, &matching, &configured))
        };
        self.inner.readers.read(question).await
    }

    async fn prune(&self, app: &AppName, orders: Vec<PruneOrder>, now: Timestamp) -> Result<u64> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(0) };
        let job = move |work: &mut super::work::Work<'_>| {
            let mut pruned = 0;
            for order in &orders {
                pruned += u64::from(register::prune(work, app, order, now)?);
            }
            Ok(pruned)
        };
        self.inner.writer.write(job).await
    }

    async fn restore(&self, app: &AppName, external_id: &str) -> Result<Option<Restored>> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(None) };
        let external_id = external_id.to_owned();
        self.inner.writer.write(move |work| register::restore(work, app, &external_id)).await
    }
}

/// How many match, and the ids of the stretch asked for.
fn pick(
    index: &Index,
    app: u32,
    query: &DeviceQuery,
    named: Option<RoaringBitmap>,
) -> (u64, Vec<u32>) {
    let mut matching = index.matching(app, query.clause.as_ref(), query.now);
    if let Some(named) = named {
        *matching.to_mut() &= named;
    }
    let after = query.after.map_or(0, |after| u32::try_from(after.0).unwrap_or(u32::MAX));
    let before = matching.rank(after).saturating_add(query.start);
    let first = u32::try_from(before).ok().and_then(|before| matching.select(before));
    let ids = first.map(|first| matching.range(first..).take(query.size).collect());
    (matching.len(), ids.unwrap_or_default())
}

fn get(connection: &Connection, app: u32, external_id: &str) -> Result<Option<Device>> {
    const DOING: &str = "look a device up";
    let sql = format!("SELECT {COLUMNS} FROM devices WHERE app = ? AND external_id = ?");
    let mut statement = connection.prepare_cached(&sql).or_failed(DOING)?;
    let mut rows = statement.query(params![app, external_id]).or_failed(DOING)?;
    rows.next().or_failed(DOING)?.map(read_device).transpose()
}

fn get_holders(connection: &Connection, app: u32, tokens: &[String]) -> Result<Vec<Device>> {
    const DOING: &str = "look tokens up";
    let sql = format!("SELECT {COLUMNS} FROM devices WHERE app = ? AND push_token = ?");
    let mut statement = connection.prepare_cached(&sql).or_failed(DOING)?;
    let mut devices = Vec::new();
    for token in tokens {
        let mut rows = statement.query(params![app, token]).or_failed(DOING)?;
        if let Some(row) = rows.next().or_failed(DOING)? {
            devices.push(read_device(row)?);
        }
    }
    Ok(devices)
}

fn get_all(connection: &Connection, app: Option<u32>, ids: Vec<u32>) -> Result<Vec<Device>> {
    get_while(connection, app, ids, |_| true)
}

/// Those before the first that `takes` refuses.
fn get_while(
    connection: &Connection,
    app: Option<u32>,
    ids: Vec<u32>,
    mut takes: impl FnMut(&Device) -> bool,
) -> Result<Vec<Device>> {
    const DOING: &str = "read devices";
    let sql = format!("SELECT {COLUMNS} FROM devices WHERE id = ?1 AND (?2 IS NULL OR app = ?2)");
    let mut statement = connection.prepare_cached(&sql).or_failed(DOING)?;
    let mut devices = Vec::new();
    for id in ids {
        let mut rows = statement.query(params![id, app]).or_failed(DOING)?;
        if let Some(row) = rows.next().or_failed(DOING)? {
            let device = read_device(row)?;
            if !takes(&device) {
                break;
            }
            devices.push(device);
        }
    }
    Ok(devices)
}

fn find_ids(connection: &Connection, app: u32, names: &[String]) -> Result<RoaringBitmap> {
    const DOING: &str = "look devices up";
    let mut statement = connection
        .prepare_cached("SELECT id FROM devices WHERE app = ? AND external_id = ?")
        .or_failed(DOING)?;
    let mut ids = RoaringBitmap::new();
    for name in names {
        let mut rows = statement.query(params![app, name]).or_failed(DOING)?;
        if let Some(row) = rows.next().or_failed(DOING)? {
            ids.insert(row.get(0).or_failed(DOING)?);
        }
    }
    Ok(ids)
}
