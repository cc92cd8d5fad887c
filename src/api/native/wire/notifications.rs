//! Notifications on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    Time,
    enums::Named,
    internal::SentCounts,
    nullable, optional_time,
    schemas::{self, Conditions},
    time,
};
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
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NotificationEdit)]
pub struct NotificationBody {
    /// What it says first; needed at the end, as `body` is.
    #[serde(default, deserialize_with = "nullable")]
    title: Option<Option<String>>,
    /// What it says.
    #[serde(default, deserialize_with = "nullable")]
    body: Option<Option<String>>,
    /// An http(s) URL.
    #[serde(default, deserialize_with = "nullable")]
    image_url: Option<Option<String>>,
    /// An http(s) URL.
    #[serde(default, deserialize_with = "nullable")]
    icon_url: Option<Option<String>>,
    /// What a tap opens.
    #[serde(default, deserialize_with = "nullable")]
    deep_link: Option<Option<String>>,
    /// Who gets it; null is everyone.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Conditions>)]
    conditions: Option<Option<ClauseSpec>>,
    /// When a launch takes effect; must be to come.
    #[serde(default, deserialize_with = "nullable")]
    scheduled_at: Option<Option<Time>>,
    /// How long providers keep trying, in seconds (0: now or never; at most 28 days), and how long one
    /// that is out of order is waited for: what waits for it then fails, as `expired`.
    #[serde(default, deserialize_with = "nullable")]
    time_to_live: Option<Option<u32>>,
    /// How urgent it is.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(schema_with = schemas::named_priority)]
    priority: Option<Option<Named<Priority>>>,
    /// What replaces what on a device; the uuid by default.
    #[serde(default, deserialize_with = "nullable")]
    collapse_id: Option<Option<String>>,
    /// The sound to play.
    #[serde(default, deserialize_with = "nullable")]
    sound: Option<Option<String>>,
    /// The number on the icon.
    #[serde(default, deserialize_with = "nullable")]
    badge: Option<Option<u32>>,
    /// For the app.
    #[serde(default, deserialize_with = "nullable")]
    data: Option<Option<BTreeMap<String, String>>>,
    /// Everything but the provider.
    #[serde(default, deserialize_with = "nullable")]
    dry_run: Option<Option<bool>>,
    /// Most pushes per second; null is no limit.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(minimum = 1)]
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
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatusChange)]
pub struct StatusBody {
    /// The state to move to.
    #[schema(schema_with = schemas::named_status)]
    pub status: Named<Status>,
}

/// `PUT /notifications/{uuid}/rate_limit`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RateChange)]
pub struct RateBody {
    /// Pushes per second; null is no limit, and leaving it out an error.
    #[schema(required, minimum = 1)]
    #[serde(deserialize_with = "Option::deserialize")]
    pub rate_limit: Option<u32>,
}

/// `POST /notifications/{uuid}/:resend`
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = FailuresToResend)]
pub struct ResendBody {
    /// Only what failed for this reason.
    reason: Option<String>,
    /// Only devices of this kind.
    #[schema(schema_with = schemas::named_platform)]
    platform: Option<Named<DevicePlatform>>,
}

impl ResendBody {
    /// As the domain has it.
    pub fn into_filter(self) -> FailureFilter {
        FailureFilter { reason: self.reason, platform: self.platform.map(|named| named.0) }
    }
}

/// `POST /notifications/{uuid}/:test`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DevicesToTest)]
pub struct TestBody {
    /// The devices, 1 to 20.
    pub external_ids: Vec<String>,
}

/// What became of a test send to one device.
#[derive(Serialize, ToSchema)]
#[schema(as = TestRow)]
pub struct TrialJson<'a> {
    external_id: &'a str,
    #[schema(schema_with = schemas::trial)]
    outcome: &'static str,
    /// Why it failed.
    #[schema(required)]
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
#[derive(Serialize, ToSchema)]
#[schema(as = Preview)]
pub struct PreviewJson<'a> {
    /// What the provider would be sent, as it has it.
    #[schema(value_type = Option<Object>, required)]
    payload: Option<&'a Value>,
    /// How large it is.
    bytes: usize,
    /// How large it may be.
    limit: usize,
    /// Why it could not be sent.
    #[schema(required)]
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
#[derive(Serialize, ToSchema)]
#[schema(as = Notification)]
pub struct NotificationJson<'a> {
    /// Its number.
    id: u64,
    #[schema(value_type = uuid::Uuid)]
    uuid: NotificationId,
    title: &'a str,
    body: &'a str,
    /// Taken by a provider.
    sent: SentCounts,
    /// Ended in a failure.
    failed: SentCounts,
    #[schema(required)]
    deep_link: Option<&'a str>,
    #[schema(required)]
    image_url: Option<&'a str>,
    #[schema(required)]
    icon_url: Option<&'a str>,
    #[schema(value_type = Option<Conditions>, required)]
    conditions: Option<&'a ClauseSpec>,
    #[schema(schema_with = schemas::status)]
    status: u8,
    #[serde(serialize_with = "optional_time")]
    #[schema(value_type = Option<Time>, required)]
    scheduled_at: Option<Timestamp>,
    #[serde(serialize_with = "time")]
    #[schema(value_type = Time)]
    created_at: Timestamp,
    #[serde(serialize_with = "time")]
    #[schema(value_type = Time)]
    modified_at: Timestamp,
    #[serde(serialize_with = "optional_time")]
    #[schema(value_type = Option<Time>, required)]
    launched_at: Option<Timestamp>,
    #[serde(serialize_with = "optional_time")]
    #[schema(value_type = Option<Time>, required)]
    finished_at: Option<Timestamp>,
    /// Why it stands in ERROR.
    #[schema(required)]
    error: Option<&'a str>,
    #[schema(required)]
    time_to_live: Option<u32>,
    #[schema(schema_with = schemas::priority)]
    priority: Priority,
    #[schema(required)]
    collapse_id: Option<&'a str>,
    #[schema(required)]
    sound: Option<&'a str>,
    #[schema(required)]
    badge: Option<u32>,
    data: &'a BTreeMap<String, String>,
    dry_run: bool,
    #[schema(required)]
    rate_limit: Option<u32>,
    /// How many times failures were sent again.
    round: u16,
    /// Devices that have their outcome; those that other systems reported are not among them.
    settled: u64,
    /// Failures by reason: the provider's word, or ours in lower case.
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
#[derive(Serialize, ToSchema)]
#[schema(as = Failure)]
pub struct FailureJson<'a> {
    /// The device's number.
    device_id: u64,
    /// Null where the device is gone by now.
    #[schema(required)]
    external_id: Option<&'a str>,
    #[schema(schema_with = schemas::device_platform)]
    device_platform: u8,
    /// The provider's word, or ours.
    reason: &'a str,
    #[serde(serialize_with = "time")]
    #[schema(value_type = Time)]
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
