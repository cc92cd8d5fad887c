//! EngageLab's errors: `{"error": {"code", "message"}}`, its codes and their HTTP statuses. The document
//! answers several refusals with 401 that others would answer with 400; clients expect them so. The one
//! place where an error of this dialect is logged.

use std::{borrow::Cow, fmt};

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde::Serialize;

use super::answer::JSON;
use crate::{
    api::{
        BasicRefusal,
        failure::{self, status_of},
    },
    domain::{Error, ErrorKind, labels::Refusal},
    services::tags::TagError,
};

/// The caller's key may not do this.
const NO_SCOPE: u32 = 21004;
/// No app has this key.
const UNKNOWN_APP: u32 = 21008;
/// Try again.
const SYSTEM: u32 = 27000;
/// There are no credentials.
const NO_CREDENTIALS: u32 = 27001;
/// A parameter is wrong.
pub const ILLEGAL: u32 = 27002;
/// The credentials are wrong.
const WRONG_CREDENTIALS: u32 = 27004;
/// Registration ids of no device.
const UNKNOWN_DEVICE: u32 = 27005;
/// Another device has the alias.
const ALIAS_TAKEN: u32 = 27010;
/// Too many tags on a device.
const TAGS_OF_DEVICE: u32 = 27011;
/// Too many tags in the app.
const TAGS_OF_APP: u32 = 27013;
/// Too many devices with a tag.
const DEVICES_OF_TAG: u32 = 27014;
/// Too many aliases in the app.
const ALIASES_OF_APP: u32 = 27016;
/// A tag or alias over 40 bytes.
const TOO_LONG: u32 = 27017;

/// A push names devices that there are not.
pub const PUSH_UNKNOWN_DEVICE: u32 = 20101;
/// A push leaves out what it must have.
pub const PUSH_MISSING: u32 = 21002;
/// A push has a value that is wrong.
pub const PUSH_WRONG: u32 = 21003;
/// A push is too large.
const PUSH_TOO_LARGE: u32 = 21005;
/// Ours.
const PUSH_SYSTEM: u32 = 21009;

/// What handlers of this dialect fail with.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    code: u32,
    message: Cow<'static, str>,
    data: Option<String>,
}

impl Failure {
    /// With this status, code and message.
    pub fn new(status: StatusCode, code: u32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), data: None }
    }

    /// A parameter of a call about devices, tags or aliases is wrong.
    pub fn illegal(what: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ILLEGAL, format!("Illegal parameter: {what}"))
    }

    /// A push is wrong.
    pub fn push(code: u32, what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, what)
    }

    /// There are no such devices.
    pub fn unknown_devices(ids: &[String]) -> Self {
        #[derive(Serialize)]
        struct Data<'a> {
            invalid_regids: &'a [String],
        }
        let data = serde_json::to_string(&Data { invalid_regids: ids }).ok();
        let message = "registration id is illegal";
        Self { data, ..Self::new(StatusCode::BAD_REQUEST, UNKNOWN_DEVICE, message) }
    }

    /// The key's scopes do not suffice.
    pub fn forbidden(scope: &str) -> Self {
        let message = format!("this needs a secret with the scope `{scope}`");
        Self::new(StatusCode::UNAUTHORIZED, NO_SCOPE, message)
    }

    /// Nothing is served at this path.
    pub fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, ILLEGAL, "there is nothing at this path")
    }

    /// An error of the use cases, as calls about pushes answer it.
    pub fn of_push(error: Error) -> Self {
        let (status, code) = match error.kind() {
            ErrorKind::Invalid { .. }
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::Outdated
            | ErrorKind::Forbidden => (StatusCode::BAD_REQUEST, PUSH_WRONG),
            ErrorKind::TooLarge => (StatusCode::BAD_REQUEST, PUSH_TOO_LARGE),
            _ => (status_of(&error), PUSH_SYSTEM),
        };
        Self::new(status, code, told(&error))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let ErrorKind::Invalid { .. } = error.kind() {
            return Self::illegal(error.public_message());
        }
        let code = match error.kind() {
            ErrorKind::Unauthenticated | ErrorKind::Forbidden => WRONG_CREDENTIALS,
            ErrorKind::Internal | ErrorKind::Unavailable => SYSTEM,
            _ => ILLEGAL,
        };
        Self::new(status_of(&error), code, told(&error))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        use StatusCode as S;
        let (status, code, message) = match refusal {
            Refusal::UnknownDevices(ids) => return Self::unknown_devices(&ids),
            Refusal::AliasTaken => {
                (S::BAD_REQUEST, ALIAS_TAKEN, "the alias is bound to another registration id")
            }
            Refusal::TagsOfDevice => {
                (S::UNAUTHORIZED, TAGS_OF_DEVICE, "the device would have too many tags")
            }
            Refusal::TagsOfApp => {
                (S::UNAUTHORIZED, TAGS_OF_APP, "the app would have too many tags")
            }
            Refusal::DevicesOfTag => {
                (S::UNAUTHORIZED, DEVICES_OF_TAG, "the tag would have too many devices")
            }
            Refusal::AliasesOfApp => {
                (S::UNAUTHORIZED, ALIASES_OF_APP, "the app would have too many aliases")
            }
        };
        Self::new(status, code, message)
    }
}

