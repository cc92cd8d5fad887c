//! Pages and single events as documents: recording, reading back. Used by `ledger`.
//!
//! A page's key is `{c, r, a}`: the campaign, the round, where the page begins. The shards of a round tile
//! its stretch, so that no two pages of a round begin at one place. `e` is the epoch it was written
//! under: a page that a later owner wrote refuses an earlier one's.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, PoisonError},
    time::Duration,
};

use mongodb::bson::{Binary, Bson, Document, RawBsonRef, RawDocument, doc, spec::BinarySubtype};
use tokio::{runtime::Handle, sync::oneshot};

use super::{
    commands::{Kind, Outcome, Wait, update, write},
    core::Core,
    failure::{DUPLICATE_KEY, OrFailed, corrupt, passes},
    position::device,
    schema::{EVENTS, LEDGER},
    shards::{campaign, shard_key, stored, to_json},
    writer::{Group, repeat},
};
use crate::{
    domain::{
        Error, Result,
        campaign::{PageRecord, Position, Shard, ShardKey, Span},
        ids::NotificationId,
        tally::Tally,
        timestamp::Timestamp,
    },
    storage::pages::{Packed, pack, unpack},
};

/// How often a group is written again while the database is away, an election long.
const TRIES: u32 = 10;

/// The key of a page.
fn page_key(notification: NotificationId, round: u16, after: u64) -> Document {
    let (round, after) = (i64::from(round), after.cast_signed());
    doc! { "c": campaign(notification), "r": round, "a": after }
}

/// The pages of a round that begin in `[from, upto)`.
pub(super) fn pages_between(
    notification: NotificationId,
    round: u16,
    from: u64,
    upto: u64,
) -> Document {
    let key = |after| page_key(notification, round, after);
    doc! { "_id": { "$gte": key(from), "$lt": key(upto) } }
}

/// The pages of a campaign, only those of rounds below `before` where it is given.
pub(super) fn pages_below(notification: NotificationId, before: Option<u16>) -> Document {
    let round = |round: i64| doc! { "c": campaign(notification), "r": round };
    let end = before.map_or(i64::from(u16::MAX) + 1, i64::from);
    doc! { "_id": { "$gte": round(0), "$lt": round(end) } }
}

/// What a page's key says.
pub(super) struct PageKey {
    pub(super) round: u16,
    pub(super) after: Position,
}

/// A page's key and its packed outcomes.
pub(super) fn page_body(row: &RawDocument) -> Result<(PageKey, Packed<'_>)> {
    let (key, body) = parts(row).ok_or_else(|| corrupt("a page"))?;
    let packed = Packed::open(body, key.after)?;
    Ok((key, packed))
}

fn parts(row: &RawDocument) -> Option<(PageKey, &[u8])> {
    let key = row.get_document("_id").ok()?;
    let round = u16::try_from(key.get_i64("r").ok()?).ok()?;
    let after = Position(key.get_i64("a").ok()?.cast_unsigned());
    let RawBsonRef::Binary(body) = row.get("body").ok()?? else { return None };
    Some((PageKey { round, after }, body.bytes))
}

/// The pages beyond the shard's cursor.
pub(super) async fn open_pages_of(core: &Core, shard: &Shard) -> Result<Vec<PageRecord>> {
    const DOING: &str = "read open pages";
    let key = shard.key;
    let filter = pages_between(key.notification, key.round, shard.cursor.0, shard.span.upto.0);
    let find = core.raw(LEDGER).find(filter).sort(doc! { "_id": 1 });
    let mut rows = find.await.or_failed(DOING)?;
    let mut pages = Vec::new();
    while rows.advance().await.or_failed(DOING)? {
        pages.push(read(rows.current(), key)?);
    }
    Ok(pages)
}

fn read(row: &RawDocument, shard: ShardKey) -> Result<PageRecord> {
    let bad = || corrupt("a page");
    let (key, body) = parts(row).ok_or_else(bad)?;
    let upto = Position(row.get_i64("upto").map_err(|_| bad())?.cast_unsigned());
    Ok(PageRecord {
        shard,
        span: Span { after: key.after, upto },
        done: row.get_bool("done").map_err(|_| bad())?,
        entries: unpack(body, key.after, device)?,
        at: Timestamp(row.get_i64("at").map_err(|_| bad())?),
    })
}

