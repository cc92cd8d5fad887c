//! The rates of the last two minutes, for a chart that begins full. Counted by the engine in any case
//! (`engine/pace`); put together for those who watch, and told with a whole status alone: whoever has that
//! keeps the rest itself. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::status::NodeAccount;
use crate::{
    domain::{ids::NotificationId, timestamp::Timestamp},
    engine::PACE_SECONDS,
};

/// Most seconds that an account of another node counts as old; one that is older is dropped elsewhere.
const OLDEST_ACCOUNT: usize = 5;

/// How many there were in each of the last seconds over all nodes, the oldest first, from the first in
/// which there were any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct History {
    rates: BTreeMap<&'static str, Vec<u64>>,
    /// By campaign.
    pub campaigns: BTreeMap<NotificationId, Vec<u64>>,
}

impl History {
    /// What the nodes' accounts say together at this moment.
    pub fn of(nodes: &BTreeMap<String, NodeAccount>, at: Timestamp) -> Self {
        let mut history = Self::default();
        for node in nodes.values() {
            let age = usize::try_from((node.at.until(at).as_millis() + 500) / 1000);
            let age = age.unwrap_or(OLDEST_ACCOUNT).min(OLDEST_ACCOUNT);
            for (provider, account) in &node.providers {
                let sum = history.rates.entry(provider.name()).or_default();
                add(sum, &account.past, account.per_second, age);
            }
            for (id, account) in &node.campaigns {
                let sum = history.campaigns.entry(*id).or_default();
                add(sum, &account.past, account.per_second, age);
            }
        }
        history
    }
}

/// Adds what was so many seconds ago to a sum of now. What came since is taken to be as it was last.
fn add(sum: &mut Vec<u64>, past: &[u64], latest: u64, age: usize) {
    let since = std::iter::repeat_n(latest, age);
    let whole: Vec<u64> = past.iter().copied().chain(since).collect();
    let kept = &whole[whole.len().saturating_sub(PACE_SECONDS)..];
    if sum.len() < kept.len() {
        sum.splice(0..0, std::iter::repeat_n(0, kept.len() - sum.len()));
    }
    let shorter = sum.len() - kept.len();
    sum[shorter..].iter_mut().zip(kept).for_each(|(sum, more)| *sum += more);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_end_at_the_same_moment() {
        let mut sum = Vec::new();
        add(&mut sum, &[7], 7, 0);
        assert_eq!(sum, [7]);
        // Two seconds old: what it said last has gone on.
        add(&mut sum, &[1, 2, 3], 3, 2);
        assert_eq!(sum, [1, 2, 3, 3, 10]);
        add(&mut sum, &[], 0, 0);
        assert_eq!(sum, [1, 2, 3, 3, 10]);
        add(&mut sum, &[1; PACE_SECONDS], 1, 1);
        assert_eq!((sum.len(), sum[0], sum[PACE_SECONDS - 1]), (PACE_SECONDS, 1, 11));
    }
}
