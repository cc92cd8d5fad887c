//! An announcement, its followups, and what they may say. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{Error, Result, timestamp::Timestamp};

/// Most characters of an announcement or followup.
const MAX_MESSAGE_CHARS: usize = 4000;
/// Most characters of a label.
const MAX_LABEL_CHARS: usize = 255;
/// Most bytes of a URL.
const MAX_URL_BYTES: usize = 2048;
/// Most followups of one announcement.
const MAX_FOLLOWUPS: usize = 500;
/// How long an announcement is shown unless it says so.
const SHOWN_FOR: Duration = Duration::from_secs(3600);

/// A message that is shown from `timestamp` to `expires`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Announcement {
    /// Its name.
    pub id: Uuid,
    /// What it says.
    pub message: String,
    /// Shown from then on.
    pub timestamp: Timestamp,
    /// Shown until then.
    pub expires: Timestamp,
    /// More about it.
    pub url: Option<String>,
    /// What kind of thing it is about: `flood`, say.
    pub label: Option<String>,
    /// What happened since, in the order of their numbers.
    pub followups: Vec<Followup>,
    /// The number of the next followup; those of removed ones are not given again.
    next_followup: u64,
}

/// What happened since an announcement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Followup {
    /// Its number within its announcement, from 1.
    pub id: u64,
    /// What it says.
    pub message: String,
    /// When it was.
    pub timestamp: Timestamp,
}

/// What a caller writes of an announcement. What is left out stays, and what is left out of a new one
/// has its default; an inner none removes.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the fields are the announcement's own, documented there")]
pub struct AnnouncementEdit {
    pub message: Option<String>,
    pub timestamp: Option<Timestamp>,
    pub expires: Option<Timestamp>,
    pub url: Option<Option<String>>,
    pub label: Option<Option<String>>,
}

/// What a caller writes of a followup.
#[derive(Clone, Debug, PartialEq)]
pub struct FollowupEdit {
    /// What it says.
    pub message: String,
    /// When it was; left out, now for a new one, and unchanged for another.
    pub timestamp: Option<Timestamp>,
}

impl Announcement {
    /// Whether it is shown now.
    pub fn is_ongoing(&self, now: Timestamp) -> bool {
        self.timestamp <= now && now <= self.expires
    }

    pub(super) fn new(edit: AnnouncementEdit, now: Timestamp) -> Result<Self> {
        let message = edit.message.ok_or_else(|| Error::invalid("message", "is required"))?;
        let now = whole_seconds(now);
        let announcement = Self {
            id: Uuid::new_v4(),
            message,
            timestamp: edit.timestamp.unwrap_or(now),
            expires: edit.expires.unwrap_or_else(|| now.plus(SHOWN_FOR)),
            url: edit.url.flatten(),
            label: edit.label.flatten(),
            followups: Vec::new(),
            next_followup: 1,
        };
        announcement.validate()?;
        Ok(announcement)
    }

    pub(super) fn apply(&mut self, edit: AnnouncementEdit) -> Result<()> {
        self.message = edit.message.unwrap_or(std::mem::take(&mut self.message));
        self.timestamp = edit.timestamp.unwrap_or(self.timestamp);
        self.expires = edit.expires.unwrap_or(self.expires);
        self.url = edit.url.unwrap_or(self.url.take());
        self.label = edit.label.unwrap_or(self.label.take());
        self.validate()
    }

