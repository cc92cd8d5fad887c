//! What a desk tells of itself: for readiness, for people to look at, for the feed and the metrics.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::Instant;

use super::{
    desk::{Desk, Refusal, State},
    meter::Meter,
};
use crate::{
    domain::timestamp::Timestamp,
    engine::report::{BreakerState, ProviderReport},
};

/// How long a refusal is told of after the last push that was refused.
const REFUSAL_TOLD: Duration = Duration::from_secs(30);

/// Why nothing is sent now.
enum Trouble {
    /// The credentials are refused, for this reason; asked again then.
    Refused(String, Instant),
    /// The provider asks for a slower pace until then.
    Held(Instant),
    /// The provider is out of order.
    OutOfOrder(Option<Instant>),
}

impl Trouble {
    fn of(state: &State, now: Instant) -> Option<Self> {
        let told =
            |refused: &&Refusal| !state.queue.is_empty() || now < refused.next_probe + REFUSAL_TOLD;
        if let Some(refused) = state.refused.as_ref().filter(told) {
            return Some(Self::Refused(refused.reason.as_str().to_owned(), refused.next_probe));
        }
        let (breaker, until) = state.breaker.stands();
        if breaker != BreakerState::Closed {
            return Some(Self::OutOfOrder(until));
        }
        state.hold_until.filter(|until| *until > now).map(Self::Held)
    }

    fn sentence(&self) -> String {
        match self {
            Self::Refused(reason, _) => format!("refuses the credentials: {reason}"),
            Self::Held(_) => "asks for a slower pace".to_owned(),
            Self::OutOfOrder(_) => "does not answer as it should".to_owned(),
        }
    }

    fn retry(&self) -> Option<Instant> {
        match self {
            Self::Refused(_, at) | Self::Held(at) => Some(*at),
            Self::OutOfOrder(at) => *at,
        }
    }
}

impl Desk {
    /// Why its provider cannot be sent to, or only slowly.
    pub fn trouble(&self) -> Option<String> {
        let now = Instant::now();
        let trouble = Trouble::of(&self.lock(), now)?;
        let told = self.told(&trouble);
        Some(match trouble {
            Trouble::Held(until) => {
                format!("{told}; {} s left", until.saturating_duration_since(now).as_secs())
            }
            _ => told,
        })
    }

    /// Why its provider cannot be sent to.
    pub fn outage(&self) -> Option<String> {
        let trouble = Trouble::of(&self.lock(), Instant::now());
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
        let trouble = Trouble::of(&state, now);
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
