//! What befell one notification, in order: from its own record, and from the audit log.

use serde_json::{Value, json};

use super::Audit;
use crate::{
    domain::{
        Result,
        audit::{Action, AuditEntry},
        notification::{Notification, Status},
        timestamp::Timestamp,
    },
    storage::AuditQuery,
};

/// Entries looked at, the newest.
const MOST: usize = 1000;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimelineEvent {
    /// Written.
    Created,
    /// Changed, or taken back from its schedule.
    Edited,
    /// Launched for later.
    Scheduled,
    /// Launched.
    Launched,
    /// Stopped.
    Paused,
    /// Resumed.
    Resumed,
    /// Sent again to those that failed.
    Resent,
    /// Given another pace.
    RateChanged,
    /// Every device has its outcome.
    Finished,
    /// Stopped by itself.
    Failed,
    /// Withdrawn.
    Deleted,
    /// Sent to a few devices to look at.
    Tested,
}

impl TimelineEvent {
    /// Its name, as the API has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Edited => "edited",
            Self::Scheduled => "scheduled",
            Self::Launched => "launched",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Resent => "resent",
            Self::RateChanged => "rate_changed",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
            Self::Tested => "tested",
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineRow {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: TimelineEvent,
    /// The key of whoever did it; none is the engine, or not known.
    pub by: Option<String>,
    /// What else there is to know.
    pub details: Value,
}

impl Audit {
    /// What befell a notification, oldest first.
    pub async fn timeline(
        &self,
        notification: &Notification,
        now: Timestamp,
    ) -> Result<Vec<TimelineRow>> {
        let query = AuditQuery {
            app: Some(notification.app.clone()),
            target: Some(notification.uuid.to_string()),
            size: MOST,
            ..AuditQuery::default()
        };
        let done = self.list(&query, now).await?.items;
        Ok(told(notification, &done))
    }
}

fn told(notification: &Notification, done: &[AuditEntry]) -> Vec<TimelineRow> {
    // They come newest first.
    let mut rows: Vec<_> = done.iter().rev().filter_map(row).collect();
    let is_told = |event| rows.iter().any(|row| row.event == event);
    let own: Vec<_> =
        recorded(notification).into_iter().filter(|row| !is_told(row.event)).collect();
    rows.extend(own);
    rows.sort_by_key(|row| (row.at, row.event != TimelineEvent::Created));
    rows
}

/// What somebody did, as the log has it.
fn row(entry: &AuditEntry) -> Option<TimelineRow> {
    use TimelineEvent::{
        Deleted, Edited, Launched, Paused, RateChanged, Resent, Resumed, Scheduled, Tested,
    };
    let is_queued = entry.deed.details["status"] == Status::Queued.name();
    let event = match entry.deed.action {
        Action::NotificationLaunched if is_queued => Scheduled,
        Action::NotificationLaunched => Launched,
        Action::NotificationPaused => Paused,
        Action::NotificationResumed => Resumed,
        Action::NotificationUnscheduled => Edited,
        Action::NotificationDeleted => Deleted,
        Action::NotificationResent => Resent,
        Action::NotificationRateChanged => RateChanged,
        Action::NotificationTested => Tested,
        _ => return None,
    };
    let (by, details) = (Some(entry.deed.actor.name.clone()), entry.deed.details.clone());
    Some(TimelineRow { at: entry.at, event, by, details })
}

/// What the record itself tells, where nobody's deed does.
fn recorded(notification: &Notification) -> Vec<TimelineRow> {
    let row = |event, at: Timestamp| TimelineRow { at, event, by: None, details: json!({}) };
    let mut rows = vec![row(TimelineEvent::Created, notification.created_at)];
    let changed = notification.modified_at > notification.created_at;
    match notification.status {
        Status::Draft if changed => {
            rows.push(row(TimelineEvent::Edited, notification.modified_at));
        }
        Status::Queued => rows.push(row(TimelineEvent::Scheduled, notification.modified_at)),
        Status::Deleted => rows.push(row(TimelineEvent::Deleted, notification.modified_at)),
        Status::Error => rows.push(TimelineRow {
            details: json!({ "error": notification.error }),
            ..row(TimelineEvent::Failed, notification.modified_at)
        }),
        _ => {}
    }
    rows.extend(notification.launched_at.map(|at| row(TimelineEvent::Launched, at)));
    rows.extend(notification.finished_at.map(|at| row(TimelineEvent::Finished, at)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        app::Via,
        audit::{Actor, Deed},
        ids::{AppName, NotificationId},
        message::Message,
        tally::PlatformCounts,
    };

    fn notification() -> Notification {
        let message: Message = serde_json::from_value(json!({
            "title": "t", "body": "b", "options": {}
        }))
        .expect("a message");
        Notification {
            id: 1,
            uuid: NotificationId(uuid::Uuid::nil()),
            app: AppName::new("shop"),
            message,
            conditions: None,
            status: Status::Sent,
            error: None,
            scheduled_at: None,
            created_at: Timestamp(10),
            modified_at: Timestamp(50),
            launched_at: Some(Timestamp(30)),
            finished_at: Some(Timestamp(50)),
            round: 0,
            reported: PlatformCounts::default(),
            version: 1,
        }
    }

    fn entry(at: i64, action: Action, details: Value) -> AuditEntry {
        AuditEntry {
            id: at.to_string(),
            at: Timestamp(at),
            deed: Deed {
                app: Some(AppName::new("shop")),
                actor: Actor { name: "ann".into(), via: Via::Session },
                action,
                target: None,
                details,
            },
            address: None,
        }
    }

    fn events(notification: &Notification, done: &[AuditEntry]) -> Vec<(i64, &'static str, bool)> {
        let rows = told(notification, done);
        rows.iter().map(|row| (row.at.0, row.event.name(), row.by.is_some())).collect()
    }

    #[test]
    fn the_engines_launch_is_told_beside_the_schedule() {
        let scheduled = entry(20, Action::NotificationLaunched, json!({ "status": "QUEUED" }));
        let expected = [
            (10, "created", false),
            (20, "scheduled", true),
            (30, "launched", false),
            (50, "finished", false),
        ];
        assert_eq!(events(&notification(), &[scheduled]), expected);
    }

    #[test]
    fn what_somebody_did_is_told_once() {
        let paused = entry(40, Action::NotificationPaused, json!({}));
        let launched = entry(31, Action::NotificationLaunched, json!({ "status": "LAUNCHED" }));
        let expected = [
            (10, "created", false),
            (31, "launched", true),
            (40, "paused", true),
            (50, "finished", false),
        ];
        assert_eq!(events(&notification(), &[paused, launched]), expected);
    }

    #[test]
    fn a_failure_says_why() {
        let mut failed = notification();
        (failed.status, failed.finished_at) = (Status::Error, None);
        failed.error = Some("no credentials".into());
        let last = told(&failed, &[]).pop().expect("rows");
        assert_eq!(
            (last.event, &last.details["error"]),
            (TimelineEvent::Failed, &json!("no credentials"))
        );
    }
}