impl From<TagError> for Failure {
    fn from(error: TagError) -> Self {
        match error {
            TagError::Refused(refusal) => refusal.into(),
            TagError::Failed(error) => error.into(),
            TagError::TooLong { field } => {
                let message = format!("{field}: a tag or alias is over 40 bytes");
                Self::new(StatusCode::UNAUTHORIZED, TOO_LONG, message)
            }
        }
    }
}

impl From<BasicRefusal> for Failure {
    fn from(refusal: BasicRefusal) -> Self {
        let (status, code, message) = match refusal {
            BasicRefusal::Missing => {
                (StatusCode::UNAUTHORIZED, NO_CREDENTIALS, "the verification information is empty")
            }
            BasicRefusal::Unreadable | BasicRefusal::WrongSecret => {
                (StatusCode::UNAUTHORIZED, WRONG_CREDENTIALS, "the verification failed")
            }
            BasicRefusal::UnknownApp => (
                StatusCode::BAD_REQUEST,
                UNKNOWN_APP,
                "app_key is not a 24 size string or does not exist",
            ),
            BasicRefusal::Foreign(error) => return error.into(),
        };
        Self::new(status, code, message)
    }
}

/// What the caller may read of an error; what is ours goes to the log.
fn told(error: &Error) -> String {
    failure::log(error);
    error.public_message()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        #[derive(Serialize)]
        struct Body<'a> {
            error: Inner<'a>,
        }
        #[derive(Serialize)]
        struct Inner<'a> {
            code: u32,
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<&'a str>,
        }
        let inner = Inner { code: self.code, message: &self.message, data: self.data.as_deref() };
        let body = serde_json::to_string(&Body { error: inner }).unwrap_or_default();
        HttpResponse::build(self.status).content_type(JSON).body(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_documents_codes_and_statuses() {
        let cases = [
            (Refusal::AliasTaken, 27010, 400),
            (Refusal::TagsOfDevice, 27011, 401),
            (Refusal::TagsOfApp, 27013, 401),
            (Refusal::DevicesOfTag, 27014, 401),
            (Refusal::AliasesOfApp, 27016, 401),
        ];
        for (refusal, code, status) in cases {
            let failure = Failure::from(refusal);
            assert_eq!((failure.code, failure.status.as_u16()), (code, status));
        }
        let failure = Failure::from(TagError::TooLong { field: "alias" });
        assert_eq!((failure.code, failure.status.as_u16()), (27017, 401));
        let failure = Failure::from(Error::bug("count"));
        assert_eq!((failure.code, failure.status.as_u16()), (27000, 500));
        assert_eq!(failure.message, "internal error");
    }

    #[test]
    fn unknown_devices_are_named_in_a_text_of_json() {
        let failure = Failure::unknown_devices(&["a\"b".into()]);
        assert_eq!(failure.data.as_deref(), Some(r#"{"invalid_regids":["a\"b"]}"#));
    }
}
