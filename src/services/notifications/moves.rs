//! Moving a notification through its states: launch, stop, resume, withdraw, send again.
//!
//! Each move is decided on the stored notification and written only if nothing changed in between;
//! else it is decided again. The engine is told after the write: a start by a nudge, a stop by
//! `halt`, which returns when no new push begins.

use serde_json::{Value, json};

use super::{NotificationView, Notifications, Seen, content::check_rate, view};
use crate::{
    domain::{
        Error, ErrorKind, Result, audience,
        audit::Action,
        campaign::{FailureFilter, RoundPlan},
        ids::{AppName, NotificationId},
        notification::{Notification, Status},
        timestamp::Timestamp,
    },
    storage::IdempotencyKey,
};

/// How often a change is decided anew before giving up. Each further try means that somebody else's
/// change went through.
const MAX_TRIES: u32 = 32;

/// What a decision about a notification comes to.
pub(super) enum Decision {
    /// Write it as changed.
    Store,
    /// Answer it as it is: it was done before.
    Keep,
}

/// A notification before and after a change.
pub(super) struct Changed {
    /// The state it was in.
    pub(super) before: Status,
    /// As it is stored now.
    pub(super) now: Notification,
}

/// A notification that was moved, or, where a key was used again, as it was after the first time.
pub struct Moved {
    before: Status,
    /// It as it is now.
    pub view: NotificationView,
}

impl Moved {
    /// Whether it was in another state before.
    pub fn is_new(&self) -> bool {
        self.before != self.view.notification.status
    }

    /// What was done to it, for the audit log.
    pub fn action(&self) -> Action {
        match (self.before, self.view.notification.status) {
            (_, Status::Deleted) => Action::NotificationDeleted,
            (_, Status::Paused) => Action::NotificationPaused,
            (_, Status::Draft) => Action::NotificationUnscheduled,
            (Status::Paused | Status::Error, _) => Action::NotificationResumed,
            _ => Action::NotificationLaunched,
        }
    }

    /// What else the audit log says of it.
    pub fn details(&self) -> Value {
        let notification = &self.view.notification;
        let scheduled_at = notification.scheduled_at.map(Timestamp::to_rfc3339);
        let (status, was) = (notification.status.name(), self.before.name());
        let mut details = json!({ "status": status, "was": was, "scheduled_at": scheduled_at });
        if notification.launched_at.is_some() {
            details["settled"] = self.view.tally.settled().into();
        }
        details
    }
}

impl Notifications {
    /// Launches a DRAFT: LAUNCHED when its time has come, QUEUED until then. Anything else is a
    /// conflict, unless `key` was used for this launch before: then it answers as it did.
    pub async fn launch(
        &self,
        app: &AppName,
        uuid: NotificationId,
        key: Option<&str>,
        seen: &Seen,
        now: Timestamp,
    ) -> Result<Moved> {
        let key = key.map(|key| IdempotencyKey {
            key: format!("launch:{uuid}:{key}"),
            digest: String::from("launch"),
        });
        let launched = self
            .change(app, uuid, key.as_ref(), |notification| {
                if notification.status == Status::Deleted {
                    return Err(Error::conflict("a DELETED notification cannot be launched"));
                }
                if notification.status != Status::Draft {
                    let status = notification.status.name();
                    return Err(Error::conflict(format!(
                        "it was launched before and is {status} now"
                    )));
                }
                seen.check(notification)?;
                let next = if notification.is_due(now) { Status::Launched } else { Status::Queued };
                notification.move_to(next, now)?;
                Ok(Decision::Store)
            })
            .await?;
        self.engine.nudge();
        self.moved(launched).await
    }

    /// Moves a notification as a caller may. LAUNCHED from DRAFT or QUEUED means now: a schedule that
    /// has not come is dropped.
    pub async fn set_status(
        &self,
        app: &AppName,
        uuid: NotificationId,
        next: Status,
        now: Timestamp,
    ) -> Result<Moved> {
        let stops = matches!(next, Status::Paused | Status::Deleted);
        let changed = self
            .change(app, uuid, None, |notification| {
                notification.move_to(next, now)?;
                if next == Status::Launched && !notification.is_due(now) {
                    notification.scheduled_at = None;
                }
                Ok(Decision::Store)
            })
            .await;
        let store_is_away =
            changed.as_ref().is_err_and(|error| *error.kind() == ErrorKind::Unavailable);
        if stops && store_is_away {
            // The caller is told that the stop is not stored, but what can be stopped here is: until
            // the store answers, nothing more is sent.
            self.engine.halt(uuid);
        }
        let changed = changed?;
        if stops && changed.before != Status::Draft {
            self.engine.halt(uuid);
        } else {
            self.engine.nudge();
        }
        self.moved(changed).await
    }

