//! Keeps a wrong key or environment from deleting every token: when too many of the latest tokens come
//! back gone or bad, giving tokens up stops until the share is normal again. Pure.

/// Answers the share is taken over, about.
const WINDOW: u32 = 1000;
/// Fewer bad tokens than this never stop pruning: in a small audience they are just dead devices.
const FEWEST_BAD: u32 = 20;

/// Counts tokens and decides.
#[derive(Debug)]
pub struct PruneGuard {
    max_percent: u32,
    seen: u32,
    bad: u32,
    stopped: bool,
}

impl PruneGuard {
    /// Stops above `max_percent` of bad tokens.
    pub fn new(max_percent: u32) -> Self {
        Self { max_percent, seen: 0, bad: 0, stopped: false }
    }

    /// Counts one answered token.
    pub fn count(&mut self, bad: bool) {
        self.seen += 1;
        self.bad += u32::from(bad);
        if self.seen >= 2 * WINDOW {
            self.seen /= 2;
            self.bad /= 2;
        }
    }

    /// Whether tokens may be given up now, and whether that has just changed.
    pub fn decide(&mut self) -> (bool, bool) {
        let over = self.bad >= FEWEST_BAD && self.bad * 100 > self.seen * self.max_percent;
        let changed = over != self.stopped;
        self.stopped = over;
        (!over, changed)
    }

    /// Whether pruning is stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normal_share_prunes_and_a_wrong_environment_does_not() {
        let mut guard = PruneGuard::new(5);
        (0..1000).for_each(|n| guard.count(n % 50 == 0));
        assert_eq!(guard.decide(), (true, false));
        (0..200).for_each(|_| guard.count(true));
        assert_eq!(guard.decide(), (false, true));
        (0..20_000).for_each(|_| guard.count(false));
        assert_eq!(guard.decide(), (true, true));
    }

    #[test]
    fn a_small_audience_may_lose_its_dead_devices() {
        let mut guard = PruneGuard::new(5);
        (0..10).for_each(|_| guard.count(true));
        assert_eq!(guard.decide(), (true, false));
    }
}
