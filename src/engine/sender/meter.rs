//! What a desk counts: how pushes ended, and how long the provider took over them. Plain numbers under
//! the desk's lock, which is held at the end of every push anyway.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    domain::outcome::{Answer, Outcome, Reason},
    engine::{
        pace::Pace,
        report::{Latency, MOST_REASONS, OTHER_REASONS, Totals},
    },
};

/// How far apart the readings are from which recent latencies are told.
const MARK_INTERVAL: Duration = Duration::from_secs(10);

/// The counters of one desk.
#[derive(Clone, Debug)]
pub struct Meter {
    /// Pushes that ended lately; counted without the lock, and the same for all clones.
    pub pace: Arc<Pace>,
    totals: Totals,
    /// Latencies as they stood at the last mark, and at the one before.
    marks: [Latency; 2],
    marked_at: Instant,
}

impl Meter {
    /// Nothing is counted yet.
    pub fn new(now: Instant) -> Self {
        let (pace, totals, marks) = Default::default();
        Self { pace, totals, marks, marked_at: now }
    }

    /// A try has ended with this answer after so long. An answer that says the provider was not reached
    /// tells nothing of its latency.
    pub fn answered(&mut self, answer: &Answer, took: Duration, now: Instant) {
        let answers = &mut self.totals.answers;
        let kind = match answer {
            Answer::Accepted => &mut answers.accepted,
            Answer::TokenGone { .. } => &mut answers.token_gone,
            Answer::Rejected { .. } => &mut answers.rejected,
            Answer::Throttled { .. } => &mut answers.throttled,
            Answer::Unavailable { .. } => &mut answers.unavailable,
            Answer::BadCredential { .. } => &mut answers.bad_credential,
            Answer::TooLarge => &mut answers.too_large,
        };
        *kind += 1;
        if !matches!(answer, Answer::Unavailable { .. }) {
            self.mark(now);
            self.totals.latency.count(took);
        }
    }

    /// A push has its outcome.
    pub fn settled(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Accepted => self.totals.accepted += 1,
            Outcome::Failed(reason) => self.failed(reason, 1),
        }
    }

    /// So many pushes have failed for this reason.
    pub fn failed(&mut self, reason: &Reason, many: u64) {
        self.totals.failed += many;
        let reasons = &mut self.totals.reasons;
        let known = reasons.contains_key(reason.as_str());
        let word = match known || reasons.len() < MOST_REASONS {
            true => reason.as_str(),
            false => OTHER_REASONS,
        };
        match reasons.get_mut(word) {
            Some(count) => *count += many,
            None => drop(reasons.insert(word.to_owned(), many)),
        }
    }

    /// A push is to be tried again.
    pub fn retried(&mut self) {
        self.totals.retried += 1;
    }

    /// What was counted since the start.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Latencies since the mark before the last: of the last ten to twenty seconds.
    pub fn recent(&mut self, now: Instant) -> Latency {
        self.mark(now);
        self.totals.latency.since(&self.marks[1])
    }

    fn mark(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.marked_at);
        if since < MARK_INTERVAL {
            return;
        }
        let latest = self.totals.latency.clone();
        // Nothing was counted since the last mark where that is so long ago.
        let before = if since < 2 * MARK_INTERVAL { self.marks[0].clone() } else { latest.clone() };
        self.marks = [latest, before];
        self.marked_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_bounded() {
        let mut meter = Meter::new(Instant::now());
        for word in 0..2 * MOST_REASONS {
            meter.settled(&Outcome::Failed(Reason::new(&format!("reason {word}"))));
        }
        let totals = meter.totals();
        assert_eq!(totals.reasons.len(), MOST_REASONS + 1);
        assert_eq!(totals.reasons[OTHER_REASONS], MOST_REASONS as u64);
        assert_eq!(totals.failed, 2 * MOST_REASONS as u64);
    }

    #[test]
    fn what_was_long_ago_is_not_recent() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let at = |secs| start + Duration::from_secs(secs);
        let (slow, quick) = (Duration::from_secs(1), Duration::from_millis(1));
        meter.answered(&Answer::Accepted, slow, at(1));
        assert_eq!(meter.recent(at(5)).total(), 1);
        meter.answered(&Answer::Accepted, quick, at(11));
        assert_eq!(meter.recent(at(12)).total(), 2);
        meter.answered(&Answer::Accepted, quick, at(21));
        assert_eq!(meter.recent(at(22)).quantile_ms(1.0), Some(1.0));
        assert_eq!(meter.recent(at(60)).total(), 0);
        assert_eq!(meter.totals().latency.total(), 3);
    }

    #[test]
    fn an_unreached_provider_has_no_latency() {
        let mut meter = Meter::new(Instant::now());
        let away =
            Answer::Unavailable { reason: Reason::new("reset"), retry_after: None, unsent: false };
        meter.answered(&away, Duration::ZERO, Instant::now());
        assert_eq!((meter.totals().latency.total(), meter.totals().answers.unavailable), (0, 1));
    }
}