    async fn moved(&self, changed: Changed) -> Result<Moved> {
        let Changed { before, now } = changed;
        Ok(Moved { before, view: view(&self.stores, now).await? })
    }

    /// Sets or lifts a campaign's own rate, for pushes under way too.
    pub async fn set_rate(
        &self,
        app: &AppName,
        uuid: NotificationId,
        rate: Option<u32>,
        now: Timestamp,
    ) -> Result<NotificationView> {
        check_rate(rate)?;
        let changed = self
            .change(app, uuid, None, |notification| {
                if matches!(notification.status, Status::Sent | Status::Deleted) {
                    let status = notification.status.with_article();
                    return Err(Error::conflict(format!("{status} notification sends nothing")));
                }
                if notification.message.options.rate_limit == rate {
                    return Ok(Decision::Keep);
                }
                notification.message.options.rate_limit = rate;
                notification.modified_at = now;
                Ok(Decision::Store)
            })
            .await?;
        self.engine.set_notification_rate(uuid, rate);
        view(&self.stores, changed.now).await
    }

    /// Sends again to the devices that failed and pass the filter: a further round of a SENT
    /// notification. The round is planned first, then the notification set LAUNCHED; planning twice
    /// changes nothing, so a crash in between leaves a SENT notification and a plan to be used again.
    pub async fn resend(
        &self,
        app: &AppName,
        uuid: NotificationId,
        filter: FailureFilter,
        now: Timestamp,
    ) -> Result<NotificationView> {
        let _planning = self.resending.lock().await;
        let mut notification = self.stored(app, uuid).await?;
        if notification.status != Status::Sent {
            let status = notification.status.with_article();
            return Err(Error::conflict(format!(
                "{status} notification cannot be sent again, a SENT one alone can"
            )));
        }
        if self.stores.ledger.failures(uuid, &filter, 0, 1).await?.total == 0 {
            return Err(Error::conflict("there is nothing to send again"));
        }
        let round = notification.round.checked_add(1);
        let round = round.ok_or_else(|| Error::conflict("it was sent again too often"))?;
        self.plan(&notification, round, filter, now).await?;
        notification.round = round;
        notification.set_status(Status::Launched, now);
        let stored = self.stores.notifications.update(notification, None).await?;
        let stored = stored.ok_or_else(changed_meanwhile)?;
        self.engine.nudge();
        view(&self.stores, stored).await
    }

    async fn plan(
        &self,
        notification: &Notification,
        round: u16,
        filter: FailureFilter,
        now: Timestamp,
    ) -> Result<()> {
        let plan = RoundPlan {
            notification: notification.uuid,
            app: notification.app.clone(),
            round,
            shards: self.shards,
            failures: Some(filter),
        };
        let clause = notification.conditions.as_ref();
        let clause = clause.map(|spec| audience::parse(spec, "conditions")).transpose()?;
        let counted_from = notification.launched_at.unwrap_or(now);
        self.stores.ledger.plan(&plan, clause.as_ref(), counted_from).await?;
        Ok(())
    }

    /// Reads, lets `decide` change what was read, and writes it if nobody changed it in between; else
    /// decides again. A `key` that was used before answers what it answered.
    pub(super) async fn change(
        &self,
        app: &AppName,
        uuid: NotificationId,
        key: Option<&IdempotencyKey>,
        mut decide: impl FnMut(&mut Notification) -> Result<Decision>,
    ) -> Result<Changed> {
        for _ in 0..MAX_TRIES {
            if let Some(answered) = self.answered(app, key).await? {
                return Ok(answered);
            }
            let mut notification = self.stored(app, uuid).await?;
            let before = notification.status;
            match decide(&mut notification) {
                Ok(Decision::Store) => {}
                Ok(Decision::Keep) => return Ok(Changed { before, now: notification }),
                // Another may have used the key after it was asked for, and what was read is what came
                // of that.
                Err(refusal) => return self.answered(app, key).await?.ok_or(refusal),
            }
            let written = self.stores.notifications.update(notification, key.cloned()).await?;
            if let Some(now) = written {
                return Ok(Changed { before, now });
            }
        }
        Err(changed_meanwhile())
    }

    /// What a key answered before.
    async fn answered(
        &self,
        app: &AppName,
        key: Option<&IdempotencyKey>,
    ) -> Result<Option<Changed>> {
        let Some(key) = key else { return Ok(None) };
        let answered = self.stores.notifications.answered(app, key).await?;
        Ok(answered.map(|now| Changed { before: now.status, now }))
    }
}

fn changed_meanwhile() -> Error {
    Error::conflict("it was changed at the same time by somebody else; look again")
}
