//! What every dialect makes of an error of the use cases: its status, its line in the log, and the headers
//! that go with it. How the body looks is the dialect's own.

use actix_web::{
    HttpResponse,
    http::{
        ConnectionType, StatusCode,
        header::{HeaderValue, RETRY_AFTER},
    },
};

use crate::domain::{Error, ErrorKind};

/// The status, where a dialect has no other of its own.
pub fn status_of(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::Invalid { .. } => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        // A lease is the engine's own; should one reach a caller, it is a conflict of states.
        ErrorKind::Conflict | ErrorKind::LeaseLost => StatusCode::CONFLICT,
        ErrorKind::Outdated => StatusCode::PRECONDITION_FAILED,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::TooSlow => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Logs what is not the caller's fault. Each dialect calls it once for a request.
pub fn log(error: &Error) {
    match error.kind() {
        ErrorKind::Internal => tracing::error!(causes = error.causes(), "request failed"),
        ErrorKind::Unavailable => tracing::warn!(%error, "request failed"),
        _ => {}
    }
}

/// Adds the headers that say what the caller should do next.
pub fn add_headers(error: &Error, response: &mut HttpResponse) {
    match error.kind() {
        // The rest of the body may come yet and would be taken for the next request.
        ErrorKind::TooSlow => response.head_mut().set_connection_type(ConnectionType::Close),
        ErrorKind::Limited { retry_after } => {
            let secs = retry_after.as_millis().div_ceil(1000).max(1);
            if let Ok(value) = HeaderValue::from_str(&secs.to_string()) {
                response.headers_mut().insert(RETRY_AFTER, value);
            }
        }
        _ => {}
    }
}
