//! Rounds and shards as documents, and how a round is cut into shards. Used by `ledger`.
//!
//! A shard and its pages lie in one collection. A shard's key is `{c, i}`: the campaign, and round and index
//! in one number. `cursor`, `done` and the counts `base` and `again` are its checkpoint; `e`, `owner` and
//! `until` are its lease, which `src/cluster/mongo.rs` grants.
//!
//! The counts here hold what lies before the cursor. Pages beyond it count by what they hold themselves,
//! so that a page and the totals can never disagree, even when the server dies between the page and
//! the checkpoint.

use futures_util::TryStreamExt;
use mongodb::{
    bson::{Binary, Bson, Document, RawDocumentBuf, doc, spec::BinarySubtype},
    options::Hint,
};

use super::{
    commands::{Kind, Wait, write},
    core::Core,
    failure::{DUPLICATE_KEY, OrFailed, corrupt, is_duplicate},
    page_rows::open_pages_of,
    position::{cut_places, parts_of, whole},
    schema::{DEVICES, LEDGER, ROUNDS},
    spread::{count_each, cut_windows, known_span, windows},
};
use crate::domain::{
    Error, Result,
    campaign::{Position, RoundPlan, Shard, ShardKey, Span},
    ids::NotificationId,
    tally::Tally,
    timestamp::Timestamp,
};

/// Up to this many devices, shards are cut to hold equally many; beyond, about equally.
const CUT_EXACTLY: i64 = 16_384;
/// Windows in which devices are counted beyond that.
const WINDOWS: u64 = 64;

/// A campaign in keys.
pub(super) fn campaign(notification: NotificationId) -> Bson {
    let bytes = notification.0.as_bytes().to_vec();
    Bson::Binary(Binary { subtype: BinarySubtype::Uuid, bytes })
}

/// The key of a shard.
pub(super) fn shard_key(key: ShardKey) -> Document {
    let number = i64::from(key.round) << 16 | i64::from(key.index);
    doc! { "c": campaign(key.notification), "i": number }
}

/// The key of a round.
pub(super) fn round_key(notification: NotificationId, round: u16) -> Document {
    doc! { "c": campaign(notification), "r": i64::from(round) }
}

/// Every shard of a campaign, of one round or of all.
fn shards_of(notification: NotificationId, round: Option<u16>) -> Document {
    let (first, last) = round.map_or((0, u16::MAX), |round| (round, round));
    let key = |round, index| shard_key(ShardKey { notification, round, index });
    doc! { "_id": { "$gte": key(first, 0), "$lte": key(last, u16::MAX) } }
}

/// Plans a round for whom `places` are given, or for everyone of the app.
pub(super) async fn plan(
    core: &Core,
    app: i32,
    plan: &RoundPlan,
    now: Timestamp,
    places: Option<Vec<u64>>,
) -> Result<Vec<Shard>> {
    const DOING: &str = "plan a round";
    let spans = cut(core, app, plan.shards, places).await?;
    let edges: Vec<Bson> = spans.iter().map(|span| span.after.0.cast_signed().into()).collect();
    let end = spans.last().map_or(0, |span| span.upto.0.cast_signed());
    let failures = plan.failures.as_ref().map(to_json).transpose()?;
    let round = doc! {
        "_id": round_key(plan.notification, plan.round),
        "a": app,
        "now": now.0,
        "failures": failures,
        "edges": edges,
        "end": end,
    };
    match core.documents(ROUNDS).insert_one(&round).await {
        // Planned by another node, or before a crash: that plan holds, if it is for the same failures.
        Err(error) if is_duplicate(&error) => {
            same_failures(core, plan, round.get_str("failures").ok()).await?
        }
        inserted => {
            inserted.or_failed(DOING)?;
        }
    }
    complete(core, plan.notification, plan.round).await
}

/// Refuses a plan where there is one for other failures, which was prepared and not launched.
async fn same_failures(core: &Core, plan: &RoundPlan, failures: Option<&str>) -> Result<()> {
    let key = doc! { "_id": round_key(plan.notification, plan.round) };
    let planned = core.documents(ROUNDS).find_one(key).await.or_failed("read a round")?;
    let planned = planned.as_ref().and_then(|planned| planned.get_str("failures").ok());
    if planned == failures {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "sending other failures again was prepared and not begun; send those first: {}",
        planned.unwrap_or("all")
    )))
}

