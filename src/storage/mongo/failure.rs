//! From the driver's errors to the domain's. Used by every file of this store; nothing outside sees
//! MongoDB.

use mongodb::error::{Error as DriverError, ErrorKind, WriteFailure};

use crate::domain::{Error, Result};

/// Another document holds the key.
pub(super) const DUPLICATE_KEY: i32 = 11_000;

/// Server errors that a later try may not meet: elections, shutdowns, lost cursors.
/// <https://github.com/mongodb/specifications/blob/master/source/retryable-writes/retryable-writes.md>
const PASSING: &[i32] =
    &[6, 7, 43, 64, 89, 91, 134, 189, 237, 262, 9001, 10_107, 11_600, 11_602, 13_435, 13_436];

/// Names what was being done when the database refused.
pub(super) trait OrFailed<T> {
    /// `doing` completes "failed to …". A database that cannot be reached is "unavailable", since it
    /// may recover; anything else is ours.
    fn or_failed(self, doing: &'static str) -> Result<T>;
}

impl<T> OrFailed<T> for Result<T, DriverError> {
    fn or_failed(self, doing: &'static str) -> Result<T> {
        self.map_err(|error| {
            let cause = std::io::Error::other(summary(&error));
            if passes(&error) {
                Error::unavailable("the store cannot be reached now").caused_by(cause)
            } else {
                Error::internal(doing, cause)
            }
        })
    }
}

/// What went wrong, without the server's words: a refused write's message repeats what was written,
/// tokens included, and the driver shows whole answers.
fn summary(error: &DriverError) -> String {
    match &*error.kind {
        ErrorKind::Command(command) => {
            format!("the server answered {}", named(command.code, &command.code_name))
        }
        ErrorKind::Write(WriteFailure::WriteError(write)) => {
            format!("the server refused a write with {}", write.code)
        }
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => {
            format!("a majority did not confirm: {}", named(concern.code, &concern.code_name))
        }
        ErrorKind::Io(cause) => format!("connection: {cause}"),
        ErrorKind::ServerSelection { message, .. } => message.clone(),
        ErrorKind::Authentication { .. } => "the server refused the credentials".to_owned(),
        ErrorKind::ConnectionPoolCleared { .. } => "the connections were closed".to_owned(),
        ErrorKind::InsertMany(_) | ErrorKind::BulkWrite(_) => {
            "the server refused writes".to_owned()
        }
        ErrorKind::DnsResolve { .. } => "the server's name cannot be resolved".to_owned(),
        ErrorKind::InvalidResponse { .. } => "the server's answer cannot be read".to_owned(),
        ErrorKind::InvalidArgument { message, .. } => format!("the driver refused it: {message}"),
        _ => "the driver failed".to_owned(),
    }
}

fn named(code: i32, name: &str) -> String {
    format!("{code} {name}")
}

/// Whether trying again may help.
pub(super) fn passes(error: &DriverError) -> bool {
    match &*error.kind {
        ErrorKind::Io(_)
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::DnsResolve { .. } => true,
        ErrorKind::Command(command) => PASSING.contains(&command.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => {
            PASSING.contains(&concern.code)
        }
        _ => error.contains_label("RetryableWriteError"),
    }
}

/// Whether a write was refused because another document holds the key.
pub(super) fn is_duplicate(error: &DriverError) -> bool {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code == DUPLICATE_KEY,
        ErrorKind::Command(command) => command.code == DUPLICATE_KEY,
        _ => false,
    }
}

/// What is stored cannot be read: a document that this program cannot have written.
pub(super) fn corrupt(what: &'static str) -> Error {
    Error::bug(format!("read {what} as it is stored"))
}
