//! The sending of one notification, cut into what can be recorded and resumed.
//!
//! A campaign has rounds: round 0 is the launch, each later one sends failures again. A round is cut
//! into shards, a shard into pages. Pages tile their shard's range without gaps, so what is recorded
//! says exactly what is left.

use serde::{Deserialize, Serialize};

use super::{
    device::{DevicePlatform, SendPlatform, Unreachable},
    ids::{AppName, DeviceId, NotificationId},
    outcome::Outcome,
    tally::Tally,
    timestamp::Timestamp,
};

/// Most devices of one page.
pub const MAX_PAGE_LEN: usize = 4096;

/// A place in a store's order of devices. Only the store that made it knows what it means; others
/// compare it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Position(pub u64);

/// A stretch of a store's order: after `after`, up to and including `upto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Exclusive start.
    pub after: Position,
    /// Inclusive end.
    pub upto: Position,
}

impl Span {
    /// Whether nothing lies in it.
    pub fn is_empty(&self) -> bool {
        self.after >= self.upto
    }
}

/// Names one shard of one round of one campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardKey {
    /// The campaign.
    pub notification: NotificationId,
    /// 0 is the launch.
    pub round: u16,
    /// Counted from 0.
    pub index: u16,
}

/// Which failures a round sends again; unset parts allow all.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FailureFilter {
    /// This reason alone.
    pub reason: Option<String>,
    /// This platform alone, as the tally counts it.
    pub platform: Option<DevicePlatform>,
}

impl FailureFilter {
    /// Whether a failure passes.
    pub fn passes(&self, platform: DevicePlatform, reason: &str) -> bool {
        self.reason.as_deref().is_none_or(|wanted| wanted == reason)
            && self.platform.is_none_or(|wanted| wanted == platform)
    }
}

/// A shard as the ledger keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shard {
    /// Its name.
    pub key: ShardKey,
    /// Its whole stretch.
    pub span: Span,
    /// Every page up to here is recorded.
    pub cursor: Position,
    /// What was counted in every recorded page, beyond the cursor too.
    pub tally: Tally,
    /// The failures of earlier rounds that this round's recorded devices had, by platform and reason:
    /// they are taken back from the total when this round's outcomes are added.
    pub again: Tally,
    /// Whether nothing is left to do.
    pub done: bool,
    /// Under which lease its owner writes. A ledger that several nodes share refuses a page or a
    /// checkpoint whose epoch is not the shard's; on one node it stays 0.
    pub epoch: u64,
}

impl Shard {
    /// Whether nothing is left to do, also where there was nothing from the start and so nothing was
    /// ever recorded.
    pub fn is_done(&self) -> bool {
        self.done || self.cursor >= self.span.upto
    }
}

/// One device as a page carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The device.
    pub device: DeviceId,
    /// Where it stands in the store's order.
    pub position: Position,
    /// The platform it counts under.
    pub platform: DevicePlatform,
    /// Its provider.
    pub provider: SendPlatform,
    /// Its token; meaningless where `unreachable` is set.
    pub token: Box<str>,
    /// When that token was registered.
    pub registered_at: Timestamp,
    /// Why nothing can be sent to it.
    pub unreachable: Option<Unreachable>,
    /// In a later round, why it failed before.
    pub failed_before: Option<super::outcome::Reason>,
}

/// Some devices of a shard, in the store's order.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct TargetPage {
    /// The devices.
    pub targets: Vec<Target>,
    /// How far this page reaches: the last device's place, or the span's end when none follows.
    pub upto: Position,
}

/// The outcome of one device within a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageEntry {
    /// The device.
    pub device: DeviceId,
    /// Its place.
    pub position: Position,
    /// The platform it counts under.
    pub platform: DevicePlatform,
    /// What became of it.
    pub outcome: Outcome,
    /// In a later round, why it failed before.
    pub failed_before: Option<super::outcome::Reason>,
}

/// A page as the ledger keeps it. Recording it again replaces it.
#[derive(Clone, Debug, PartialEq)]
pub struct PageRecord {
    /// Its shard.
    pub shard: ShardKey,
    /// Its stretch; with the shard's key, its name.
    pub span: Span,
    /// Whether every device in its stretch has its outcome. A page in flight is saved with what it
    /// has so far.
    pub done: bool,
    /// The outcomes so far.
    pub entries: Vec<PageEntry>,
    /// When it was saved.
    pub at: Timestamp,
}

impl PageRecord {
    /// Its outcomes counted, and for a later round the earlier failures they replace.
    pub fn tallies(&self) -> (Tally, Tally) {
        tallies(&self.entries)
    }
}

/// Outcomes counted, and for a later round the earlier failures that they replace.
pub fn tallies(entries: &[PageEntry]) -> (Tally, Tally) {
    let (mut tally, mut again) = (Tally::default(), Tally::default());
    for entry in entries {
        tally.count(entry.platform, &entry.outcome);
        if let Some(reason) = &entry.failed_before {
            again.count(entry.platform, &Outcome::Failed(reason.clone()));
        }
    }
    (tally, again)
}

/// The totals of a campaign, given all its shards in their order: each round first takes back the
/// failures that it sent again.
pub fn total(shards: &[Shard]) -> Tally {
    let mut total = Tally::default();
    for round in shards.chunk_by(|left, right| left.key.round == right.key.round) {
        round.iter().for_each(|shard| total.take_back_failures(&shard.again));
        round.iter().for_each(|shard| total.add(&shard.tally));
    }
    total
}

/// A round to be planned.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundPlan {
    /// The campaign.
    pub notification: NotificationId,
    /// Whose.
    pub app: AppName,
    /// 0 is the launch.
    pub round: u16,
    /// Into how many shards.
    pub shards: u16,
    /// For a later round, which failures.
    pub failures: Option<FailureFilter>,
}
