//! The audit log.

use fanfare::{
    domain::{
        app::Via,
        audit::{Action, Actor, AuditEntry, Deed},
        ids::AppName,
        timestamp::Timestamp,
    },
    storage::{AuditQuery, Stores},
};
use serde_json::json;

use crate::support::stores::{Backend, app};

fn entry(id: &str, app: Option<AppName>, action: Action, target: &str) -> AuditEntry {
    AuditEntry {
        id: id.to_owned(),
        at: Timestamp::now(),
        deed: Deed {
            app,
            actor: Actor { name: "ann".to_owned(), via: Via::Session },
            action,
            target: Some(target.to_owned()),
            details: json!({ "$n.": id }),
        },
        address: Some("10.0.0.1".to_owned()),
    }
}

async fn ids(stores: &Stores, query: AuditQuery) -> (u64, Vec<String>) {
    let found = stores.audit.list(&query, Timestamp::now()).await.expect("listed");
    (found.total, found.items.into_iter().map(|entry| entry.id).collect())
}

pub async fn entries_are_listed_newest_first_and_filtered(backend: &impl Backend) {
    let stores = backend.open().await;
    let other = AppName::new("other");
    let entries = [
        entry("1", Some(app()), Action::NotificationLaunched, "a"),
        entry("2", Some(app()), Action::NotificationPaused, "a"),
        entry("3", Some(other.clone()), Action::NotificationLaunched, "a"),
        entry("4", None, Action::LimitsChanged, "$b.c"),
    ];
    for entry in [2, 0, 3, 1].map(|index: usize| entries[index].clone()) {
        stores.audit.keep(entry, None).await.expect("kept");
    }
    stores.audit.keep(entries[0].clone(), None).await.expect("kept again, once");
    let all = || AuditQuery { size: 10, ..AuditQuery::default() };
    let of = |total: u64, ids: &[&str]| (total, ids.iter().map(ToString::to_string).collect());
    assert_eq!(ids(&stores, all()).await, of(4, &["4", "3", "2", "1"]));
    let query = AuditQuery { start: 1, size: 2, ..all() };
    assert_eq!(ids(&stores, query).await, of(4, &["3", "2"]));
    assert_eq!(ids(&stores, AuditQuery { size: 0, ..all() }).await, of(4, &[]));
    let own = || AuditQuery { app: Some(app()), ..all() };
    assert_eq!(ids(&stores, own()).await, of(2, &["2", "1"]));
    let actions = vec![Action::NotificationLaunched, Action::LimitsChanged];
    let query = AuditQuery { actions: actions.clone(), ..all() };
    assert_eq!(ids(&stores, query).await, of(3, &["4", "3", "1"]));
    let query = AuditQuery { actions, target: Some("a".to_owned()), ..own() };
    assert_eq!(ids(&stores, query).await, of(1, &["1"]));
    let by = |name: &str| AuditQuery { actor: Some(name.to_owned()), ..all() };
    assert_eq!(ids(&stores, by("ann")).await, of(4, &["4", "3", "2", "1"]));
    let mut bo = entry("5", Some(other), Action::KeyCreated, "a");
    bo.deed.actor.name = "$bo \"b\"".to_owned();
    stores.audit.keep(bo, None).await.expect("kept");
    assert_eq!(ids(&stores, by("$bo \"b\"")).await, of(1, &["5"]));
    let query = AuditQuery { app: Some(app()), ..by("$bo \"b\"") };
    assert_eq!(ids(&stores, query).await, of(0, &[]));
    assert_eq!(ids(&stores, by("$bo")).await, of(0, &[]), "a name is meant as a whole");
    let query = AuditQuery { target: Some("$b.c".to_owned()), ..all() };
    let found = stores.audit.list(&query, Timestamp::now()).await.expect("listed");
    assert_eq!(found.items, [entries[3].clone()], "everything of it comes back");
}

pub async fn entries_are_kept_for_as_long_as_was_said(backend: &impl Backend) {
    let stores = backend.open().await;
    let now = Timestamp::now();
    let at = |ms: i64| Timestamp(now.0 + ms);
    for (id, end) in [("1", Some(at(60_000))), ("2", None)] {
        let kept = entry(id, Some(app()), Action::KeyCreated, "k");
        stores.audit.keep(kept, end).await.expect("kept");
    }
    let listed = async |when| {
        let query = AuditQuery { size: 10, ..AuditQuery::default() };
        stores.audit.list(&query, when).await.expect("listed").total
    };
    assert_eq!((listed(at(59_999)).await, listed(at(60_000)).await), (2, 1));
    // What is over is removed by what comes after.
    let later = AuditEntry { at: at(60_000), ..entry("3", Some(app()), Action::KeyDeleted, "k") };
    stores.audit.keep(later, None).await.expect("kept");
    assert_eq!(listed(at(60_000)).await, 2);
}
