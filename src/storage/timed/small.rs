//! The tables of the smaller roles.

use std::collections::BTreeMap;

use super::timed;
use crate::{
    domain::{
        Result,
        audience::Key,
        audit::AuditEntry,
        device::DevicePlatform,
        ids::AppName,
        labels::{LabelEdit, LabelUsage, Quotas, Refusal},
        rate::{Rate, RateChange},
        timestamp::Timestamp,
    },
    storage::{
        AuditQuery, AuditStore, Document, DocumentStore, Drawer, Found, KnownKey, KnownValue,
        LabelStore, NewDocument, RateStore, SuggestionStore,
    },
};

timed! { RateStore, RateTimes:
    rates() -> BTreeMap<Rate, u32>;
    change_rates(changes: Vec<RateChange>) -> ();
}

timed! { DocumentStore, DocumentTimes:
    get(drawer: &Drawer, key: &str, now: Timestamp) -> Option<Document>;
    list(drawer: &Drawer, after: Option<&str>, limit: usize, now: Timestamp) -> Vec<Document>;
    insert(drawer: &Drawer, new: NewDocument, now: Timestamp) -> bool;
    replace(drawer: &Drawer, version: u64, new: NewDocument) -> bool;
    delete(drawer: &Drawer, key: &str) -> bool;
}

timed! { AuditStore, AuditTimes:
    keep(entry: AuditEntry, expires_at: Option<Timestamp>) -> ();
    list(query: &AuditQuery, now: Timestamp) -> Found<AuditEntry>;
}

timed! { SuggestionStore, SuggestionTimes:
    keys(app: &AppName, prefix: &str, limit: usize) -> Vec<KnownKey>;
    values(app: &AppName, key: &Key, prefix: &str, limit: usize) -> Vec<KnownValue>;
}

timed! { LabelStore, LabelTimes:
    change(app: &AppName, edits: Vec<LabelEdit>, quotas: Quotas) -> Result<(), Refusal>;
    tags(app: &AppName) -> Vec<String>;
    counts(app: &AppName, tags: &[String], platforms: &[DevicePlatform]) -> Vec<u64>;
    usage(app: &AppName) -> LabelUsage;
    drop_tag(app: &AppName, tag: &str, platforms: &[DevicePlatform]) -> ();
    drop_alias(app: &AppName, alias: &str, platforms: &[DevicePlatform]) -> ();
}
