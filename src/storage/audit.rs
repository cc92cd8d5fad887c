//! The role of the audit log.

use async_trait::async_trait;

use super::Found;
use crate::domain::{
    Result,
    audit::{Action, AuditEntry},
    ids::AppName,
    timestamp::Timestamp,
};

/// Which entries to list. Its parts must all hold.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Of this app; none is all, and those of the installation.
    pub app: Option<AppName>,
    /// These actions; empty means any.
    pub actions: Vec<Action>,
    /// Done to this.
    pub target: Option<String>,
    /// Done by whoever has exactly this name.
    pub actor: Option<String>,
    /// How many to skip.
    pub start: u64,
    /// How many at most.
    pub size: usize,
}

/// Who did what.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Keeps an entry until then; none is for ever. One of a name that is kept changes nothing, so that
    /// it can be kept again by whoever does not know whether it was. Durable when this returns.
    async fn keep(&self, entry: AuditEntry, expires_at: Option<Timestamp>) -> Result<()>;

    /// Entries, newest first, those alone that have not expired.
    async fn list(&self, query: &AuditQuery, now: Timestamp) -> Result<Found<AuditEntry>>;
}
