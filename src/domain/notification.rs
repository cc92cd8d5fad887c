//! A notification and the states it moves through.

use serde::{Deserialize, Serialize};

use super::{
    Error, Result,
    audience::ClauseSpec,
    ids::{AppName, NotificationId},
    message::Message,
    tally::PlatformCounts,
    timestamp::Timestamp,
};

/// Where a notification stands. The numbers are the native API's; PAUSED is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Being written; the only state in which it can be edited.
    Draft = 0,
    /// Being sent.
    Launched = 1,
    /// Every device of the audience has its outcome.
    Sent = 2,
    /// Stopped by itself because it cannot go on; `error` says why.
    Error = 3,
    /// Withdrawn; nothing more is sent.
    Deleted = 4,
    /// Launched and waiting for its time.
    Queued = 5,
    /// Stopped by a person, to be resumed.
    Paused = 6,
}

impl Status {
    /// Every state, in the order of its number.
    pub const ALL: [Self; 7] = [
        Self::Draft,
        Self::Launched,
        Self::Sent,
        Self::Error,
        Self::Deleted,
        Self::Queued,
        Self::Paused,
    ];

    /// The state of this number.
    pub fn from_number(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|index| Self::ALL.get(index)).copied()
    }

    /// The state of this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name().eq_ignore_ascii_case(name))
    }

    /// The native API's number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Upper-case name.
    pub fn name(self) -> &'static str {
        ["DRAFT", "LAUNCHED", "SENT", "ERROR", "DELETED", "QUEUED", "PAUSED"][self as usize]
    }

    /// Its name behind the article: `a DRAFT`, `an ERROR`.
    pub fn with_article(self) -> String {
        let article = if self == Self::Error { "an" } else { "a" };
        format!("{article} {}", self.name())
    }

    /// Whether a caller may move a notification from this state to `next`. Moves the engine makes by
    /// itself (to SENT, to ERROR) are not a caller's to make.
    pub fn allows(self, next: Self) -> bool {
        use Status::{Deleted, Draft, Error, Launched, Paused, Queued, Sent};
        matches!(
            (self, next),
            (Draft, Queued | Launched)
                | (Queued, Draft | Launched)
                | (Launched, Paused)
                | (Paused | Error, Launched)
        ) || (next == Deleted && !matches!(self, Sent | Deleted))
    }

    /// Whether the engine works on it.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Launched | Self::Queued)
    }
}

/// A message for an audience, and how far its sending has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Sequence number within the installation.
    pub id: u64,
    /// Its public name.
    pub uuid: NotificationId,
    /// Whose it is.
    pub app: AppName,
    /// What it says.
    pub message: Message,
    /// For whom; none is everyone.
    pub conditions: Option<ClauseSpec>,
    /// Where it stands.
    pub status: Status,
    /// Why it stands in ERROR.
    #[serde(default)]
    pub error: Option<String>,
    /// Not before this moment.
    #[serde(default)]
    pub scheduled_at: Option<Timestamp>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it last changed.
    pub modified_at: Timestamp,
    /// When it was first launched; relative times in its conditions count from here.
    #[serde(default)]
    pub launched_at: Option<Timestamp>,
    /// When it reached SENT.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    /// How many times its failures were sent again; 0 is the launch itself.
    #[serde(default)]
    pub round: u16,
    /// What other systems reported through the internal API, beside what the ledger counts.
    #[serde(default)]
    pub reported: PlatformCounts,
    /// Counts its changes; a write names the version it read.
    #[serde(default)]
    pub version: u64,
}

impl Notification {
    /// An empty DRAFT.
    pub fn draft(app: &AppName, uuid: NotificationId, now: Timestamp) -> Self {
        Self {
            id: 0,
            uuid,
            app: app.clone(),
            message: Message::default(),
            conditions: None,
            status: Status::Draft,
            error: None,
            scheduled_at: None,
            created_at: now,
            modified_at: now,
            launched_at: None,
            finished_at: None,
            round: 0,
            reported: PlatformCounts::default(),
            version: 0,
        }
    }

    /// Moves to `next` for a caller, or says why not.
    pub fn move_to(&mut self, next: Status, now: Timestamp) -> Result<()> {
        if !self.status.allows(next) {
            let (from, to) = (self.status.with_article(), next.name());
            return Err(Error::conflict(format!("{from} notification cannot become {to}")));
        }
        self.set_status(next, now);
        Ok(())
    }

    /// Sets the state and its times, for the engine's own moves.
    pub fn set_status(&mut self, next: Status, now: Timestamp) {
        self.status = next;
        self.modified_at = now;
        match next {
            Status::Launched => {
                self.launched_at.get_or_insert(now);
                self.error = None;
                self.finished_at = None;
            }
            Status::Sent => self.finished_at = Some(now),
            _ => {}
        }
    }

    /// Whether its time has come.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.scheduled_at.is_none_or(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::Status::{self, *};

    #[test]
    fn states_have_their_article() {
        assert_eq!(
            (Error.with_article(), Sent.with_article()),
            ("an ERROR".into(), "a SENT".into())
        );
    }

    #[test]
    fn only_the_documents_moves_are_legal() {
        let legal = [
            (Draft, Queued),
            (Draft, Launched),
            (Draft, Deleted),
            (Queued, Draft),
            (Queued, Launched),
            (Queued, Deleted),
            (Launched, Paused),
            (Launched, Deleted),
            (Paused, Launched),
            (Paused, Deleted),
            (Error, Launched),
            (Error, Deleted),
        ];
        for from in Status::ALL {
            for to in Status::ALL {
                assert_eq!(from.allows(to), legal.contains(&(from, to)), "{from:?} to {to:?}");
            }
        }
    }
}
