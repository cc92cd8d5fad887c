//! How fast: token buckets whose rate can change while pushes wait on them.
//!
//! A push passes four buckets: its campaign's (where it has one), its provider's, its app's and the
//! installation's. The sender takes permits for a handful of pushes at a time from all of them or none,
//! so a slow bucket never drains a fast one. The clock is passed in.

use std::{sync::Mutex, time::Duration};

use tokio::time::Instant;

/// The share of a second whose permits may gather while nobody asks: small, so that the provider sees
/// an even stream rather than bursts.
const BURST_SECS: f64 = 0.01;

/// One limit.
#[derive(Debug)]
pub struct RateLimiter {
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    /// Permits per second; 0 is no limit.
    per_second: u32,
    /// Among how many nodes they are divided.
    nodes: u32,
    permits: f64,
    filled_at: Instant,
}

/// What was asked of some limits, and what they gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grant {
    /// How many may go now.
    pub granted: usize,
    /// When none was granted, how long until one may be.
    pub wait: Duration,
}

impl Bucket {
    /// This node's part of the permits per second.
    fn part(&self) -> f64 {
        f64::from(self.per_second) / f64::from(self.nodes)
    }

    fn burst(&self) -> f64 {
        (self.part() * BURST_SECS).max(1.0)
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        let gathered = self.permits + elapsed * self.part();
        self.permits = gathered.min(self.burst());
        self.filled_at = now;
    }

    /// Whole permits there now, and how long until the next where there is none.
    fn available(&mut self, now: Instant) -> (usize, Duration) {
        if self.per_second == 0 {
            return (usize::MAX, Duration::ZERO);
        }
        self.fill(now);
        if self.permits >= 1.0 {
            return (self.permits as usize, Duration::ZERO);
        }
        (0, Duration::from_secs_f64((1.0 - self.permits) / self.part()))
    }
}

impl RateLimiter {
    /// A limit of `per_second`; 0 is none.
    pub fn new(per_second: u32, now: Instant) -> Self {
        Self { bucket: Mutex::new(Bucket { per_second, nodes: 1, permits: 1.0, filled_at: now }) }
    }

    /// The rate over all nodes; 0 is none.
    pub fn per_second(&self) -> u32 {
        self.lock().per_second
    }

    /// Takes one part in `nodes` of the rate from `now` on.
    pub fn divide(&self, nodes: u32, now: Instant) {
        let mut bucket = self.lock();
        bucket.fill(now);
        bucket.nodes = nodes.max(1);
        bucket.permits = bucket.permits.min(bucket.burst());
    }

    /// Changes the rate from `now` on. Whoever waits must be woken by the caller to ask again.
    pub fn set(&self, per_second: u32, now: Instant) {
        let mut bucket = self.lock();
        bucket.fill(now);
        bucket.per_second = per_second;
        bucket.permits = bucket.permits.min(bucket.burst());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Takes up to `wanted` permits from every limit at once, and from `own` where there is one, or none
/// from any.
pub fn take(
    own: Option<&RateLimiter>,
    shared: &[&RateLimiter],
    wanted: usize,
    now: Instant,
) -> Grant {
    let limits = || own.into_iter().chain(shared.iter().copied());
    let (mut granted, mut wait) = (wanted, Duration::ZERO);
    for limit in limits() {
        let (available, until) = limit.lock().available(now);
        granted = granted.min(available);
        wait = wait.max(until);
    }
    if granted > 0 {
        for limit in limits() {
            let mut bucket = limit.lock();
            if bucket.per_second > 0 {
                bucket.permits -= granted as f64;
            }
        }
    }
    Grant { granted, wait }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_in(limits: &[&RateLimiter], start: Instant, span: Duration) -> usize {
        let (mut now, mut taken) = (start, 0);
        while now < start + span {
            let grant = take(None, limits, 32, now);
            taken += grant.granted;
            now += if grant.granted == 0 { grant.wait } else { Duration::from_micros(10) };
        }
        taken
    }

    #[test]
    fn the_slowest_limit_decides_and_is_kept_to() {
        let start = Instant::now();
        let (fast, slow) = (RateLimiter::new(0, start), RateLimiter::new(500, start));
        let taken = taken_in(&[&fast, &slow], start, Duration::from_secs(2));
        assert!((1000..=1010).contains(&taken), "{taken}");
    }

    #[test]
    fn a_change_holds_from_its_moment() {
        let start = Instant::now();
        let limit = RateLimiter::new(100, start);
        assert!(taken_in(&[&limit], start, Duration::from_secs(1)) <= 102);
        let later = start + Duration::from_secs(1);
        limit.set(10_000, later);
        let taken = taken_in(&[&limit], later, Duration::from_secs(1));
        assert!((9_900..=10_110).contains(&taken), "{taken}");
    }

    #[test]
    fn nodes_divide_a_rate_among_them() {
        let start = Instant::now();
        let limit = RateLimiter::new(3000, start);
        limit.divide(3, start);
        let taken = taken_in(&[&limit], start, Duration::from_secs(1));
        assert!((990..=1011).contains(&taken), "{taken}");
        assert_eq!(limit.per_second(), 3000);
    }

    #[test]
    fn nothing_gathers_beyond_the_burst() {
        let start = Instant::now();
        let limit = RateLimiter::new(1000, start);
        assert_eq!(take(None, &[&limit], 100, start + Duration::from_secs(60)).granted, 10);
    }
}
