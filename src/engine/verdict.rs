//! What follows from a provider's answer: settle the device, or try again, and when. A pure table, with
//! the dice passed in.

use std::time::Duration;

use super::backoff::Backoff;
use crate::domain::{
    outcome::{Answer, Outcome, Reason},
    timestamp::Timestamp,
};

/// A provider that asks to wait longer than this is not waited for: the push ends as its last answer.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// How long all pushes wait when the provider asks for a slower pace without saying for how long.
const UNASKED_HOLD: Duration = Duration::from_secs(1);

/// The rules of trying again.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Tries of one push, the first included.
    pub max_attempts: u32,
    /// The waits between them.
    pub backoff: Backoff,
}

/// A try that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    /// Which try of the push it is, from 1; 0 where none of its own was made yet.
    pub number: u32,
    /// When the device registered its token.
    pub registered_at: Timestamp,
    /// Whether another would come too late: the provider is out of order, and the push's time to live has
    /// run out.
    pub is_last: bool,
}

/// What becomes of the push.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// It has its outcome.
    Settle(Outcome),
    /// It is tried again after this wait.
    Retry(Duration),
}

/// What the answer says of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Answered,
    /// It is out of order.
    Failing,
    /// There is no way to it.
    Unreached,
    /// It refuses the app's credentials.
    Refusing,
}

/// What the answer says of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// Nothing bad.
    Good,
    /// It was refused, which speaks against the token or against the app's environment.
    Bad,
    /// It is gone since the device last registered, and may be given up.
    Gone,
}

/// Everything that follows from one answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// For the push.
    pub next: Next,
    /// For the provider.
    pub health: Health,
    /// For the token.
    pub token: Token,
    /// For all pushes of this app through this provider: none for so long.
    pub hold: Option<Duration>,
}

/// Judges the answer to one try.
pub fn judge(answer: Answer, tried: Try, policy: &RetryPolicy, jitter: f64) -> Verdict {
    let settled =
        |outcome, health, token| Verdict { next: Next::Settle(outcome), health, token, hold: None };
    let failed = |reason: Reason| Outcome::Failed(reason);
    match answer {
        Answer::Accepted => settled(Outcome::Accepted, Health::Answered, Token::Good),
        Answer::TokenGone { reason, since } => {
            // Apple's timestamp tells when the token was last known gone; one older than the
            // registration is about an earlier life of the same token.
            let current = since.is_none_or(|since| since > tried.registered_at);
            let token = if current { Token::Gone } else { Token::Bad };
            settled(failed(reason), Health::Answered, token)
        }
        Answer::Rejected { reason, bad_token } => {
            let token = if bad_token { Token::Bad } else { Token::Good };
            settled(failed(reason), Health::Answered, token)
        }
        Answer::TooLarge => {
            settled(failed(Reason::new("PayloadTooLarge")), Health::Answered, Token::Good)
        }
        Answer::BadCredential { reason } => settled(failed(reason), Health::Refusing, Token::Good),
        Answer::Throttled { reason, retry_after, device_only } => Verdict {
            next: again(reason, retry_after, tried, policy, jitter),
            health: Health::Answered,
            token: Token::Good,
            hold: if device_only {
                None
            } else {
                Some(retry_after.unwrap_or(UNASKED_HOLD).min(LONGEST_RETRY_AFTER))
            },
        },
        Answer::Unavailable { reason, retry_after, unsent } => Verdict {
            next: again(reason, retry_after, tried, policy, jitter),
            health: if unsent { Health::Unreached } else { Health::Failing },
            token: Token::Good,
            hold: None,
        },
    }
}

fn again(
    reason: Reason,
    retry_after: Option<Duration>,
    tried: Try,
    policy: &RetryPolicy,
    jitter: f64,
) -> Next {
    let asked = retry_after.unwrap_or_default();
    let is_spent = tried.is_last || tried.number >= policy.max_attempts;
    if is_spent || asked > LONGEST_RETRY_AFTER {
        return Next::Settle(Outcome::Failed(reason));
    }
    // What the provider asks comes first; the jitter spreads those who were all asked the same.
    Next::Retry(asked + policy.backoff.wait(tried.number, jitter))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        max_attempts: 3,
        backoff: Backoff { base: Duration::from_millis(100), max: Duration::from_secs(1) },
    };

    fn verdict(answer: Answer, number: u32) -> Verdict {
        let tried = Try { number, registered_at: Timestamp(1000), is_last: false };
        judge(answer, tried, &POLICY, 0.5)
    }

    #[test]
    fn a_gone_token_counts_only_after_the_registration() {
        let gone = |since| Answer::TokenGone { reason: Reason::new("Unregistered"), since };
        assert_eq!(verdict(gone(Some(Timestamp(1001))), 1).token, Token::Gone);
        assert_eq!(verdict(gone(Some(Timestamp(999))), 1).token, Token::Bad);
        assert_eq!(verdict(gone(None), 1).token, Token::Gone);
    }

    #[test]
    fn outages_are_tried_again_and_end_in_their_reason() {
        let down = |retry_after| Answer::Unavailable {
            reason: Reason::new("reset"),
            retry_after,
            unsent: false,
        };
        let first = verdict(down(None), 1);
        assert_eq!(first.next, Next::Retry(Duration::from_millis(50)));
        assert_eq!(first.health, Health::Failing);
        let asked = verdict(down(Some(Duration::from_secs(2))), 1);
        assert_eq!(asked.next, Next::Retry(Duration::from_millis(2050)));
        let last = verdict(down(None), 3);
        assert_eq!(last.next, Next::Settle(Outcome::Failed(Reason::new("reset"))));
    }

    #[test]
    fn the_last_try_ends_in_its_reason_whichever_it_is() {
        let last = Try { number: 1, registered_at: Timestamp(1000), is_last: true };
        let reason = Reason::new("UNAVAILABLE");
        let down = Answer::Unavailable { reason: reason.clone(), retry_after: None, unsent: false };
        let failed = judge(down, last, &POLICY, 0.5);
        assert_eq!(failed.next, Next::Settle(Outcome::Failed(reason)));
        assert_eq!(failed.health, Health::Failing);
        let taken = judge(Answer::Accepted, last, &POLICY, 0.5);
        assert_eq!(taken.next, Next::Settle(Outcome::Accepted));
    }

    #[test]
    fn a_throttled_app_holds_all_its_pushes_and_a_throttled_device_only_itself() {
        let throttled = |device_only| Answer::Throttled {
            reason: Reason::new("QUOTA_EXCEEDED"),
            retry_after: Some(Duration::from_secs(60)),
            device_only,
        };
        assert_eq!(verdict(throttled(false), 1).hold, Some(Duration::from_secs(60)));
        assert_eq!(verdict(throttled(true), 1).hold, None);
    }

    #[test]
    fn refused_credentials_are_told_apart_from_outages() {
        let refused = verdict(Answer::BadCredential { reason: Reason::new("Forbidden") }, 1);
        assert_eq!(refused.health, Health::Refusing);
        assert!(matches!(refused.next, Next::Settle(Outcome::Failed(_))));
    }
}
