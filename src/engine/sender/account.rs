//! What a desk tells of itself: for readiness, for people to look at, for the feed and the metrics.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::Instant;

use super::{
    desk::{Desk, State},
    meter::Meter,
    refusal::Refusal,
};
use crate::{
    domain::timestamp::Timestamp,
    engine::report::{BreakerState, ProviderReport},
};

/// How long a refusal is told of after the last push that was refused.
const REFUSAL_TOLD: Duration = Duration::from_secs(30);

/// A wait that is shorter is no outage.
const BRIEF: Duration = Duration::from_secs(2);

/// Whether pushes go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They go, or end at once.
    Here,
    /// They wait until the provider is back.
    Away {
        /// It is time to ask whether it is, and no push waits here that could find out.
        unasked: bool,
    },
}

/// Why nothing is sent now.
enum Trouble {
    /// The credentials are refused, for this reason; asked again then.
    Refused(String, Instant),
    /// The provider asks for a slower pace until then.
    Held(Instant),
    /// The provider is out of order, as far as is known in this way.
    OutOfOrder(Option<String>, Option<Instant>),
}

impl Trouble {
    /// The provider is known to refuse the credentials in this way, if it does.
    fn of(state: &State, refused: Option<&Refusal>, now: Instant) -> Option<Self> {
        let told =
            |refused: &&Refusal| !state.queue.is_empty() || now < refused.next_probe + REFUSAL_TOLD;
        if let Some(refused) = refused.filter(told) {
            return Some(Self::Refused(refused.reason.as_str().to_owned(), refused.next_probe));
        }
        let (breaker, until) = state.breaker.stands();
        if breaker != BreakerState::Closed {
            let fault = state.fault.as_ref().map(|fault| fault.as_str().to_owned());
            return Some(Self::OutOfOrder(fault, until));
        }
        state.hold_until.filter(|until| *until > now).map(Self::Held)
    }

    fn sentence(&self) -> String {
        match self {
            Self::Refused(reason, _) => format!("refuses the credentials: {reason}"),
            Self::Held(_) => "asks for a slower pace".to_owned(),
            Self::OutOfOrder(Some(fault), _) => format!("does not answer as it should: {fault}"),
            Self::OutOfOrder(None, _) => "does not answer as it should".to_owned(),
        }
    }

    fn retry(&self) -> Option<Instant> {
        match self {
            Self::Refused(_, at) | Self::Held(at) => Some(*at),
            Self::OutOfOrder(_, at) => *at,
        }
    }
}

impl Desk {
    fn why(&self, state: &State, now: Instant) -> Option<Trouble> {
        Trouble::of(state, self.known_refusal(state), now)
    }

