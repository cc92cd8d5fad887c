//! What went wrong, with one message for the caller and another for the log.
//!
//! The public message can be shown to anyone; what happened inside stays in `source` and is written
//! to the log once, where the error is handled. No layer here knows HTTP: the API maps kinds to
//! statuses.

use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

/// A result of this crate's layers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is, and so whose it is and whether trying again helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller's input is wrong; `field` names where, when one place is to blame.
    Invalid {
        /// The path of the offending field, such as `conditions.conditions[1].operator`.
        field: Option<String>,
    },
    /// No key, or an unknown one.
    Unauthenticated,
    /// A known key without the scope this needs.
    Forbidden,
    /// No such thing, or not this caller's.
    NotFound,
    /// The thing's state forbids it.
    Conflict,
    /// It was changed since the caller looked.
    Outdated,
    /// More than a stated limit.
    TooLarge,
    /// Too many requests; try again after this long.
    Limited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The shard's lease went to another node: whoever wrote must stop working on it. Trying again
    /// never helps.
    LeaseLost,
    /// The caller took too long to say it.
    TooSlow,
    /// A part that this needs cannot be reached now; trying again may help.
    Unavailable,
    /// Ours; the caller learns no more than that.
    Internal,
}

/// An error with a public message and, behind it, a private cause.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Bad input in `field`.
    pub fn invalid(field: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid { field: Some(field.into()) }, message)
    }

    /// Bad input that no single field is to blame for.
    pub fn malformed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid { field: None }, message)
    }

    /// Missing or unknown key.
    pub fn unauthenticated(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unauthenticated, message)
    }

    /// A key without the scope.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Forbidden, message)
    }

    /// No such thing.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// Not in this state.
    pub fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// Changed since.
    pub fn outdated(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Outdated, message)
    }

    /// Over a limit.
    pub fn too_large(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::TooLarge, message)
    }

    /// Too often.
    pub fn limited(retry_after: Duration) -> Self {
        Self::limited_because("too many requests", retry_after)
    }

    /// Too much at once.
    pub fn limited_because(message: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self::new(ErrorKind::Limited { retry_after }, message)
    }

    /// Another node holds the shard now.
    pub fn lease_lost() -> Self {
        Self::new(ErrorKind::LeaseLost, "another node works on this shard now")
    }

    /// Said too slowly.
    pub fn too_slow(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::TooSlow, message)
    }

    /// Something this needs is away.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// Ours. `doing` completes "failed to …" and is not shown to callers.
    pub fn internal(
        doing: impl fmt::Display,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        let cause = Internal { doing: doing.to_string(), source: Box::new(source) };
        Self::new(ErrorKind::Internal, "internal error").caused_by(cause)
    }

    /// Ours, without another error behind it.
    pub fn bug(doing: impl fmt::Display) -> Self {
        let cause = std::io::Error::other(doing.to_string());
        Self::new(ErrorKind::Internal, "internal error").caused_by(cause)
    }

    /// Keeps what lies behind, for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// What kind of failure.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// What the caller may read.
    pub fn public_message(&self) -> String {
        match &self.kind {
            ErrorKind::Invalid { field: Some(field) } => format!("{field}: {}", self.message),
            _ => self.message.to_string(),
        }
    }

    /// The private causes, outermost first, for the log alone.
    pub fn causes(&self) -> String {
        let mut text = String::new();
        let mut next = self.source.as_deref().map(|source| source as &dyn StdError);
        while let Some(cause) = next {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public_message())?;
        let causes = self.causes();
        if causes.is_empty() { Ok(()) } else { write!(f, " ({causes})") }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[derive(Debug)]
struct Internal {
    doing: String,
    source: Box<dyn StdError + Send + Sync>,
}

impl fmt::Display for Internal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {}", self.doing)
    }
}

impl StdError for Internal {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.source.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_message_never_shows_the_cause() {
        let error = Error::internal("open the database", std::io::Error::other("secret path"));
        assert_eq!(error.public_message(), "internal error");
        assert!(error.causes().contains("failed to open the database: secret path"));
    }

    #[test]
    fn bad_input_names_its_field() {
        assert_eq!(Error::invalid("title", "is required").public_message(), "title: is required");
    }
}
