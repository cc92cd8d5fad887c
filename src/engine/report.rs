//! The engine's account of itself, as plain data: what the feed shows to people and the metrics to
//! machines. Nothing here counts; `meter` and `pace` do.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{
    device::SendPlatform,
    ids::{AppName, NotificationId},
    timestamp::Timestamp,
};

/// One provider of one app, on this node.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderReport {
    /// The app.
    pub app: AppName,
    /// The provider.
    pub provider: SendPlatform,
    /// Since the start: pushes that ended, tries, failures by reason, latencies.
    pub totals: Totals,
    /// Latencies of the last ten to twenty seconds.
    pub recent_latency: Latency,
    /// Pushes that ended in the last second.
    pub per_second: u64,
    /// The same of each of the last two minutes' seconds, the oldest first, from the first in which any did.
    pub past: Vec<u64>,
    /// Devices waiting to be pushed.
    pub waiting: u64,
    /// Devices waiting for another try.
    pub waiting_again: u64,
    /// Pushes under way.
    pub in_flight: u64,
    /// Where the circuit breaker stands.
    pub breaker: BreakerState,
    /// Whether the provider refuses the app's credentials.
    pub refused: bool,
    /// Why nothing is sent now, without secrets; none where something is.
    pub reason: Option<String>,
    /// When it is tried again, where that is known.
    pub retry_at: Option<Timestamp>,
}

/// What was counted since the start of this node. Numbers only grow, until the app is taken down.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Totals {
    /// Pushes that the provider took.
    pub accepted: u64,
    /// Pushes that ended in a failure.
    pub failed: u64,
    /// Tries that are to be followed by another.
    pub retried: u64,
    /// Tries by how they ended.
    pub answers: Answers,
    /// Failures by reason, bounded: see [`OTHER_REASONS`].
    pub reasons: BTreeMap<String, u64>,
    /// How long the provider took over the pushes that it answered.
    pub latency: Latency,
}

/// Under which further reasons are counted when there are [`MOST_REASONS`] of one provider.
pub const OTHER_REASONS: &str = "other";
/// How many reasons of one provider are told apart.
pub const MOST_REASONS: usize = 50;

/// Tries by how they ended, one number for each kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Answers {
    /// Taken.
    pub accepted: u64,
    /// The token is gone.
    pub token_gone: u64,
    /// Refused for good.
    pub rejected: u64,
    /// A slower pace was asked for.
    pub throttled: u64,
    /// Out of order, or not reached.
    pub unavailable: u64,
    /// The credentials are refused.
    pub bad_credential: u64,
    /// Over the provider's limit.
    pub too_large: u64,
}

impl Answers {
    /// Each kind by its name.
    pub fn by_name(self) -> [(&'static str, u64); 7] {
        [
            ("accepted", self.accepted),
            ("token_gone", self.token_gone),
            ("rejected", self.rejected),
            ("throttled", self.throttled),
            ("unavailable", self.unavailable),
            ("bad_credential", self.bad_credential),
            ("too_large", self.too_large),
        ]
    }
}

/// Where a circuit breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Pushes go.
    #[default]
    Closed,
    /// One push is out to see whether the provider is back.
    HalfOpen,
    /// Pushes wait.
    Open,
}

/// A histogram of latencies.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// How many there were up to each of [`Latency::BOUNDS_MS`] and over the one before, then how many
    /// over the last.
    pub counts: [u64; Latency::BUCKETS],
    /// All of them together, in microseconds.
    pub sum_micros: u64,
}

impl Latency {
    /// The buckets' upper bounds, in milliseconds; a last bucket has none.
    pub const BOUNDS_MS: [u32; Self::BUCKETS - 1] = [
        1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000, 10_000,
        30_000,
    ];
    /// How many buckets there are.
    pub const BUCKETS: usize = 22;

    /// Counts one.
    pub fn count(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let bucket = Self::BOUNDS_MS.partition_point(|bound| u64::from(*bound) * 1000 < micros);
        self.counts[bucket] += 1;
        self.sum_micros = self.sum_micros.saturating_add(micros);
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(held, more)| *held += more);
        self.sum_micros = self.sum_micros.saturating_add(other.sum_micros);
    }

    /// What was counted since `earlier`, an older reading of the same.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        let counts = since.counts.iter_mut().zip(earlier.counts);
        counts.for_each(|(held, before)| *held = held.saturating_sub(before));
        since.sum_micros = since.sum_micros.saturating_sub(earlier.sum_micros);
        since
    }

    /// The latency in milliseconds that this share (0 to 1) of pushes keeps to, read off evenly within
    /// its bucket; none where there were none. Over the last bound, the bound.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let total = self.total();
        let rank = share * total as f64;
        let mut before = 0.0;
        for (bucket, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let lower = bucket.checked_sub(1).map_or(0, |below| Self::BOUNDS_MS[below]);
            let upper = Self::BOUNDS_MS.get(bucket).copied().unwrap_or(lower);
            if before + *count as f64 >= rank {
                let within = ((rank - before) / *count as f64).clamp(0.0, 1.0);
                return Some(f64::from(lower) + within * f64::from(upper - lower));
            }
            before += *count as f64;
        }
        None
    }
}

/// One campaign under way on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignReport {
    /// The campaign.
    pub notification: NotificationId,
    /// Its app.
    pub app: AppName,
    /// Devices that got their outcome in the last second.
    pub per_second: u64,
    /// The same of each of the last two minutes' seconds, the oldest first, from the first in which any did.
    pub past: Vec<u64>,
    /// Shards that this node works on.
    pub shards: u64,
}

/// Actors' own accounts, by their names.
pub type ActorStates = BTreeMap<String, Value>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_read_off_the_buckets() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile_ms(0.5), None);
        for ms in 1..=100 {
            latency.count(Duration::from_millis(ms));
        }
        let quantile = |share| latency.quantile_ms(share).expect("counted");
        assert!((quantile(0.5) - 50.0).abs() < 1.0, "{}", quantile(0.5));
        assert!((quantile(0.99) - 99.0).abs() < 1.0, "{}", quantile(0.99));
        assert_eq!(latency.sum_micros, 5_050_000);
        latency.count(Duration::from_secs(3600));
        assert_eq!(latency.quantile_ms(1.0), Some(30_000.0));
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let mut latency = Latency::default();
        latency.count(Duration::from_millis(1));
        latency.count(Duration::from_micros(1001));
        assert_eq!(latency.counts[..3], [1, 1, 0]);
        let mut later = latency.clone();
        later.count(Duration::ZERO);
        assert_eq!(later.since(&latency).counts[..2], [1, 0]);
    }
}
