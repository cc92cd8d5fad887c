//! How many of something there were in the last second, and in each second of the last two minutes,
//! counted in quarters of a second by whoever does it, without a lock: one addition for each, and 4 KiB
//! for the quarters. The clock is passed in.

use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering},
};

use tokio::time::Instant;

/// How many seconds are remembered.
pub const SECONDS: usize = 120;
/// Quarters in a second.
const QUARTERS: u64 = 4;
/// Quarters that are kept; some more than are read, so that a reader finds them whole.
const SLOTS: usize = (SECONDS + 2) * QUARTERS as usize;
/// The low bits of a slot count; the high ones say which quarter is counted.
const COUNT_BITS: u32 = 32;

/// Counts the last second, and remembers those before.
#[derive(Debug)]
pub struct Pace {
    slots: Box<[AtomicU64]>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Pace {
    /// There were `many` now.
    pub fn add(&self, many: u32, now: Instant) {
        let quarter = quarter(now);
        let slot = &self.slots[quarter as usize % SLOTS];
        let seen = slot.load(Ordering::Relaxed);
        let fresh = stamp(quarter) | u64::from(many);
        let renewed = seen >> COUNT_BITS != stamp(quarter) >> COUNT_BITS
            && slot.compare_exchange(seen, fresh, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !renewed {
            // It is of this quarter, or another thread has just made it so.
            slot.fetch_add(u64::from(many), Ordering::Relaxed);
        }
    }

    /// How many there were in the four whole quarters before now.
    pub fn per_second(&self, now: Instant) -> u64 {
        self.second_before(quarter(now))
    }

    /// How many there were in each of the last seconds, the oldest first; the last is what
    /// [`Self::per_second`] says. It begins with the first second in which there were any.
    pub fn past(&self, now: Instant) -> Vec<u64> {
        let now = quarter(now);
        let back = |seconds: usize| now.checked_sub(seconds as u64 * QUARTERS);
        let ends = (0..SECONDS).rev().filter_map(back).filter(|end| *end > QUARTERS);
        ends.map(|end| self.second_before(end)).skip_while(|count| *count == 0).collect()
    }

    /// How many there were in the four quarters before this one.
    fn second_before(&self, quarter: u64) -> u64 {
        (quarter - QUARTERS..quarter).map(|quarter| self.counted(quarter)).sum()
    }

    fn counted(&self, quarter: u64) -> u64 {
        let held = self.slots[quarter as usize % SLOTS].load(Ordering::Relaxed);
        let is_it = held >> COUNT_BITS == stamp(quarter) >> COUNT_BITS;
        if is_it { held & u64::from(u32::MAX) } else { 0 }
    }
}

/// Which quarter of a second a moment lies in. None is 0: that is what an unused slot says.
fn quarter(at: Instant) -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let since = at.saturating_duration_since(*START);
    // One more second than there was, so that the quarters before the first are quarters too.
    QUARTERS + 1 + since.as_secs() * QUARTERS + u64::from(since.subsec_millis() / 250)
}

fn stamp(quarter: u64) -> u64 {
    quarter << COUNT_BITS
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_last_second_counts_and_nothing_older() {
        let (pace, start) = (Pace::default(), Instant::now() + Duration::from_secs(10));
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(pace.per_second(start), 0);
        for ms in (0..3000).step_by(10) {
            pace.add(2, at(ms));
        }
        let steady = pace.per_second(at(3000));
        assert!((150..=200).contains(&steady), "{steady}");
        assert_eq!(pace.per_second(at(4500)), 0);
    }

    #[test]
    fn two_minutes_are_remembered_second_by_second() {
        let (pace, start) = (Pace::default(), Instant::now() + Duration::from_secs(10));
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(pace.past(start), [0; 0], "nothing was");
        for second in 0..200_u64 {
            pace.add(second as u32 + 1, at(second * 1000));
        }
        let past = pace.past(at(200_000));
        assert_eq!(past.len(), SECONDS);
        assert_eq!(past.last(), Some(&pace.per_second(at(200_000))));
        // Whatever part of a second the clock began at, each is one of those counted, in turn.
        assert!(past.windows(2).all(|pair| pair[1] == pair[0] + 1), "{past:?}");
        assert_eq!(pace.past(at(260_000)).len(), SECONDS, "what was, and the stillness after it");
        assert_eq!(pace.past(at(400_000)), [0; 0]);
    }

    #[test]
    fn threads_lose_nothing() {
        let (pace, now) = (Pace::default(), Instant::now() + Duration::from_secs(10));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| pace.add(1, now)));
            }
        });
        assert_eq!(pace.per_second(now + Duration::from_millis(250)), 4000);
    }
}
