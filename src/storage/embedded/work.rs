//! What a write job sees while it runs: the connection inside the group's transaction, the sequences,
//! and the list of changes for the index. Made by `writer`, used by the files that write rows.

use rusqlite::{Connection, OptionalExtension, params};

use super::{failure::OrFailed, index::Change, label_changes::LabelChanges};
use crate::domain::{Error, Result};

/// The numbers last drawn. They live in memory and are stored with each group; a number whose group
/// failed is not drawn again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sequences {
    pub(super) device: u64,
    pub(super) notification: u64,
    /// Of pages and single events.
    pub(super) entry: u64,
}

impl Sequences {
    const NAMES: [&str; 3] = ["device", "notification", "entry"];

    /// Reads them as stored.
    pub(super) fn load(connection: &Connection) -> Result<Self> {
        const DOING: &str = "read the sequences";
        let mut read =
            connection.prepare("SELECT last FROM sequences WHERE name = ?").or_failed(DOING)?;
        let mut last = |name: &str| {
            let found = read.query_row([name], |row| row.get::<_, i64>(0)).optional();
            found.or_failed(DOING).map(|last| last.unwrap_or(0).cast_unsigned())
        };
        let [device, notification, entry] = Self::NAMES;
        Ok(Self { device: last(device)?, notification: last(notification)?, entry: last(entry)? })
    }

    /// Stores those that differ from `stored`.
    pub(super) fn save(self, stored: Self, connection: &Connection) -> rusqlite::Result<()> {
        let values = |of: Self| [of.device, of.notification, of.entry];
        for ((name, value), before) in Self::NAMES.iter().zip(values(self)).zip(values(stored)) {
            if value != before {
                connection
                    .prepare_cached("INSERT OR REPLACE INTO sequences (name, last) VALUES (?, ?)")?
                    .execute(params![name, value.cast_signed()])?;
            }
        }
        Ok(())
    }
}

/// A job's view of the store.
pub(super) struct Work<'a> {
    pub(super) connection: &'a Connection,
    pub(super) sequences: &'a mut Sequences,
    /// For the index, published after the commit.
    pub(super) changes: &'a mut Vec<Change>,
    /// What `changes` come to for tags and aliases, as far as a job has asked.
    pub(super) labels: &'a mut LabelChanges,
}

impl Work<'_> {
    /// The next device's number.
    pub(super) fn next_device(&mut self) -> Result<u32> {
        let next = self.sequences.device + 1;
        let dense = u32::try_from(next).map_err(|_| {
            Error::too_large("this store numbers devices with 32 bits, and all are used")
        })?;
        self.sequences.device = next;
        Ok(dense)
    }

    /// The next notification's number.
    pub(super) fn next_notification(&mut self) -> u64 {
        self.sequences.notification += 1;
        self.sequences.notification
    }

    /// The next page's or event's number.
    pub(super) fn next_entry(&mut self) -> u64 {
        self.sequences.entry += 1;
        self.sequences.entry
    }
}
