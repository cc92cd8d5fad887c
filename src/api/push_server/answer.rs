//! What the Push Server answers: `{status, errors, fields}`, in the words that its clients expect or in
//! those of its document.

use actix_web::{HttpResponse, http::StatusCode, http::header::RETRY_AFTER};
use serde::Serialize;

use crate::{
    api::failure,
    domain::{Error, ErrorKind},
    services::DirectOutcome,
    settings::StatusWord,
};

/// Where in a request a field lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Location {
    /// Its body.
    Body,
    /// A header.
    Header,
    /// The path.
    Path,
}

/// A field that is wrong.
#[derive(Debug, Serialize)]
struct Field {
    field: String,
    description: String,
    location: Location,
}

/// What is wrong. The document's clients read `description`, the shipped ones `message`.
#[derive(Debug, Serialize)]
struct Problem {
    name: &'static str,
    message: String,
    description: String,
}

#[derive(Serialize)]
struct Body {
    status: &'static str,
    errors: Option<Vec<Problem>>,
    fields: Option<Vec<Field>>,
}

/// Why a request is not served.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    name: &'static str,
    message: String,
    fields: Vec<Field>,
    retry_after_secs: Option<u64>,
}

impl Refusal {
    /// With a name for machines and a sentence for people.
    pub fn new(status: StatusCode, name: &'static str, message: impl Into<String>) -> Self {
        let (fields, retry_after_secs) = (Vec::new(), None);
        Self { status, name, message: message.into(), fields, retry_after_secs }
    }

    /// A field of the body is wrong.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let message = message.into();
        let refusal = Self::new(StatusCode::BAD_REQUEST, "field", message.clone());
        refusal.blaming(field, message, Location::Body)
    }

    /// Names a field that is to blame.
    pub fn blaming(
        mut self,
        field: impl Into<String>,
        description: impl Into<String>,
        location: Location,
    ) -> Self {
        let (field, description) = (field.into(), description.into());
        self.fields.push(Field { field, description, location });
        self
    }

    /// A push service that is none here.
    pub fn provider(message: impl Into<String>) -> Self {
        let message = message.into();
        let refusal = Self::new(StatusCode::BAD_REQUEST, "provider_not_available", message.clone());
        refusal.blaming("type", message, Location::Body)
    }

    /// The caller is not who it must be.
    pub fn unauthenticated(why: impl Into<String>) -> Self {
        let why = why.into();
        let message = format!("the provided authentication is not sufficient: {why}");
        Self::new(StatusCode::UNAUTHORIZED, "authentication", message).blaming(
            "authorization",
            why,
            Location::Header,
        )
    }

    /// Too often.
    pub fn too_often(retry_after_secs: u64) -> Self {
        let message = "too many requests from this address";
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit", message);
        Self { retry_after_secs: Some(retry_after_secs), ..refusal }
    }

    /// A message was not delivered; where another try may help, the relay hears of a server's error.
    pub fn undelivered(outcome: DirectOutcome) -> Self {
        match outcome {
            DirectOutcome::TokenGone(reason) => {
                let message = "the device token is now invalid, the client has been unregistered";
                let why = reason.as_str().to_owned();
                Self::new(StatusCode::BAD_REQUEST, "invalid_token", message).blaming(
                    "token",
                    why,
                    Location::Body,
                )
            }
            DirectOutcome::Unfit(refusal) => Self::field("payload", refusal.to_string()),
            DirectOutcome::CredentialsRefused(reason) => {
                let message = format!("the provider refuses the credentials: {}", reason.as_str());
                Self::new(StatusCode::BAD_GATEWAY, "bad_credentials", message)
            }
            DirectOutcome::Refused(reason) => {
                let message = format!("the provider refuses the push: {}", reason.as_str());
                Self::new(StatusCode::BAD_REQUEST, "provider", message)
            }
            DirectOutcome::Failed(reason) => {
                let message = format!("the provider did not take the push: {}", reason.as_str());
                Self::new(StatusCode::BAD_GATEWAY, "provider", message)
            }
            DirectOutcome::NoCredentials => Self::new(
                StatusCode::BAD_GATEWAY,
                "provider_not_available",
                "there are no credentials for the client's provider",
            ),
            DirectOutcome::Accepted | DirectOutcome::Unavailable => {
                let message = "the provider did not answer in time";
                let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, "provider", message);
                Self { retry_after_secs: Some(1), ..refusal }
            }
        }
    }

    /// The answer.
    pub fn answer(self, word: StatusWord) -> HttpResponse {
        let description = self.message.clone();
        let problem = Problem { name: self.name, message: self.message, description };
        let status = match word {
            StatusWord::Clients => "FAILURE",
            StatusWord::Document => "FAILED",
        };
        let body = Body { status, errors: Some(vec![problem]), fields: Some(self.fields) };
        let mut response = HttpResponse::build(self.status);
        if let Some(secs) = self.retry_after_secs {
            response.insert_header((RETRY_AFTER, secs));
        }
        response.json(body)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let message = error.public_message();
        let plain = |name| Self::new(failure::status_of(&error), name, message.clone());
        failure::log(&error);
        match error.kind() {
            ErrorKind::Invalid { field: Some(field) } => {
                let text = message.strip_prefix(field.as_str()).unwrap_or(&message);
                Self::field(called(field), text.trim_start_matches(": "))
            }
            ErrorKind::Invalid { field: None } | ErrorKind::TooLarge | ErrorKind::TooSlow => {
                plain("body")
            }
            ErrorKind::Unauthenticated => Self::unauthenticated(message),
            ErrorKind::Forbidden => plain("forbidden"),
            ErrorKind::NotFound => plain("not_found"),
            ErrorKind::Conflict | ErrorKind::Outdated | ErrorKind::LeaseLost => plain("conflict"),
            ErrorKind::Limited { retry_after } => Self::too_often(retry_after.as_secs().max(1)),
            ErrorKind::Unavailable => plain("unavailable"),
            ErrorKind::Internal => plain("unknown_error"),
        }
    }
}

/// This dialect's names of fields.
fn called(field: &str) -> &str {
    match field {
        "external_id" => "client_id",
        "push_token" => "token",
        other => other,
    }
}

/// Success.
pub fn success(word: StatusWord) -> HttpResponse {
    let status = match word {
        StatusWord::Clients => "SUCCESS",
        StatusWord::Document => "OK",
    };
    HttpResponse::Ok().json(Body { status, errors: None, fields: None })
}

/// `GET /health`, for those who do not ask for JSON.
pub fn health() -> HttpResponse {
    let text = concat!("OK, fanfare v", env!("CARGO_PKG_VERSION"));
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(text)
}
