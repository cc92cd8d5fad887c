//! What Google's answers mean.
//!
//! Source: Firebase, "FCM error codes" (REST reference `ErrorCode`), and "Scale to FCM best
//! practices" for the waits.

use std::time::Duration;

use serde::Deserialize;

use super::super::{http2::Response, retry_after::retry_after};
use crate::domain::{
    outcome::{Answer, Reason},
    timestamp::Timestamp,
};

/// Google: without Retry-After, wait a minute after a 429.
const DEFAULT_QUOTA_WAIT: Duration = Duration::from_secs(60);

/// The body of an answer other than 200: `google.rpc.Status`.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(default)]
    error: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    message: String,
    status: String,
    details: Vec<Detail>,
}

/// An `FcmError` has a code, a `BadRequest` has violations; other kinds have neither.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    error_code: String,
    field_violations: Vec<Violation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Violation {
    field: String,
}

impl Status {
    fn error_code(&self) -> Option<&str> {
        self.details.iter().map(|detail| detail.error_code.as_str()).find(|code| !code.is_empty())
    }

    /// INVALID_ARGUMENT alone does not mean a dead token; these two signs do say that the token is
    /// what is invalid.
    fn blames_token(&self) -> bool {
        let mut violations = self.details.iter().flat_map(|detail| &detail.field_violations);
        violations.any(|violation| violation.field == "message.token")
            || self.message.contains("registration token is not a valid")
    }

    /// "Device message rate exceeded" comes under QUOTA_EXCEEDED too.
    fn blames_device_rate(&self) -> bool {
        self.message.to_ascii_lowercase().contains("device message rate")
    }
}

/// What Google's response says of the push.
pub(super) fn answer(response: &Response, now: Timestamp) -> Answer {
    let status = response.status.as_u16();
    if status == 200 {
        return Answer::Accepted;
    }
    let problem: Problem = serde_json::from_slice(&response.body).unwrap_or_default();
    let error = problem.error;
    let code = error.error_code().unwrap_or(&error.status);
    let reason = match code {
        "" => Reason::new(&format!("http_{status}")),
        word => Reason::new(word),
    };
    let wait = retry_after(&response.headers, now);
    match code {
        "UNREGISTERED" => Answer::TokenGone { reason, since: None },
        "INVALID_ARGUMENT" => Answer::Rejected { reason, bad_token: error.blames_token() },
        "SENDER_ID_MISMATCH" => Answer::Rejected { reason, bad_token: true },
        // The project's certificate for Apple or for browsers: only such devices are concerned.
        "THIRD_PARTY_AUTH_ERROR" => Answer::Rejected { reason, bad_token: false },
        _ => by_status(status, &error, reason, wait),
    }
}

fn by_status(status: u16, error: &Status, reason: Reason, wait: Option<Duration>) -> Answer {
    match status {
        401 | 403 => Answer::BadCredential { reason },
        413 => Answer::TooLarge,
        429 => {
            let retry_after = wait.or(Some(DEFAULT_QUOTA_WAIT));
            Answer::Throttled { reason, retry_after, device_only: error.blames_device_rate() }
        }
        400..=499 => Answer::Rejected { reason, bad_token: false },
        _ => Answer::Unavailable { reason, retry_after: wait, unsent: false },
    }
}

