//! From the domain's errors to HTTP: the status, the headers that belong to it, and the envelope. The
//! one place where an error of a native request is logged.

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{HeaderValue, WWW_AUTHENTICATE},
    },
};

use super::answer;
use crate::{
    api::failure,
    domain::{Error, ErrorKind},
};

/// What handlers of the native API fail with.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct ApiError {
    error: Error,
    challenges: &'static [&'static str],
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        // Basic is taken too, but browsers would answer it with a box of their own, over the console.
        Self { error, challenges: &[r#"Bearer realm="fanfare""#] }
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

/// The answer to a request that is none of the native API's, refused as it would refuse it.
pub fn refused(error: Error) -> HttpResponse {
    ApiError::from(error).error_response()
}

/// The answer to a request whose key is one of the installation's own.
pub fn refused_internal(error: Error) -> HttpResponse {
    ApiError::internal(error).error_response()
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        failure::status_of(&self.error)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = answer::failure(self.status_code(), &self.error.public_message());
        failure::log(&self.error);
        failure::add_headers(&self.error, &mut response);
        if matches!(self.error.kind(), ErrorKind::Unauthenticated) {
            for challenge in self.challenges {
                let value = HeaderValue::from_static(challenge);
                response.headers_mut().append(WWW_AUTHENTICATE, value);
            }
        }
        response
    }
}
