//! Counters of a campaign: absolute, additive over shards and rounds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{device::DevicePlatform, outcome::Outcome};

/// A number per device platform, as `sent` and `failed` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PlatformCounts {
    /// Android, and unknown devices reached through FCM.
    pub android: u64,
    /// iOS, and unknown devices reached through APNs.
    pub ios: u64,
    /// Browsers.
    pub web: u64,
    /// Devices that name neither platform nor provider.
    pub unknown: u64,
}

impl PlatformCounts {
    /// The count of one platform.
    pub fn slot(&mut self, platform: DevicePlatform) -> &mut u64 {
        match platform {
            DevicePlatform::Unknown => &mut self.unknown,
            DevicePlatform::Android => &mut self.android,
            DevicePlatform::Ios => &mut self.ios,
            DevicePlatform::Web => &mut self.web,
        }
    }

    /// The sum over platforms.
    pub fn total(&self) -> u64 {
        [self.ios, self.web, self.unknown].into_iter().fold(self.android, u64::saturating_add)
    }

    /// Adds another's counts; they stop at the largest number instead of beginning anew.
    pub fn add(&mut self, other: &Self) {
        self.android = self.android.saturating_add(other.android);
        self.ios = self.ios.saturating_add(other.ios);
        self.web = self.web.saturating_add(other.web);
        self.unknown = self.unknown.saturating_add(other.unknown);
    }

    /// Takes another's counts away; never below zero.
    pub fn subtract(&mut self, other: &Self) {
        self.android = self.android.saturating_sub(other.android);
        self.ios = self.ios.saturating_sub(other.ios);
        self.web = self.web.saturating_sub(other.web);
        self.unknown = self.unknown.saturating_sub(other.unknown);
    }
}

/// Outcomes counted. A shard stores its own with its checkpoint; a campaign's is the sum.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Accepted by the provider.
    pub accepted: PlatformCounts,
    /// Ended in a failure.
    pub failed: PlatformCounts,
    /// Failures by reason.
    pub reasons: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts one outcome.
    pub fn count(&mut self, platform: DevicePlatform, outcome: &Outcome) {
        match outcome {
            Outcome::Accepted => *self.accepted.slot(platform) += 1,
            Outcome::Failed(reason) => {
                *self.failed.slot(platform) += 1;
                if let Some(count) = self.reasons.get_mut(reason.as_str()) {
                    *count += 1;
                } else {
                    self.reasons.insert(reason.as_str().to_owned(), 1);
                }
            }
        }
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        self.accepted.add(&other.accepted);
        self.failed.add(&other.failed);
        for (reason, count) in &other.reasons {
            let held = self.reasons.entry(reason.clone()).or_default();
            *held = held.saturating_add(*count);
        }
    }

    /// Takes another's counts away.
    pub fn subtract(&mut self, other: &Self) {
        self.accepted.subtract(&other.accepted);
        self.take_back_failures(other);
    }

    /// Takes back the failures that `again` counts: they are being sent again and will count anew.
    pub fn take_back_failures(&mut self, again: &Self) {
        self.failed.subtract(&again.failed);
        for (reason, count) in &again.reasons {
            if let Some(held) = self.reasons.get_mut(reason) {
                *held = held.saturating_sub(*count);
            }
        }
        self.reasons.retain(|_, count| *count > 0);
    }

    /// How many devices have their outcome.
    pub fn settled(&self) -> u64 {
        self.accepted.total().saturating_add(self.failed.total())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outcome::Reason;

    #[test]
    fn counts_never_wrap() {
        let most = PlatformCounts { ios: u64::MAX, android: 1, ..PlatformCounts::default() };
        let mut counts = PlatformCounts { ios: 1, ..PlatformCounts::default() };
        counts.add(&most);
        assert_eq!((counts.ios, counts.android, counts.total()), (u64::MAX, 1, u64::MAX));
    }

    #[test]
    fn a_resend_counts_each_device_once() {
        let mut total = Tally::default();
        total.count(DevicePlatform::Ios, &Outcome::Accepted);
        total.count(DevicePlatform::Ios, &Outcome::Failed(Reason::new("InternalServerError")));
        let mut again = Tally::default();
        again.count(DevicePlatform::Ios, &Outcome::Failed(Reason::new("InternalServerError")));
        let mut second = Tally::default();
        second.count(DevicePlatform::Ios, &Outcome::Accepted);
        total.take_back_failures(&again);
        total.add(&second);
        assert_eq!((total.accepted.ios, total.failed.ios, total.settled()), (2, 0, 2));
        assert!(total.reasons.is_empty());
    }
}
