//! From SQLite's errors to the domain's. Used by every file of this store; nothing outside sees
//! SQLite.

use rusqlite::ErrorCode;

use crate::domain::{Error, Result};

/// Names what was being done when SQLite refused.
pub(super) trait OrFailed<T> {
    /// `doing` completes "failed to …". A full or broken disk is "unavailable", since it may recover;
    /// anything else is ours.
    fn or_failed(self, doing: &'static str) -> Result<T>;
}

impl<T> OrFailed<T> for rusqlite::Result<T> {
    fn or_failed(self, doing: &'static str) -> Result<T> {
        self.map_err(|error| failed(doing, error))
    }
}

fn failed(doing: &'static str, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            Error::unavailable("the store's disk is full").caused_by(error)
        }
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked,
        ) => Error::unavailable("the store cannot be reached now").caused_by(error),
        _ => Error::internal(doing, error),
    }
}

/// What is stored cannot be read: a row that this program cannot have written.
pub(super) fn corrupt(what: &'static str) -> Error {
    Error::bug(format!("read {what} as it is stored"))
}
