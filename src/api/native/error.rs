//! From the domain's errors to HTTP: the status, the headers that belong to it, and the envelope. The
//! one place where an error of a native request is logged.

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        ConnectionType, StatusCode,
        header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};

use super::answer;
use crate::domain::{Error, ErrorKind};

/// What handlers of the native API fail with.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct ApiError {
    error: Error,
    challenges: &'static [&'static str],
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let challenges = &[r#"Bearer realm="fanfare""#, r#"Basic realm="fanfare""#];
        Self { error, challenges }
    }
}

impl ApiError {
    /// As it is for `/internal`, whose key is another header.
    pub fn internal(error: Error) -> Self {
        Self {
            error,
            challenges: &[r#"ServerKey realm="fanfare internal", header="X-Server-Key""#],
        }
    }
}

/// The answer to a request whose key is one of the installation's own.
pub fn refused_internal(error: Error) -> HttpResponse {
    ApiError::internal(error).error_response()
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self.error.kind() {
            ErrorKind::Invalid { .. } => StatusCode::BAD_REQUEST,
            ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            // A lease is the engine's own; should one reach a caller, it is a conflict of states.
            ErrorKind::Conflict | ErrorKind::LeaseLost => StatusCode::CONFLICT,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::TooSlow => StatusCode::REQUEST_TIMEOUT,
            ErrorKind::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = answer::failure(self.status_code(), &self.error.public_message());
        match self.error.kind() {
            ErrorKind::Internal => tracing::error!(causes = self.error.causes(), "request failed"),
            ErrorKind::Unavailable => tracing::warn!(error = %self.error, "request failed"),
            ErrorKind::Unauthenticated => {
                for challenge in self.challenges {
                    let value = HeaderValue::from_static(challenge);
                    response.headers_mut().append(WWW_AUTHENTICATE, value);
                }
            }
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
        response
    }
}
