//! Announcements: messages that are shown for a while, with followups, and pushed to those who asked for
//! pushes. Moxie calls them notifications; here that word is taken for what is sent.
//!
//! An announcement with its followups is one small document (`record`). A push of it is an ordinary
//! notification, for the devices that registered to get announcements (`push`). Called by the Moxie
//! dialect.

mod push;
mod record;

use uuid::Uuid;

use super::{Devices, Notifications};
use crate::{
    domain::{Error, Result, ids::AppName, timestamp::Timestamp},
    storage::{Document, Drawer, NewDocument, Stores},
};

pub use push::Listener;
pub use record::{Announcement, AnnouncementEdit, Followup, FollowupEdit};

/// Documents read at once.
const PAGE: usize = 500;
/// How often a change is made anew when somebody else's comes in between.
const MAX_TRIES: u32 = 32;

/// The use cases of announcements.
#[derive(Clone)]
pub struct Announcements {
    stores: Stores,
    devices: Devices,
    notifications: Notifications,
}

impl Announcements {
    /// Over these stores and the use cases that carry a push out.
    pub fn new(stores: Stores, devices: Devices, notifications: Notifications) -> Self {
        Self { stores, devices, notifications }
    }

    /// Makes an announcement.
    pub async fn create(
        &self,
        app: &AppName,
        edit: AnnouncementEdit,
        now: Timestamp,
    ) -> Result<Announcement> {
        let made = Announcement::new(edit, now)?;
        self.stores.documents.insert(&drawer(app), document(&made)?, now).await?;
        Ok(made)
    }

    /// One announcement.
    pub async fn get(&self, app: &AppName, id: Uuid, now: Timestamp) -> Result<Announcement> {
        self.stored(app, id, now).await.map(|(announcement, _)| announcement)
    }

    /// Those that are shown now, or with `history` all, the earliest first.
    pub async fn list(
        &self,
        app: &AppName,
        history: bool,
        now: Timestamp,
    ) -> Result<Vec<Announcement>> {
        let (drawer, mut after) = (drawer(app), None::<String>);
        let mut found = Vec::new();
        loop {
            let page = self.stores.documents.list(&drawer, after.as_deref(), PAGE, now).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|document| document.key.clone());
            for document in page {
                let announcement = read(document)?;
                if history || announcement.is_ongoing(now) {
                    found.push(announcement);
                }
            }
            if is_last {
                break;
            }
        }
        found.sort_by_key(|announcement| (announcement.timestamp, announcement.id));
        Ok(found)
    }

    /// Changes an announcement.
    pub async fn update(
        &self,
        app: &AppName,
        id: Uuid,
        edit: AnnouncementEdit,
        now: Timestamp,
    ) -> Result<Announcement> {
        if edit == AnnouncementEdit::default() {
            return Err(Error::malformed("the body names nothing to change"));
        }
        self.change(app, id, now, |announcement| {
            announcement.apply(edit.clone())?;
            Ok(announcement.clone())
        })
        .await
    }

    /// Removes an announcement and its followups.
    pub async fn remove(&self, app: &AppName, id: Uuid) -> Result<()> {
        let removed = self.stores.documents.delete(&drawer(app), &key(id)).await?;
        if removed { Ok(()) } else { Err(unknown()) }
    }

    /// Adds a followup.
    pub async fn add_followup(
        &self,
        app: &AppName,
        id: Uuid,
        edit: FollowupEdit,
        now: Timestamp,
    ) -> Result<Followup> {
        self.change(app, id, now, |announcement| announcement.add_followup(&edit, now)).await
    }

    /// One followup.
    pub async fn followup(
        &self,
        app: &AppName,
        id: Uuid,
        number: u64,
        now: Timestamp,
    ) -> Result<Followup> {
        self.get(app, id, now).await?.followup(number).cloned()
    }

    /// Changes a followup.
    pub async fn update_followup(
        &self,
        app: &AppName,
        id: Uuid,
        number: u64,
        edit: FollowupEdit,
        now: Timestamp,
    ) -> Result<Followup> {
        self.change(app, id, now, |stored| stored.update_followup(number, &edit)).await
    }

    /// Removes a followup.
    pub async fn remove_followup(
        &self,
        app: &AppName,
        id: Uuid,
        number: u64,
        now: Timestamp,
    ) -> Result<()> {
        self.change(app, id, now, |stored| stored.remove_followup(number)).await
    }

    async fn stored(&self, app: &AppName, id: Uuid, now: Timestamp) -> Result<(Announcement, u64)> {
        let found = self.stores.documents.get(&drawer(app), &key(id), now).await?;
        let document = found.ok_or_else(unknown)?;
        let version = document.version;
        Ok((read(document)?, version))
    }

    /// Reads, changes and writes if nobody wrote in between; else again.
    async fn change<T>(
        &self,
        app: &AppName,
        id: Uuid,
        now: Timestamp,
        mut decide: impl FnMut(&mut Announcement) -> Result<T>,
    ) -> Result<T> {
        for _ in 0..MAX_TRIES {
            let (mut announcement, version) = self.stored(app, id, now).await?;
            let answer = decide(&mut announcement)?;
            let new = document(&announcement)?;
            if self.stores.documents.replace(&drawer(app), version, new).await? {
                return Ok(answer);
            }
        }
        Err(Error::conflict("it was changed at the same time by somebody else; look again"))
    }
}

fn drawer(app: &AppName) -> Drawer {
    Drawer { kind: "announcement", app: Some(app.clone()) }
}

fn key(id: Uuid) -> String {
    id.hyphenated().to_string()
}

fn document(announcement: &Announcement) -> Result<NewDocument> {
    let body = serde_json::to_value(announcement)
        .map_err(|error| Error::internal("write an announcement", error))?;
    Ok(NewDocument { key: key(announcement.id), body, expires_at: None })
}

fn read(document: Document) -> Result<Announcement> {
    serde_json::from_value(document.body)
        .map_err(|error| Error::internal("read an announcement", error))
}

fn unknown() -> Error {
    Error::not_found("there is no such notification")
}
