//! A device as it begins, before its first registration is applied: its `_id` and its bucket are drawn
//! here, once. Used by both stores.

use std::sync::{
    LazyLock,
    atomic::{AtomicU32, Ordering},
};

use rand::Rng;

use crate::domain::{device::Device, ids::ObjectId, timestamp::Timestamp};

/// A device of which nothing is known but its name; its number is the store's to draw.
pub(super) fn blank(external_id: String, now: Timestamp) -> Device {
    let random_bucket = rand::rng().random_range(1..=10_000);
    Device::blank(new_object_id(now), random_bucket, external_id, now)
}

fn new_object_id(now: Timestamp) -> ObjectId {
    static PROCESS: LazyLock<[u8; 5]> = LazyLock::new(|| rand::rng().random());
    static COUNTER: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(rand::rng().random()));
    // The specification keeps the low 32 bits of the seconds.
    let seconds = (now.seconds() & i64::from(u32::MAX)) as u32;
    ObjectId::from_parts(seconds, *PROCESS, COUNTER.fetch_add(1, Ordering::Relaxed))
}
