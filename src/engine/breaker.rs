//! The circuit breaker of one provider and app: when most answers say that the provider is out of
//! order, or none says that it is not, pushes wait in the queue instead of using up their tries, and
//! single probes find out when it is back. Pure: the clock is passed in.

use std::time::Duration;

use tokio::time::Instant;

use super::report::BreakerState;

/// Answers looked at before deciding.
const SAMPLE: u32 = 50;
/// The share of failures among them that opens the breaker, in percent.
const OPEN_PERCENT: u32 = 50;
/// Pushes in a row to which there was no way, that open it.
const UNREACHED: u32 = 3;
/// A provider that answered others no longer than this before a push was first tried is in order: that
/// push may be the last of its campaign.
const SHORTLY: Duration = Duration::from_secs(30);
/// The first time it stays open; each failed probe doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest it stays open between probes.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Whether a push may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// As many as there are.
    Free,
    /// One, to see whether the provider is back.
    Probe,
    /// None until then.
    Wait(Instant),
}

/// Where the breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Instant,
    },
    /// A probe is under way; if it is lost, another may go at `until`.
    Probing {
        until: Instant,
    },
}

/// Counts answers and decides.
#[derive(Debug)]
pub struct Breaker {
    state: State,
    good: u32,
    bad: u32,
    /// The latest failures in a row that did not even get there.
    unreached: u32,
    /// When the provider last answered.
    answered: Option<Instant>,
    wait: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: State::Closed,
            good: 0,
            bad: 0,
            unreached: 0,
            answered: None,
            wait: FIRST_WAIT,
        }
    }
}

impl Breaker {
    /// Whether a push may go now.
    pub fn pass(&self, now: Instant) -> Pass {
        match self.state {
            State::Closed => Pass::Free,
            State::Open { until } | State::Probing { until } if now < until => Pass::Wait(until),
            State::Open { .. } | State::Probing { .. } => Pass::Probe,
        }
    }

    /// A probe begins: the next pushes wait for its answer.
    pub fn probe(&mut self, now: Instant) {
        self.state = State::Probing { until: now + LONGEST_WAIT };
    }

    /// The provider answered, with whatever it had to say of the push. Whether this closed the breaker.
    pub fn answered(&mut self, now: Instant) -> bool {
        let closes = self.state != State::Closed;
        if closes {
            *self = Self::default();
        }
        self.good += 1;
        self.unreached = 0;
        self.answered = Some(now);
        self.forget_old();
        closes
    }

    /// The provider was out of order, or there was no way to it (`unreached`). Whether this opened the
    /// breaker.
    pub fn failed(&mut self, unreached: bool, now: Instant) -> bool {
        match self.state {
            State::Probing { .. } => {
                self.wait = (self.wait * 2).min(LONGEST_WAIT);
                self.state = State::Open { until: now + self.wait };
                false
            }
            State::Open { .. } => false,
            State::Closed => {
                self.bad += 1;
                self.unreached = if unreached { self.unreached + 1 } else { 0 };
                let seen = self.good + self.bad;
                let mostly = seen >= SAMPLE && self.bad * 100 >= seen * OPEN_PERCENT;
                let opens = mostly || self.unreached >= UNREACHED;
                if opens {
                    self.open(now);
                }
                self.forget_old();
                opens
            }
        }
    }

    /// A push would use up its tries, the first of which began `since`. Where nobody was answered from
    /// shortly before on, that says more of the provider than of the device: whether this opened the breaker.
    pub fn used_up(&mut self, since: Instant, now: Instant) -> bool {
        let silent = self.answered.is_none_or(|at| at + SHORTLY < since);
        let opens = self.state == State::Closed && silent;
        if opens {
            self.open(now);
        }
        opens
    }

    fn open(&mut self, now: Instant) {
        self.state = State::Open { until: now + self.wait };
    }

