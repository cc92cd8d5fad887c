//! What the end of a push means to its desk: for the device, the breaker, the tokens and the app's
//! credentials. The table itself is `engine/verdict`.

use tokio::time::Instant;

use super::{
    desk::{Desk, REFUSED_PROBE, Refusal, State},
    job::Job,
};
use crate::{
    domain::outcome::{Answer, Outcome, Reason},
    engine::verdict::{self, Health, Next, Token, Verdict},
    storage::PruneOrder,
};

impl Desk {
    /// Gives the next step of a push that ended with `answer`.
    pub fn conclude(&self, job: Job, answer: Answer) {
        if answer == Answer::Accepted {
            self.accepted(job);
        } else {
            self.not_accepted(job, answer);
        }
    }

    /// What nearly every push comes to, kept short.
    fn accepted(&self, job: Job) {
        let mut state = self.lock();
        state.breaker.answered();
        state.refused = None;
        state.guard.count(false);
        drop(state);
        job.settle(Outcome::Accepted);
    }

    fn not_accepted(&self, mut job: Job, answer: Answer) {
        let now = Instant::now();
        job.attempts += 1;
        let refused = match &answer {
            Answer::BadCredential { reason } => Some(reason.clone()),
            _ => None,
        };
        let (registered_at, jitter) = (job.target().registered_at, rand::random());
        let verdict = verdict::judge(answer, job.attempts, registered_at, &self.policy, jitter);
        let mut state = self.lock();
        self.note_health(&mut state, verdict.health, refused, now);
        if let Some(hold) = verdict.hold {
            let until = now + hold;
            state.hold_until = Some(state.hold_until.map_or(until, |held| held.max(until)));
        }
        note_token(&mut state, &verdict, &job);
        match verdict.next {
            Next::Settle(outcome) => {
                drop(state);
                job.settle(outcome);
            }
            Next::Retry(_) if !job.is_wanted() => {
                drop(state);
                job.leave();
            }
            Next::Retry(wait) => {
                state.queue.put_later(now + wait, job);
                drop(state);
                self.work.notify_one();
            }
        }
    }

    fn note_health(
        &self,
        state: &mut State,
        health: Health,
        refused: Option<Reason>,
        now: Instant,
    ) {
        let provider = self.transport.provider().name();
        match (health, refused) {
            (Health::Answered, _) => {
                state.breaker.answered();
                state.refused = None;
            }
            (Health::Failing, _) => {
                if state.breaker.failed(now) {
                    tracing::warn!(app = %self.app, provider, "the provider is out of order; pushes wait");
                }
            }
            (Health::Refusing, reason) => {
                let reason = reason.unwrap_or_else(|| Reason::new("bad_credential"));
                if state.refused.is_none() {
                    let word = reason.as_str();
                    tracing::error!(app = %self.app, provider, reason = word, "the provider refuses the app's credentials");
                }
                state.refused = Some(Refusal { reason, next_probe: now + REFUSED_PROBE });
            }
        }
    }
}

fn note_token(state: &mut State, verdict: &Verdict, job: &Job) {
    state.guard.count(verdict.token != Token::Good);
    if verdict.token == Token::Gone
        && let Next::Settle(Outcome::Failed(reason)) = &verdict.next
    {
        let (device, token) = (job.target().device, job.target().token.clone());
        state.prunes.push(PruneOrder { device, token, reason: reason.clone() });
    }
}
