//! Notifications on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Time, enums::Named, internal::SentCounts, nullable, optional_time, time};
use crate::{
    domain::{
        audience::ClauseSpec, campaign::FailureFilter, device::DevicePlatform, ids::NotificationId,
        message::Priority, notification::Status, timestamp::Timestamp,
    },
    services::{
        Preview,
        notifications::{FailureRow, NotificationEdit, NotificationView, Trial},
    },
};

/// `POST /notifications` and `PUT /notifications/{uuid}`. What is left out of an edit stays; null
/// clears.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationBody {
    #[serde(default, deserialize_with = "nullable")]
    title: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    body: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    image_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    icon_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    deep_link: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    conditions: Option<Option<ClauseSpec>>,
    #[serde(default, deserialize_with = "nullable")]
    scheduled_at: Option<Option<Time>>,
    #[serde(default, deserialize_with = "nullable")]
    time_to_live: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    priority: Option<Option<Named<Priority>>>,
    #[serde(default, deserialize_with = "nullable")]
    collapse_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    sound: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    badge: Option<Option<u32>>,
    #[serde(default, deserialize_with = "nullable")]
    data: Option<Option<BTreeMap<String, String>>>,
    #[serde(default, deserialize_with = "nullable")]
    dry_run: Option<Option<bool>>,
    #[serde(default, deserialize_with = "nullable")]
    rate_limit: Option<Option<u32>>,
}

impl NotificationBody {
    /// As the service has it.
    pub fn into_edit(self) -> NotificationEdit {
        NotificationEdit {
            title: self.title,
            body: self.body,
            image_url: self.image_url,
            icon_url: self.icon_url,
            deep_link: self.deep_link,
            conditions: self.conditions,
            scheduled_at: self.scheduled_at.map(|at| at.map(|at| at.0)),
            time_to_live: self.time_to_live,
            priority: self.priority.map(|named| named.map(|named| named.0)),
            collapse_id: self.collapse_id,
            sound: self.sound,
            badge: self.badge,
            data: self.data,
            dry_run: self.dry_run,
            rate_limit: self.rate_limit,
        }
    }
}

/// `PUT /notifications/{uuid}/status`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusBody {
    /// The state to move to.
    pub status: Named<Status>,
}

/// `PUT /notifications/{uuid}/rate_limit`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateBody {
    /// Pushes per second; null is no limit, and leaving it out an error.
    #[serde(deserialize_with = "Option::deserialize")]
    pub rate_limit: Option<u32>,
}

/// `POST /notifications/{uuid}/:resend`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResendBody {
    reason: Option<String>,
    platform: Option<Named<DevicePlatform>>,
}

impl ResendBody {
    /// As the domain has it.
    pub fn into_filter(self) -> FailureFilter {
        FailureFilter { reason: self.reason, platform: self.platform.map(|named| named.0) }
    }
}

/// `POST /notifications/{uuid}/:test`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestBody {
    /// The devices.
    pub external_ids: Vec<String>,
}

/// What became of a test send to one device.
#[derive(Serialize)]
pub struct TrialJson<'a> {
    external_id: &'a str,
    outcome: &'static str,
    reason: Option<&'a str>,
}

impl<'a> TrialJson<'a> {
    /// From what the service answers.
    pub fn new(trial: &'a Trial) -> Self {
        let reason = trial.failure.as_deref();
        let outcome = if reason.is_none() { "accepted" } else { "failed" };
        Self { external_id: &trial.external_id, outcome, reason }
    }
}

/// A message as one provider would be sent it.
#[derive(Serialize)]
pub struct PreviewJson<'a> {
    payload: Option<&'a Value>,
    bytes: usize,
    limit: usize,
    problem: Option<String>,
}

impl<'a> PreviewJson<'a> {
    /// From what the engine answers.
    pub fn new(preview: &'a Preview) -> Self {
        let problem = preview.problem.as_ref().map(ToString::to_string);
        let Preview { payload, bytes, limit, .. } = preview;
        Self { payload: payload.as_ref(), bytes: *bytes, limit: *limit, problem }
    }
}

/// A notification as every answer shows it: the document's fields, then ours.
#[derive(Serialize)]
pub struct NotificationJson<'a> {
    id: u64,
    uuid: NotificationId,
    title: &'a str,
    body: &'a str,
    sent: SentCounts,
    failed: SentCounts,
    deep_link: Option<&'a str>,
    image_url: Option<&'a str>,
    icon_url: Option<&'a str>,
    conditions: Option<&'a ClauseSpec>,
    status: u8,
    #[serde(serialize_with = "optional_time")]
    scheduled_at: Option<Timestamp>,
    #[serde(serialize_with = "time")]
    created_at: Timestamp,
    #[serde(serialize_with = "time")]
    modified_at: Timestamp,
    #[serde(serialize_with = "optional_time")]
    launched_at: Option<Timestamp>,
    #[serde(serialize_with = "optional_time")]
    finished_at: Option<Timestamp>,
    error: Option<&'a str>,
    time_to_live: Option<u32>,
    priority: Priority,
    collapse_id: Option<&'a str>,
    sound: Option<&'a str>,
    badge: Option<u32>,
    data: &'a BTreeMap<String, String>,
    dry_run: bool,
    rate_limit: Option<u32>,
    /// How many times failures were sent again.
    round: u16,
    /// Devices that have their outcome; those that other systems reported are not among them.
    settled: u64,
    /// Failures by reason.
    reasons: &'a BTreeMap<String, u64>,
}

impl<'a> NotificationJson<'a> {
    /// From what the service answers.
    pub fn new(view: &'a NotificationView) -> Self {
        let notification = &view.notification;
        let message = &notification.message;
        let options = &message.options;
        Self {
            id: notification.id,
            uuid: notification.uuid,
            title: &message.title,
            body: &message.body,
            sent: SentCounts::new(&view.sent()),
            failed: SentCounts::new(&view.tally.failed),
            deep_link: message.deep_link.as_deref(),
            image_url: message.image_url.as_deref(),
            icon_url: message.icon_url.as_deref(),
            conditions: notification.conditions.as_ref(),
            status: notification.status.number(),
            scheduled_at: notification.scheduled_at,
            created_at: notification.created_at,
            modified_at: notification.modified_at,
            launched_at: notification.launched_at,
            finished_at: notification.finished_at,
            error: notification.error.as_deref(),
            time_to_live: options.time_to_live,
            priority: options.priority,
            collapse_id: options.collapse_id.as_deref(),
            sound: options.sound.as_deref(),
            badge: options.badge,
            data: &options.data,
            dry_run: options.dry_run,
            rate_limit: options.rate_limit,
            round: notification.round,
            settled: view.tally.settled(),
            reasons: &view.tally.reasons,
        }
    }
}

/// One failed device.
#[derive(Serialize)]
pub struct FailureJson<'a> {
    device_id: u64,
    /// Null where the device is gone by now.
    external_id: Option<&'a str>,
    device_platform: u8,
    reason: &'a str,
    #[serde(serialize_with = "time")]
    created_at: Timestamp,
}

impl<'a> FailureJson<'a> {
    /// From what the service found.
    pub fn new(row: &'a FailureRow) -> Self {
        Self {
            device_id: row.failure.device.0,
            external_id: row.device.as_ref().map(|device| device.external_id.as_str()),
            device_platform: row.failure.platform.number(),
            reason: row.failure.reason.as_str(),
            created_at: row.failure.at,
        }
    }
}