/// What was counted in the pages beyond a shard's cursor, by where they begin.
#[derive(Default)]
pub(super) struct OpenCounts {
    epoch: u64,
    pages: BTreeMap<Position, (Tally, Tally)>,
}

/// A page and its checkpoint, made ready.
pub(super) struct RecordOrder {
    shard: ShardKey,
    /// Refuses what follows where the lease is lost; none on one node.
    fence: Option<Document>,
    page: Document,
    checkpoint: Document,
    reply: oneshot::Sender<Result<()>>,
}

/// Makes an order ready: the checkpoint's counts without those of pages beyond its cursor.
pub(super) async fn ready(
    core: &Core,
    page: PageRecord,
    shard: Shard,
) -> Result<impl FnOnce(oneshot::Sender<Result<()>>) -> RecordOrder + use<>> {
    let body = pack(&page.entries, page.span.after)?;
    let (base, again) = settled(core, &page, &shard).await?;
    let epoch = shard.epoch.cast_signed();
    let seq = core.entry_ids.next().await?;
    let key = page_key(page.shard.notification, page.shard.round, page.span.after.0);
    let content = doc! {
        "upto": page.span.upto.0.cast_signed(),
        "done": page.done,
        "at": page.at.0,
        "e": epoch,
        "body": Binary { subtype: BinarySubtype::Generic, bytes: body },
    };
    // A page recorded again keeps its number, and with it the numbers of its events.
    let change = doc! { "$set": content, "$setOnInsert": { "seq": seq } };
    let page_write = update(doc! { "_id": key, "e": { "$lte": epoch } }, change, true);
    let state = doc! {
        "cursor": shard.cursor.0.cast_signed(),
        "done": shard.done,
        "base": to_json(&base)?,
        "again": to_json(&again)?,
    };
    let mine = doc! { "_id": shard_key(shard.key), "e": epoch };
    let fence = (epoch > 0).then(|| update(mine.clone(), doc! { "$set": { "e": epoch } }, true));
    let checkpoint = update(mine, doc! { "$set": state }, true);
    let key = shard.key;
    Ok(move |reply| RecordOrder { shard: key, fence, page: page_write, checkpoint, reply })
}

/// The counts of what lies before the cursor.
async fn settled(core: &Core, page: &PageRecord, shard: &Shard) -> Result<(Tally, Tally)> {
    let known = |counts: &HashMap<ShardKey, OpenCounts>| {
        counts.get(&shard.key).is_some_and(|open| open.epoch == shard.epoch)
    };
    let is_known = known(&core.open.lock().unwrap_or_else(PoisonError::into_inner));
    if !is_known {
        let kept = stored(core, shard.key).await?;
        if kept.epoch != shard.epoch {
            return Err(Error::lease_lost());
        }
        let pages = open_pages_of(core, &kept).await?;
        let pages = pages.iter().map(|page| (page.span.after, page.tallies())).collect();
        let mut open = core.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(shard.key, OpenCounts { epoch: shard.epoch, pages });
    }
    let mut open = core.open.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut base, mut again) = (shard.tally.clone(), shard.again.clone());
    let counts = open.entry(shard.key).or_default();
    counts.pages.insert(page.span.after, page.tallies());
    counts.pages = counts.pages.split_off(&shard.cursor);
    for (tally, before) in counts.pages.values() {
        base.subtract(tally);
        again.subtract(before);
    }
    if shard.done {
        open.remove(&shard.key);
    }
    Ok((base, again))
}

/// Forgets what was counted, so that the next order reads it again.
fn forget(core: &Core, shard: ShardKey) {
    core.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&shard);
}

/// Starts the task that records pages.
pub(super) fn record_group(
    core: &Arc<Core>,
    runtime: &Handle,
    linger: Duration,
) -> Group<RecordOrder> {
    Group::start(core, runtime, linger, |core, orders| async move {
        let refused = record(&core, &orders).await;
        for (place, order) in orders.into_iter().enumerate() {
            let answer = match &refused {
                Ok(refused) if refused.contains(&place) => Err(Error::lease_lost()),
                Ok(_) => Ok(()),
                Err(error) => Err(repeat(error)),
            };
            if answer.is_err() {
                forget(&core, order.shard);
            }
            // A caller that went away wants no answer.
            let _ = order.reply.send(answer);
        }
    })
}

