//! Numbers drawn from a counter that all nodes share, a block at a time so that it is not a hot
//! document. What a node has left of a block when it ends is never drawn.

use mongodb::{
    Collection,
    bson::{Document, doc},
    options::ReturnDocument,
};
use tokio::sync::Mutex;

use super::failure::{OrFailed, corrupt, is_duplicate};
use crate::domain::Result;

/// One counter.
pub(super) struct Sequence {
    counters: Collection<Document>,
    name: &'static str,
    block: i64,
    /// The next number and the end of the block it lies in.
    drawn: Mutex<(i64, i64)>,
}

impl Sequence {
    pub(super) fn new(counters: Collection<Document>, name: &'static str, block: i64) -> Self {
        Self { counters, name, block, drawn: Mutex::new((0, 0)) }
    }

    /// The next number, counted from 1.
    pub(super) async fn next(&self) -> Result<i64> {
        let mut drawn = self.drawn.lock().await;
        if drawn.0 == drawn.1 {
            let last = self.take_block().await?;
            *drawn = (last - self.block + 1, last + 1);
        }
        let next = drawn.0;
        drawn.0 += 1;
        Ok(next)
    }

    async fn take_block(&self) -> Result<i64> {
        const DOING: &str = "draw a block of numbers";
        loop {
            let taken = self
                .counters
                .find_one_and_update(
                    doc! { "_id": self.name },
                    doc! { "$inc": { "last": self.block } },
                )
                .upsert(true)
                .return_document(ReturnDocument::After)
                .await;
            match taken {
                // Two nodes drew the first block at the same time.
                Err(error) if is_duplicate(&error) => {}
                taken => {
                    let counter = taken.or_failed(DOING)?.ok_or_else(|| corrupt("a counter"))?;
                    return counter.get_i64("last").map_err(|_| corrupt("a counter"));
                }
            }
        }
    }
}
