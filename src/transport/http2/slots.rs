//! Who may send next: the open connections, how many streams each has, and the queue of callers.
//!
//! Pure bookkeeping behind one short lock: no I/O happens here. The pool's openers report connections,
//! drivers report limits and ends, and every change settles the queue.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{sync::oneshot, time::Instant};

use super::{
    PoolConfig, Shared,
    connect::Sender,
    failure::{Failure, FailureKind},
    lane::{Lane, Slot},
};

/// Callers wait for the next connection attempt only when it is this near.
const PATIENCE: Duration = Duration::from_secs(1);

type Grant = Result<Slot, Failure>;

/// The bookkeeping itself.
pub(super) struct Slots {
    config: PoolConfig,
    lanes: Vec<Arc<Lane>>,
    /// First come, first served.
    waiters: VecDeque<oneshot::Sender<Grant>>,
    in_flight: usize,
    /// Connections being opened.
    opening: usize,
    /// Attempts that failed since a connection last answered.
    failed_attempts: u32,
    /// No attempt before this moment.
    not_before: Option<Instant>,
    trouble: Option<FailureKind>,
    /// The limit that the latest SETTINGS left.
    latest_limit: usize,
    next_lane: u64,
}

impl Slots {
    pub(super) fn new(config: PoolConfig) -> Self {
        Self {
            lanes: Vec::new(),
            waiters: VecDeque::new(),
            in_flight: 0,
            opening: 0,
            failed_attempts: 0,
            not_before: None,
            trouble: None,
            latest_limit: config.streams_per_connection,
            next_lane: 0,
            config,
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn trouble(&self) -> Option<FailureKind> {
        self.trouble
    }

    /// Streams worth having at once: what all connections could carry, or one as a probe while none
    /// can be had.
    pub(super) fn window(&self) -> usize {
        if self.lanes.is_empty() && self.trouble.is_some() {
            return 1;
        }
        self.config.connections * self.latest_limit.max(1)
    }

    /// How long until a connection may be tried.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// A slot at once, if nobody waits and there is one.
    pub(super) fn take(&mut self, shared: &Arc<Shared>) -> Option<Slot> {
        if !self.waiters.is_empty() {
            return None;
        }
        let lane = self.least_loaded()?;
        Some(self.grant(shared, lane))
    }

    /// Queues a caller.
    pub(super) fn wait(&mut self) -> oneshot::Receiver<Grant> {
        let (waiter, grant) = oneshot::channel();
        self.waiters.push_back(waiter);
        grant
    }

    /// Adds an open connection.
    pub(super) fn opened(&mut self, sender: Sender) -> Arc<Lane> {
        let limit = self.config.streams_per_connection.min(sender.current_max_send_streams());
        let lane = Arc::new(Lane::new(self.next_lane, sender, limit));
        self.next_lane += 1;
        self.opening -= 1;
        self.latest_limit = limit;
        self.not_before = None;
        self.trouble = None;
        self.lanes.push(lane.clone());
        lane
    }

    /// A connection could not be opened: those who wait for nothing else are told.
    pub(super) fn open_failed(&mut self, failure: Failure, now: Instant) {
        self.opening -= 1;
        self.back_off(failure.kind, now);
        if self.lanes.is_empty() {
            self.fail_waiters(now);
        }
    }

    /// An opener or its runtime ended in mid-air.
    pub(super) fn open_abandoned(&mut self, now: Instant) {
        self.opening -= 1;
        if self.lanes.is_empty() && self.opening == 0 {
            self.fail_waiters(now);
        }
    }

    /// The peer changed its limit.
    pub(super) fn limit_changed(&mut self, lane: &Lane, peer: usize) {
        let limit = self.config.streams_per_connection.min(peer);
        lane.set_limit(limit);
        self.latest_limit = limit;
    }

    /// No new streams on this connection; those in flight go on. `lost` says that it broke.
    pub(super) fn retire(&mut self, id: u64, lost: bool, now: Instant) {
        let Some(index) = self.lanes.iter().position(|lane| lane.id == id) else { return };
        let lane = self.lanes.swap_remove(index);
        let kind = if lost { FailureKind::ConnectionLost } else { FailureKind::GoAway };
        if !lane.is_proven() {
            // Opened and gone without one answer: as good as refused.
            self.back_off(kind, now);
        } else if lost {
            self.trouble = Some(kind);
        }
    }

    /// Hands out what is free, fails callers whose wait would be long, and answers how many
    /// connections to open.
    pub(super) fn settle(&mut self, shared: &Arc<Shared>) -> usize {
        self.serve(shared);
        let before = self.opening;
        while self.wants_another() {
            self.opening += 1;
        }
        if self.lanes.is_empty() && !self.waiters.is_empty() {
            let now = Instant::now();
            if self.not_before.is_some_and(|at| at > now + PATIENCE) {
                self.fail_waiters(now);
            }
        }
        self.opening - before
    }

    fn serve(&mut self, shared: &Arc<Shared>) {
        while !self.waiters.is_empty() {
            let Some(lane) = self.least_loaded() else { return };
            let waiter = self.waiters.pop_front().expect("the queue is not empty");
            if waiter.is_closed() {
                continue;
            }
            let slot = self.grant(shared, lane);
            if let Err(Ok(mut refused)) = waiter.send(Ok(slot)) {
                // Its caller just left. Not dropped as it is: that would lock again.
                if let Some((_, lane)) = refused.empty() {
                    self.release(&lane, false);
                }
            }
        }
    }

    fn grant(&mut self, shared: &Arc<Shared>, lane: Arc<Lane>) -> Slot {
        self.in_flight += 1;
        Slot::new(shared.clone(), lane)
    }

    /// Takes a slot back; the first answer proves its connection.
    pub(super) fn release(&mut self, lane: &Lane, answered: bool) {
        lane.stream_ended();
        self.in_flight -= 1;
        if answered && lane.prove() {
            self.failed_attempts = 0;
            self.trouble = None;
        }
    }

    fn least_loaded(&self) -> Option<Arc<Lane>> {
        self.lanes
            .iter()
            .filter(|lane| lane.has_room())
            .min_by_key(|lane| lane.in_flight())
            .cloned()
    }

    /// One more connection when callers wait beyond what the ones being opened will carry; only one at
    /// a time while attempts fail.
    fn wants_another(&self) -> bool {
        let expected = match self.failed_attempts {
            0 => self.opening * self.config.streams_per_connection,
            _ if self.opening > 0 => return false,
            _ => 0,
        };
        self.waiters.len() > expected
            && self.lanes.len() + self.opening < self.config.connections.max(1)
    }

    /// Exponential backoff with full jitter: anything up to the doubled wait.
    fn back_off(&mut self, kind: FailureKind, now: Instant) {
        let doubled = self.config.backoff_base * 2u32.saturating_pow(self.failed_attempts.min(16));
        let wait = doubled.min(self.config.backoff_max).mul_f64(rand::random::<f64>());
        self.failed_attempts = self.failed_attempts.saturating_add(1);
        self.not_before = Some(now + wait);
        self.trouble = Some(kind);
    }

    fn fail_waiters(&mut self, now: Instant) {
        let kind = self.trouble.unwrap_or(FailureKind::ConnectionLost);
        let retry_after = self.not_before.map(|at| at.saturating_duration_since(now));
        for waiter in self.waiters.drain(..) {
            let failure = Failure { retry_after, ..Failure::unsent(kind) };
            // A caller that left needs no answer.
            waiter.send(Err(failure)).ok();
        }
    }
}
