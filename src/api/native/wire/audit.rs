//! The audit log and timelines on the wire.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Time, schemas, time};
use crate::{
    domain::{audit::AuditEntry, timestamp::Timestamp},
    services::audit::TimelineRow,
};

/// An entry of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditJson<'a> {
    id: &'a str,
    #[serde(serialize_with = "time")]
    #[schema(value_type = Time)]
    at: Timestamp,
    /// Null where it was done to the installation.
    #[schema(required)]
    app: Option<&'a str>,
    actor: ActorJson<'a>,
    #[schema(schema_with = schemas::audit_action)]
    action: &'static str,
    /// What it was done to.
    #[schema(required)]
    target: Option<&'a str>,
    #[schema(value_type = Object)]
    details: &'a Value,
    /// From where.
    #[schema(required)]
    address: Option<&'a str>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Actor)]
struct ActorJson<'a> {
    /// The key's.
    name: &'a str,
    #[schema(schema_with = schemas::audit_via)]
    via: &'static str,
}

impl<'a> AuditJson<'a> {
    /// Of the domain's entry.
    pub fn new(entry: &'a AuditEntry) -> Self {
        let deed = &entry.deed;
        Self {
            id: &entry.id,
            at: entry.at,
            app: deed.app.as_ref().map(|app| app.as_str()),
            actor: ActorJson { name: &deed.actor.name, via: deed.actor.via.name() },
            action: deed.action.name(),
            target: deed.target.as_deref(),
            details: &deed.details,
            address: entry.address.as_deref(),
        }
    }
}

/// One thing that befell a notification.
#[derive(Serialize, ToSchema)]
#[schema(as = TimelineRow)]
pub struct TimelineJson<'a> {
    #[serde(serialize_with = "time")]
    #[schema(value_type = Time)]
    at: Timestamp,
    #[schema(schema_with = schemas::timeline_event)]
    event: &'static str,
    /// The key of whoever did it.
    #[schema(required)]
    by: Option<&'a str>,
    #[schema(value_type = Object)]
    details: &'a Value,
}

impl<'a> TimelineJson<'a> {
    /// Of what the service found.
    pub fn new(row: &'a TimelineRow) -> Self {
        let (by, details) = (row.by.as_deref(), &row.details);
        Self { at: row.at, event: row.event.name(), by, details }
    }
}
