//! Removing stored apps. The record is marked first: from then on nobody can call for the app. Then what
//! it leaves is cleared, and the record says when that is done. Every step can be taken twice, by several
//! nodes at once too, so a removal that was cut short is gone on with: by whoever asks for it again, by
//! a node that starts, and by one that has seen it unfinished for long. The record keeps the entry of the
//! audit log too, which is therefore written whoever finishes the removal.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::json;
use tokio::time::Instant;

use super::{
    Apps,
    record::{self, APPS, AppRecord},
    unknown,
};
use crate::{
    domain::{
        Error, ErrorKind, Result,
        audit::{Action, Actor, AuditEntry, Deed, Doer},
        ids::AppName,
        notification::Status,
        timestamp::Timestamp,
    },
    services::{credentials::Credentials, devices, notifications::Moved},
    settings::Settings,
    storage::{NotificationQuery, Stores},
};

/// Notifications withdrawn at a time.
const WITHDRAWN_AT_ONCE: usize = 100;
/// How long whoever removes an app waits for its devices to be removed: there may be many, and nobody
/// can reach them any more.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a removal is left to the node that is at it, and how long after a failure it is tried again.
const LEFT_ALONE: Duration = Duration::from_secs(60);

/// The apps that this node is clearing now.
pub(super) type Clearing = Arc<Mutex<HashSet<AppName>>>;

impl Apps {
    /// Removes a stored app: its keys and credentials end, what it is sending is withdrawn, and its
    /// devices are removed. Its name stays taken, since what it sent is kept. Of an app whose removal was
    /// cut short, goes on with it.
    pub async fn remove(&self, app: &AppName, by: Doer, now: Timestamp) -> Result<()> {
        let removal = self.audit.entry(deleted(app, by.actor), by.address);
        self.change_record(app, now, |record| {
            if record.cleared_at.is_some() {
                return Err(unknown(app));
            }
            record.removed_at.get_or_insert(now);
            record.removal.get_or_insert_with(|| removal.clone());
            record.credentials = Credentials::default();
            Ok(())
        })
        .await?;
        self.end_calls(app, now).await?;
        let clearing = tokio::spawn(self.clone().clear(app.clone()));
        match tokio::time::timeout(PATIENCE, clearing).await {
            Ok(Ok(cleared)) => cleared.map(drop),
            Ok(Err(_)) => Err(Error::bug("clear a removed app: it panicked")),
            Err(_) => Ok(()),
        }
    }

    /// Goes on with a removal that was cut short.
    pub(super) async fn finish_removal(self, app: AppName) {
        let ended = self.end_calls(&app, Timestamp::now()).await;
        let finished = match ended {
            Ok(()) => self.clear(app.clone()).await,
            Err(error) => Err(error),
        };
        match finished {
            Ok(true) => tracing::info!(%app, "what a removed app had left is cleared"),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%app, %error, "failed to clear what a removed app has left; tried again later");
            }
        }
    }

    /// Nobody can call for the app any more, and nothing more is sent.
    async fn end_calls(&self, app: &AppName, now: Timestamp) -> Result<()> {
        let removal = self.removal_of(app, now).await?;
        if let Some(entry) = &removal {
            self.audit.keep(entry.clone()).await?;
        }
        self.remove_keys(app).await?;
        self.follow().await?;
        self.withdraw_all(app, removal.as_ref(), now).await
    }

    /// The entry of an app's removal; none where it was begun before the record kept it.
    async fn removal_of(&self, app: &AppName, now: Timestamp) -> Result<Option<AuditEntry>> {
        let found = self.stores.documents.get(&APPS, app.as_str(), now).await?;
        let record: AppRecord = record::read(&found.ok_or_else(|| unknown(app))?)?;
        Ok(record.removal)
    }

    /// Removes the devices, and notes that nothing is left; false where this node is at it already.
    async fn clear(self, app: AppName) -> Result<bool> {
        let Some(_place) = Place::take(&self.clearing, &app) else { return Ok(false) };
        devices::remove_all(&*self.stores.devices, &app).await?;
        let now = Timestamp::now();
        self.change_record(&app, now, |record| {
            record.cleared_at.get_or_insert(now);
            Ok(())
        })
        .await?;
        Ok(true)
    }

    /// Withdraws everything that is or would be sent, in the name of whoever removes the app.
    async fn withdraw_all(
        &self,
        app: &AppName,
        removal: Option<&AuditEntry>,
        now: Timestamp,
    ) -> Result<()> {
        let statuses = vec![Status::Launched, Status::Queued, Status::Paused, Status::Error];
        let query =
            NotificationQuery { statuses, size: WITHDRAWN_AT_ONCE, ..NotificationQuery::default() };
        loop {
            let found = self.stores.notifications.list(app, &query).await?.items;
            for one in &found {
                let withdrawn =
                    self.notifications.set_status(app, one.uuid, Status::Deleted, now).await;
                match withdrawn {
                    // It ended by itself in between.
                    Err(error) if *error.kind() == ErrorKind::Conflict => {}
                    withdrawn => self.note_withdrawn(app, &withdrawn?, removal).await,
                }
            }
            if found.len() < WITHDRAWN_AT_ONCE {
                return Ok(());
            }
        }
    }

    async fn note_withdrawn(&self, app: &AppName, moved: &Moved, removal: Option<&AuditEntry>) {
        let Some(removal) = removal.filter(|_| moved.is_new()) else { return };
        let deed = Deed {
            app: Some(app.clone()),
            actor: removal.deed.actor.clone(),
            action: moved.action(),
            target: Some(moved.view.notification.uuid.to_string()),
            details: moved.details(),
        };
        self.audit.record(deed, removal.address.clone()).await;
    }
}

