//! Reading a shard's devices, page after page, from one cursor in raw batches: a page costs the server
//! no search and no decoding of what it does not need. The hot path of sending; asked by `ledger`.
//!
//! A stream stays open between pages, since a batch holds several. It goes on only where the next page
//! begins at the place the last one ended; anything else opens a new one. Streams that nobody asks for
//! are closed after a while, and there is a most.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt};
use mongodb::{
    bson::{RawDocument, doc},
    raw_batch_cursor::RawBatchCursor,
};
use tokio::runtime::Handle;

use super::{
    audiences::Round,
    core::Core,
    failure::{OrFailed, corrupt, passes},
    position::{device, parts_of},
    schema::DEVICES,
};
use crate::domain::{
    Result,
    campaign::{Position, ShardKey, Span, Target, TargetPage},
    device::{DevicePlatform, SendPlatform, Unreachable},
    outcome::Reason,
    timestamp::Timestamp,
};

const DOING: &str = "read a page of devices";
/// Devices of one batch: several pages, and not so many that the shards' streams fill the memory.
const BATCH: usize = 2000;
/// Most streams kept open.
const KEPT: usize = 256;
/// How long what was read ahead holds: devices may be deleted meanwhile, or get another token.
const FRESH: Duration = Duration::from_secs(2);
/// How long a stream that nobody asks stays open.
const IDLE: Duration = Duration::from_secs(30);

/// A shard's devices being read.
struct Stream {
    /// Where the page begins that it goes on with.
    at: Position,
    upto: Position,
    buffer: VecDeque<Target>,
    /// None when all is read.
    cursor: Option<RawBatchCursor>,
    used: Instant,
    /// When the last batch was read.
    read_at: Instant,
}

/// The streams that are open between pages.
#[derive(Default)]
pub(super) struct Streams(Mutex<HashMap<ShardKey, Stream>>);

impl Streams {
    fn take(&self, shard: ShardKey, span: Span) -> Option<Stream> {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |stream: &Stream| {
            let is_fresh = stream.buffer.is_empty() || stream.read_at.elapsed() < FRESH;
            is_fresh && stream.at == span.after && stream.upto == span.upto
        };
        streams.remove(&shard).filter(fits)
    }

    fn keep(&self, shard: ShardKey, mut stream: Stream) {
        stream.used = Instant::now();
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.len() >= KEPT {
            let oldest = streams.iter().min_by_key(|(_, stream)| stream.used);
            let oldest = oldest.map(|(shard, _)| *shard);
            oldest.and_then(|oldest| streams.remove(&oldest));
        }
        streams.insert(shard, stream);
    }

    fn close_idle(&self) {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|_, stream| stream.used.elapsed() < IDLE);
    }
}

/// Closes idle streams as long as the store is open.
pub(super) fn tidy_streams(core: &Arc<Core>, runtime: &Handle) {
    let core: Weak<Core> = Arc::downgrade(core);
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(IDLE / 3).await;
            let Some(core) = core.upgrade() else { return };
            core.streams.close_idle();
        }
    });
}

/// The next devices of a round within `span`, at most `limit`. A device removed meanwhile is left out.
pub(super) async fn read_page(
    core: &Core,
    round: &Round,
    shard: ShardKey,
    span: Span,
    limit: usize,
) -> Result<TargetPage> {
    if span.is_empty() || limit == 0 {
        return Ok(TargetPage { targets: Vec::new(), upto: span.upto.max(span.after) });
    }
    if let Some(failed) = &round.failed {
        return read_failed(core, round, failed, span, limit).await;
    }
    let mut stream = match core.streams.take(shard, span) {
        Some(stream) => stream,
        None => Stream::open(core, round, span).await.or_failed(DOING)?,
    };
    if let Err(error) = stream.fill(limit).await? {
        // The cursor ended with an election or by being idle too long: one anew, from the same place.
        if !passes(&error) {
            return Err(error).or_failed(DOING);
        }
        stream = Stream::open(core, round, span).await.or_failed(DOING)?;
        stream.fill(limit).await?.or_failed(DOING)?;
    }
    let count = stream.buffer.len().min(limit);
    let targets: Vec<Target> = stream.buffer.drain(..count).collect();
    let last = targets.last().map(|last| last.position).filter(|_| count == limit);
    let upto = last.unwrap_or(span.upto);
    if upto < span.upto {
        stream.at = upto;
        core.streams.keep(shard, stream);
    }
    Ok(TargetPage { targets, upto })
}

impl Stream {
    async fn open(core: &Core, round: &Round, span: Span) -> mongodb::error::Result<Self> {
        let mut filter = parts_of(span);
        filter.extend(round.filter.clone());
        let cursor = core
            .raw(DEVICES)
            .find(filter)
            .projection(doc! { "_id": 1, "s": 1, "d": 1, "r": 1, "t": 1, "g": 1 })
            .sort(doc! { "_id": 1 })
            .hint(round.route.hint())
            .batch_size(BATCH as u32)
            .batch()
            .await?;
        let (at, upto) = (span.after, span.upto);
        let buffer = VecDeque::new();
        let now = Instant::now();
        Ok(Self { at, upto, buffer, cursor: Some(cursor), used: now, read_at: now })
    }

