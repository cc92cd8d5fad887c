//! What happened to a device, on the wire.

use serde::{Deserialize, Serialize};

use super::{internal::EventName, notifications::NotificationJson, time};
use crate::{
    domain::{ids::NotificationId, timestamp::Timestamp},
    services::devices::HistoryRow,
};

/// `POST /devices/{external_id}/events`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventBody {
    /// The notification's uuid.
    pub notification: NotificationId,
    /// `received` or `opened`.
    pub event: EventName,
}

/// The answer of `GET /devices/{external_id}/notifications`.
#[derive(Serialize)]
pub struct HistoryJson<'a> {
    total: u64,
    events: Vec<EventJson<'a>>,
}

#[derive(Serialize)]
struct EventJson<'a> {
    id: u64,
    notification: Option<NotificationJson<'a>>,
    event: &'static str,
    reason: Option<&'a str>,
    #[serde(serialize_with = "time")]
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
