//! Recording pages and single events, in groups. Used by `ledger`.
//!
//! A page, and after it its shard's checkpoint, go out in one command with those of other shards. Each names
//! its epoch: an upsert that finds its document under a later one tries to make it anew and is refused
//! by the key.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, PoisonError},
    time::Duration,
};

use mongodb::bson::{Binary, Document, doc, spec::BinarySubtype};
use tokio::{runtime::Handle, sync::oneshot};

use super::{
    commands::{Kind, Outcome, Wait, update, write},
    core::Core,
    failure::{DUPLICATE_KEY, OrFailed, passes},
    page_rows::{open_pages_of, page_key},
    schema::{EVENTS, LEDGER},
    shards::{campaign, shard_key, stored, to_json},
    writer::{Group, repeat},
};
use crate::{
    domain::{
        Error, Result,
        campaign::{PageRecord, Position, Shard, ShardKey},
        ids::NotificationId,
        tally::Tally,
        timestamp::Timestamp,
    },
    storage::pages::pack,
};

/// How often a group is written again while the database is away, an election long.
const TRIES: u32 = 10;

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
