//! The role of the audit log: `{_id: name, a: app, n: action, t: target, w: who, b: body as text, x: end}`.
//! The server removes what has expired (a TTL index on `x`); until then it is passed over.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::{
    Database,
    bson::{DateTime, Document as Row, doc},
};

use super::{
    Mongo,
    commands::{self, Kind, Wait},
    failure::{OrFailed, corrupt, is_duplicate},
    schema::AUDIT,
};
use crate::{
    domain::{Error, Result, audit::AuditEntry, timestamp::Timestamp},
    storage::{AuditQuery, AuditStore, Found},
};

#[async_trait]
impl AuditStore for Mongo {
    async fn keep(&self, entry: AuditEntry, expires_at: Option<Timestamp>) -> Result<()> {
        let row = row(&entry, expires_at)?;
        self.run(|core| async move {
            match core.documents(AUDIT).insert_one(row).await {
                Err(error) if is_duplicate(&error) => Ok(()),
                kept => kept.map(drop).or_failed("keep an audit entry"),
            }
        })
        .await
    }

    async fn list(&self, query: &AuditQuery, now: Timestamp) -> Result<Found<AuditEntry>> {
        const DOING: &str = "list the audit log";
        let (filter, start) = (filter(query, now), query.start);
        let size = i64::try_from(query.size).unwrap_or(i64::MAX);
        self.run(move |core| async move {
            let rows = core.documents(AUDIT);
            let total = rows.count_documents(filter.clone()).await.or_failed(DOING)?;
            // No limit is what MongoDB understands by 0.
            if size == 0 {
                return Ok(Found { total, items: Vec::new() });
            }
            let found = rows.find(filter).sort(doc! { "_id": -1 }).skip(start).limit(size).await;
            let found: Vec<_> = found.or_failed(DOING)?.try_collect().await.or_failed(DOING)?;
            let items = found.iter().map(read).collect::<Result<_>>()?;
            Ok(Found { total, items })
        })
        .await
    }
}

fn row(entry: &AuditEntry, expires_at: Option<Timestamp>) -> Result<Row> {
    let body = serde_json::to_string(entry);
    let body = body.map_err(|error| Error::internal("write an audit entry", error))?;
    let app = entry.deed.app.as_ref().map(|app| app.as_str());
    let mut row = doc! { "_id": &entry.id, "a": app, "n": entry.deed.action.name(), "b": body };
    row.insert("w", &entry.deed.actor.name);
    if let Some(target) = &entry.deed.target {
        row.insert("t", target);
    }
    if let Some(at) = expires_at {
        row.insert("x", DateTime::from_millis(at.0));
    }
    Ok(row)
}

fn filter(query: &AuditQuery, now: Timestamp) -> Row {
    let mut filter = doc! { "x": { "$not": { "$lte": DateTime::from_millis(now.0) } } };
    if let Some(app) = &query.app {
        filter.insert("a", doc! { "$eq": app.as_str() });
    }
    if let Some(target) = &query.target {
        filter.insert("t", doc! { "$eq": target });
    }
    if let Some(actor) = &query.actor {
        filter.insert("w", doc! { "$eq": actor });
    }
    if !query.actions.is_empty() {
        let names: Vec<_> = query.actions.iter().map(|action| action.name()).collect();
        filter.insert("n", doc! { "$in": names });
    }
    filter
}

/// How many entries are given their `w` at a time.
const NAMED_AT_ONCE: usize = 1000;

/// Entries that an older program kept do not say by themselves who did it: their body does. Called at start.
pub(super) async fn name_actors(database: &Database) -> Result<()> {
    const DOING: &str = "name who did what";
    let rows = database.collection::<Row>(AUDIT);
    let unnamed = rows.find(doc! { "w": null }).projection(doc! { "b": 1 });
    let unnamed = unnamed.await.or_failed(DOING)?;
    let mut chunks = unnamed.try_chunks(NAMED_AT_ONCE);
    while let Some(rows) = chunks.try_next().await.map_err(|chunk| chunk.1).or_failed(DOING)? {
        // One that does not read is told of where the log is read, and keeps no server from starting.
        let named = rows.iter().filter_map(|row| {
            let (id, actor) = (row.get("_id"), read(row).ok()?.deed.actor);
            Some(commands::update(doc! { "_id": id }, doc! { "$set": { "w": actor.name } }, false))
        });
        let named: Vec<_> = named.collect();
        if named.is_empty() {
            continue;
        }
        let written = commands::write(database, AUDIT, Kind::Update, &named, Wait::Majority).await;
        written.or_failed(DOING)?;
    }
    Ok(())
}

fn read(row: &Row) -> Result<AuditEntry> {
    let body = row.get_str("b").ok().and_then(|body| serde_json::from_str(body).ok());
    body.ok_or_else(|| corrupt("an audit entry"))
}
