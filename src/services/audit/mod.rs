//! The audit log: who did what, from where. Whoever carries something out records it after it is done.
//! `timeline` tells what befell one notification.

mod timeline;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

pub use timeline::{TimelineEvent, TimelineRow};

use crate::{
    domain::{
        Result,
        app::{Identity, Principal},
        audit::{Actor, AuditEntry, Deed},
        timestamp::Timestamp,
    },
    settings::Settings,
    storage::{AuditQuery, Found, Stores},
};

/// How long whoever did something waits for its entry; it is written all the same.
const PATIENCE: Duration = Duration::from_secs(2);

/// The use cases of the audit log.
#[derive(Clone)]
pub struct Audit {
    stores: Stores,
    /// How long entries are kept.
    kept_for: Duration,
}

impl Audit {
    /// Over these stores, with the retention of the settings.
    pub fn new(stores: Stores, settings: &Settings) -> Self {
        let days = u64::from(settings.storage.retention_days);
        Self { stores, kept_for: Duration::from_secs(days * 86_400) }
    }

    /// An entry of now, for whoever keeps it later or more than once.
    pub fn entry(&self, deed: Deed, address: Option<String>) -> AuditEntry {
        let at = Timestamp::now();
        AuditEntry { id: name(at), at, deed, address }
    }

    /// Keeps an entry; one that was kept before changes nothing.
    pub async fn keep(&self, entry: AuditEntry) -> Result<()> {
        let expires_at = entry.at.plus(self.kept_for);
        self.stores.audit.keep(entry, Some(expires_at)).await
    }

    /// Records what was done, and from which address. It is done, so this cannot fail; what could not be
    /// recorded is logged.
    pub async fn record(&self, deed: Deed, address: Option<String>) {
        let (audit, entry) = (self.clone(), self.entry(deed, address));
        // On a task of its own: a store's call must not be dropped half-way.
        let kept = tokio::spawn(async move {
            let (action, target) = (entry.deed.action.name(), entry.deed.target.clone());
            if let Err(error) = audit.keep(entry).await {
                tracing::error!(action, target, %error, "failed to keep an entry of the audit log");
            }
        });
        let _ = tokio::time::timeout(PATIENCE, kept).await;
    }

    /// Entries, newest first.
    pub async fn list(&self, query: &AuditQuery, now: Timestamp) -> Result<Found<AuditEntry>> {
        self.stores.audit.list(query, now).await
    }
}

impl From<&Principal> for Actor {
    fn from(caller: &Principal) -> Self {
        Self { name: caller.key_name.clone(), via: caller.via }
    }
}

impl From<&Identity> for Actor {
    fn from(caller: &Identity) -> Self {
        Self { name: caller.key_name.clone(), via: caller.via }
    }
}

/// A name that comes after all that this node has given before, unless its clock was set back.
fn name(at: Timestamp) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed) & 0xff_ffff;
    format!("{:012x}-{count:06x}-{:08x}", at.0.max(0), rand::random::<u32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_the_order_of_time() {
        let names = [name(Timestamp(5)), name(Timestamp(5)), name(Timestamp(1_700_000_000_000))];
        assert!(names.is_sorted(), "{names:?}");
    }
}