    /// The refusal of the credentials, unless a push is under way that may yet be taken.
    pub(super) fn known_refusal<'a>(&self, state: &'a State) -> Option<&'a Refusal> {
        let is_known = |refused: &&Refusal| refused.is_certain() || self.in_flight() == 0;
        state.refused.as_ref().filter(is_known)
    }

    /// Why its provider cannot be sent to, or only slowly.
    pub fn trouble(&self) -> Option<String> {
        let now = Instant::now();
        let trouble = self.why(&self.lock(), now)?;
        let told = self.told(&trouble);
        Some(match trouble {
            Trouble::Held(until) => {
                format!("{told}; {} s left", until.saturating_duration_since(now).as_secs())
            }
            _ => told,
        })
    }

    /// Whether pushes of a campaign that is over then go out, for who has others to send meanwhile.
    pub fn standing(&self, over_at: Instant, now: Instant) -> Standing {
        let state = self.lock();
        if state.hold_until.is_some_and(|until| until > now + BRIEF) {
            return Standing::Away { unasked: false };
        }
        if let Some(refused) = state.refused.as_ref().filter(|refused| refused.is_certain()) {
            // Until it is time to ask again pushes end at once.
            let away = refused.keeps_waiting(BRIEF, now);
            return if away { Standing::Away { unasked: false } } else { Standing::Here };
        }
        match state.breaker.stands() {
            (BreakerState::Closed, _) => Standing::Here,
            // Nothing waits any more: what comes here ends.
            _ if state.breaker.asked_in_vain(now).is_some_and(|asked| over_at <= asked) => {
                Standing::Here
            }
            (_, until) => {
                let due = until.is_none_or(|until| until <= now);
                let waits = !state.queue.is_empty() || state.queue.next_due().is_some();
                Standing::Away { unasked: due && !waits }
            }
        }
    }

    /// Why its provider cannot be sent to.
    pub fn outage(&self) -> Option<String> {
        let trouble = self.why(&self.lock(), Instant::now());
        let outage = trouble.filter(|trouble| !matches!(trouble, Trouble::Held(_)));
        outage.map(|outage| self.told(&outage))
    }

    fn told(&self, trouble: &Trouble) -> String {
        format!("{}: {} {}", self.app, self.transport.provider().name(), trouble.sentence())
    }

    /// Its account in numbers.
    pub fn report(&self) -> ProviderReport {
        let now = Instant::now();
        let mut state = self.lock();
        let (waiting, waiting_again) = state.queue.lengths();
        let trouble = self.why(&state, now);
        ProviderReport {
            app: self.app.clone(),
            provider: self.transport.provider(),
            totals: state.meter.totals().clone(),
            recent_latency: state.meter.recent(now),
            per_second: self.pace.per_second(now),
            past: self.pace.past(now),
            waiting: waiting as u64,
            waiting_again: waiting_again as u64,
            in_flight: self.in_flight() as u64,
            breaker: state.breaker.stands().0,
            refused: matches!(trouble, Some(Trouble::Refused(..))),
            reason: trouble.as_ref().map(Trouble::sentence),
            retry_at: trouble.as_ref().and_then(Trouble::retry).map(|at| time_of_day(at, now)),
        }
    }

    /// What it has counted so far, for whoever takes its place.
    pub fn meter(&self) -> Meter {
        self.lock().meter.clone()
    }

    /// What the desk holds, for people to look at.
    pub fn observe(&self) -> serde_json::Value {
        let state = self.lock();
        let (waiting, later) = state.queue.lengths();
        serde_json::json!({
            "waiting": waiting,
            "waiting_for_another_try": later,
            "in_flight": self.in_flight(),
            "direct": self.single.load(Ordering::Relaxed),
            "breaker_open": state.breaker.is_open(),
            "held_for_secs": state
                .hold_until
                .map(|until| until.saturating_duration_since(Instant::now()).as_secs_f64()),
            "pruning_stopped": state.guard.is_stopped(),
            "credentials_refused": state.refused.as_ref().map(|refused| refused.reason.as_str()),
            "credentials_asked_again":
                state.refused.as_ref().map(|refused| refused.next_probe <= Instant::now()),
            "per_second": self.rates.provider.per_second(),
            "transport": self.transport.state(),
        })
    }
}

