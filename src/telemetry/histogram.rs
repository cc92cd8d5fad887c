//! How long something took, counted while it happens: one addition to a bucket and one to the sum, no
//! lock. Read as a [`Spread`] when somebody asks.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The upper bounds of the buckets, in microseconds: one scale for everything, so that graphs can be laid
/// over each other. What took longer than the last counts in a bucket without a bound.
const BOUNDS_US: [u64; 14] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000, 30_000_000,
];

/// Durations as they come in.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_ns: AtomicU64,
}

/// Durations counted so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The upper bound of each bucket in ascending order, and how many were in it alone.
    pub buckets: Vec<(Duration, u64)>,
    /// How many took longer than the last bound.
    pub longer: u64,
    /// All of them together.
    pub sum: Duration,
}

impl Histogram {
    /// Counts one.
    pub fn record(&self, took: Duration) {
        let us = took.as_micros();
        let bucket = BOUNDS_US.partition_point(|bound| u128::from(*bound) < us);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn read(&self) -> Spread {
        let count = |bucket: &AtomicU64| bucket.load(Ordering::Relaxed);
        let bounds = BOUNDS_US.iter().map(|us| Duration::from_micros(*us));
        Spread {
            buckets: bounds.zip(self.buckets.iter().map(count)).collect(),
            longer: self.buckets.last().map_or(0, count),
            sum: Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)),
        }
    }
}

impl Spread {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum::<u64>() + self.longer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let histogram = Histogram::default();
        for us in [0, 250, 251, 30_000_000, 30_000_001] {
            histogram.record(Duration::from_micros(us));
        }
        let spread = histogram.read();
        let filled: Vec<_> = spread.buckets.iter().filter(|(_, count)| *count > 0).collect();
        let at = |us, count| (Duration::from_micros(us), count);
        assert_eq!(filled, [&at(250, 2), &at(500, 1), &at(30_000_000, 1)]);
        assert_eq!((spread.longer, spread.count()), (1, 5));
        assert_eq!(spread.sum, Duration::from_micros(60_000_502));
    }
}
