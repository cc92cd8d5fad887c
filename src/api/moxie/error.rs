//! How a refusal looks: `{"status":"error","error":"…"}`, with the challenge where a signature is missing
//! or wrong. The one place where an error of this dialect is logged.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use serde_json::json;

use crate::{api::failure, domain::Error};

/// What handlers of this dialect fail with.
#[derive(Debug)]
pub struct MoxieError {
    error: Error,
    /// The reason in the challenge.
    challenge: Option<String>,
}

impl From<Error> for MoxieError {
    fn from(error: Error) -> Self {
        Self { error, challenge: None }
    }
}

impl MoxieError {
    /// A request without this header.
    pub fn missing(header: &str) -> Self {
        let reason = format!("missing header: {header}");
        Self { error: Error::unauthenticated(reason.clone()), challenge: Some(reason) }
    }

    /// A request that its headers do not authorise; `what` is told in the body.
    pub fn unauthorized(what: &'static str) -> Self {
        Self { error: Error::unauthenticated(what), challenge: Some("unauthorized".to_owned()) }
    }
}

impl fmt::Display for MoxieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for MoxieError {
    fn status_code(&self) -> StatusCode {
        failure::status_of(&self.error)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = refusal(self.status_code(), &self.error.public_message());
        failure::log(&self.error);
        failure::add_headers(&self.error, &mut response);
        if let Some(reason) = &self.challenge {
            let challenge = format!(
                r#"HMACDigest realm="HMACDigest Moxie", reason="{reason}", algorithm="HMAC-SHA-1""#
            );
            if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
        }
        response
    }
}

/// The answer for a path that exists, asked with a verb that it does not have.
pub fn no_such_method(request: &HttpRequest, allowed: &str) -> HttpResponse {
    let what = format!("{} is not allowed here; allowed: {allowed}", request.method());
    let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, &what);
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

fn refusal(status: StatusCode, what: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({ "status": "error", "error": what }))
}
