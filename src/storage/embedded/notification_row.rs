//! A notification as its row keeps it: JSON, beside the columns that lists are filtered and sorted by.
//! What other systems report has a column of its own, which updates leave alone.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    failure::{OrFailed, corrupt},
    work::Work,
};
use crate::{
    domain::{
        Error, Result, ids::NotificationId, notification::Notification, tally::PlatformCounts,
        timestamp::Timestamp,
    },
    storage::IdempotencyKey,
};

/// The columns that [`read_notification`] expects, in its order.
pub(super) const COLUMNS: &str = "body, reported";

/// Reads a row of [`COLUMNS`].
pub(super) fn read_notification(row: &Row<'_>) -> Result<Notification> {
    const DOING: &str = "read a notification";
    let text = |column: usize| row.get_ref(column).or_failed(DOING);
    let body = text(0)?.as_str().map_err(|_| corrupt("a notification"))?;
    let reported = text(1)?.as_str().map_err(|_| corrupt("what was reported"))?;
    let mut notification: Notification =
        serde_json::from_str(body).map_err(|error| Error::internal(DOING, error))?;
    notification.reported = read_counts(reported)?;
    Ok(notification)
}

fn read_counts(text: &str) -> Result<PlatformCounts> {
    serde_json::from_str(text).map_err(|error| Error::internal("read what was reported", error))
}

pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("write JSON", error))
}

/// The only row of a query over [`COLUMNS`].
pub(super) fn find_one(
    connection: &Connection,
    condition: &str,
    values: impl rusqlite::Params,
) -> Result<Option<Notification>> {
    const DOING: &str = "look a notification up";
    let sql = format!("SELECT {COLUMNS} FROM notifications WHERE {condition}");
    let mut statement = connection.prepare_cached(&sql).or_failed(DOING)?;
    let mut rows = statement.query(values).or_failed(DOING)?;
    rows.next().or_failed(DOING)?.map(read_notification).transpose()
}

/// Every row of a query over [`COLUMNS`].
pub(super) fn all(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<Notification>> {
    const DOING: &str = "list notifications";
    let mut statement = connection.prepare_cached(sql).or_failed(DOING)?;
    let mut rows = statement.query(values).or_failed(DOING)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().or_failed(DOING)? {
        found.push(read_notification(row)?);
    }
    Ok(found)
}

/// A notification's number; not found where there is none.
pub(super) fn number_of(connection: &Connection, uuid: NotificationId) -> Result<i64> {
    const DOING: &str = "look a notification up";
    connection
        .prepare_cached("SELECT id FROM notifications WHERE uuid = ?")
        .and_then(|mut find| find.query_row([uuid.0.as_bytes()], |row| row.get(0)).optional())
        .or_failed(DOING)?
        .ok_or_else(|| Error::not_found(format!("there is no notification {uuid}")))
}

/// Inserts a notification, its number drawn.
pub(super) fn insert(work: &Work<'_>, app: u32, notification: &Notification) -> Result<()> {
    const INSERT: &str = "INSERT INTO notifications (id, uuid, app, status, title, scheduled_at, \
        created_at, modified_at, finished_at, version, body, reported) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let body = to_json(notification)?;
    let reported = to_json(&notification.reported)?;
    work.connection
        .prepare_cached(INSERT)
        .and_then(|mut insert| {
            insert.execute(params![
                notification.id.cast_signed(),
                notification.uuid.0.as_bytes(),
                app,
                notification.status.number(),
                notification.message.title,
                notification.scheduled_at.map(|at| at.0),
                notification.created_at.0,
                notification.modified_at.0,
                notification.finished_at.map(|at| at.0),
                notification.version.cast_signed(),
                body,
                reported,
            ])
        })
        .or_failed("insert a notification")?;
    Ok(())
}

/// Replaces a notification whose stored version is `read`; whether it was.
pub(super) fn replace(work: &Work<'_>, next: &Notification, read: u64) -> Result<bool> {
    const UPDATE: &str = "UPDATE notifications SET status = ?, title = ?, scheduled_at = ?, \
        modified_at = ?, finished_at = ?, version = ?, body = ? WHERE uuid = ? AND version = ?";
    let body = to_json(next)?;
    let changed = work
        .connection
        .prepare_cached(UPDATE)
        .and_then(|mut update| {
            update.execute(params![
                next.status.number(),
                next.message.title,
                next.scheduled_at.map(|at| at.0),
                next.modified_at.0,
                next.finished_at.map(|at| at.0),
                next.version.cast_signed(),
                body,
                next.uuid.0.as_bytes(),
                read.cast_signed(),
            ])
        })
        .or_failed("update a notification")?;
    Ok(changed > 0)
}

/// Adds to what was reported; the totals after it, none where there is no such notification.
pub(super) fn report(
    work: &Work<'_>,
    uuid: NotificationId,
    counts: &PlatformCounts,
) -> Result<Option<PlatformCounts>> {
    const DOING: &str = "report counts";
    let stored: Option<String> = work
        .connection
        .prepare_cached("SELECT reported FROM notifications WHERE uuid = ?")
        .and_then(|mut find| find.query_row([uuid.0.as_bytes()], |row| row.get(0)).optional())
        .or_failed(DOING)?;
    let Some(stored) = stored else { return Ok(None) };
    let mut totals = read_counts(&stored)?;
    totals.add(counts);
    let text = to_json(&totals)?;
    work.connection
        .prepare_cached("UPDATE notifications SET reported = ? WHERE uuid = ?")
        .and_then(|mut update| update.execute(params![text, uuid.0.as_bytes()]))
        .or_failed(DOING)?;
    Ok(Some(totals))
}

/// The number of the notification that a key answered before. A key that was used for another request
/// is a conflict.
pub(super) fn answered(
    connection: &Connection,
    app: u32,
    key: &IdempotencyKey,
) -> Result<Option<i64>> {
    let found: Option<(String, i64)> = connection
        .prepare_cached(
            "SELECT digest, notification FROM idempotency_keys WHERE app = ? AND key = ?",
        )
        .and_then(|mut find| {
            find.query_row(params![app, key.key], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .or_failed("look an idempotency key up")?;
    match found {
        Some((digest, _)) if digest != key.digest => {
            Err(Error::conflict("this Idempotency-Key was used for another request"))
        }
        found => Ok(found.map(|(_, number)| number)),
    }
}

/// Remembers a key with its answer.
pub(super) fn remember(
    work: &Work<'_>,
    app: u32,
    key: &IdempotencyKey,
    number: u64,
    at: Timestamp,
) -> Result<()> {
    const INSERT: &str = "INSERT INTO idempotency_keys (app, key, digest, notification, created_at) \
        VALUES (?, ?, ?, ?, ?)";
    work.connection
        .prepare_cached(INSERT)
        .and_then(|mut insert| {
            insert.execute(params![app, key.key, key.digest, number.cast_signed(), at.0])
        })
        .or_failed("remember an idempotency key")?;
    Ok(())
}