/// Whether the access token was refused, which another may mend.
pub(super) fn is_refused_token(response: &Response, answer: &Answer) -> bool {
    response.status.as_u16() == 401 && matches!(answer, Answer::BadCredential { .. })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use serde_json::json;

    use super::*;

    fn response(status: u16, body: String, wait: Option<&str>) -> Response {
        let mut headers = HeaderMap::new();
        if let Some(wait) = wait {
            headers.insert("retry-after", wait.parse().unwrap());
        }
        Response { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into() }
    }

    fn respond(status: u16, word: &str, code: Option<&str>, message: &str) -> Answer {
        let fcm_error = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
        let details = code.map(|code| json!({ "@type": fcm_error, "errorCode": code }));
        let details: Vec<_> = details.into_iter().collect();
        let body = json!({ "error": {
            "code": status, "message": message, "status": word, "details": details,
        }});
        answer(&response(status, body.to_string(), None), Timestamp(0))
    }

    #[rustfmt::skip]
    #[test]
    fn every_row() {
        let word = Reason::new;
        let minute = Some(DEFAULT_QUOTA_WAIT);
        let app = |name: &str| Answer::BadCredential { reason: word(name) };
        let refused = |name: &str, bad_token| Answer::Rejected { reason: word(name), bad_token };
        let slow = |device_only| Answer::Throttled { reason: word("QUOTA_EXCEEDED"), retry_after: minute, device_only };
        let down = |name: &str| Answer::Unavailable { reason: word(name), retry_after: None, unsent: false };
        let rows = [
            (404, "NOT_FOUND", Some("UNREGISTERED"), "", Answer::TokenGone { reason: word("UNREGISTERED"), since: None }),
            (400, "INVALID_ARGUMENT", Some("INVALID_ARGUMENT"), "Request contains an invalid argument.", refused("INVALID_ARGUMENT", false)),
            (400, "INVALID_ARGUMENT", Some("INVALID_ARGUMENT"), "The registration token is not a valid FCM registration token", refused("INVALID_ARGUMENT", true)),
            (403, "PERMISSION_DENIED", Some("SENDER_ID_MISMATCH"), "", refused("SENDER_ID_MISMATCH", true)),
            (429, "RESOURCE_EXHAUSTED", Some("QUOTA_EXCEEDED"), "Quota exceeded for quota metric", slow(false)),
            (429, "RESOURCE_EXHAUSTED", Some("QUOTA_EXCEEDED"), "Device message rate exceeded", slow(true)),
            (503, "UNAVAILABLE", Some("UNAVAILABLE"), "", down("UNAVAILABLE")),
            (500, "INTERNAL", Some("INTERNAL"), "", down("INTERNAL")),
            (401, "UNAUTHENTICATED", Some("THIRD_PARTY_AUTH_ERROR"), "", refused("THIRD_PARTY_AUTH_ERROR", false)),
            (401, "UNAUTHENTICATED", None, "", app("UNAUTHENTICATED")),
            (403, "PERMISSION_DENIED", None, "", app("PERMISSION_DENIED")),
            (404, "NOT_FOUND", None, "", refused("NOT_FOUND", false)),
            (400, "UNSPECIFIED_ERROR", Some("UNSPECIFIED_ERROR"), "", refused("UNSPECIFIED_ERROR", false)),
            (413, "", None, "", Answer::TooLarge),
            (502, "", None, "", down("http_502")),
        ];
        for (status, name, code, message, expected) in rows {
            assert_eq!(respond(status, name, code, message), expected);
        }
    }

    #[test]
    fn a_violation_names_the_token() {
        let of = |field: &str| {
            let body = json!({ "error": { "status": "INVALID_ARGUMENT", "details": [
                { "@type": "x", "errorCode": "INVALID_ARGUMENT" },
                { "@type": "y", "fieldViolations": [{ "field": field, "description": "bad" }] },
            ]}});
            answer(&response(400, body.to_string(), None), Timestamp(0))
        };
        let reason = Reason::new("INVALID_ARGUMENT");
        let token = Answer::Rejected { reason: reason.clone(), bad_token: true };
        assert_eq!(of("message.token"), token);
        assert_eq!(of("message.android.ttl"), Answer::Rejected { reason, bad_token: false });
    }

    #[test]
    fn retry_after_comes_first() {
        for (status, wait) in [(429, "7"), (503, "Thu, 01 Jan 1970 00:00:07 GMT")] {
            let answer = answer(&response(status, String::new(), Some(wait)), Timestamp(0));
            let (Answer::Throttled { retry_after, .. } | Answer::Unavailable { retry_after, .. }) =
                answer
            else {
                panic!("{answer:?}")
            };
            assert_eq!(retry_after, Some(Duration::from_secs(7)));
        }
    }

    #[test]
    fn only_the_apps_own_401_asks_for_another_token() {
        let plain = response(401, r#"{"error":{"status":"UNAUTHENTICATED"}}"#.into(), None);
        assert!(is_refused_token(&plain, &answer(&plain, Timestamp(0))));
        let body = r#"{"error":{"details":[{"errorCode":"THIRD_PARTY_AUTH_ERROR"}]}}"#;
        let theirs = response(401, body.into(), None);
        assert!(!is_refused_token(&theirs, &answer(&theirs, Timestamp(0))));
    }
}
