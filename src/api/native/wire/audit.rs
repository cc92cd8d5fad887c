//! The audit log and timelines on the wire.

use serde::Serialize;
use serde_json::Value;

use super::time;
use crate::{
    domain::{audit::AuditEntry, timestamp::Timestamp},
    services::audit::TimelineRow,
};

/// An entry of the audit log.
#[derive(Serialize)]
pub struct AuditJson<'a> {
    id: &'a str,
    #[serde(serialize_with = "time")]
    at: Timestamp,
    app: Option<&'a str>,
    actor: ActorJson<'a>,
    action: &'static str,
    target: Option<&'a str>,
    details: &'a Value,
    address: Option<&'a str>,
}

#[derive(Serialize)]
struct ActorJson<'a> {
    name: &'a str,
    via: &'static str,
}

impl<'a> AuditJson<'a> {
    /// Of the domain's entry.
    pub fn new(entry: &'a AuditEntry) -> Self {
        Self {
            id: &entry.id,
            at: entry.at,
            app: entry.app.as_ref().map(|app| app.as_str()),
            actor: ActorJson { name: &entry.actor.name, via: entry.actor.via.name() },
            action: entry.action.name(),
            target: entry.target.as_deref(),
            details: &entry.details,
            address: entry.address.as_deref(),
        }
    }
}

/// One thing that befell a notification.
#[derive(Serialize)]
pub struct TimelineJson<'a> {
    #[serde(serialize_with = "time")]
    at: Timestamp,
    event: &'static str,
    by: Option<&'a str>,
    details: &'a Value,
}

impl<'a> TimelineJson<'a> {
    /// Of what the service found.
    pub fn new(row: &'a TimelineRow) -> Self {
        let (by, details) = (row.by.as_deref(), &row.details);
        Self { at: row.at, event: row.event.name(), by, details }
    }
}
