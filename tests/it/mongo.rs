//! What is MongoDB's alone: which indexes its queries use, and what is left when its primary dies.

use std::{sync::Arc, time::Duration};

use fanfare::{
    domain::{
        app::Via,
        audience::{ClauseSpec, Field, Key},
        audit::{Action, Actor, AuditEntry, Deed},
        campaign::{RoundPlan, Span},
        device::{DeviceEdit, DevicePlatform},
        ids::DeviceId,
        labels::{LabelEdit, Quotas},
    },
    storage::{
        AuditQuery, DeviceQuery, PruneOrder, Stores,
        mongo::{Mongo, MongoOptions},
    },
};
use futures_util::TryStreamExt;
use mongodb::bson::{Document, doc};

use crate::support::{
    mongod::Mongod,
    stores::{
        Backend, MongoBackend, NOW, app, int, ios, leaf, notification, with_property, with_tags,
    },
};

/// Everything that the API and the engine ask of devices.
async fn ask_everything(stores: &Stores) {
    let devices = &stores.devices;
    let everyone = DeviceQuery { size: 10, now: NOW, ..DeviceQuery::default() };
    let rare = leaf("rare", "int_eq", 1);
    let common = leaf("common", "int_eq", 1);
    let range = leaf("common", "int_gte", 1);
    let tagged = leaf("@tag", "str_eq", "vip");
    let clauses = [rare, common, range, tagged, leaf("rare", "exists", ())];
    for clause in clauses {
        let query = DeviceQuery { clause: Some(clause.clone()), ..everyone.clone() };
        devices.search(&app(), &query).await.expect("found");
        devices.count(&app(), Some(&clause), &[], NOW).await.expect("counted");
    }
    devices.search(&app(), &everyone).await.expect("found");
    let after = DeviceQuery { after: Some(DeviceId(5)), ..everyone.clone() };
    devices.search(&app(), &after).await.expect("found");
    let named = DeviceQuery { external_ids: Some(vec!["d1".into()]), ..everyone };
    devices.search(&app(), &named).await.expect("found");
    devices.count(&app(), None, &[], NOW).await.expect("counted");
    devices.get(&app(), "d1").await.expect("answered");
    devices.get_many(None, &[DeviceId(1)]).await.expect("answered");
    devices.edit(&app(), "d1", DeviceEdit::default(), NOW).await.expect("edited");
    let order = PruneOrder {
        device: DeviceId(2),
        token: "token-d1".into(),
        reason: fanfare::domain::outcome::Reason::new("Unregistered"),
    };
    devices.prune(&app(), vec![order], NOW).await.expect("pruned");
    devices.restore(&app(), "d1").await.expect("answered");
    ask_labels(stores).await;
    ask_suggestions(stores).await;
    for key in ["rare", "common"] {
        send(stores, key).await;
    }
}

/// What callers under quotas ask.
async fn ask_labels(stores: &Stores) {
    let (labels, tags) = (&stores.labels, ["vip".to_owned(), "none".to_owned()]);
    let counts = labels.counts(&app(), &tags, &DevicePlatform::ALL).await.expect("counted");
    assert_eq!(counts, [40, 0]);
    labels.counts(&app(), &tags, &[DevicePlatform::Ios]).await.expect("counted");
    assert_eq!(labels.tags(&app()).await.expect("listed"), ["vip"]);
    labels.usage(&app()).await.expect("counted");
    let edit = LabelEdit {
        external_id: "d1".to_owned(),
        add: ["vip".to_owned(), "new".to_owned()].into(),
        alias: Some(Some("q".to_owned())),
        ..LabelEdit::default()
    };
    let done = labels.change(&app(), vec![edit], Quotas::default()).await.expect("answered");
    assert_eq!(done, Ok(()));
    labels.drop_tag(&app(), "new", &DevicePlatform::ALL).await.expect("dropped");
    labels.drop_alias(&app(), "q", &DevicePlatform::ALL).await.expect("dropped");
    stores.devices.holders(&app(), &["token-d1".to_owned()]).await.expect("read");
}

