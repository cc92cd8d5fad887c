//! One device's history: in each round of each campaign at most one page covers it, found by key range;
//! single events have documents of their own. Asked by `ledger`.

use std::{cmp::Ordering, collections::BTreeMap};

use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::bson::{Bson, Document, RawDocument, doc};
use uuid::Uuid;

use super::{
    core::Core,
    failure::{OrFailed, corrupt},
    page_rows::{page_body, pages_between},
    schema::{DEVICES, EVENTS, LEDGER, ROUNDS},
    shards::campaign,
};
use crate::{
    domain::{
        Result,
        ids::{DeviceId, NotificationId},
        timestamp::Timestamp,
    },
    storage::{Event, EventField, EventKind, EventQuery, Found, OrderBy, pages::MAX_PAGE_ENTRIES},
};

const DOING: &str = "read a device's history";
/// Rounds looked at at the same time.
const AT_ONCE: usize = 16;

/// A stretch of a device's events; newest first where no order is asked for.
pub(super) async fn history(
    core: &Core,
    app: i32,
    device: DeviceId,
    query: &EventQuery,
) -> Result<Found<Event>> {
    let number = device.0.cast_signed();
    let find = core.documents(EVENTS).find(doc! { "a": app, "n": number });
    let singles: Vec<_> = find.await.or_failed(DOING)?.try_collect().await.or_failed(DOING)?;
    let mut events = Vec::new();
    for row in &singles {
        events.push(single(row).ok_or_else(|| corrupt("an event"))?);
    }
    if query.kinds.is_empty() || query.kinds.iter().any(|kind| *kind <= EventKind::Failed) {
        events.extend(of_pages(core, app, number).await?);
    }
    events.retain(|event| query.kinds.is_empty() || query.kinds.contains(&event.kind));
    events.sort_by(|left, right| compare(left, right, &query.order_by));
    let total = events.len() as u64;
    let skip = usize::try_from(query.start).unwrap_or(usize::MAX);
    Ok(Found { total, items: events.into_iter().skip(skip).take(query.size).collect() })
}

/// What the pages of the app's campaigns say of a device. The page that covers its place is the last
/// one of a round that begins before it.
async fn of_pages(core: &Core, app: i32, number: i64) -> Result<Vec<Event>> {
    let place = core.documents(DEVICES).find_one(doc! { "a": app, "n": number });
    let place = place.projection(doc! { "_id": 1 }).await.or_failed(DOING)?;
    let Some(place) = place.and_then(|row| row.get_i64("_id").ok()) else { return Ok(Vec::new()) };
    let place = place.cast_unsigned();
    let rounds = doc! { "a": app, "dropped": { "$exists": false } };
    let rounds = core.documents(ROUNDS).find(rounds).projection(doc! { "_id": 1 });
    let rounds: Vec<_> = rounds.await.or_failed(DOING)?.try_collect().await.or_failed(DOING)?;
    let rounds: Option<Vec<(NotificationId, u16)>> = rounds.iter().map(round_of).collect();
    let rounds = rounds.ok_or_else(|| corrupt("a round"))?;
    let looks = rounds.into_iter().map(|(notification, round)| async move {
        let before = pages_between(notification, round, 0, place);
        let page = core.raw(LEDGER).find_one(before).sort(doc! { "_id": -1 });
        match page.await.or_failed(DOING)? {
            Some(page) => of_page(&page, notification, place),
            None => Ok(None),
        }
    });
    let found: Vec<Option<Event>> =
        stream::iter(looks).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

fn round_of(row: &Document) -> Option<(NotificationId, u16)> {
    let key = row.get_document("_id").ok()?;
    Some((notification(key)?, u16::try_from(key.get_i64("r").ok()?).ok()?))
}

fn notification(row: &Document) -> Option<NotificationId> {
    let Some(Bson::Binary(binary)) = row.get("c") else { return None };
    Uuid::from_slice(&binary.bytes).ok().map(NotificationId)
}

fn of_page(row: &RawDocument, notification: NotificationId, device: u64) -> Result<Option<Event>> {
    let (_, mut packed) = page_body(row)?;
    let number = |name: &str| row.get_i64(name).map_err(|_| corrupt("a page"));
    let mut place = 0;
    while let Some(entry) = packed.next()? {
        if entry.place > device {
            break;
        }
        if entry.place == device {
            let kind = if entry.failed.is_some() { EventKind::Failed } else { EventKind::Sent };
            return Ok(Some(Event {
                id: event_id(number("seq")?, place),
                notification,
                kind,
                reason: entry.failed.map(|number| packed.reasons[number].clone()),
                at: Timestamp(number("at")?),
            }));
        }
        place += 1;
    }
    Ok(None)
}

/// How many devices each kind of single event was kept of.
pub(super) async fn heard(
    core: &Core,
    notification: NotificationId,
) -> Result<BTreeMap<EventKind, u64>> {
    const DOING: &str = "count events";
    let steps = [
        doc! { "$match": { "c": campaign(notification) } },
        doc! { "$group": { "_id": { "kind": "$kind", "n": "$n" } } },
        doc! { "$group": { "_id": "$_id.kind", "devices": { "$sum": 1_i64 } } },
    ];
    let rows = core.documents(EVENTS).aggregate(steps).await.or_failed(DOING)?;
    let rows: Vec<Document> = rows.try_collect().await.or_failed(DOING)?;
    let read = |row: &Document| {
        let kind = usize::try_from(row.get_i32("_id").ok()?).ok()?;
        Some((*EventKind::ALL.get(kind)?, row.get_i64("devices").ok()?.cast_unsigned()))
    };
    rows.iter().map(|row| read(row).ok_or_else(|| corrupt("a count"))).collect()
}

/// The number of an event: unique, since pages and single events draw from one sequence.
fn event_id(seq: i64, place: usize) -> u64 {
    seq.cast_unsigned() * MAX_PAGE_ENTRIES as u64 + place as u64
}

fn single(row: &Document) -> Option<Event> {
    let kind = usize::try_from(row.get_i32("kind").ok()?).ok()?;
    Some(Event {
        id: event_id(row.get_i64("_id").ok()?, 0),
        notification: notification(row)?,
        kind: *EventKind::ALL.get(kind)?,
        reason: None,
        at: Timestamp(row.get_i64("at").ok()?),
    })
}

fn compare(left: &Event, right: &Event, order: &[OrderBy<EventField>]) -> Ordering {
    if order.is_empty() {
        return (right.at, right.id).cmp(&(left.at, left.id));
    }
    let by_key = |key: &OrderBy<EventField>| {
        let ascending = match key.field {
            EventField::Id => left.id.cmp(&right.id),
            EventField::Kind => left.kind.name().cmp(right.kind.name()),
            EventField::CreatedAt => left.at.cmp(&right.at),
        };
        if key.descending { ascending.reverse() } else { ascending }
    };
    let keys = order.iter().map(by_key).find(|ordering| ordering.is_ne());
    keys.unwrap_or_else(|| left.id.cmp(&right.id))
}
