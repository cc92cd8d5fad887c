//! What a gateway counts while it runs; `GET /stats` shows it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::journal::{Push, is_accepted};

/// One provider's counters, as they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests to send a push, whatever became of them.
    pub requests: u64,
    /// Pushes that were taken, or delivered before a fault took the answer.
    pub accepted: u64,
    /// The others, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Connections made since the start.
    pub connections: u64,
    /// Connections that are open now.
    pub connections_open: u64,
    /// The most streams seen open at once on any one connection.
    pub max_streams_seen: u64,
    /// GOAWAYs sent because of `goaway_every`.
    pub goaways: u64,
    /// Streams reset because of `reset_every`.
    pub resets: u64,
    /// Connections cut because of `cut_every`.
    pub cuts: u64,
    /// FCM: access tokens issued.
    pub tokens_issued: u64,
}

/// One provider's counters, as they are counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) requests: AtomicU64,
    pub(super) accepted: AtomicU64,
    rejected: Mutex<BTreeMap<String, u64>>,
    pub(super) connections: AtomicU64,
    pub(super) connections_open: AtomicU64,
    pub(super) max_streams_seen: AtomicU64,
    pub(super) goaways: AtomicU64,
    pub(super) resets: AtomicU64,
    pub(super) cuts: AtomicU64,
    pub(super) tokens_issued: AtomicU64,
}

/// Counts one, and says how many that makes.
pub(super) fn bump(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed) + 1
}

impl Counters {
    /// Counts what became of a push.
    pub(super) fn count(&self, push: &Push) {
        if is_accepted(push.status) {
            bump(&self.accepted);
            return;
        }
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        match rejected.get_mut(push.reason.as_ref()) {
            Some(count) => *count += 1,
            None => {
                rejected.insert(push.reason.clone().into_owned(), 1);
            }
        }
    }

    /// Remembers the highest number of streams open on one connection.
    pub(super) fn saw_streams(&self, open: u64) {
        self.max_streams_seen.fetch_max(open, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        Stats {
            requests: read(&self.requests),
            accepted: read(&self.accepted),
            rejected: rejected.clone(),
            connections: read(&self.connections),
            connections_open: read(&self.connections_open),
            max_streams_seen: read(&self.max_streams_seen),
            goaways: read(&self.goaways),
            resets: read(&self.resets),
            cuts: read(&self.cuts),
            tokens_issued: read(&self.tokens_issued),
        }
    }

    /// Back to nothing, except for the connections that are open.
    pub(super) fn clear(&self) {
        let counters = [
            &self.requests,
            &self.accepted,
            &self.connections,
            &self.max_streams_seen,
            &self.goaways,
            &self.resets,
            &self.cuts,
            &self.tokens_issued,
        ];
        for counter in counters {
            counter.store(0, Ordering::Relaxed);
        }
        self.rejected.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