    fn validate(&self) -> Result<()> {
        check_text("message", &self.message, MAX_MESSAGE_CHARS)?;
        if let Some(label) = &self.label {
            check_text("label", label, MAX_LABEL_CHARS)?;
            // It becomes the title of pushes and the subject of mails, which are one line.
            if label.chars().any(char::is_control) {
                return Err(Error::invalid("label", "holds a control character"));
            }
        }
        let Some(url) = &self.url else { return Ok(()) };
        if url.is_empty() || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Error::invalid("url", "must be a URL, without spaces"));
        }
        if url.len() > MAX_URL_BYTES {
            return Err(Error::invalid("url", format!("is over {MAX_URL_BYTES} bytes")));
        }
        Ok(())
    }

    pub(super) fn followup(&self, id: u64) -> Result<&Followup> {
        let found = self.followups.iter().find(|followup| followup.id == id);
        found.ok_or_else(unknown_followup)
    }

    pub(super) fn update_followup(&mut self, id: u64, edit: &FollowupEdit) -> Result<Followup> {
        check_text("message", &edit.message, MAX_MESSAGE_CHARS)?;
        let found = self.followups.iter_mut().find(|followup| followup.id == id);
        let followup = found.ok_or_else(unknown_followup)?;
        followup.message.clone_from(&edit.message);
        followup.timestamp = edit.timestamp.unwrap_or(followup.timestamp);
        Ok(followup.clone())
    }

    pub(super) fn remove_followup(&mut self, id: u64) -> Result<()> {
        self.followup(id)?;
        self.followups.retain(|followup| followup.id != id);
        Ok(())
    }

    pub(super) fn add_followup(&mut self, edit: &FollowupEdit, now: Timestamp) -> Result<Followup> {
        check_text("message", &edit.message, MAX_MESSAGE_CHARS)?;
        if self.followups.len() >= MAX_FOLLOWUPS {
            let what = format!("the notification has {MAX_FOLLOWUPS} followups, and no more fit");
            return Err(Error::malformed(what));
        }
        let followup = Followup {
            id: self.next_followup,
            message: edit.message.clone(),
            timestamp: edit.timestamp.unwrap_or_else(|| whole_seconds(now)),
        };
        self.next_followup += 1;
        self.followups.push(followup.clone());
        Ok(followup)
    }
}

fn check_text(field: &str, text: &str, most: usize) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    if text.chars().count() > most {
        return Err(Error::invalid(field, format!("is over {most} characters")));
    }
    if text.chars().any(|c| c < ' ' && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Error::invalid(field, "holds a control character"));
    }
    Ok(())
}

/// Times are told in whole seconds; what is kept is what is told.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp(at.seconds() * 1000)
}

fn unknown_followup() -> Error {
    Error::not_found("there is no such followup")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_123);

    fn said(message: &str) -> AnnouncementEdit {
        AnnouncementEdit { message: Some(message.into()), ..AnnouncementEdit::default() }
    }

    #[test]
    fn an_announcement_is_shown_for_an_hour_unless_it_says_so() {
        let made = Announcement::new(said("Fire"), NOW).unwrap();
        let shown = |later| made.is_ongoing(NOW.plus(Duration::from_secs(later)));
        assert!(shown(0) && shown(3599) && !shown(3601));
        let past = AnnouncementEdit { expires: Some(Timestamp(0)), ..said("Fire") };
        assert!(!Announcement::new(past, NOW).unwrap().is_ongoing(NOW));
    }

    #[test]
    fn an_edit_keeps_sets_and_removes() {
        let labelled = AnnouncementEdit { label: Some(Some("fire".into())), ..said("Fire") };
        let mut made = Announcement::new(labelled, NOW).unwrap();
        let edit = AnnouncementEdit { label: Some(None), ..AnnouncementEdit::default() };
        made.apply(edit).unwrap();
        assert_eq!((made.message.as_str(), made.label.as_deref()), ("Fire", None));
        for (edit, field) in [
            (said(" "), "message"),
            (said(&"x".repeat(4001)), "message"),
            (AnnouncementEdit { url: Some(Some("a b".into())), ..said("Fire") }, "url"),
            (AnnouncementEdit { label: Some(Some("\u{1}".into())), ..said("Fire") }, "label"),
            (AnnouncementEdit { label: Some(Some("a\r\nb".into())), ..said("Fire") }, "label"),
            (AnnouncementEdit { label: Some(Some("a\u{7f}".into())), ..said("Fire") }, "label"),
        ] {
            let told = made.clone().apply(edit).unwrap_err().public_message();
            assert!(told.starts_with(field), "{told}");
        }
    }

    #[test]
    fn followups_count_from_one_and_no_number_comes_twice() {
        let mut made = Announcement::new(said("Fire"), NOW).unwrap();
        let edit = FollowupEdit { message: "It is out".into(), timestamp: None };
        let add = |made: &mut Announcement| made.add_followup(&edit, NOW).unwrap().id;
        assert_eq!((add(&mut made), add(&mut made)), (1, 2));
        made.remove_followup(2).unwrap();
        assert_eq!(add(&mut made), 3);
        assert!(made.followup(2).is_err());
    }
}