    /// Where it stands, and until when pushes wait.
    pub fn stands(&self) -> (BreakerState, Option<Instant>) {
        match self.state {
            State::Closed => (BreakerState::Closed, None),
            State::Open { until } => (BreakerState::Open, Some(until)),
            State::Probing { until } => (BreakerState::HalfOpen, Some(until)),
        }
    }

    /// When the provider was last asked in vain, where it has been out of order for so long that it is
    /// asked no more often any more, and is not to be asked again yet.
    pub fn asked_in_vain(&self, now: Instant) -> Option<Instant> {
        match self.state {
            State::Open { until } if self.wait == LONGEST_WAIT && now < until => {
                Some(until - self.wait)
            }
            _ => None,
        }
    }

    /// Whether pushes are held back.
    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Old answers count for less: the share is that of the latest hundred or so.
    fn forget_old(&mut self) {
        if self.good + self.bad >= 4 * SAMPLE {
            self.good /= 2;
            self.bad /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        while !breaker.failed(false, now) {}
        breaker
    }

    #[test]
    fn a_few_failures_among_many_answers_change_nothing() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..1000 {
            breaker.answered(now);
            breaker.answered(now);
            assert!(!breaker.failed(false, now));
        }
        assert_eq!(breaker.pass(now), Pass::Free);
    }

    #[test]
    fn a_push_that_used_up_its_tries_opens_it_where_nobody_was_answered() {
        let (mut breaker, begun) = (Breaker::default(), Instant::now());
        let soon = begun + SHORTLY / 2;
        let later = begun + 2 * SHORTLY;
        breaker.answered(begun);
        assert!(!breaker.failed(false, later));
        assert!(!breaker.used_up(begun, later), "somebody was answered meanwhile");
        assert!(!breaker.used_up(soon, later), "somebody was answered shortly before");
        assert!(breaker.used_up(later, later));
        assert!(breaker.is_open() && !breaker.used_up(later, later), "it is open by now");
    }

    #[test]
    fn it_opens_where_there_is_no_way() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        assert!(!breaker.failed(true, now) && !breaker.failed(true, now));
        // A reset got there.
        assert!(!breaker.failed(false, now));
        assert!(!breaker.failed(true, now) && !breaker.failed(true, now));
        assert!(breaker.failed(true, now));
    }

    #[test]
    fn open_lets_one_probe_through_and_closes_on_its_answer() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let Pass::Wait(until) = breaker.pass(now) else { panic!("not open") };
        assert_eq!(breaker.pass(until), Pass::Probe);
        breaker.probe(until);
        assert!(matches!(breaker.pass(until), Pass::Wait(_)));
        breaker.answered(now);
        assert_eq!(breaker.pass(until), Pass::Free);
    }

    #[test]
    fn only_after_many_probes_was_it_asked_in_vain_and_only_until_the_next() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        let mut probes = 0;
        while breaker.asked_in_vain(now).is_none() {
            let Pass::Wait(until) = breaker.pass(now) else { panic!("not open") };
            now = until;
            breaker.probe(now);
            assert_eq!(breaker.asked_in_vain(now), None, "it is being asked");
            breaker.failed(false, now);
            probes += 1;
        }
        assert_eq!((probes, breaker.asked_in_vain(now + LONGEST_WAIT / 2)), (5, Some(now)));
        assert_eq!(breaker.asked_in_vain(now + LONGEST_WAIT), None, "it is time to ask again");
        breaker.answered(now);
        assert_eq!(breaker.asked_in_vain(now), None);
    }

    #[test]
    fn failed_probes_wait_longer_each_time_up_to_a_bound() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let Pass::Wait(until) = breaker.pass(now) else { panic!("not open") };
            waits.push(until - now);
            now = until;
            assert_eq!(breaker.pass(now), Pass::Probe);
            breaker.probe(now);
            breaker.failed(false, now);
        }
        assert!(waits.is_sorted() && waits[1] > waits[0]);
        assert_eq!(waits[7], LONGEST_WAIT);
    }
}
