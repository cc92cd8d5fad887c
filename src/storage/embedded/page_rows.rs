//! Pages and single events as rows: recording, reading back, dropping. Used by `ledger`.

use rusqlite::{Connection, params};

use super::{
    failure::{OrFailed, corrupt},
    shards::checkpoint,
    work::Work,
};
use crate::{
    domain::{
        Result,
        campaign::{PageRecord, Position, Shard, ShardKey, Span},
        ids::DeviceId,
        timestamp::Timestamp,
    },
    storage::{EventKind, pages::unpack},
};

/// How many rows one job drops, so that other writes get between.
const DROPPED_AT_ONCE: u32 = 512;

/// Stores a page, whose packed outcomes are `body`, and its shard's checkpoint.
pub(super) fn record(
    work: &mut Work<'_>,
    campaign: i64,
    page: &PageRecord,
    body: &[u8],
    shard: &Shard,
) -> Result<()> {
    // A page recorded again keeps its number, and with it the numbers of its events.
    const UPSERT: &str = "INSERT INTO pages (seq, campaign, round, shard, after, upto, done, at, body) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) \
        ON CONFLICT (campaign, round, shard, after) DO UPDATE \
        SET upto = excluded.upto, done = excluded.done, at = excluded.at, body = excluded.body";
    checkpoint(work, campaign, shard)?;
    let seq = work.next_entry();
    work.connection
        .prepare_cached(UPSERT)
        .and_then(|mut upsert| {
            upsert.execute(params![
                seq.cast_signed(),
                campaign,
                page.shard.round,
                page.shard.index,
                page.span.after.0.cast_signed(),
                page.span.upto.0.cast_signed(),
                page.done,
                page.at.0,
                body,
            ])
        })
        .or_failed("record a page")?;
    Ok(())
}

/// The pages beyond the shard's cursor.
pub(super) fn open_pages(
    connection: &Connection,
    campaign: i64,
    shard: ShardKey,
) -> Result<Vec<PageRecord>> {
    const DOING: &str = "read open pages";
    const PAGES: &str = "SELECT p.after, p.upto, p.done, p.at, p.body \
        FROM shards s JOIN pages p \
        ON p.campaign = s.campaign AND p.round = s.round AND p.shard = s.shard \
        AND p.after >= s.cursor \
        WHERE s.campaign = ? AND s.round = ? AND s.shard = ? ORDER BY p.after";
    let mut statement = connection.prepare_cached(PAGES).or_failed(DOING)?;
    let mut rows = statement.query(params![campaign, shard.round, shard.index]).or_failed(DOING)?;
    let mut pages = Vec::new();
    while let Some(row) = rows.next().or_failed(DOING)? {
        let after = Position(row.get::<_, i64>(0).or_failed(DOING)?.cast_unsigned());
        let upto = Position(row.get::<_, i64>(1).or_failed(DOING)?.cast_unsigned());
        let body = row.get_ref(4).or_failed(DOING)?;
        pages.push(PageRecord {
            shard,
            span: Span { after, upto },
            done: row.get(2).or_failed(DOING)?,
            entries: unpack(body.as_blob().map_err(|_| corrupt("a page"))?, after, DeviceId)?,
            at: Timestamp(row.get(3).or_failed(DOING)?),
        });
    }
    Ok(pages)
}

/// Stores single events.
pub(super) fn log(
    work: &mut Work<'_>,
    campaign: i64,
    devices: &[DeviceId],
    kind: EventKind,
    now: Timestamp,
) -> Result<()> {
    const DOING: &str = "log an event";
    const INSERT: &str =
        "INSERT INTO events (seq, campaign, device, kind, at) VALUES (?, ?, ?, ?, ?)";
    for device in devices {
        let seq = work.next_entry().cast_signed();
        work.connection
            .prepare_cached(INSERT)
            .and_then(|mut insert| {
                insert.execute(params![seq, campaign, device.0.cast_signed(), kind as u8, now.0])
            })
            .or_failed(DOING)?;
    }
    Ok(())
}

/// Campaigns that ended before `before` and still have pages or events.
pub(super) fn outdated(connection: &Connection, before: Timestamp) -> Result<Vec<i64>> {
    const DOING: &str = "find outdated campaigns";
    const CAMPAIGNS: &str = "SELECT id FROM notifications n \
        WHERE (finished_at < ?1 OR (status = 4 AND modified_at < ?1)) \
        AND (EXISTS (SELECT 1 FROM pages WHERE campaign = n.id) \
            OR EXISTS (SELECT 1 FROM events WHERE campaign = n.id))";
    let mut statement = connection.prepare_cached(CAMPAIGNS).or_failed(DOING)?;
    let found = statement.query_map([before.0], |row| row.get(0)).or_failed(DOING)?;
    found.collect::<rusqlite::Result<_>>().or_failed(DOING)
}

/// Drops some pages and events of a campaign; whether there may be more.
pub(super) fn drop_some(work: &Work<'_>, campaign: i64) -> Result<bool> {
    let mut more = false;
    for table in ["pages", "events"] {
        let sql = format!(
            "DELETE FROM {table} WHERE seq IN \
             (SELECT seq FROM {table} WHERE campaign = ? LIMIT {DROPPED_AT_ONCE})"
        );
        let dropped = work
            .connection
            .prepare_cached(&sql)
            .and_then(|mut delete| delete.execute([campaign]))
            .or_failed("drop outdated pages and events")?;
        more |= dropped > 0;
    }
    Ok(more)
}

/// Forgets idempotency keys of requests before `before`.
pub(super) fn forget_keys(work: &Work<'_>, before: Timestamp) -> Result<()> {
    work.connection
        .execute("DELETE FROM idempotency_keys WHERE created_at < ?", [before.0])
        .map(drop)
        .or_failed("forget idempotency keys")
}
