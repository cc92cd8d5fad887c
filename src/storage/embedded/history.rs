//! One device's history: in each round of each campaign at most one page covers it, found by key range;
//! single events have rows of their own. Asked by `ledger`.

use std::{cmp::Ordering, collections::BTreeMap};

use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::failure::{OrFailed, corrupt};
use crate::{
    domain::{Result, campaign::Position, ids::NotificationId, timestamp::Timestamp},
    storage::{
        Event, EventField, EventKind, EventQuery, Found, OrderBy,
        pages::{MAX_PAGE_ENTRIES, Packed},
    },
};

const DOING: &str = "read a device's history";

/// How many devices each kind of single event was kept of.
pub(super) fn heard(connection: &Connection, campaign: i64) -> Result<BTreeMap<EventKind, u64>> {
    const DOING: &str = "count events";
    const COUNT: &str =
        "SELECT kind, count(DISTINCT device) FROM events WHERE campaign = ? GROUP BY kind";
    let mut statement = connection.prepare_cached(COUNT).or_failed(DOING)?;
    let mut rows = statement.query([campaign]).or_failed(DOING)?;
    let mut counts = BTreeMap::new();
    while let Some(row) = rows.next().or_failed(DOING)? {
        let kind: usize = row.get(0).or_failed(DOING)?;
        let kind = *EventKind::ALL.get(kind).ok_or_else(|| corrupt("the kind of an event"))?;
        counts.insert(kind, row.get(1).or_failed(DOING)?);
    }
    Ok(counts)
}

/// For each round of the app's campaigns: the shard whose stretch holds the device, and in it the last
/// page that begins before the device.
const PAGES: &str = "
    SELECT n.uuid, p.seq, p.after, p.at, p.body
    FROM rounds r
    JOIN notifications n ON n.id = r.campaign
    JOIN shards s ON s.campaign = r.campaign AND s.round = r.round
        AND s.after < ?2 AND s.upto >= ?2
    JOIN pages p ON p.campaign = s.campaign AND p.round = s.round AND p.shard = s.shard
        AND p.after = (
            SELECT max(after) FROM pages
            WHERE campaign = s.campaign AND round = s.round AND shard = s.shard AND after < ?2)
    WHERE r.app = ?1 AND p.upto >= ?2";

const EVENTS: &str = "
    SELECT n.uuid, e.seq, e.kind, e.at
    FROM events e JOIN notifications n ON n.id = e.campaign
    WHERE e.device = ?2 AND n.app = ?1";

/// A stretch of a device's events; newest first where no order is asked for.
pub(super) fn history(
    connection: &Connection,
    app: u32,
    device: u64,
    query: &EventQuery,
) -> Result<Found<Event>> {
    let key = params![app, device.cast_signed()];
    let mut events = Vec::new();
    let mut statement = connection.prepare_cached(PAGES).or_failed(DOING)?;
    let mut rows = statement.query(key).or_failed(DOING)?;
    while let Some(row) = rows.next().or_failed(DOING)? {
        events.extend(of_page(row, device)?);
    }
    let mut statement = connection.prepare_cached(EVENTS).or_failed(DOING)?;
    let mut rows = statement.query(key).or_failed(DOING)?;
    while let Some(row) = rows.next().or_failed(DOING)? {
        events.push(single(row)?);
    }
    events.retain(|event| query.kinds.is_empty() || query.kinds.contains(&event.kind));
    events.sort_by(|left, right| compare(left, right, &query.order_by));
    let total = events.len() as u64;
    let skip = usize::try_from(query.start).unwrap_or(usize::MAX);
    Ok(Found { total, items: events.into_iter().skip(skip).take(query.size).collect() })
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

fn notification(row: &Row<'_>) -> Result<NotificationId> {
    let bytes: [u8; 16] = row.get(0).or_failed(DOING)?;
    Ok(NotificationId(Uuid::from_bytes(bytes)))
}

/// The number of an event: unique, since pages and single events draw from one sequence.
fn event_id(seq: i64, place: usize) -> u64 {
    seq.cast_unsigned() * MAX_PAGE_ENTRIES as u64 + place as u64
}

fn of_page(row: &Row<'_>, device: u64) -> Result<Option<Event>> {
    let seq: i64 = row.get(1).or_failed(DOING)?;
    let after = row.get::<_, i64>(2).or_failed(DOING)?.cast_unsigned();
    let body = row.get_ref(4).or_failed(DOING)?;
    let body = body.as_blob().map_err(|_| corrupt("a page"))?;
    let mut packed = Packed::open(body, Position(after))?;
    let mut place = 0;
    while let Some(entry) = packed.next()? {
        if entry.place > device {
            break;
        }
        if entry.place == device {
            let kind = if entry.failed.is_some() { EventKind::Failed } else { EventKind::Sent };
            return Ok(Some(Event {
                id: event_id(seq, place),
                notification: notification(row)?,
                kind,
                reason: entry.failed.map(|number| packed.reasons[number].clone()),
                at: Timestamp(row.get(3).or_failed(DOING)?),
            }));
        }
        place += 1;
    }
    Ok(None)
}

fn single(row: &Row<'_>) -> Result<Event> {
    let kind: usize = row.get(2).or_failed(DOING)?;
    Ok(Event {
        id: event_id(row.get(1).or_failed(DOING)?, 0),
        notification: notification(row)?,
        kind: *EventKind::ALL.get(kind).ok_or_else(|| corrupt("the kind of an event"))?,
        reason: None,
        at: Timestamp(row.get(3).or_failed(DOING)?),
    })
}
