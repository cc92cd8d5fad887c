//! The tables of the smaller roles: [`RateStore`], [`DocumentStore`], [`LabelStore`].

use std::collections::BTreeMap;

use super::timed;
use crate::{
    domain::{
        Result,
        device::DevicePlatform,
        ids::AppName,
        labels::{LabelEdit, LabelUsage, Quotas, Refusal},
        rate::{Rate, RateChange},
        timestamp::Timestamp,
    },
    storage::{Document, DocumentStore, Drawer, LabelStore, NewDocument, RateStore},
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

timed! { LabelStore, LabelTimes:
    change(app: &AppName, edits: Vec<LabelEdit>, quotas: Quotas) -> Result<(), Refusal>;
    tags(app: &AppName) -> Vec<String>;
    counts(app: &AppName, tags: &[String], platforms: &[DevicePlatform]) -> Vec<u64>;
    usage(app: &AppName) -> LabelUsage;
    drop_tag(app: &AppName, tag: &str, platforms: &[DevicePlatform]) -> ();
    drop_alias(app: &AppName, alias: &str, platforms: &[DevicePlatform]) -> ();
}
