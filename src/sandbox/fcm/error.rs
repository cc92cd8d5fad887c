//! The errors of the FCM gateway, in the form all Google APIs use: code, message,
//! status and typed details. Sources: Google Cloud APIs, "Errors"; FCM REST
//! reference, `ErrorCode`.

use std::borrow::Cow;

use http::{HeaderValue, header};
use serde_json::{Value, json};

use crate::sandbox::faults::FaultRule;
use crate::sandbox::gateway::Reply;

const FCM_ERROR: &str = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// The values of FCM's `ErrorCode`, all of which come as an `FcmError` detail.
const ERROR_CODES: [&str; 8] = [
    "UNSPECIFIED_ERROR",
    "INVALID_ARGUMENT",
    "UNREGISTERED",
    "SENDER_ID_MISMATCH",
    "QUOTA_EXCEEDED",
    "UNAVAILABLE",
    "INTERNAL",
    "THIRD_PARTY_AUTH_ERROR",
];

/// A refused request.
#[derive(Debug)]
pub(super) struct FcmError {
    pub(super) status: u16,
    /// What is recorded: the FCM error code, or else Google's status.
    pub(super) code: Cow<'static, str>,
    message: Cow<'static, str>,
    details: Vec<Value>,
    retry_after_secs: Option<u64>,
}

impl FcmError {
    fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let code = code.into();
        let details = match ERROR_CODES.contains(&code.as_ref()) {
            true => vec![json!({ "@type": FCM_ERROR, "errorCode": code })],
            false => Vec::new(),
        };
        Self { status, code, message: message.into(), details, retry_after_secs: None }
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "Requested entity was not found.")
    }

    pub(super) fn missing_credentials() -> Self {
        let mut error = Self::new(
            401,
            "UNAUTHENTICATED",
            "Request is missing required authentication credential. Expected OAuth 2 access \
             token, login cookie or other valid authentication credential.",
        );
        error.details.push(json!({
            "@type": ERROR_INFO,
            "reason": "CREDENTIALS_MISSING",
            "domain": "googleapis.com",
        }));
        error
    }

    /// An access token that is unknown, or no longer valid.
    pub(super) fn unauthenticated() -> Self {
        let mut error = Self::new(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, \
             login cookie or other valid authentication credential.",
        );
        error.details.push(json!({
            "@type": ERROR_INFO,
            "reason": "ACCESS_TOKEN_EXPIRED",
            "domain": "googleapis.com",
        }));
        error
    }

    /// Plain PERMISSION_DENIED; `SENDER_ID_MISMATCH` comes by a fault only.
    pub(super) fn other_project(path: &str) -> Self {
        let resource = path.trim_start_matches("/v1/");
        let resource = resource.trim_end_matches("/messages:send");
        let message = format!(
            "Permission 'cloudmessaging.messages.create' denied on resource \
             '//cloudresourcemanager.googleapis.com/{resource}' (or it may not exist)."
        );
        Self::new(403, "PERMISSION_DENIED", message)
    }

    pub(super) fn content_type() -> Self {
        let mut error = Self::invalid("The request's Content-Type is not application/json.");
        error.details.clear();
        error
    }

    /// INVALID_ARGUMENT as FCM itself says it.
    pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    /// INVALID_ARGUMENT about one field, as the JSON layer before FCM says it.
    pub(super) fn violation(field: &str, description: String) -> Self {
        let mut error = Self::invalid(description.clone());
        let violation = match field.is_empty() {
            true => json!({ "description": description }),
            false => json!({ "field": field, "description": description }),
        };
        error.details = vec![json!({ "@type": BAD_REQUEST, "fieldViolations": [violation] })];
        error
    }

    /// INVALID_ARGUMENT about one field, as FCM itself says it.
    pub(super) fn invalid_field(field: &str, message: &'static str) -> Self {
        let mut error = Self::invalid(message);
        error.details.push(json!({
            "@type": BAD_REQUEST,
            "fieldViolations": [{ "field": field, "description": message }],
        }));
        error
    }

    /// The error a fault asks for.
    pub(super) fn from_rule(rule: &FaultRule) -> Self {
        let message = match rule.reason.as_str() {
            "UNREGISTERED" => "Requested entity was not found.",
            "SENDER_ID_MISMATCH" => "SenderId mismatch",
            "QUOTA_EXCEEDED" => "Quota exceeded for the message sending.",
            "UNAVAILABLE" => "The service is currently unavailable.",
            "INTERNAL" => "Internal error encountered.",
            _ => "The request was refused.",
        };
        let mut error = Self::new(rule.status, rule.reason.clone(), message);
        error.retry_after_secs = rule.retry_after_secs;
        error
    }

    pub(super) fn into_reply(self) -> Reply {
        let mut body = json!({
            "error": {
                "code": self.status,
                "message": self.message,
                "status": google_status(self.status),
            }
        });
        if !self.details.is_empty() {
            body["error"]["details"] = self.details.into();
        }
        let mut reply = Reply::json(self.status, &body);
        if self.status == 401 {
            reply.set(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(
                    "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"",
                ),
            );
        }
        reply.set_retry_after(self.retry_after_secs);
        reply
    }
}

/// Google Cloud APIs, "Errors": which status goes with which HTTP code.
fn google_status(status: u16) -> &'static str {
    match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        500 => "INTERNAL",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "UNKNOWN",
    }
}