    /// Reads until a page of `limit` is there, or all is read. The inner error is the database's.
    async fn fill(&mut self, limit: usize) -> Result<mongodb::error::Result<()>> {
        while self.buffer.len() < limit
            && let Some(cursor) = &mut self.cursor
        {
            let batch = match cursor.next().await {
                None => {
                    self.cursor = None;
                    break;
                }
                Some(Err(error)) => return Ok(Err(error)),
                Some(Ok(batch)) => batch,
            };
            self.read_at = Instant::now();
            let rows = match batch.doc_slices() {
                Ok(rows) => rows,
                Err(error) => return Ok(Err(error)),
            };
            for row in rows {
                let row = row.ok().and_then(|row| row.as_document());
                let target = row.and_then(|row| read(row, None));
                self.buffer.push_back(target.ok_or_else(|| corrupt("a device"))?);
            }
        }
        Ok(Ok(()))
    }
}

/// The next devices that failed before.
async fn read_failed(
    core: &Core,
    round: &Round,
    failed: &[(u64, Reason)],
    span: Span,
    limit: usize,
) -> Result<TargetPage> {
    let from = failed.partition_point(|(place, _)| *place <= span.after.0);
    let upto = failed.partition_point(|(place, _)| *place <= span.upto.0);
    let wanted = &failed[from..upto.min(from.saturating_add(limit)).max(from)];
    let places: Vec<i64> = wanted.iter().map(|(place, _)| place.cast_signed()).collect();
    // A list of keys alone would have the server read every device of every app.
    let mut filter = parts_of(span);
    if let (Some(first), Some(last)) = (places.first(), places.last()) {
        filter.insert("_id", doc! { "$in": &places, "$gte": first, "$lte": last });
    }
    filter.extend(round.filter.clone());
    let rows = core.raw(DEVICES).find(filter).sort(doc! { "_id": 1 }).hint(round.route.hint());
    let rows: Vec<_> = rows.await.or_failed(DOING)?.try_collect().await.or_failed(DOING)?;
    let mut targets = Vec::with_capacity(rows.len());
    for row in &rows {
        let target = read(row, Some(wanted)).ok_or_else(|| corrupt("a device"))?;
        targets.push(target);
    }
    let last = wanted.last().filter(|_| wanted.len() == limit).map(|(place, _)| Position(*place));
    Ok(TargetPage { targets, upto: last.unwrap_or(span.upto) })
}

/// None where a value is not of its field's type.
fn read(row: &RawDocument, failed: Option<&[(u64, Reason)]>) -> Option<Target> {
    let (mut place, mut provider, mut platform) = (0, 0, 0);
    let (mut registered_at, mut token, mut pruned) = (0, None, false);
    for field in row {
        let (key, value) = field.ok()?;
        match key.as_str() {
            "_id" => place = value.as_i64()?.cast_unsigned(),
            "s" => provider = value.as_i32()?,
            "d" => platform = value.as_i32()?,
            "r" => registered_at = value.as_i64()?,
            "t" => token = Some(value.as_str()?),
            "g" => pruned = true,
            _ => {}
        }
    }
    let provider = SendPlatform::from_number(provider.into())?;
    let platform = DevicePlatform::from_number(platform.into())?;
    let before = failed.and_then(|failed| {
        let found = failed.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(failed[found].1.clone())
    });
    Some(Target {
        device: device(place),
        position: Position(place),
        platform: provider.counted_as(platform),
        provider,
        token: token.unwrap_or_default().into(),
        registered_at: Timestamp(registered_at),
        unreachable: Unreachable::of(token.is_some(), pruned, provider),
        failed_before: before,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{DeviceId, NotificationId};

    #[test]
    fn what_was_read_ahead_long_ago_is_read_again() {
        let shard =
            ShardKey { notification: NotificationId(uuid::Uuid::nil()), round: 0, index: 0 };
        let target = Target {
            device: DeviceId(2),
            position: Position(2),
            platform: DevicePlatform::Unknown,
            provider: SendPlatform::Fcm,
            token: "token".into(),
            registered_at: Timestamp(0),
            unreachable: None,
            failed_before: None,
        };
        let (streams, now) = (Streams::default(), Instant::now());
        let span = Span { after: Position(1), upto: Position(9) };
        let goes_on = |buffer: &[Target], read_at| {
            let buffer = buffer.iter().cloned().collect();
            let (at, upto) = (span.after, span.upto);
            streams.keep(shard, Stream { at, upto, buffer, cursor: None, used: now, read_at });
            streams.take(shard, span).is_some()
        };
        let long_ago = now.checked_sub(2 * FRESH).expect("the clock began before");
        assert!(goes_on(std::slice::from_ref(&target), now));
        assert!(!goes_on(std::slice::from_ref(&target), long_ago));
        assert!(goes_on(&[], long_ago), "the next batch is new");
    }
}
