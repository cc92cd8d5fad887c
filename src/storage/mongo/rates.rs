//! The role of the changed rates: one document for all of them, so that a node reads them at a stroke
//! every second and a change of several is one step. They are attributes, `r: [{k, v}, …]`, as devices'
//! properties are: an app's name is never part of a path.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, doc};

use super::{
    Mongo,
    core::Core,
    failure::{OrFailed, corrupt, is_duplicate},
    schema::RATES,
};
use crate::{
    domain::{
        Result,
        rate::{Rate, RateChange},
    },
    storage::RateStore,
};

/// The document's key.
const CHANGED: &str = "changed";

#[async_trait]
impl RateStore for Mongo {
    async fn rates(&self) -> Result<BTreeMap<Rate, u32>> {
        self.run(|core| async move {
            let found = core.documents(RATES).find_one(doc! { "_id": CHANGED }).await;
            let Some(found) = found.or_failed("read the changed rates")? else {
                return Ok(BTreeMap::new());
            };
            let rates = found.get_array("r").map_err(|_| corrupt("the changed rates"))?;
            rates.iter().filter_map(|rate| read(rate).transpose()).collect()
        })
        .await
    }

    async fn change_rates(&self, changes: Vec<RateChange>) -> Result<()> {
        self.run(|core| async move { change(&core, &changes).await }).await
    }
}

/// A rate and its value; none where this program does not know it.
fn read(attribute: &Bson) -> Result<Option<(Rate, u32)>> {
    let parts = attribute.as_document().and_then(|attribute| {
        let per_second = u32::try_from(attribute.get_i64("v").ok()?).ok()?;
        Some((attribute.get_str("k").ok()?, per_second))
    });
    let (key, per_second) = parts.ok_or_else(|| corrupt("a changed rate"))?;
    Ok(Rate::from_key(key).map(|rate| (rate, per_second)))
}

async fn change(core: &Core, changes: &[RateChange]) -> Result<()> {
    loop {
        let by_key = doc! { "_id": CHANGED };
        let update = core.documents(RATES).update_one(by_key, vec![replacing(changes)]);
        match update.upsert(true).await {
            // Two nodes made the document at the same time.
            Err(error) if is_duplicate(&error) => {}
            changed => return changed.map(drop).or_failed("change the rates"),
        }
    }
}

/// Keeps the rates that are not changed, and adds those that are not reset.
fn replacing(changes: &[RateChange]) -> Document {
    let keys: Vec<_> = changes.iter().map(|(rate, _)| rate.key()).collect();
    let set = changes.iter().filter_map(|(rate, per_second)| {
        per_second.map(|per_second| doc! { "k": rate.key(), "v": i64::from(per_second) })
    });
    let set: Vec<_> = set.collect();
    let kept = doc! { "$filter": {
        "input": { "$ifNull": ["$r", []] },
        "cond": { "$not": [{ "$in": ["$$this.k", { "$literal": keys }] }] },
    } };
    doc! { "$set": { "r": { "$concatArrays": [kept, { "$literal": set }] } } }
}
