//! The internal API and the limits on the wire.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Unexpected},
};

use utoipa::ToSchema;

use super::nullable;
use crate::{
    domain::{ids::DeviceId, tally::PlatformCounts},
    services::{EventKind, notifications::ReportedEvents, status::AppRatesChange},
};

/// An event by its lower-case name.
#[derive(Clone, Copy, Debug)]
pub struct EventName(pub EventKind);

impl EventName {
    /// The event of this name.
    pub fn read(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

impl<'de> Deserialize<'de> for EventName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let known = &"sent, failed, received or opened";
        let wrong = || de::Error::invalid_value(Unexpected::Str(&name), known);
        Self::read(&name).map(EventName).ok_or_else(wrong)
    }
}

/// `POST /internal/devices/logs/notification:add`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EventsToLog)]
pub struct LogBody {
    /// Numbers of devices.
    device_ids: Vec<u64>,
    /// The notification's number.
    notification_id: u64,
    /// What happened to them; they were sent, where it is left out.
    #[serde(default)]
    #[schema(inline)]
    event: Option<EventName>,
}

impl LogBody {
    /// As the service has it; without an event, they were sent.
    pub fn into_domain(self) -> ReportedEvents {
        ReportedEvents {
            notification: self.notification_id,
            devices: self.device_ids.into_iter().map(DeviceId).collect(),
            kind: self.event.map_or(EventKind::Sent, |event| event.0),
        }
    }
}

/// `POST /internal/notifications/{uuid}/sent:increase`, and its answer.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SentCounts {
    android: u64,
    ios: u64,
    web: u64,
    /// E-mail recipients, and devices that name neither platform nor provider; told where there are any.
    #[serde(skip_deserializing, skip_serializing_if = "is_zero")]
    #[schema(read_only)]
    unknown: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl SentCounts {
    /// Of the domain's counts.
    pub fn new(counts: &PlatformCounts) -> Self {
        let PlatformCounts { android, ios, web, unknown } = *counts;
        Self { android, ios, web, unknown }
    }

    /// As the domain has it.
    pub fn into_domain(self) -> PlatformCounts {
        PlatformCounts { android: self.android, ios: self.ios, web: self.web, unknown: 0 }
    }
}

/// `PUT /internal/limits`, and its answer: pushes per second over every app, 0 meaning no limit.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GlobalLimit {
    /// The rate; null, in a request, resets it, and leaving it out is an error.
    #[schema(required)]
    #[serde(deserialize_with = "Option::deserialize")]
    pub global: Option<u32>,
}

/// `PUT /limits`: what is left out stays; null puts it back to what the settings say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LimitsChange)]
pub struct LimitsBody {
    /// Not the app's to change: what is in force already is taken, anything else refused.
    #[serde(default, deserialize_with = "nullable")]
    global: Option<Option<u32>>,
    /// Over the app.
    #[serde(default, deserialize_with = "nullable")]
    app: Option<Option<u32>>,
    /// Over its pushes through APNs.
    #[serde(default, deserialize_with = "nullable")]
    apns: Option<Option<u32>>,
    /// Over its pushes through FCM.
    #[serde(default, deserialize_with = "nullable")]
    fcm: Option<Option<u32>>,
}

impl LimitsBody {
    /// As the service has it.
    pub fn into_domain(self) -> AppRatesChange {
        AppRatesChange { global: self.global, app: self.app, apns: self.apns, fcm: self.fcm }
    }
}
