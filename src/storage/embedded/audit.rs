//! The role of the audit log: a row each, in the order of their names. What has expired is removed a few
//! rows at a time, by those that are added.

use async_trait::async_trait;
use rusqlite::{Connection, params, params_from_iter, types::Value};

use super::{
    Embedded,
    failure::{OrFailed, corrupt},
    work::Work,
};
use crate::{
    domain::{Error, Result, audit::AuditEntry, timestamp::Timestamp},
    storage::{AuditQuery, AuditStore, Found},
};

/// Expired rows that one addition removes.
const SWEPT: u32 = 16;

const KEEP: &str = "INSERT INTO audit (id, app, action, target, actor, body, expires_at)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
const SWEEP: &str = "DELETE FROM audit WHERE id IN
    (SELECT id FROM audit WHERE expires_at <= ? LIMIT ?)";

#[async_trait]
impl AuditStore for Embedded {
    async fn keep(&self, entry: AuditEntry, expires_at: Option<Timestamp>) -> Result<()> {
        let body = serde_json::to_string(&entry);
        let body = body.map_err(|error| Error::internal("write an audit entry", error))?;
        let keep = move |work: &mut Work<'_>| keep(work, &entry, &body, expires_at);
        self.inner.writer.write(keep).await
    }

    async fn list(&self, query: &AuditQuery, now: Timestamp) -> Result<Found<AuditEntry>> {
        let query = query.clone();
        let question = move |connection: &Connection| list(connection, &query, now);
        self.inner.readers.read(question).await
    }
}

fn keep(
    work: &mut Work<'_>,
    entry: &AuditEntry,
    body: &str,
    expires_at: Option<Timestamp>,
) -> Result<()> {
    const DOING: &str = "keep an audit entry";
    let app = entry.deed.app.as_ref().map(|app| app.as_str());
    let (action, target) = (entry.deed.action.name(), entry.deed.target.as_deref());
    let actor = &entry.deed.actor.name;
    let mut keep = work.connection.prepare_cached(KEEP).or_failed(DOING)?;
    let end = expires_at.map(|at| at.0);
    keep.execute(params![entry.id, app, action, target, actor, body, end]).or_failed(DOING)?;
    let mut sweep = work.connection.prepare_cached(SWEEP).or_failed(DOING)?;
    sweep.execute(params![entry.at.0, SWEPT]).map(drop).or_failed(DOING)
}

fn list(connection: &Connection, query: &AuditQuery, now: Timestamp) -> Result<Found<AuditEntry>> {
    const DOING: &str = "list the audit log";
    let (condition, mut values) = condition(query, now);
    let count = format!("SELECT count(*) FROM audit WHERE {condition}");
    let mut count = connection.prepare_cached(&count).or_failed(DOING)?;
    let total: i64 =
        count.query_row(params_from_iter(&values), |row| row.get(0)).or_failed(DOING)?;
    let list =
        format!("SELECT body FROM audit WHERE {condition} ORDER BY id DESC LIMIT ? OFFSET ?");
    values.push(i64::try_from(query.size).unwrap_or(i64::MAX).into());
    values.push(i64::try_from(query.start).unwrap_or(i64::MAX).into());
    let mut list = connection.prepare_cached(&list).or_failed(DOING)?;
    let mut rows = list.query(params_from_iter(&values)).or_failed(DOING)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next().or_failed(DOING)? {
        let body: String = row.get(0).or_failed(DOING)?;
        items.push(serde_json::from_str(&body).map_err(|_| corrupt("an audit entry"))?);
    }
    Ok(Found { total: total.cast_unsigned(), items })
}

/// What must hold, and the values that stand for its question marks.
fn condition(query: &AuditQuery, now: Timestamp) -> (String, Vec<Value>) {
    let mut parts = vec![String::from("coalesce(expires_at > ?, true)")];
    let mut values = vec![Value::from(now.0)];
    if let Some(app) = &query.app {
        parts.push("app = ?".into());
        values.push(app.as_str().to_owned().into());
    }
    if let Some(target) = &query.target {
        parts.push("target = ?".into());
        values.push(target.clone().into());
    }
    if let Some(actor) = &query.actor {
        parts.push("actor = ?".into());
        values.push(actor.clone().into());
    }
    if !query.actions.is_empty() {
        let marks = vec!["?"; query.actions.len()].join(", ");
        parts.push(format!("action IN ({marks})"));
        values.extend(query.actions.iter().map(|action| action.name().to_owned().into()));
    }
    (parts.join(" AND "), values)
}
