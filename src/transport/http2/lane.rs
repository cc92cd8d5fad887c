//! An open connection with its stream count, and the slot that stands for one of its streams.
//!
//! Holds numbers only; `slots` changes them under its lock.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use super::{Shared, connect::Sender};

/// One open connection as the pool sees it. Kept alive by the pool and by the slots taken on it; when
/// the last of them goes, `h2` says goodbye and the driver ends.
pub(super) struct Lane {
    pub(super) id: u64,
    pub(super) sender: Sender,
    /// Streams taken, changed under the pool's lock only.
    in_flight: AtomicUsize,
    /// Streams allowed: the smaller of our window and the peer's MAX_CONCURRENT_STREAMS.
    limit: AtomicUsize,
    /// Whether it has ever answered.
    proven: AtomicBool,
}

impl Lane {
    pub(super) fn new(id: u64, sender: Sender, limit: usize) -> Self {
        let (in_flight, limit) = (AtomicUsize::new(0), AtomicUsize::new(limit));
        Self { id, sender, in_flight, limit, proven: AtomicBool::new(false) }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn has_room(&self) -> bool {
        self.in_flight() < self.limit.load(Ordering::Relaxed)
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// Takes note of an answer; true for the first.
    pub(super) fn prove(&self) -> bool {
        !self.proven.swap(true, Ordering::Relaxed)
    }

    pub(super) fn stream_ended(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The right to one stream on a connection; given back when dropped.
pub(super) struct Slot {
    held: Option<(Arc<Shared>, Arc<Lane>)>,
    answered: bool,
}

impl Slot {
    /// Counts the stream on its connection.
    pub(super) fn new(shared: Arc<Shared>, lane: Arc<Lane>) -> Self {
        lane.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { held: Some((shared, lane)), answered: false }
    }

    /// Takes the contents out, so that dropping it gives nothing back.
    pub(super) fn empty(&mut self) -> Option<(Arc<Shared>, Arc<Lane>)> {
        self.held.take()
    }

    pub(super) fn lane(&self) -> &Arc<Lane> {
        &self.held.as_ref().expect("a slot is emptied only when it is refused").1
    }

    /// Says that the provider answered, which proves the connection.
    pub(super) fn answered(&mut self) {
        self.answered = true;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some((shared, lane)) = self.held.take() {
            shared.change(|slots| slots.release(&lane, self.answered));
        }
    }
}
