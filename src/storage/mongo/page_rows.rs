//! Pages as documents: their keys, and reading them back. Used by `ledger`, `records`, `history` and
//! `failures`.
//!
//! A page's key is `{c, r, a}`: the campaign, the round, where the page begins. The shards of a round tile
//! its stretch, so that no two pages of a round begin at one place. `e` is the epoch it was written
//! under: a page that a later owner wrote refuses an earlier one's.

use mongodb::bson::{Bson, Document, RawBsonRef, RawDocument, doc};

use super::{
    core::Core,
    failure::{OrFailed, corrupt},
    position::device,
    schema::LEDGER,
    shards::campaign,
};
use crate::{
    domain::{
        Result,
        campaign::{PageRecord, Position, Shard, ShardKey, Span},
        ids::NotificationId,
        timestamp::Timestamp,
    },
    storage::pages::{Packed, unpack},
};

/// The key of a page.
pub(super) fn page_key(notification: NotificationId, round: u16, after: u64) -> Document {
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

/// A campaign's documents in the collection of events.
pub(super) fn events_of(notification: NotificationId) -> Document {
    let key: Bson = campaign(notification);
    doc! { "c": key }
}