/// A moment of the engine's clock by the wall's, in whole tenths of a second: it is told again and
/// again, and must not waver.
fn time_of_day(at: Instant, now: Instant) -> Timestamp {
    let wall = Timestamp::now().plus(at.saturating_duration_since(now));
    Timestamp((wall.0 + 50).div_euclid(100) * 100)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;

    use super::*;
    use crate::{
        domain::{
            device::SendPlatform,
            ids::{AppName, NotificationId},
            message::Message,
            outcome::{Answer, Reason},
        },
        engine::{
            backoff::Backoff, rate_limit::RateLimiter, sender::DeskRates, verdict::RetryPolicy,
        },
        transport::{Destination, RenderError, Rendered, Transport, TransportState},
    };

    /// A way out that nothing is sent by.
    struct Unused;

    #[async_trait]
    impl Transport for Unused {
        fn provider(&self) -> SendPlatform {
            SendPlatform::Fcm
        }

        fn render(
            &self,
            _: NotificationId,
            _: &Message,
            _: Timestamp,
        ) -> Result<Rendered, RenderError> {
            unreachable!("nothing is sent")
        }

        async fn push(&self, _: &Rendered, _: Destination<'_>) -> Answer {
            unreachable!("nothing is sent")
        }

        async fn check(&self) -> Answer {
            unreachable!("nothing is asked")
        }

        fn window(&self) -> usize {
            1
        }

        fn state(&self) -> TransportState {
            unreachable!("nothing is asked")
        }
    }

    fn desk(now: Instant) -> Desk {
        let limiter = || Arc::new(RateLimiter::new(0, now));
        let rates = DeskRates { provider: limiter(), app: limiter(), global: limiter() };
        let backoff = Backoff { base: Duration::ZERO, max: Duration::ZERO };
        let policy = RetryPolicy { max_attempts: 1, backoff };
        Desk::new(AppName::new("app"), Arc::new(Unused), rates, policy, 5, Meter::new(now))
    }

    const SECOND: Duration = Duration::from_secs(1);

    /// For a campaign that has an hour left.
    fn standing(desk: &Desk, now: Instant) -> Standing {
        desk.standing(now + 3600 * SECOND, now)
    }

    #[test]
    fn a_provider_is_away_while_pushes_wait_for_it_for_long() {
        let now = Instant::now();
        let desk = desk(now);
        assert_eq!(standing(&desk, now), Standing::Here);
        desk.lock().hold_until = Some(now + 10 * SECOND);
        assert_eq!(standing(&desk, now), Standing::Away { unasked: false });
        assert_eq!(standing(&desk, now + 9 * SECOND), Standing::Here);
    }

    #[test]
    fn nobody_asks_after_a_provider_that_nothing_waits_for() {
        let now = Instant::now();
        let desk = desk(now);
        while !desk.lock().breaker.failed(false, now) {}
        assert_eq!(standing(&desk, now), Standing::Away { unasked: false });
        assert_eq!(standing(&desk, now + 60 * SECOND), Standing::Away { unasked: true });
        desk.lock().breaker.answered(now);
        assert_eq!(standing(&desk, now), Standing::Here);
    }

    #[test]
    fn nobody_is_kept_waiting_whose_time_had_run_out_when_it_was_asked() {
        let mut now = Instant::now();
        let desk = desk(now);
        while !desk.lock().breaker.failed(false, now) {}
        assert_eq!(desk.standing(now, now), Standing::Away { unasked: false }, "not asked yet");
        for _ in 0..5 {
            now += 60 * SECOND;
            desk.lock().breaker.probe(now);
            desk.lock().breaker.failed(false, now);
        }
        assert_eq!(desk.standing(now, now), Standing::Here, "pushes end at once");
        let later = now + SECOND;
        assert_eq!(desk.standing(later, later), Standing::Away { unasked: false });
        assert_eq!(desk.standing(now, now + 60 * SECOND), Standing::Away { unasked: true });
    }

    #[test]
    fn one_that_refused_a_single_push_may_be_out_of_order_all_the_same() {
        let now = Instant::now();
        let desk = desk(now);
        desk.lock().refused = Some(Refusal::new(Reason::new("BadTopic"), now));
        assert_eq!(standing(&desk, now), Standing::Here);
        while !desk.lock().breaker.failed(false, now) {}
        assert_eq!(standing(&desk, now), Standing::Away { unasked: false });
    }

    #[test]
    fn one_that_refuses_the_credentials_is_away_only_while_it_is_asked_and_silent() {
        let now = Instant::now();
        let desk = desk(now);
        let mut refusal = Refusal::new(Reason::new("InvalidProviderToken"), now);
        while refusal.doubt(0).0.is_some() {
            refusal.repeat(Reason::new("InvalidProviderToken"), now);
        }
        desk.lock().refused = Some(refusal);
        assert_eq!(standing(&desk, now), Standing::Here, "pushes end at once");
        desk.lock().refused.as_mut().expect("it refuses").probing_until = Some(now + 15 * SECOND);
        assert_eq!(standing(&desk, now), Standing::Here);
        assert_eq!(standing(&desk, now + 3 * SECOND), Standing::Away { unasked: false });
    }
}
