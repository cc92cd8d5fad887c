//! What is known of a provider that refuses an app's credentials. One push may be refused while others
//! are taken: by a node of the provider whose clock is wrong, say. So a refusal fails its own push, and
//! puts all others in doubt: no more of them begin than it takes to be certain, until the first that is
//! not refused ends the doubt. Certain it is when enough were refused and none is under way any more that
//! might be taken: refusals come back sooner than what is taken, so the first answers alone mislead.
//!
//! Once certain, what waits fails unasked. A push now and then finds out whether the provider still
//! refuses. Each new campaign and round puts it in doubt again, for a few pushes: whoever launches it may have
//! mended things, and its devices may be others than those that were refused.

use std::{collections::HashSet, time::Duration};

use tokio::time::Instant;

use crate::domain::{ids::NotificationId, outcome::Reason};

/// So many pushes in a row are refused where all are. With three of four refused one in a thousand such
/// rows misleads; with less, none.
const CERTAIN: usize = 24;
/// So many of them at the least are of the latest campaign and round.
const CERTAIN_AGAIN: usize = 6;
/// How often a provider that refuses the app's credentials is asked again.
const ASK_INTERVAL: Duration = Duration::from_secs(5);
/// How long such a push may take to be answered before another is sent.
const PATIENCE: Duration = Duration::from_secs(15);

/// The provider refuses the app's credentials; forgotten at the first push that it does not refuse.
#[derive(Debug)]
pub struct Refusal {
    /// Its word.
    pub reason: Reason,
    /// When it is asked again.
    pub next_probe: Instant,
    /// A push is out to find out whether it still does; what waits waits for its answer, until then at
    /// the longest.
    pub probing_until: Option<Instant>,
    /// How many pushes in a row it has refused.
    refusals: usize,
    is_certain: bool,
    /// The campaigns, and their rounds, that it was asked for.
    asked_for: HashSet<(NotificationId, u16)>,
}

impl Refusal {
    /// The provider has just refused a push.
    pub fn new(reason: Reason, now: Instant) -> Self {
        Self {
            reason,
            next_probe: now + ASK_INTERVAL,
            probing_until: None,
            refusals: 1,
            is_certain: false,
            asked_for: HashSet::new(),
        }
    }

    /// And the next.
    pub fn repeat(&mut self, reason: Reason, now: Instant) {
        self.reason = reason;
        self.next_probe = now + ASK_INTERVAL;
        self.probing_until = None;
        self.refusals += 1;
    }

    /// How many more pushes may begin to find out whether it refuses all, with so many under way; none
    /// where that is certain. Whether that has just become certain is the second.
    pub fn doubt(&mut self, under_way: usize) -> (Option<usize>, bool) {
        let is_new = !self.is_certain && self.refusals >= CERTAIN && under_way == 0;
        self.is_certain |= is_new;
        let more = CERTAIN.saturating_sub(self.refusals + under_way);
        ((!self.is_certain).then_some(more), is_new)
    }

    /// Whether it refuses every push.
    pub fn is_certain(&self) -> bool {
        self.is_certain
    }

    /// Devices of this campaign and round come in: the provider is asked before they fail.
    pub fn ask_for(&mut self, campaign: (NotificationId, u16)) {
        if self.asked_for.insert(campaign) {
            self.is_certain = false;
            self.refusals = self.refusals.min(CERTAIN - CERTAIN_AGAIN);
        }
    }

    /// A push is out to find out.
    pub fn probe(&mut self, now: Instant) {
        self.probing_until = Some(now + PATIENCE);
    }

    /// Whether what waits has been waiting for a probe's answer for so long.
    pub fn keeps_waiting(&self, long: Duration, now: Instant) -> bool {
        self.probing_until.is_some_and(|until| now < until && until <= now + PATIENCE - long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: NotificationId = NotificationId(uuid::Uuid::nil());

    fn refused(times: usize) -> Refusal {
        let mut refusal = Refusal::new(Reason::new("BadTopic"), Instant::now());
        (1..times).for_each(|_| refusal.repeat(Reason::new("BadTopic"), Instant::now()));
        refusal
    }

    #[test]
    fn it_is_certain_when_enough_were_refused_and_none_is_under_way() {
        let mut refusal = refused(CERTAIN - 1);
        assert_eq!(refusal.doubt(0), (Some(1), false));
        assert_eq!(refusal.doubt(1), (Some(0), false), "its answer is waited for");
        refusal.repeat(Reason::new("BadTopic"), Instant::now());
        assert_eq!(refusal.doubt(100), (Some(0), false), "one of these may be taken");
        assert_eq!(refusal.doubt(0), (None, true));
        assert_eq!(refusal.doubt(1), (None, false), "it stays so while it is asked");
    }

    #[test]
    fn while_in_doubt_so_many_go_as_it_takes() {
        assert_eq!(refused(1).doubt(0).0, Some(CERTAIN - 1));
        assert_eq!(refused(4).doubt(10).0, Some(CERTAIN - 14));
    }

    #[test]
    fn each_campaign_and_round_asks_before_it_is_refused() {
        let mut refusal = refused(CERTAIN);
        assert_eq!(refusal.doubt(0), (None, true));
        refusal.ask_for((ID, 0));
        assert_eq!(refusal.doubt(0), (Some(CERTAIN_AGAIN), false));
        (0..CERTAIN_AGAIN).for_each(|_| {
            assert!(!refusal.is_certain());
            refusal.repeat(Reason::new("BadTopic"), Instant::now());
        });
        assert_eq!(refusal.doubt(0), (None, true));
        refusal.ask_for((ID, 0));
        assert!(refusal.is_certain(), "it has asked");
        refusal.ask_for((ID, 1));
        assert!(!refusal.is_certain());
        // Enough were refused before, but nobody looked.
        let mut unseen = refused(CERTAIN);
        unseen.ask_for((ID, 0));
        assert_eq!(unseen.doubt(0), (Some(CERTAIN_AGAIN), false));
    }
}
