//! Rounds and shards as rows, and how a round is cut into shards. Used by `ledger`.

use roaring::RoaringBitmap;
use rusqlite::{Connection, Row, params};

use super::{failure::OrFailed, notification_row::to_json, work::Work};
use crate::domain::{
    Error, Result,
    campaign::{Position, RoundPlan, Shard, ShardKey, Span},
    ids::NotificationId,
    tally::Tally,
    timestamp::Timestamp,
};

/// Cuts the numbers 1 to `max` into `count` stretches that hold about equally many of `devices`.
pub(super) fn cut(devices: &RoaringBitmap, max: u32, count: u16) -> Vec<Span> {
    let count = count.max(1);
    let mut after = 0;
    let stretch = |number: u16| {
        let upto = if number == count {
            max
        } else {
            // The last device of this stretch; the quotient is below the number of devices.
            let place = devices.len() * u64::from(number) / u64::from(count);
            let last = place.checked_sub(1).and_then(|place| u32::try_from(place).ok());
            last.and_then(|last| devices.select(last)).unwrap_or(0).min(max)
        };
        let span = Span { after: Position(after), upto: Position(upto.into()) };
        after = upto.into();
        span
    };
    (1..=count).map(stretch).collect()
}

/// Whether a round that was planned may be planned anew: a later round of which nothing is recorded,
/// since whoever asked for it may have failed before it began, and ask for other failures now.
pub(super) fn may_replace(connection: &Connection, campaign: i64, round: u16) -> Result<bool> {
    const BEGUN: &str = "SELECT EXISTS (SELECT 1 FROM pages WHERE campaign = ? AND round = ?)";
    let begun: bool = connection
        .prepare_cached(BEGUN)
        .and_then(|mut begun| begun.query_row(params![campaign, round], |row| row.get(0)))
        .or_failed("look for pages of a round")?;
    Ok(round > 0 && !begun)
}

/// Stores a round and its shards, unless they are there; answers those that are.
pub(super) fn plan(
    work: &mut Work<'_>,
    (campaign, app): (i64, u32),
    plan: &RoundPlan,
    now: Timestamp,
    spans: &[Span],
) -> Result<Vec<Shard>> {
    const DOING: &str = "plan a round";
    let stored = shards(work.connection, plan.notification, campaign, Some(plan.round))?;
    if !stored.is_empty() {
        if !may_replace(work.connection, campaign, plan.round)? {
            return Ok(stored);
        }
        for table in ["shards", "rounds"] {
            let sql = format!("DELETE FROM {table} WHERE campaign = ? AND round = ?");
            let deleted = work.connection.execute(&sql, params![campaign, plan.round]);
            deleted.or_failed(DOING)?;
        }
    }
    let failures = plan.failures.as_ref().map(to_json).transpose()?;
    work.connection
        .prepare_cached(
            "INSERT INTO rounds (campaign, round, app, now, failures) VALUES (?, ?, ?, ?, ?)",
        )
        .and_then(|mut insert| insert.execute(params![campaign, plan.round, app, now.0, failures]))
        .or_failed(DOING)?;
    let mut insert = work
        .connection
        .prepare_cached(
            "INSERT INTO shards (campaign, round, shard, after, upto, cursor, done, tally, again) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?4, 0, ?6, ?6)",
        )
        .or_failed(DOING)?;
    let empty = to_json(&Tally::default())?;
    for (index, span) in spans.iter().enumerate() {
        let (after, upto) = (span.after.0.cast_signed(), span.upto.0.cast_signed());
        insert
            .execute(params![campaign, plan.round, index as i64, after, upto, empty])
            .or_failed(DOING)?;
    }
    shards(work.connection, plan.notification, campaign, Some(plan.round))
}

/// The shards of a campaign, of one round or of all, in order.
pub(super) fn shards(
    connection: &Connection,
    notification: NotificationId,
    campaign: i64,
    round: Option<u16>,
) -> Result<Vec<Shard>> {
    const DOING: &str = "read shards";
    const SHARDS: &str = "SELECT round, shard, after, upto, cursor, done, tally, again FROM shards \
        WHERE campaign = ?1 AND (?2 IS NULL OR round = ?2) ORDER BY round, shard";
    let mut statement = connection.prepare_cached(SHARDS).or_failed(DOING)?;
    let mut rows = statement.query(params![campaign, round]).or_failed(DOING)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().or_failed(DOING)? {
        found.push(read(row, notification)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>, notification: NotificationId) -> Result<Shard> {
    const DOING: &str = "read a shard";
    let position = |column: usize| {
        let number = row.get::<_, i64>(column).or_failed(DOING)?;
        Ok::<_, Error>(Position(number.cast_unsigned()))
    };
    let tally = |column: usize| {
        let text: String = row.get(column).or_failed(DOING)?;
        serde_json::from_str(&text).map_err(|error| Error::internal("read a tally", error))
    };
    Ok(Shard {
        key: ShardKey {
            notification,
            round: row.get(0).or_failed(DOING)?,
            index: row.get(1).or_failed(DOING)?,
        },
        span: Span { after: position(2)?, upto: position(3)? },
        cursor: position(4)?,
        done: row.get(5).or_failed(DOING)?,
        tally: tally(6)?,
        again: tally(7)?,
        epoch: 0,
    })
}

/// Stores a shard's checkpoint.
pub(super) fn checkpoint(work: &Work<'_>, campaign: i64, shard: &Shard) -> Result<()> {
    const UPDATE: &str = "UPDATE shards SET cursor = ?, done = ?, tally = ?, again = ? \
        WHERE campaign = ? AND round = ? AND shard = ?";
    let (tally, again) = (to_json(&shard.tally)?, to_json(&shard.again)?);
    let changed = work
        .connection
        .prepare_cached(UPDATE)
        .and_then(|mut update| {
            update.execute(params![
                shard.cursor.0.cast_signed(),
                shard.done,
                tally,
                again,
                campaign,
                shard.key.round,
                shard.key.index,
            ])
        })
        .or_failed("store a checkpoint")?;
    if changed == 0 {
        return Err(Error::not_found("there is no such shard"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_tile_the_numbers_and_are_even() {
        let devices: RoaringBitmap = (0..1000).map(|number| 5_000 + number * 3).collect();
        let spans = cut(&devices, 10_000, 7);
        assert_eq!(spans.len(), 7);
        assert_eq!(spans[0].after, Position(0));
        assert_eq!(spans[6].upto, Position(10_000));
        for pair in spans.windows(2) {
            assert_eq!(pair[0].upto, pair[1].after);
        }
        for span in &spans {
            let held = devices.range_cardinality(span.after.0 as u32 + 1..=span.upto.0 as u32);
            assert!((142..=143).contains(&held), "{held}");
        }
    }

    #[test]
    fn fewer_devices_than_shards_leave_some_empty() {
        let spans = cut(&RoaringBitmap::from_iter([4, 9]), 9, 4);
        assert_eq!(spans.iter().filter(|span| !span.is_empty()).count(), 2);
        let spans = cut(&RoaringBitmap::new(), 0, 3);
        assert!(spans.iter().all(Span::is_empty) && spans.len() == 3);
    }
}
