//! What happened to a device, on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Time, internal::EventName, notifications::NotificationJson, schemas, time};
use crate::{
    domain::{ids::NotificationId, timestamp::Timestamp},
    services::devices::HistoryRow,
};

/// `POST /devices/{external_id}/events`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeviceEvent)]
pub struct EventBody {
    /// The notification's uuid.
    #[schema(value_type = uuid::Uuid)]
    pub notification: NotificationId,
    /// `received` or `opened`.
    #[schema(inline)]
    pub event: EventName,
}

/// The answer of `GET /devices/{external_id}/notifications`.
#[derive(Serialize, ToSchema)]
#[schema(as = History)]
pub struct HistoryJson<'a> {
    /// How many there are in all.
    total: u64,
    events: Vec<EventJson<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = HistoryEvent)]
struct EventJson<'a> {
    id: u64,
    /// Null where the notification is gone by now.
    #[schema(required)]
    notification: Option<NotificationJson<'a>>,
    #[schema(schema_with = schemas::event)]
    event: &'static str,
    /// Why it failed.
    #[schema(required)]
    reason: Option<&'a str>,
    #[serde(serialize_with = "time")]
    #[schema(value_type = Time)]
    created_at: Timestamp,
}

impl<'a> HistoryJson<'a> {
    /// From what the service found.
    pub fn new(total: u64, rows: &'a [HistoryRow]) -> Self {
        let event = |row: &'a HistoryRow| EventJson {
            id: row.event.id,
            notification: row.notification.as_ref().map(NotificationJson::new),
            event: row.event.kind.name(),
            reason: row.event.reason.as_ref().map(|reason| reason.as_str()),
            created_at: row.event.at,
        };
        Self { total, events: rows.iter().map(event).collect() }
    }
}