fn deleted(app: &AppName, actor: Actor) -> Deed {
    let target = Some(app.to_string());
    Deed { app: Some(app.clone()), actor, action: Action::AppDeleted, target, details: json!({}) }
}

/// Refuses a configuration that names an app as one that was removed: what that one sent is kept, and would
/// be shown to whoever holds a key of the new one.
pub async fn refuse_removed_names(stores: &Stores, settings: &Settings) -> Result<()> {
    for (index, app) in settings.effective_apps().iter().enumerate() {
        let found = stores.documents.get(&APPS, &app.name, Timestamp::now()).await?;
        let found = found.map(|document| record::read::<AppRecord>(&document)).transpose()?;
        if found.is_some_and(|record| record.removed_at.is_some()) {
            let what = format!(
                "`{}` is the name of a stored app that was removed; what it sent is kept, and would be \
                 shown to this app's keys. Take another name",
                app.name
            );
            return Err(Error::invalid(format!("apps[{index}].name"), what));
        }
    }
    Ok(())
}

/// A node's place at the clearing of an app, given back when dropped.
struct Place<'a> {
    clearing: &'a Clearing,
    app: &'a AppName,
}

impl<'a> Place<'a> {
    fn take(clearing: &'a Clearing, app: &'a AppName) -> Option<Self> {
        let mut held = clearing.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(app.clone()).then(|| Self { clearing, app })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.clearing.lock().unwrap_or_else(PoisonError::into_inner).remove(self.app);
    }
}

/// When this node takes up which unfinished removal.
pub(super) struct Unfinished {
    due: HashMap<AppName, Instant>,
    /// Nothing was looked at yet: what is unfinished now, a node that ended has left.
    is_start: bool,
}

impl Unfinished {
    /// Of a node that starts.
    pub(super) fn at_start() -> Self {
        Self { due: HashMap::new(), is_start: true }
    }

    /// Those of the unfinished removals that are to be taken up now.
    pub(super) fn due(&mut self, unfinished: &BTreeSet<AppName>, now: Instant) -> Vec<AppName> {
        self.due.retain(|app, _| unfinished.contains(app));
        let first = if self.is_start { now } else { now + LEFT_ALONE };
        self.is_start = false;
        let is_due = |app: &&AppName| {
            let due = self.due.entry((*app).clone()).or_insert(first);
            let is_due = *due <= now;
            if is_due {
                *due = now + LEFT_ALONE;
            }
            is_due
        };
        unfinished.iter().filter(is_due).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_removal_is_taken_up_at_the_start_and_else_after_a_while() {
        let names = |names: &[&str]| names.iter().map(|name| AppName::new(name)).collect();
        let (mut unfinished, start) = (Unfinished::at_start(), Instant::now());
        let mut due = |apps: &[&str], secs| {
            let due = unfinished.due(&names(apps), start + Duration::from_secs(secs));
            due.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(due(&["old"], 0), ["old"]);
        assert_eq!(due(&["new", "old"], 1), [""; 0], "another node may be at the new one");
        assert_eq!(due(&["new", "old"], 60), ["old"]);
        assert_eq!(due(&["new", "old"], 61), ["new"]);
        assert_eq!(due(&["new"], 62), [""; 0]);
        assert_eq!(due(&["new", "old"], 122), ["new"], "the old one was finished in between");
    }
}
