//! Reading a page of devices: the ids from the round's audience, the rows by one range scan where they
//! lie close together and one by one where they do not. The hot path of sending; asked by `ledger`.

use rusqlite::{Connection, Row, types::ValueRef};

use super::{
    audiences::Audience,
    device_row::{device_platform, send_platform},
    failure::{OrFailed, corrupt},
};
use crate::domain::{
    Result,
    campaign::{Position, Span, Target, TargetPage},
    device::Unreachable,
    ids::DeviceId,
    timestamp::Timestamp,
};

const DOING: &str = "read a page of devices";
/// The columns stand first in the row, so SQLite stops before the properties.
const RANGE: &str = "SELECT id, send_platform, device_platform, registered_at, \
    pruned_at IS NOT NULL, push_token FROM devices WHERE id BETWEEN ? AND ?";
const ONE: &str = "SELECT id, send_platform, device_platform, registered_at, \
    pruned_at IS NOT NULL, push_token FROM devices WHERE id = ?";
/// Passing over a row costs about a tenth of finding one.
const SCAN_PER_MATCH: u64 = 8;

/// The next devices of `audience` within `span`, at most `limit`. A device removed meanwhile is left
/// out.
pub(super) fn read_page(
    connection: &Connection,
    audience: &Audience,
    span: Span,
    limit: usize,
) -> Result<TargetPage> {
    let bound = |position: Position| u32::try_from(position.0).unwrap_or(u32::MAX);
    let (after, upto) = (bound(span.after), bound(span.upto));
    let empty = TargetPage { targets: Vec::new(), upto: span.upto };
    let Some(from) = after.checked_add(1).filter(|from| *from <= upto) else { return Ok(empty) };
    let ids: Vec<u32> = audience.matching.range(from..=upto).take(limit).collect();
    let (Some(first), Some(last)) = (ids.first().copied(), ids.last().copied()) else {
        return Ok(empty);
    };
    let width = u64::from(last - first) + 1;
    let targets = if width <= SCAN_PER_MATCH * ids.len() as u64 {
        scan(connection, audience, &ids, (first, last))?
    } else {
        look_up(connection, audience, &ids)?
    };
    let full = ids.len() == limit;
    Ok(TargetPage { targets, upto: if full { Position(last.into()) } else { span.upto } })
}

fn scan(
    connection: &Connection,
    audience: &Audience,
    ids: &[u32],
    range: (u32, u32),
) -> Result<Vec<Target>> {
    let mut targets = Vec::with_capacity(ids.len());
    let mut wanted = ids.iter().copied().peekable();
    let mut statement = connection.prepare_cached(RANGE).or_failed(DOING)?;
    let mut rows = statement.query(range).or_failed(DOING)?;
    while let Some(row) = rows.next().or_failed(DOING)? {
        let id: u32 = row.get(0).or_failed(DOING)?;
        while wanted.next_if(|next| *next < id).is_some() {}
        if wanted.next_if_eq(&id).is_some() {
            targets.push(read(row, id, audience)?);
        }
    }
    Ok(targets)
}

fn look_up(connection: &Connection, audience: &Audience, ids: &[u32]) -> Result<Vec<Target>> {
    let mut targets = Vec::with_capacity(ids.len());
    let mut statement = connection.prepare_cached(ONE).or_failed(DOING)?;
    for id in ids {
        let mut rows = statement.query([id]).or_failed(DOING)?;
        if let Some(row) = rows.next().or_failed(DOING)? {
            targets.push(read(row, *id, audience)?);
        }
    }
    Ok(targets)
}

fn read(row: &Row<'_>, id: u32, audience: &Audience) -> Result<Target> {
    let provider = send_platform(row, 1)?;
    let token = match row.get_ref(5).or_failed(DOING)? {
        ValueRef::Null => None,
        token => Some(token.as_str().map_err(|_| corrupt("a token"))?),
    };
    let pruned: bool = row.get(4).or_failed(DOING)?;
    Ok(Target {
        device: DeviceId(id.into()),
        position: Position(id.into()),
        platform: provider.counted_as(device_platform(row, 2)?),
        provider,
        token: token.unwrap_or_default().into(),
        registered_at: Timestamp(row.get(3).or_failed(DOING)?),
        unreachable: Unreachable::of(token.is_some(), pruned, provider),
        failed_before: audience.failed_before(id),
    })
}