/// Records pages: first the fences, then each page with its checkpoint after it. Those refused.
async fn record(core: &Core, orders: &[RecordOrder]) -> Result<HashSet<usize>> {
    let fenced: Vec<usize> = (0..orders.len()).filter(|at| orders[*at].fence.is_some()).collect();
    let fences: Vec<Document> = orders.iter().filter_map(|order| order.fence.clone()).collect();
    let outcome = until_written(core, LEDGER, Kind::Update, &fences, Wait::Primary).await?;
    let mut refused: HashSet<usize> =
        lost(&outcome)?.into_iter().filter_map(|place| fenced.get(place).copied()).collect();
    let (mut writes, mut whose) = (Vec::new(), Vec::new());
    for (at, order) in orders.iter().enumerate().filter(|(at, _)| !refused.contains(at)) {
        writes.extend([order.page.clone(), order.checkpoint.clone()]);
        whose.extend([at, at]);
    }
    let outcome = until_written(core, LEDGER, Kind::Update, &writes, Wait::Majority).await?;
    refused.extend(lost(&outcome)?.into_iter().filter_map(|place| whose.get(place).copied()));
    Ok(refused)
}

/// The writes that met a later epoch: an upsert that finds no document of its epoch tries to make one,
/// and the key is taken.
fn lost(outcome: &Outcome) -> Result<Vec<usize>> {
    if let Some((_, code)) = outcome.refused.iter().find(|(_, code)| *code != DUPLICATE_KEY) {
        return Err(Error::bug(format!("record a page: the server refused it with {code}")));
    }
    Ok(outcome.refused.iter().map(|(place, _)| *place).collect())
}

/// Writes that say the same when they are repeated, repeated while the database is away.
async fn until_written(
    core: &Core,
    collection: &'static str,
    kind: Kind,
    writes: &[Document],
    wait: Wait,
) -> Result<Outcome> {
    for attempt in 1.. {
        match write(&core.database, collection, kind, writes, wait).await {
            Err(error) if passes(&error) && attempt < TRIES => {
                let error = Err::<(), _>(error).or_failed("write").expect_err("an error stays one");
                tracing::warn!(%error, attempt, "failed to write to the ledger; trying again");
                tokio::time::sleep(Duration::from_millis(50) * attempt).await;
            }
            outcome => return outcome.or_failed("write to the ledger"),
        }
    }
    Ok(Outcome::default())
}

/// Events to keep, made ready.
pub(super) struct EventOrder {
    pub(super) events: Vec<Document>,
    pub(super) reply: oneshot::Sender<Result<()>>,
}

/// One event.
pub(super) async fn event(
    core: &Core,
    (notification, app): (NotificationId, i32),
    device: u64,
    kind: u8,
    at: Timestamp,
) -> Result<Document> {
    Ok(doc! {
        "_id": core.entry_ids.next().await?,
        "c": campaign(notification),
        "a": app,
        "n": device.cast_signed(),
        "kind": i32::from(kind),
        "at": at.0,
    })
}

/// Starts the task that keeps events. An event that was kept by a try whose answer was lost is refused
/// by its number, and so kept once.
pub(super) fn event_group(
    core: &Arc<Core>,
    runtime: &Handle,
    linger: Duration,
) -> Group<EventOrder> {
    Group::start(core, runtime, linger, |core, mut orders: Vec<EventOrder>| async move {
        let events: Vec<Document> =
            orders.iter_mut().flat_map(|order| std::mem::take(&mut order.events)).collect();
        let kept = until_written(&core, EVENTS, Kind::Insert, &events, Wait::Majority).await;
        let kept = kept.and_then(|outcome| lost(&outcome).map(drop));
        for order in orders {
            let answer = kept.as_ref().map_err(repeat).copied();
            // A caller that went away wants no answer.
            let _ = order.reply.send(answer);
        }
    })
}

/// A campaign's documents in the collection of events.
pub(super) fn events_of(notification: NotificationId) -> Document {
    let key: Bson = campaign(notification);
    doc! { "c": key }
}