/// The shards of a planned round, those that are missing made; none where it is not planned.
pub(super) async fn complete(
    core: &Core,
    notification: NotificationId,
    round: u16,
) -> Result<Vec<Shard>> {
    const DOING: &str = "plan a round";
    let key = doc! { "_id": round_key(notification, round) };
    let planned = core.documents(ROUNDS).find_one(key).await.or_failed(DOING)?;
    let Some(planned) = planned else { return Ok(Vec::new()) };
    let mut edges = planned.get_array("edges").map_err(|_| corrupt("a round"))?.clone();
    edges.push(planned.get_i64("end").map_err(|_| corrupt("a round"))?.into());
    let stored = shards(core, notification, Some(round)).await?;
    if stored.len() + 1 == edges.len() {
        return Ok(stored);
    }
    let empty = to_json(&Tally::default())?;
    let rows = (0_u16..).zip(edges.windows(2)).map(|(index, edge)| {
        doc! {
            "_id": shard_key(ShardKey { notification, round, index }),
            "after": edge[0].clone(),
            "upto": edge[1].clone(),
            "cursor": edge[0].clone(),
            "done": false,
            "base": &empty,
            "again": &empty,
            "e": 0_i64,
        }
    });
    let rows: Vec<_> = rows.collect();
    let made = write(&core.database, LEDGER, Kind::Insert, &rows, Wait::Majority).await;
    if made.or_failed(DOING)?.refused.iter().any(|(_, code)| *code != DUPLICATE_KEY) {
        return Err(Error::bug("insert a round's shards"));
    }
    shards(core, notification, Some(round)).await
}

/// The stretches, up to the last device there is now: who registers later is not in the round.
async fn cut(core: &Core, app: i32, count: u16, places: Option<Vec<u64>>) -> Result<Vec<Span>> {
    if let Some(places) = places {
        return Ok(cut_places(whole(app), &places, count));
    }
    let all = known_span(core, app).await?;
    let first = first_places(core, all).await?;
    if first.len() as i64 <= CUT_EXACTLY {
        return Ok(cut_places(all, &first, count));
    }
    let by_place = Hint::Keys(doc! { "_id": 1 });
    let windows = windows(all, WINDOWS);
    let found = count_each(core, &windows, &Document::new(), &by_place, None).await?;
    Ok(cut_windows(all, &found, count))
}

/// The places of the first devices of a stretch: one more than is cut exactly, where there are so many.
async fn first_places(core: &Core, span: Span) -> Result<Vec<u64>> {
    const DOING: &str = "cut an audience";
    let find = core.raw(DEVICES).find(parts_of(span)).projection(doc! { "_id": 1 });
    let find = find.sort(doc! { "_id": 1 }).limit(CUT_EXACTLY + 1).batch_size(20_000);
    let rows: Vec<_> = find.await.or_failed(DOING)?.try_collect().await.or_failed(DOING)?;
    let place = |row: &RawDocumentBuf| row.get_i64("_id").ok().map(i64::cast_unsigned);
    Ok(rows.iter().filter_map(place).collect())
}

/// The shards of a campaign, of one round or of all, in order.
pub(super) async fn shards(
    core: &Core,
    notification: NotificationId,
    round: Option<u16>,
) -> Result<Vec<Shard>> {
    const DOING: &str = "read shards";
    let find = core.documents(LEDGER).find(shards_of(notification, round));
    let rows = find.sort(doc! { "_id": 1 }).await.or_failed(DOING)?;
    let rows: Vec<Document> = rows.try_collect().await.or_failed(DOING)?;
    let mut shards = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut shard = read(row, notification)?;
        if !shard.done && !shard.span.is_empty() {
            for page in open_pages_of(core, &shard).await? {
                let (tally, again) = page.tallies();
                shard.tally.add(&tally);
                shard.again.add(&again);
            }
        }
        shards.push(shard);
    }
    Ok(shards)
}

/// One shard as its document says, pages beyond its cursor not counted.
pub(super) async fn stored(core: &Core, key: ShardKey) -> Result<Shard> {
    let row = core.documents(LEDGER).find_one(doc! { "_id": shard_key(key) }).await;
    let row = row.or_failed("read a shard")?;
    let row = row.ok_or_else(|| Error::not_found("there is no such shard"))?;
    read(&row, key.notification)
}

fn read(row: &Document, notification: NotificationId) -> Result<Shard> {
    let bad = || corrupt("a shard");
    let number = |name: &str| row.get_i64(name).map(i64::cast_unsigned).map_err(|_| bad());
    let place = |name: &str| number(name).map(Position);
    let tally = |name: &str| {
        let text = row.get_str(name).map_err(|_| bad())?;
        serde_json::from_str(text).map_err(|error| Error::internal("read a tally", error))
    };
    let key = row.get_document("_id").and_then(|key| key.get_i64("i")).map_err(|_| bad())?;
    Ok(Shard {
        key: ShardKey {
            notification,
            round: u16::try_from(key >> 16).map_err(|_| bad())?,
            index: (key & 0xffff) as u16,
        },
        span: Span { after: place("after")?, upto: place("upto")? },
        cursor: place("cursor")?,
        done: row.get_bool("done").map_err(|_| bad())?,
        tally: tally("base")?,
        again: tally("again")?,
        epoch: number("e")?,
    })
}

pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("write JSON", error))
}
