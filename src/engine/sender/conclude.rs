//! What the end of a push means to its desk: for the device, the breaker, the tokens and the app's
//! credentials. The table itself is `engine/verdict`.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    desk::{Desk, State},
    job::Job,
    refusal::Refusal,
};
use crate::{
    domain::outcome::{Answer, Outcome, Reason},
    engine::verdict::{self, Health, Next, Token, Try, Verdict},
    storage::PruneOrder,
};

/// How often the log tells that a push is refused for the app's credentials.
const REFUSAL_TOLD_EVERY: Duration = Duration::from_secs(60);

/// What becomes of the device.
pub enum End {
    /// It has its outcome.
    Settled(Outcome),
    /// It is tried again then.
    Later(Instant),
}

impl Desk {
    /// Takes in how a push ended, and decides what becomes of its device.
    pub fn judge(&self, job: &mut Job, answer: Answer, begun: Instant) -> End {
        let now = Instant::now();
        let took = now.saturating_duration_since(begun);
        if answer == Answer::Accepted {
            self.count_pace(job, now);
            let mut state = self.lock();
            state.meter.answered(&answer, took, now);
            state.meter.settled(&Outcome::Accepted);
            self.note_answer(&mut state, now);
            self.not_refused(&mut state);
            count_token(&mut state, job, false);
            return End::Settled(Outcome::Accepted);
        }
        let reason = match &answer {
            Answer::BadCredential { reason } | Answer::Unavailable { reason, .. } => {
                Some(reason.clone())
            }
            _ => None,
        };
        let is_refusal = answer.is_refusal();
        let (registered_at, jitter) = (job.target().registered_at, rand::random());
        let mut state = self.lock();
        state.meter.answered(&answer, took, now);
        job.begun(begun);
        self.excuse(&mut state, job, &answer, now);
        job.attempts += u32::from(is_own_try(&state, job, &answer));
        let is_last = state.breaker.is_open() && job.is_over(now);
        let tried = Try { number: job.attempts, registered_at, is_last };
        let verdict = verdict::judge(answer, tried, &self.policy, jitter);
        self.note_health(&mut state, verdict.health, reason, now);
        if let Some(hold) = verdict.hold {
            let until = now + hold;
            state.hold_until = Some(state.hold_until.map_or(until, |held| held.max(until)));
        }
        job.note(is_refusal, &verdict, state.guard.is_stopped());
        note_token(&mut state, &verdict, job);
        match verdict.next {
            Next::Settle(outcome) => {
                state.meter.settled(&outcome);
                self.count_pace(job, now);
                End::Settled(outcome)
            }
            Next::Retry(wait) => {
                state.meter.retried();
                End::Later(now + wait)
            }
        }
    }

    /// Carries out what was decided.
    pub fn end(&self, job: Job, end: End) {
        match end {
            End::Settled(outcome) => job.settle(outcome),
            End::Later(due) => {
                let mut state = self.lock();
                // Asked under the lock: whoever closes a gate sweeps after it.
                if !job.is_wanted() {
                    drop(state);
                    job.leave();
                } else if self.is_closed() {
                    drop(state);
                    job.forsake();
                } else {
                    state.queue.put_later(due, job);
                    drop(state);
                    self.work.notify_one();
                }
            }
        }
    }

    /// Counts a push that ends here without an answer.
    pub fn count_given_up(&self, job: &Job, outcome: &Outcome) {
        self.lock().meter.settled(outcome);
        self.count_pace(job, Instant::now());
    }

    /// One more of the last second's pushes, of the desk and of its campaign.
    pub(super) fn count_pace(&self, job: &Job, now: Instant) {
        self.pace.add(1, now);
        if let Some(campaign) = job.campaign_pace() {
            campaign.add(1, now);
        }
    }

    /// No device is given up for a provider that answers nobody: that is out of order, and waited for.
    /// Whoever waits for one push alone is told instead.
    fn excuse(&self, state: &mut State, job: &Job, answer: &Answer, now: Instant) {
        let is_last = job.attempts + 1 >= self.policy.max_attempts;
        if let Answer::Unavailable { reason, .. } = answer
            && is_last
            && !job.is_direct()
            && let Some(since) = job.since()
            && state.breaker.used_up(since, now)
        {
            self.say_out_of_order(Some(reason));
        }
    }

    /// Not of each: where some pushes are refused and others are taken, refusals come and go.
    fn tell_refusal(&self, state: &mut State, reason: &Reason, now: Instant) {
        if state.refusal_told.is_none_or(|at| now >= at + REFUSAL_TOLD_EVERY) {
            state.refusal_told = Some(now);
            let (provider, reason) = (self.transport.provider().name(), reason.as_str());
            tracing::warn!(app = %self.app, provider, reason, "a push is refused for the app's credentials");
        }
    }

    fn note_answer(&self, state: &mut State, now: Instant) {
        if state.breaker.answered(now) {
            let provider = self.transport.provider().name();
            tracing::info!(app = %self.app, provider, "the provider is back; pushes go on");
        }
    }

    fn say_out_of_order(&self, reason: Option<&Reason>) {
        let reason = reason.map_or("", Reason::as_str);
        let provider = self.transport.provider().name();
        tracing::warn!(app = %self.app, provider, reason, "the provider is out of order; pushes wait");
    }

    fn note_health(&self, state: &mut State, health: Health, reason: Option<Reason>, now: Instant) {
        match (health, reason) {
            (Health::Answered, _) => {
                self.note_answer(state, now);
                self.not_refused(state);
            }
            (Health::Failing | Health::Unreached, reason) => {
                state.fault = reason;
                if let Some(refused) = &mut state.refused {
                    refused.probing_until = None;
                }
                if state.breaker.failed(health == Health::Unreached, now) {
                    self.say_out_of_order(state.fault.as_ref());
                }
            }
            (Health::Refusing, reason) => {
                // It is there, at least.
                self.note_answer(state, now);
                let reason = reason.unwrap_or_else(|| Reason::new("bad_credential"));
                match &mut state.refused {
                    Some(refused) => refused.repeat(reason, now),
                    None => {
                        self.tell_refusal(state, &reason, now);
                        state.refused = Some(Refusal::new(reason, now));
                    }
                }
            }
        }
    }
}

/// While the provider is known to be out of order a try is a probe, and where there is no way to it, it is
/// none: no device's own. Whoever waits for one push alone waits no longer for that.
fn is_own_try(state: &State, job: &Job, answer: &Answer) -> bool {
    !state.breaker.is_open() && (job.is_direct() || !answer.is_unsent())
}

/// Direct pushes are not counted: one bad token that is pushed to again and again says nothing of the
/// app's tokens.
fn count_token(state: &mut State, job: &Job, bad: bool) {
    if !job.is_direct() {
        state.guard.count(bad);
    }
}

fn note_token(state: &mut State, verdict: &Verdict, job: &Job) {
    count_token(state, job, verdict.token != Token::Good);
    if verdict.token == Token::Gone
        && let Next::Settle(Outcome::Failed(reason)) = &verdict.next
    {
        let (device, token) = (job.target().device, job.target().token.clone());
        state.prunes.push(PruneOrder { device, token, reason: reason.clone() });
    }
}
