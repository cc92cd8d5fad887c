//! Removing stored apps: a removal that was cut short is finished, on both stores; what an app has left
//! keeps its name from others.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use fanfare::{
    domain::{
        app::Via,
        audit::{Action, Actor, AuditEntry, Deed},
        ids::{AppName, NotificationId},
        notification::Status,
        timestamp::Timestamp,
    },
    storage::{
        AuditQuery, DeviceQuery, Drawer, NewDocument, Stores,
        embedded::{Embedded, EmbeddedOptions},
        mongo::{Mongo, MongoOptions},
    },
};
use serde_json::{Value, json};

use crate::support::{
    caller::{Caller, OPERATOR},
    house::House,
    mongod::Mongod,
    nodes::Nodes,
    server::{Server, fanfare},
};

const SETTINGS: &str = "[internal]\nkeys = [\"a-test-looks-at-its-nodes\"]\n";
const APPS: Drawer = Drawer { kind: "app", app: None };
const KEYS: Drawer = Drawer { kind: "key", app: None };

/// Makes an app with a key, devices and a campaign that waits; the campaign.
fn make(operator: &Caller, name: &str) -> NotificationId {
    let new = operator.done("POST", "/apps", &json!({ "name": name }));
    let caller = Caller::with_key(&operator.base, new["secret"].as_str().expect("a secret"));
    for device in ["a", "b", "c"] {
        caller.done("PUT", "/devices", &json!({ "external_id": device, "push_token": device }));
    }
    let later = json!({ "title": "t", "body": "b", "scheduled_at": "2999-01-01T00:00:00Z" });
    let made = caller.done("POST", "/notifications", &later);
    let uuid = made["uuid"].as_str().expect("a uuid");
    caller.done("POST", &format!("/notifications/{uuid}/:launch"), &json!({}));
    NotificationId(uuid.parse().expect("a uuid"))
}

/// What the audit log is to say of a removal by somebody else than the tests' operator.
fn removal(name: &str) -> AuditEntry {
    let actor = Actor { name: "somebody".into(), via: Via::Internal };
    let (app, target) = (Some(AppName::new(name)), Some(name.to_owned()));
    let deed = Deed { app, actor, action: Action::AppDeleted, target, details: json!({}) };
    let id = format!("{:012x}-{name}", Timestamp::now().0);
    AuditEntry { id, at: Timestamp::now(), deed, address: Some("192.0.2.1".into()) }
}

/// Leaves an app as a removal leaves it that ends after its first step.
async fn cut_short(stores: &Stores, name: &str) {
    let mut found = record(stores, name).await;
    found.body["removed_at"] = json!(Timestamp::now().0);
    found.body["removal"] = serde_json::to_value(removal(name)).expect("written");
    let new = NewDocument { key: name.to_owned(), body: found.body, expires_at: None };
    assert!(stores.documents.replace(&APPS, found.version, new).await.expect("answered"));
}

async fn record(stores: &Stores, name: &str) -> fanfare::storage::Document {
    let found = stores.documents.get(&APPS, name, Timestamp::now()).await.expect("answered");
    found.expect("the app's record")
}

async fn is_cleared(stores: &Stores, name: &str) -> bool {
    record(stores, name).await.body["cleared_at"].is_i64()
}

