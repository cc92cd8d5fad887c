//! Faults in force: decides which push fails, counts the tries, and tells the
//! listener and the connections of changes.
//!
//! It never touches a socket. The listener obeys `refuse`, the connections obey
//! the delays and the connection faults, the gateways ask
//! [`ActiveFaults::strike`] whether a valid push fails all the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::faults::{FaultRule, Faults, token_fraction, token_hash};

/// One provider's faults while they are in force, with the tries counted.
#[derive(Debug)]
pub(super) struct ActiveFaults {
    pub(super) set: Faults,
    /// How often (rule, token hash) was struck; kept for rules with `times`.
    tries: Mutex<HashMap<(usize, u64), u32>>,
}

impl ActiveFaults {
    pub(super) fn new(set: Faults) -> Self {
        Self { set, tries: Mutex::default() }
    }

    /// The rule that makes this push fail, if one does.
    pub(super) fn strike(&self, token: &str) -> Option<&FaultRule> {
        if self.set.rules.is_empty() {
            return None;
        }
        let fraction = token_fraction(token);
        let mut share_start = 0.0;
        for (index, rule) in self.set.rules.iter().enumerate() {
            let struck = match &rule.token_prefix {
                Some(prefix) => token.starts_with(prefix.as_str()),
                None => {
                    let start = share_start;
                    share_start += rule.share;
                    (start..share_start).contains(&fraction)
                }
            };
            if struck && self.has_tries_left(index, rule, token) {
                return Some(rule);
            }
        }
        None
    }

    fn has_tries_left(&self, index: usize, rule: &FaultRule, token: &str) -> bool {
        let Some(times) = rule.times else { return true };
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let count = tries.entry((index, token_hash(token))).or_insert(0);
        if *count >= times {
            return false;
        }
        *count += 1;
        true
    }

    /// How long this answer waits; `None` when no latency is set.
    pub(super) fn delay(&self) -> Option<Duration> {
        let Faults { latency_ms, jitter_ms, .. } = self.set;
        if latency_ms == 0 && jitter_ms == 0 {
            return None;
        }
        let jitter_us = rand::random_range(0..=jitter_ms.saturating_mul(1000));
        Some(Duration::from_millis(latency_ms) + Duration::from_micros(jitter_us))
    }
}

/// Where one provider's faults are changed and watched.
#[derive(Debug)]
pub(super) struct FaultBoard {
    current: watch::Sender<Arc<ActiveFaults>>,
}

impl FaultBoard {
    pub(super) fn new(faults: Faults) -> Self {
        let (current, _) = watch::channel(Arc::new(ActiveFaults::new(faults)));
        Self { current }
    }

    /// Replaces the faults; tries counted so far are forgotten.
    pub(super) fn set(&self, faults: Faults) {
        self.current.send_replace(Arc::new(ActiveFaults::new(faults)));
    }

    pub(super) fn get(&self) -> Faults {
        self.current.borrow().set.clone()
    }

    pub(super) fn watch(&self) -> FaultWatch {
        let mut receiver = self.current.subscribe();
        let current = receiver.borrow_and_update().clone();
        FaultWatch { receiver, current }
    }
}

/// One connection's view of the faults: cheap to ask at every request.
#[derive(Debug)]
pub(super) struct FaultWatch {
    receiver: watch::Receiver<Arc<ActiveFaults>>,
    current: Arc<ActiveFaults>,
}

impl FaultWatch {
    /// The faults of this moment.
    pub(super) fn now(&mut self) -> &Arc<ActiveFaults> {
        if self.receiver.has_changed().unwrap_or(false) {
            self.current = self.receiver.borrow_and_update().clone();
        }
        &self.current
    }

    /// Waits for the next change; for ever once the board is gone.
    pub(super) async fn changed(&mut self) {
        if self.receiver.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.current = self.receiver.borrow_and_update().clone();
    }

    /// Waits until the provider is not (or no longer) a black hole.
    pub(super) async fn out_of_black_hole(&mut self) {
        while self.now().set.black_hole {
            self.changed().await;
        }
    }
}
