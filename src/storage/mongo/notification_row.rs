//! A notification as its document keeps it: JSON, beside the fields that lists are filtered and sorted by.
//! What other systems report (`rep`) has fields of its own, which updates leave alone; so have the
//! idempotency keys that it answers (`keys`), unique within the app. `kept` stands while its pages and
//! events are.

use mongodb::bson::{Bson, Document, doc};
use uuid::Uuid;

use super::{
    core::Core,
    failure::{OrFailed, corrupt},
    schema::NOTIFICATIONS,
    shards::{campaign, to_json},
};
use crate::{
    domain::{
        Error, Result, ids::NotificationId, notification::Notification, tally::PlatformCounts,
        timestamp::Timestamp,
    },
    storage::IdempotencyKey,
};

/// Reads a document.
pub(super) fn read_notification(row: &Document) -> Result<Notification> {
    let body = row.get_str("body").map_err(|_| corrupt("a notification"))?;
    let mut notification: Notification = serde_json::from_str(body)
        .map_err(|error| Error::internal("read a notification", error))?;
    notification.reported = read_counts(row)?;
    Ok(notification)
}

/// What other systems reported of it.
pub(super) fn read_counts(row: &Document) -> Result<PlatformCounts> {
    let bad = |_| corrupt("what was reported");
    let counts = row.get_document("rep").map_err(bad)?;
    let count = |name: &str| counts.get_i64(name).map(i64::cast_unsigned).map_err(bad);
    Ok(PlatformCounts {
        android: count("android")?,
        ios: count("ios")?,
        web: count("web")?,
        unknown: count("unknown")?,
    })
}

/// Counts as fields.
pub(super) fn write_counts(counts: &PlatformCounts) -> [(&'static str, i64); 4] {
    [
        ("android", counts.android.cast_signed()),
        ("ios", counts.ios.cast_signed()),
        ("web", counts.web.cast_signed()),
        ("unknown", counts.unknown.cast_signed()),
    ]
}

/// The fields that an update replaces.
pub(super) fn changing(notification: &Notification) -> Result<Document> {
    Ok(doc! {
        "status": i32::from(notification.status.number()),
        "title": &notification.message.title,
        "scheduled": notification.scheduled_at.map(|at| at.0),
        "modified": notification.modified_at.0,
        "finished": notification.finished_at.map(|at| at.0),
        "version": notification.version.cast_signed(),
        "body": to_json(notification)?,
    })
}

/// The whole document of a new notification.
pub(super) fn write_new(app: i32, notification: &Notification) -> Result<Document> {
    let counts = write_counts(&notification.reported);
    let mut row = doc! {
        "_id": campaign(notification.uuid),
        "n": notification.id.cast_signed(),
        "a": app,
        "created": notification.created_at.0,
        "kept": true,
        "rep": counts.map(|(name, count)| (name.to_owned(), Bson::Int64(count))).into_iter().collect::<Document>(),
    };
    row.extend(changing(notification)?);
    Ok(row)
}

/// A key as the document of its answer keeps it.
pub(super) fn write_key(key: &IdempotencyKey, at: Timestamp) -> Document {
    doc! { "k": &key.key, "d": &key.digest, "at": at.0 }
}

/// One notification.
pub(super) async fn find_one(core: &Core, uuid: NotificationId) -> Result<Option<Notification>> {
    find_by(core, doc! { "_id": campaign(uuid) }).await
}

/// The only notification that a filter finds.
pub(super) async fn find_by(core: &Core, filter: Document) -> Result<Option<Notification>> {
    let row = core.documents(NOTIFICATIONS).find_one(filter).await;
    row.or_failed("look a notification up")?.as_ref().map(read_notification).transpose()
}

/// The number of a notification's app.
pub(super) async fn app_of(core: &Core, uuid: NotificationId) -> Result<i32> {
    let row = core.documents(NOTIFICATIONS).find_one(doc! { "_id": campaign(uuid) });
    let row = row.projection(doc! { "a": 1 }).await.or_failed("look a notification up")?;
    let row = row.ok_or_else(|| Error::not_found(format!("there is no notification {uuid}")))?;
    row.get_i32("a").map_err(|_| corrupt("a notification"))
}

/// The name of a document.
pub(super) fn uuid_of(row: &Document) -> Result<NotificationId> {
    let Some(Bson::Binary(key)) = row.get("_id") else { return Err(corrupt("a notification")) };
    Uuid::from_slice(&key.bytes).map(NotificationId).map_err(|_| corrupt("a notification"))
}

/// The notification that a key answered before. A key that was used for another request is a conflict.
pub(super) async fn answered(
    core: &Core,
    app: i32,
    key: &IdempotencyKey,
) -> Result<Option<Notification>> {
    let filter = doc! { "a": app, "keys.k": &key.key };
    let row = core.documents(NOTIFICATIONS).find_one(filter).await;
    let Some(row) = row.or_failed("look an idempotency key up")? else { return Ok(None) };
    let same = |held: &Bson| {
        let held = held.as_document();
        held.is_some_and(|held| {
            held.get_str("k").ok() == Some(key.key.as_str())
                && held.get_str("d").ok() == Some(key.digest.as_str())
        })
    };
    if !row.get_array("keys").into_iter().flatten().any(same) {
        return Err(Error::conflict("this Idempotency-Key was used for another request"));
    }
    read_notification(&row).map(Some)
}
