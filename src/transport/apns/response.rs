//! What Apple's answers mean.
//!
//! Source: Apple, "Handling notification responses from APNs", its tables of status codes and of
//! error reasons.

use std::time::Duration;

use serde::Deserialize;

use super::super::{http2::Response, retry_after::retry_after};
use crate::domain::{
    outcome::{Answer, Reason},
    timestamp::Timestamp,
};

/// The consequence of a reason.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    TokenGone,
    /// Speaks against the token.
    BadToken,
    /// Speaks against this one request.
    BadRequest,
    /// Speaks against the app: every push would fare alike.
    BadCredential,
    TooLarge,
    DeviceThrottled,
    AppThrottled,
    /// The provider is out of order.
    Down,
}

/// Apple's table of reasons, in its order.
#[rustfmt::skip]
const REASONS: &[(u16, &str, Verdict)] = &[
    (400, "BadCollapseId", Verdict::BadRequest),
    (400, "BadDeviceToken", Verdict::BadToken),
    (400, "BadExpirationDate", Verdict::BadRequest),
    (400, "BadMessageId", Verdict::BadRequest),
    (400, "BadPriority", Verdict::BadRequest),
    (400, "BadTopic", Verdict::BadCredential),
    (400, "DeviceTokenNotForTopic", Verdict::BadToken),
    (400, "DuplicateHeaders", Verdict::BadRequest),
    (400, "IdleTimeout", Verdict::Down),
    (400, "InvalidPushType", Verdict::BadRequest),
    (400, "MissingDeviceToken", Verdict::BadToken),
    (400, "MissingTopic", Verdict::BadCredential),
    (400, "PayloadEmpty", Verdict::BadRequest),
    (400, "TopicDisallowed", Verdict::BadCredential),
    (403, "BadCertificate", Verdict::BadCredential),
    (403, "BadCertificateEnvironment", Verdict::BadCredential),
    (403, EXPIRED_PROVIDER_TOKEN, Verdict::BadCredential),
    (403, "Forbidden", Verdict::BadCredential),
    (403, "InvalidProviderToken", Verdict::BadCredential),
    (403, "MissingProviderToken", Verdict::BadCredential),
    (403, "UnrelatedKeyIdInToken", Verdict::BadCredential),
    (403, "BadEnvironmentKeyIdInToken", Verdict::BadCredential),
    (404, "BadPath", Verdict::BadRequest),
    (405, "MethodNotAllowed", Verdict::BadRequest),
    (410, "ExpiredToken", Verdict::TokenGone),
    (410, "Unregistered", Verdict::TokenGone),
    (413, "PayloadTooLarge", Verdict::TooLarge),
    (429, "TooManyProviderTokenUpdates", Verdict::AppThrottled),
    (429, "TooManyRequests", Verdict::DeviceThrottled),
    (500, "InternalServerError", Verdict::Down),
    (503, "ServiceUnavailable", Verdict::Down),
    (503, "Shutdown", Verdict::Down),
];

const EXPIRED_PROVIDER_TOKEN: &str = "ExpiredProviderToken";

/// The body of an answer other than 200.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(default)]
    reason: String,
    /// Milliseconds since the epoch, with 410 only.
    #[serde(default)]
    timestamp: Option<i64>,
}

/// What Apple's response says of the push.
pub(super) fn answer(response: &Response, now: Timestamp) -> Answer {
    let status = response.status.as_u16();
    if status == 200 {
        return Answer::Accepted;
    }
    let problem: Problem = serde_json::from_slice(&response.body).unwrap_or_default();
    let reason = match problem.reason.as_str() {
        "" => Reason::new(&format!("http_{status}")),
        word => Reason::new(word),
    };
    let wait = retry_after(&response.headers, now);
    consequence(verdict(status, &problem.reason), reason, problem.timestamp, wait)
}

/// Whether the provider token was called expired, which another token may mend.
pub(super) fn is_expired_token(answer: &Answer) -> bool {
    matches!(answer, Answer::BadCredential { reason } if reason.as_str() == EXPIRED_PROVIDER_TOKEN)
}

/// A reason that Apple's table does not know yet goes by its status.
fn verdict(status: u16, reason: &str) -> Verdict {
    let row = REASONS.iter().find(|row| (row.0, row.1) == (status, reason));
    match (row, status) {
        (Some(row), _) => row.2,
        (None, 403) => Verdict::BadCredential,
        (None, 410) => Verdict::TokenGone,
        (None, 413) => Verdict::TooLarge,
        (None, 429) => Verdict::AppThrottled,
        (None, 400..=499) => Verdict::BadRequest,
        (None, _) => Verdict::Down,
    }
}