/// What a person who types is offered.
async fn ask_suggestions(stores: &Stores) {
    let store = &stores.suggestions;
    let keys = store.keys(&app(), "", 20).await.expect("listed");
    assert_eq!(keys.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["common", "rare"]);
    let values = [("common", "", 2), ("common", "1", 1), ("common", "x", 0), ("none", "", 0)];
    for (key, prefix, many) in values {
        let key = Key::Property(key.to_owned());
        let found = store.values(&app(), &key, prefix, 20).await.expect("listed");
        assert_eq!(found.len(), many, "{prefix}");
    }
    let tags = store.values(&app(), &Key::Field(Field::Tag), "v", 20).await.expect("listed");
    assert_eq!(tags.len(), 1);
}

async fn send(stores: &Stores, key: &str) {
    let conditions = ClauseSpec::leaf(key, "int_eq", 1);
    let sent = stores.notifications.create(notification(&app(), Some(conditions)), None).await;
    let plan = RoundPlan {
        notification: sent.expect("created").uuid,
        app: app(),
        round: 0,
        shards: 4,
        failures: None,
    };
    for shard in stores.ledger.plan(&plan, None, NOW).await.expect("planned") {
        let mut span = shard.span;
        while !span.is_empty() {
            let page = stores.ledger.read_page(shard.key, span, 50).await.expect("read");
            span = Span { after: page.upto, ..span };
        }
    }
    let device = DeviceId(3);
    let query = fanfare::storage::EventQuery { size: 9, ..Default::default() };
    stores.ledger.history(&app(), device, &query).await.expect("history");
}

/// The server's own record of what it ran: every operation with its plan.
#[tokio::test]
async fn no_query_of_devices_reads_what_it_need_not() {
    let backend = MongoBackend::fresh().await;
    let stores = backend.open().await;
    let all = (0..2000).map(|number| {
        let device = with_property(ios(&format!("d{number}")), "common", int(number % 2));
        let device = if number % 100 == 0 { with_property(device, "rare", int(1)) } else { device };
        if number % 50 == 0 { with_tags(device, &["vip"]) } else { device }
    });
    stores.devices.register(&app(), all.collect(), NOW).await.expect("registered");
    let database = backend.database().await;
    database.run_command(doc! { "profile": 2 }).await.expect("profiling");
    ask_everything(&stores).await;
    database.run_command(doc! { "profile": 0 }).await.expect("profiling");
    let devices = format!("{}.devices", database.name());
    let profile = database.collection::<Document>("system.profile");
    let ran = profile.find(doc! { "ns": devices });
    let ran: Vec<Document> = ran.await.expect("a profile").try_collect().await.expect("a profile");
    assert!(ran.len() > 30, "{} operations", ran.len());
    let mut indexes = std::collections::BTreeSet::new();
    for operation in &ran {
        let plan = operation.get_str("planSummary").unwrap_or_default();
        assert!(!plan.contains("COLLSCAN"), "{operation}");
        indexes
            .extend(plan.split(", ").map(|part| part.split(" {").next().unwrap_or("").to_owned()));
        // A range of the clustered collection is read where that was chosen, and only within the app.
        if plan.contains("CLUSTERED") {
            let asked = operation.to_string();
            assert!(asked.contains("_id"), "{operation}");
        }
    }
    assert!(indexes.contains("IXSCAN") && indexes.contains("CLUSTERED_IXSCAN"), "{indexes:?}");
    // Tags are counted by their index, without a look at the devices.
    let counted = ran.iter().filter(|operation| {
        let text = operation.to_string();
        text.contains("\"by_tag\"") && text.contains("\"aggregate\"")
    });
    let counted: Vec<_> = counted.collect();
    assert!(counted.len() >= 4, "{} counts of tags", counted.len());
    for operation in counted {
        assert_eq!(operation.get_i32("docsExamined").ok(), Some(0), "{operation}");
    }
    // Keys and values are found one device at a time, however many have them.
    let offered: Vec<_> =
        ran.iter().filter(|one| one.to_string().contains("look for keys and values")).collect();
    assert!(offered.len() >= 15, "{} looks for keys and values", offered.len());
    for operation in offered {
        let numbers = [operation.get_i32("docsExamined"), operation.get_i32("keysExamined")];
        assert!(numbers.into_iter().all(|number| number.unwrap_or(99) <= 64), "{operation}");
        let plan = operation.get_str("planSummary").unwrap_or_default();
        assert!(plan.starts_with("IXSCAN"), "{operation}");
    }
    // Few match: the campaign's pages came by the index, having looked at no more than they gave.
    let rare = ran.iter().filter(|operation| {
        let text = operation.to_string();
        text.contains("\"find\"") && text.contains("rare") && text.contains("batchSize")
    });
    for operation in rare {
        let examined = operation.get_i32("docsExamined").unwrap_or(0);
        assert!(examined <= 40, "{operation}");
    }
}

