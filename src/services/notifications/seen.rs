//! Changes that count only while nobody else has changed what their caller has seen.

use crate::domain::{Error, Result, notification::Notification};

/// The versions of a notification that a caller has seen: one of them must be the stored one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(Option<Vec<u64>>);

impl Seen {
    /// Whatever the version is.
    pub const ANY: Self = Self(None);

    /// One of these.
    pub fn one_of(versions: Vec<u64>) -> Self {
        Self(Some(versions))
    }

    /// Refuses what was changed since.
    pub(super) fn check(&self, stored: &Notification) -> Result<()> {
        match &self.0 {
            Some(versions) if !versions.contains(&stored.version) => Err(Error::outdated(
                "the notification was changed since it was read; look at it again",
            )),
            _ => Ok(()),
        }
    }
}