async fn until_cleared(stores: &Stores, name: &str) {
    let deadline = Instant::now() + Duration::from_secs(45);
    while !is_cleared(stores, name).await {
        assert!(Instant::now() < deadline, "waited too long for {name}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn assert_nothing_is_left(stores: &Stores, name: &str, campaign: NotificationId) {
    assert!(is_cleared(stores, name).await);
    let app = AppName::new(name);
    let keys = stores.documents.list(&KEYS, None, 1000, Timestamp::now()).await.expect("answered");
    let own = keys.iter().filter(|key| key.key.starts_with(&format!("{name}/")));
    assert_eq!(own.count(), 0, "keys");
    let all = DeviceQuery { size: 10, ..DeviceQuery::default() };
    assert_eq!(stores.devices.search(&app, &all).await.expect("answered").total, 0, "devices");
    let stored = stores.notifications.get(Some(&app), campaign).await.expect("answered");
    assert_eq!(stored.expect("it is kept").status, Status::Deleted);
}

/// The audit log says once that the app was removed and once that its campaign was withdrawn, by whom.
async fn assert_recorded(stores: &Stores, name: &str, campaign: NotificationId, by: &str) {
    let actions = vec![Action::AppDeleted, Action::NotificationDeleted];
    let query =
        AuditQuery { app: Some(AppName::new(name)), actions, size: 10, ..AuditQuery::default() };
    let found = stores.audit.list(&query, Timestamp::now()).await.expect("answered").items;
    let told = |entry: &AuditEntry| {
        let deed = &entry.deed;
        assert!(entry.address.is_some(), "{entry:?}");
        (deed.action, deed.target.clone().unwrap_or_default(), deed.actor.name.clone())
    };
    let told: Vec<_> = found.iter().rev().map(told).collect();
    let entry = |action, target: String| (action, target, by.to_owned());
    let expected = [
        entry(Action::AppDeleted, name.to_owned()),
        entry(Action::NotificationDeleted, campaign.to_string()),
    ];
    assert_eq!(told, expected, "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_was_cut_short_is_finished_at_the_next_start() {
    let mut house = House::start(&[], SETTINGS);
    let operator = Caller::operator(house.server.as_ref().expect("running").base());
    let campaign = make(&operator, "half");
    house.kill_server();
    let data = house.directory.path().join("data");
    let open = async || {
        let store = Embedded::open(&data, EmbeddedOptions::default()).await;
        store.expect("the store opens").stores()
    };
    cut_short(&open().await, "half").await;
    house.start_server();
    let told = "what a removed app had left is cleared";
    house.wait("the end of the removal", || house.log().contains(told).then_some(()));
    let operator = Caller::operator(house.server.as_ref().expect("running").base());
    assert_eq!(operator.status("DELETE", "/apps/half"), 404, "nothing is left to remove");
    let whole = make(&operator, "whole");
    assert_eq!(operator.status("DELETE", "/apps/whole"), 200);
    house.kill_server();
    let stores = open().await;
    assert_nothing_is_left(&stores, "half", campaign).await;
    assert_recorded(&stores, "half", campaign, "somebody").await;
    assert_recorded(&stores, "whole", whole, "internal.keys[0]").await;
    drop(stores);

    // Its name is nobody else's, in the configuration neither.
    let output = fanfare()
        .arg("serve")
        .env("FANFARE__STORAGE__PATH", &data)
        .env("FANFARE__SERVER__BIND", "127.0.0.1:0")
        .env("FANFARE__APPS__0__NAME", "half")
        .env("FANFARE__APPS__0__SECRET", "0123456789abcdef")
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{told}");
    let names_it =
        told.contains("apps[0].name: `half` is the name of a stored app that was removed");
    assert!(names_it, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_was_cut_short_is_finished_by_another_node_or_the_same_call() {
    let mongod = Mongod::shared().await;
    let uri = mongod.uri(&format!("removal_{}", uuid::Uuid::new_v4().simple()));
    let mut nodes = Nodes::start(&uri, 1, SETTINGS);
    let operator = Caller::operator(nodes.nodes[0].as_ref().expect("running").base());
    let stores = Mongo::connect(&uri, MongoOptions::default()).await.expect("a store").stores();

    let campaign = make(&operator, "again");
    cut_short(&stores, "again").await;
    assert_eq!(operator.status("DELETE", "/apps/again"), 200, "goes on");
    until_cleared(&stores, "again").await;
    assert_nothing_is_left(&stores, "again", campaign).await;
    assert_recorded(&stores, "again", campaign, "somebody").await;
    assert_eq!(operator.status("DELETE", "/apps/again"), 404);

    let campaign = make(&operator, "half");
    cut_short(&stores, "half").await;
    nodes.add();
    // Sooner than the first node, which leaves it to others for a minute.
    until_cleared(&stores, "half").await;
    assert_nothing_is_left(&stores, "half", campaign).await;
    assert_recorded(&stores, "half", campaign, "somebody").await;
}

#[test]
fn what_a_configured_app_has_left_keeps_its_name() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data").to_str().expect("a plain path").to_owned();
    let start = |apps: &[&str]| {
        let mut settings: BTreeMap<_, _> = [
            ("STORAGE__PATH".to_owned(), data.clone()),
            ("INTERNAL__KEYS".to_owned(), OPERATOR.to_owned()),
        ]
        .into();
        for (index, app) in apps.iter().enumerate() {
            settings.insert(format!("APPS__{index}__NAME"), (*app).to_owned());
            let secret = format!("the-secret-of-{app}");
            settings.insert(format!("APPS__{index}__SECRET"), secret);
        }
        Server::start(&settings)
    };
    let of = |app: &str| -> BTreeMap<String, String> {
        [("X-Server-Key".into(), OPERATOR.into()), ("X-Fanfare-App".into(), app.into())].into()
    };
    let send = |server: &Server, method: &str, path: &str, app: &str, body: Value| {
        let answer = server.send(method, path, &of(app), Some(body.to_string().into_bytes()));
        (answer.status, answer.body["reason"].as_str().unwrap_or_default().to_owned())
    };
    let server = start(&["keyed", "populated", "campaigned", "blank"]);
    let key = json!({ "name": "k", "scopes": ["read"] });
    let device = json!({ "external_id": "d", "push_token": "t" });
    let draft = json!({ "title": "t", "body": "b" });
    for (method, path, app, body) in [
        ("POST", "/apps/keyed/keys", "keyed", key),
        ("PUT", "/devices", "populated", device),
        ("POST", "/notifications", "campaigned", draft),
    ] {
        assert_eq!(send(&server, method, path, app, body).0, 200, "{app}");
    }
    assert!(server.terminate().success());

    let server = start(&["other"]);
    for app in ["keyed", "populated", "campaigned"] {
        let (status, reason) = send(&server, "POST", "/apps", "other", json!({ "name": app }));
        assert_eq!(status, 409, "{app}");
        assert!(reason.contains("has left keys, devices or notifications"), "{app}: {reason}");
    }
    let (status, reason) = send(&server, "POST", "/apps", "other", json!({ "name": "blank" }));
    assert_eq!(status, 200, "{reason}");
}
