//! `/audit`

use serde_json::json;

use super::stretch;
use crate::api::{
    describe::{Operation, get, integer, text},
    native::wire::audit::AuditJson,
};

pub const ABOUT: &str = "Who did what: of the caller's app, or for an operator of all of them.";

pub fn operations() -> Vec<Operation> {
    let example = json!({
        "id": "019c2f6e0000-000001-1a2b3c4d", "at": "2026-03-01T09:31:00Z", "app": "shop",
        "actor": {"name": "marketing", "via": "session"}, "action": "notification.launched",
        "target": super::notifications::UUID, "details": {"status": "LAUNCHED"}, "address": "192.0.2.7",
    });
    let actions = "notification.launched,limits.changed";
    let list = get("/audit", "list_audit", "The audit log, the newest first");
    vec![
        list.scope("admin")
            .query("action", "Only these, a list with commas.", text(None), actions)
            .query("target", "Only what was done to this.", text(None), super::notifications::UUID)
            .query(
                "actor",
                "Only what was done by this one: the key's name, exactly.",
                text(None),
                "marketing",
            )
            .query("start", "How many to pass over.", integer(None), 0)
            .query("size", "How many to answer: 1 to 1,000, 10 by default.", integer(None), 10)
            .answers("A stretch of it.", stretch::<AuditJson<'_>>(example)),
    ]
}