/// Entries of a program that did not keep who did something by itself are found by that too.
#[tokio::test]
async fn entries_of_an_older_log_know_who_did_it() {
    let backend = MongoBackend::fresh().await;
    let stores = backend.open().await;
    let deed = Deed {
        app: Some(app()),
        actor: Actor { name: "ann \"a\"".to_owned(), via: Via::Key },
        action: Action::KeyCreated,
        target: None,
        details: serde_json::json!({}),
    };
    for id in ["1", "2"] {
        let entry = AuditEntry { id: id.to_owned(), at: NOW, deed: deed.clone(), address: None };
        stores.audit.keep(entry, None).await.expect("kept");
    }
    let rows = backend.database().await.collection::<Document>("audit");
    rows.update_one(doc! { "_id": "1" }, doc! { "$unset": { "w": "" } }).await.expect("unset");
    let query = AuditQuery { actor: Some(deed.actor.name), size: 10, ..AuditQuery::default() };
    assert_eq!(stores.audit.list(&query, NOW).await.expect("listed").total, 1);
    drop(stores);
    let stores = backend.open().await;
    assert_eq!(stores.audit.list(&query, NOW).await.expect("listed").total, 2);
}

/// A standalone server has no transactions: there callers wait for each other by name.
#[tokio::test]
async fn quotas_hold_on_a_standalone_server_too() {
    const CALLERS: usize = 12;
    let mongod = Mongod::standalone().await;
    let open = async || {
        let store = Mongo::connect(&mongod.uri("alone"), MongoOptions::default()).await;
        store.expect("opened").stores()
    };
    let nodes = [open().await, open().await];
    let devices = (0..CALLERS).map(|number| ios(&format!("d{number}"))).collect();
    nodes[0].devices.register(&app(), devices, NOW).await.expect("registered");
    let quotas = Quotas { devices_per_tag: 5, ..Quotas::default() };
    let calls = (0..CALLERS).map(|caller| {
        let labels = Arc::clone(&nodes[caller % 2].labels);
        let edit = LabelEdit {
            external_id: format!("d{caller}"),
            add: ["one".to_owned()].into(),
            ..LabelEdit::default()
        };
        tokio::spawn(async move { labels.change(&app(), vec![edit], quotas).await })
    });
    let calls: Vec<_> = calls.collect();
    let mut done = 0;
    for call in calls {
        done += usize::from(call.await.expect("no panic").expect("it answers").is_ok());
    }
    assert_eq!(done, 5);
}

/// The primary is killed while devices are registered: what was acknowledged is there, and callers wait
/// instead of failing.
#[tokio::test]
async fn nothing_acknowledged_is_lost_with_a_primary() {
    let mut mongod = Mongod::start(3).await;
    let uri = mongod.uri("failover");
    let store = Mongo::connect(&uri, MongoOptions::default()).await.expect("opened");
    let devices = store.stores().devices;
    let acknowledged = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let callers: Vec<_> = (0..8)
        .map(|caller| {
            let (devices, acknowledged) = (Arc::clone(&devices), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                for number in 0..150 {
                    let one = vec![ios(&format!("d{caller}-{number}"))];
                    let answer = devices.register(&app(), one, NOW).await.expect("registered");
                    assert!(answer[0].is_ok());
                    acknowledged.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
        })
        .collect();
    while acknowledged.load(std::sync::atomic::Ordering::SeqCst) < 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    mongod.kill_primary().await;
    for caller in callers {
        caller.await.expect("no caller failed");
    }
    let query = DeviceQuery { size: 2, now: NOW, ..DeviceQuery::default() };
    let found = devices.search(&app(), &query).await.expect("found");
    assert_eq!(found.total, 8 * 150);
}