fn consequence(
    verdict: Verdict,
    reason: Reason,
    timestamp: Option<i64>,
    retry_after: Option<Duration>,
) -> Answer {
    match verdict {
        Verdict::TokenGone => Answer::TokenGone { reason, since: timestamp.map(Timestamp) },
        Verdict::BadToken => Answer::Rejected { reason, bad_token: true },
        Verdict::BadRequest => Answer::Rejected { reason, bad_token: false },
        Verdict::BadCredential => Answer::BadCredential { reason },
        Verdict::TooLarge => Answer::TooLarge,
        Verdict::DeviceThrottled => Answer::Throttled { reason, retry_after, device_only: true },
        Verdict::AppThrottled => Answer::Throttled { reason, retry_after, device_only: false },
        Verdict::Down => Answer::Unavailable { reason, retry_after, unsent: false },
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn respond(status: u16, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        let response = Response { status, headers, body: body.to_owned().into() };
        answer(&response, Timestamp(0))
    }

    #[rustfmt::skip]
    #[test]
    fn every_row() {
        let word = Reason::new;
        let wait = Some(Duration::from_secs(7));
        let request = |name: &str| Answer::Rejected { reason: word(name), bad_token: false };
        let token = |name: &str| Answer::Rejected { reason: word(name), bad_token: true };
        let app = |name: &str| Answer::BadCredential { reason: word(name) };
        let gone = |name: &str| Answer::TokenGone { reason: word(name), since: None };
        let slow = |name: &str, device_only| Answer::Throttled { reason: word(name), retry_after: wait, device_only };
        let down = |name: &str| Answer::Unavailable { reason: word(name), retry_after: wait, unsent: false };
        let rows = [
            (400, "BadCollapseId", request("BadCollapseId")),
            (400, "BadDeviceToken", token("BadDeviceToken")),
            (400, "BadExpirationDate", request("BadExpirationDate")),
            (400, "BadMessageId", request("BadMessageId")),
            (400, "BadPriority", request("BadPriority")),
            (400, "BadTopic", app("BadTopic")),
            (400, "DeviceTokenNotForTopic", token("DeviceTokenNotForTopic")),
            (400, "DuplicateHeaders", request("DuplicateHeaders")),
            (400, "IdleTimeout", down("IdleTimeout")),
            (400, "InvalidPushType", request("InvalidPushType")),
            (400, "MissingDeviceToken", token("MissingDeviceToken")),
            (400, "MissingTopic", app("MissingTopic")),
            (400, "PayloadEmpty", request("PayloadEmpty")),
            (400, "TopicDisallowed", app("TopicDisallowed")),
            (403, "BadCertificate", app("BadCertificate")),
            (403, "BadCertificateEnvironment", app("BadCertificateEnvironment")),
            (403, "ExpiredProviderToken", app("ExpiredProviderToken")),
            (403, "Forbidden", app("Forbidden")),
            (403, "InvalidProviderToken", app("InvalidProviderToken")),
            (403, "MissingProviderToken", app("MissingProviderToken")),
            (403, "UnrelatedKeyIdInToken", app("UnrelatedKeyIdInToken")),
            (403, "BadEnvironmentKeyIdInToken", app("BadEnvironmentKeyIdInToken")),
            (404, "BadPath", request("BadPath")),
            (405, "MethodNotAllowed", request("MethodNotAllowed")),
            (410, "ExpiredToken", gone("ExpiredToken")),
            (410, "Unregistered", gone("Unregistered")),
            (413, "PayloadTooLarge", Answer::TooLarge),
            (429, "TooManyProviderTokenUpdates", slow("TooManyProviderTokenUpdates", false)),
            (429, "TooManyRequests", slow("TooManyRequests", true)),
            (500, "InternalServerError", down("InternalServerError")),
            (503, "ServiceUnavailable", down("ServiceUnavailable")),
            (503, "Shutdown", down("Shutdown")),
        ];
        assert_eq!(rows.len(), REASONS.len());
        for (status, reason, expected) in rows {
            assert_eq!(respond(status, &format!("{{\"reason\":\"{reason}\"}}")), expected);
        }
    }

    #[test]
    fn a_gone_token_says_since_when() {
        let answer = respond(410, r#"{"reason":"Unregistered","timestamp":1700000000123}"#);
        let reason = Reason::new("Unregistered");
        let since = Some(Timestamp(1_700_000_000_123));
        assert_eq!(answer, Answer::TokenGone { reason, since });
    }

    #[test]
    fn unknown_answers_go_by_their_status_and_keep_their_word() {
        assert_eq!(respond(200, ""), Answer::Accepted);
        let reason = Reason::new("Novelty");
        let answer = respond(400, r#"{"reason":"Novelty"}"#);
        assert_eq!(answer, Answer::Rejected { reason: reason.clone(), bad_token: false });
        assert_eq!(respond(403, r#"{"reason":"Novelty"}"#), Answer::BadCredential { reason });
        let Answer::Unavailable { reason, unsent, .. } = respond(502, "<html>") else {
            panic!("502 is an outage")
        };
        assert_eq!((reason.as_str(), unsent), ("http_502", false));
    }
}
