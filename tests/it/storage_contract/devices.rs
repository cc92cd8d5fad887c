//! Devices: registering, editing, finding, counting, pruning.

use std::{collections::BTreeMap, time::Duration};

use fanfare::{
    domain::{
        ErrorKind,
        audience::Clause,
        device::{
            Device, DeviceEdit, DevicePlatform, MAX_PROPERTIES, PropertyValue, Registration,
            Scalar, SendPlatform, Unreachable,
        },
        ids::{AppName, DeviceId},
        outcome::Reason,
        tally::PlatformCounts,
    },
    storage::{DeviceQuery, DeviceStore, PruneOrder, Restored},
};

use crate::support::stores::{
    Backend, NOW, android, app, int, ios, leaf, text, with_property, with_tags,
};

async fn put(store: &dyn DeviceStore, registration: Registration) -> Device {
    let mut answers = store.register(&app(), vec![registration], NOW).await.expect("registered");
    answers.remove(0).expect("not refused")
}

fn everyone(size: usize) -> DeviceQuery {
    DeviceQuery { size, now: NOW, ..DeviceQuery::default() }
}

async fn numbers(store: &dyn DeviceStore, query: &DeviceQuery) -> (u64, Vec<u64>) {
    let found = store.search(&app(), query).await.expect("found");
    (found.total, found.items.iter().map(|device| device.id.0).collect())
}

pub async fn a_device_is_made_once_and_updated_after(backend: &impl Backend) {
    let store = backend.open().await.devices;
    let first = put(&*store, with_property(ios("a"), "age", int(30))).await;
    assert!((1..=10_000).contains(&first.random_bucket));
    assert_eq!((first.created_at, first.last_seen, first.registered_at), (NOW, NOW, NOW));
    let later = NOW.plus(Duration::from_secs(60));
    let again = Registration {
        external_id: "a".into(),
        push_token: "other".into(),
        ..Registration::default()
    };
    let again = with_tags(with_property(again, "city", text("Seoul")), &["vip"]);
    let answers = store.register(&app(), vec![again], later).await.expect("registered");
    let second = answers.into_iter().next().expect("one answer").expect("not refused");
    assert_eq!((second.id, second.object_id), (first.id, first.object_id));
    assert_eq!((second.random_bucket, second.created_at), (first.random_bucket, NOW));
    assert_eq!((second.last_seen, second.registered_at), (later, later));
    assert_eq!(second.push_token.as_deref(), Some("other"));
    assert_eq!(second.send_platform, SendPlatform::Apns, "what is not said is kept");
    assert_eq!(second.properties.len(), 2);
    let stored = store.get(&app(), "a").await.expect("answered");
    assert_eq!(stored.as_ref(), Some(&second));
    let third = put(&*store, ios("b")).await;
    assert!(third.id > second.id && third.object_id != second.object_id);
    assert_eq!(store.get(&app(), "nobody").await.expect("answered"), None);
}

pub async fn a_token_belongs_to_the_newest_registration(backend: &impl Backend) {
    let store = backend.open().await.devices;
    put(&*store, ios("old")).await;
    let thief = Registration { push_token: "token-old".into(), ..android("new") };
    put(&*store, thief).await;
    let old = store.get(&app(), "old").await.expect("answered").expect("still there");
    assert_eq!(old.push_token, None);
    let new = store.get(&app(), "new").await.expect("answered").expect("there");
    assert_eq!(new.push_token.as_deref(), Some("token-old"));
    // Back again, by a device that is known.
    put(&*store, ios("old")).await;
    let new = store.get(&app(), "new").await.expect("answered").expect("still there");
    assert_eq!(new.push_token, None);
    let both = [SendPlatform::Apns, SendPlatform::Fcm];
    let count = store.count(&app(), None, &both, NOW).await.expect("counted");
    assert_eq!(count.unreachable, BTreeMap::from([(Unreachable::NoToken, 1)]));
    assert_eq!(count.providers, BTreeMap::from([(SendPlatform::Apns, 1)]));
    // In one call too, the last wins.
    let same = |name: &str| Registration { push_token: "shared".into(), ..ios(name) };
    let answers = store.register(&app(), vec![same("x"), same("y")], NOW).await.expect("done");
    assert_eq!(answers.len(), 2);
    let x = store.get(&app(), "x").await.expect("answered").expect("there");
    assert_eq!(x.push_token, None);
}

pub async fn one_refused_refuses_no_other(backend: &impl Backend) {
    let store = backend.open().await.devices;
    let mut many = ios("many");
    for number in 0..=MAX_PROPERTIES {
        many = with_property(many, &format!("k{number}"), int(1));
    }
    let answers =
        store.register(&app(), vec![ios("a"), many, ios("b")], NOW).await.expect("registered");
    assert!(answers[0].is_ok() && answers[2].is_ok());
    let refusal = answers[1].as_ref().expect_err("too many properties");
    assert!(matches!(refusal.kind(), ErrorKind::Invalid { .. }));
    assert_eq!(store.get(&app(), "many").await.expect("answered"), None);
    assert_eq!(numbers(&*store, &everyone(10)).await.0, 2);
}

pub async fn edits_and_removal(backend: &impl Backend) {
    let store = backend.open().await.devices;
    put(&*store, with_property(with_property(ios("a"), "x", int(1)), "y", int(2))).await;
    let edit = DeviceEdit {
        properties: vec![("x".into(), None), ("z".into(), Some(text("new")))],
        tags: Some(["t".to_owned()].into()),
        alias: Some(Some("kim".into())),
        ..DeviceEdit::default()
    };
    let later = NOW.plus(Duration::from_secs(1));
    let edited = store.edit(&app(), "a", edit, later).await.expect("edited").expect("there");
    assert_eq!(edited.properties.keys().collect::<Vec<_>>(), ["y", "z"]);
    assert_eq!((edited.registered_at, edited.last_seen), (NOW, later));
    assert_eq!(store.get(&app(), "a").await.expect("answered"), Some(edited));
    for (clause, expected) in [
        (leaf("x", "exists", ()), 0),
        (leaf("z", "str_eq", "new"), 1),
        (leaf("@tag", "str_eq", "t"), 1),
        (leaf("@alias", "str_prefix", "k"), 1),
    ] {
        let count = store.count(&app(), Some(&clause), &[], NOW).await.expect("counted");
        assert_eq!(count.platforms.total(), expected, "{clause:?}");
    }
    let nothing = DeviceEdit::default();
    assert_eq!(store.edit(&app(), "b", nothing, NOW).await.expect("answered"), None);
    assert!(store.remove(&app(), "a").await.expect("removed"));
    assert!(!store.remove(&app(), "a").await.expect("answered"));
    assert_eq!(numbers(&*store, &everyone(10)).await.0, 0);
    let anew = put(&*store, ios("a")).await;
    assert!(anew.id > DeviceId(1), "a number is never used again");
}

pub async fn types_come_back_exactly(backend: &impl Backend) {
    let scalars = vec![
        Scalar::Int(1),
        Scalar::Float(1.0),
        Scalar::Int(i64::MAX),
        Scalar::Int(i64::MIN),
        Scalar::Float(f64::MAX),
        Scalar::Float(5e-324),
        Scalar::Float(0.1 + 0.2),
        Scalar::Bool(true),
        Scalar::Text("1".into()),
        Scalar::Text("\u{1f600} \"quoted\" \\ \n \u{7f}".into()),
        Scalar::Text(String::new()),
    ];
    let keys = ["a.b", "__proto__", "\"", "$a".trim_start_matches('$'), "키", " "];
    let mut registration = ios("a");
    for (key, scalar) in keys.iter().zip(&scalars) {
        registration = with_property(registration, key, PropertyValue::One(scalar.clone()));
    }
    let registration = with_property(registration, "list", PropertyValue::List(scalars));
    let registration = with_property(registration, "none", PropertyValue::List(Vec::new()));
    let stores = backend.open().await;
    let device = put(&*stores.devices, registration).await;
    assert_eq!(device.properties.len(), 8);
    drop(stores);
    let store = backend.open().await.devices;
    assert_eq!(store.get(&app(), "a").await.expect("answered"), Some(device));
}

pub async fn pruning_spares_a_newer_token(backend: &impl Backend) {
    let store = backend.open().await.devices;
    let (a, b) = (put(&*store, ios("a")).await, put(&*store, ios("b")).await);
    let order = |device: &Device, token: &str| PruneOrder {
        device: device.id,
        token: token.into(),
        reason: Reason::new("Unregistered"),
    };
    let orders = vec![order(&a, "token-a"), order(&b, "an older one")];
    assert_eq!(store.prune(&app(), orders.clone(), NOW).await.expect("pruned"), 1);
    assert_eq!(store.prune(&app(), orders, NOW).await.expect("again"), 0);
    let pruned = store.get(&app(), "a").await.expect("answered").expect("there");
    assert_eq!(pruned.push_token.as_deref(), Some("token-a"), "kept, for undo");
    assert_eq!(pruned.pruned.map(|pruned| pruned.reason).as_deref(), Some("Unregistered"));
    let count = async || store.count(&app(), None, &[SendPlatform::Apns], NOW).await;
    let counted = count().await.expect("counted");
    assert_eq!(counted.unreachable, BTreeMap::from([(Unreachable::Pruned, 1)]));
    put(&*store, ios("a")).await;
    let counted = count().await.expect("counted");
    assert_eq!(counted.providers, BTreeMap::from([(SendPlatform::Apns, 2)]));
}

pub async fn a_pruning_can_be_undone(backend: &impl Backend) {
    let store = backend.open().await.devices;
    let restore = async |name: &str| store.restore(&app(), name).await;
    let as_is = |device: &Device| Restored { device: device.clone(), changed: false };
    let back = |device: &Device| Restored { device: device.clone(), changed: true };
    assert_eq!(restore("a").await.expect("answered"), None);
    let (a, b) = (put(&*store, ios("a")).await, put(&*store, ios("b")).await);
    assert_eq!(restore("a").await.expect("not pruned"), Some(as_is(&a)));
    let prune = async |device: &Device| {
        let token = device.push_token.clone().expect("a token").into();
        let order = PruneOrder { device: device.id, token, reason: Reason::new("Unregistered") };
        store.prune(&app(), vec![order], NOW).await.expect("pruned")
    };
    assert_eq!((prune(&a).await, prune(&b).await), (1, 1));
    assert_eq!(restore("a").await.expect("restored"), Some(back(&a)));
    let count = async || store.count(&app(), None, &[SendPlatform::Apns], NOW).await;
    let counted = count().await.expect("counted");
    assert_eq!(counted.providers, BTreeMap::from([(SendPlatform::Apns, 1)]));
    assert_eq!(counted.unreachable, BTreeMap::from([(Unreachable::Pruned, 1)]));
    assert_eq!(prune(&a).await, 1, "it may be given up again");
    let heir = Registration { push_token: "token-b".into(), ..ios("c") };
    put(&*store, heir).await;
    let message = restore("b").await.expect_err("its token is another's").public_message();
    assert!(message.contains("another device"), "{message}");
    let kept = store.get(&app(), "b").await.expect("answered").expect("there");
    assert!(kept.pruned.is_some() && kept.push_token.is_none());
    assert_eq!(restore("a").await.expect("restored"), Some(back(&a)));
    drop(store);
    let found = backend.open().await.devices.get(&app(), "a").await.expect("answered");
    assert_eq!(found, Some(a), "as it was, also after reopening");
}

pub async fn search_pages_in_a_stable_order(backend: &impl Backend) {
    let store = backend.open().await.devices;
    for number in 0..10 {
        put(&*store, with_property(ios(&format!("d{number}")), "even", int(number % 2))).await;
    }
    assert_eq!(numbers(&*store, &everyone(3)).await, (10, vec![1, 2, 3]));
    let query = DeviceQuery { start: 8, ..everyone(5) };
    assert_eq!(numbers(&*store, &query).await, (10, vec![9, 10]));
    let query = DeviceQuery { start: 1, after: Some(DeviceId(4)), ..everyone(2) };
    assert_eq!(numbers(&*store, &query).await, (10, vec![6, 7]));
    let even = Some(leaf("even", "int_eq", 0));
    let query = DeviceQuery { clause: even.clone(), after: Some(DeviceId(3)), ..everyone(9) };
    assert_eq!(numbers(&*store, &query).await, (5, vec![5, 7, 9]));
    let names = ["d0", "d1", "d2", "nobody"].map(str::to_owned).to_vec();
    let query = DeviceQuery { external_ids: Some(names), ..everyone(9) };
    assert_eq!(numbers(&*store, &query).await, (3, vec![1, 2, 3]));
    let query = DeviceQuery { clause: even, ..query };
    assert_eq!(numbers(&*store, &query).await, (2, vec![1, 3]));
    let query = DeviceQuery { external_ids: Some(Vec::new()), ..everyone(9) };
    assert_eq!(numbers(&*store, &query).await, (0, vec![]));
    let ids = [9, 2, 77, 2].map(DeviceId);
    let found = store.get_many(Some(&app()), &ids).await.expect("answered");
    assert_eq!(found.iter().map(|device| device.id.0).collect::<Vec<_>>(), [2, 9]);
}

pub async fn a_search_answers_so_many_bytes(backend: &impl Backend) {
    let store = backend.open().await.devices;
    let mut size = 0;
    for name in ["a", "b", "c", "d"] {
        let device = put(&*store, with_property(ios(name), "k", text(&"x".repeat(1000)))).await;
        size = device.answered_bytes();
    }
    assert!(size > 1000);
    let within = |max_bytes| DeviceQuery { max_bytes: Some(max_bytes), ..everyone(3) };
    assert_eq!(numbers(&*store, &within(2 * size)).await, (4, vec![1, 2]));
    assert_eq!(numbers(&*store, &within(9 * size)).await, (4, vec![1, 2, 3]));
    assert_eq!(numbers(&*store, &within(1)).await, (4, vec![1]), "one, or nobody came past it");
    let on = DeviceQuery { after: Some(DeviceId(2)), ..within(2 * size) };
    assert_eq!(numbers(&*store, &on).await, (4, vec![3, 4]));
}

pub async fn counts_say_who_can_be_reached(backend: &impl Backend) {
    let store = backend.open().await.devices;
    let bare = Registration { send_platform: None, device_platform: None, ..ios("bare") };
    let fcm_only = Registration { device_platform: None, ..android("fcm") };
    let web = Registration { device_platform: Some(DevicePlatform::Web), ..android("web") };
    let all = vec![ios("a"), ios("b"), android("c"), bare, fcm_only, web];
    store.register(&app(), all, NOW).await.expect("registered");
    let count = store.count(&app(), None, &[SendPlatform::Apns], NOW).await.expect("counted");
    let platforms = PlatformCounts { android: 2, ios: 2, web: 1, unknown: 1 };
    assert_eq!(count.platforms, platforms);
    assert_eq!(count.providers, BTreeMap::from([(SendPlatform::Apns, 2)]));
    let unreachable = [(Unreachable::NoProvider, 1), (Unreachable::NoCredentials, 3)];
    assert_eq!(count.unreachable, BTreeMap::from(unreachable));
    let reaches = async |clause: Option<&Clause>, configured: &[SendPlatform]| {
        store.reaches_any(&app(), clause, configured, NOW).await.expect("answered")
    };
    assert!(reaches(None, &[SendPlatform::Apns]).await);
    assert!(!reaches(None, &[]).await && !reaches(None, &[SendPlatform::Unknown]).await);
    let web = leaf("@platform", "str_eq", "web");
    assert!(reaches(Some(&web), &[SendPlatform::Fcm]).await);
    assert!(!reaches(Some(&web), &[SendPlatform::Apns]).await);
}

pub async fn apps_do_not_see_each_other(backend: &impl Backend) {
    let store = backend.open().await.devices;
    let other = AppName::new("other");
    let mine = put(&*store, ios("a")).await;
    let answers = store.register(&other, vec![ios("a")], NOW).await.expect("registered");
    let theirs = answers.into_iter().next().expect("one answer").expect("not refused");
    assert_ne!(mine.id, theirs.id);
    assert_eq!(theirs.push_token, mine.push_token, "a token is unique within its app");
    let kept = store.get(&app(), "a").await.expect("answered").expect("there");
    assert_eq!(kept.push_token, mine.push_token);
    assert_eq!(numbers(&*store, &everyone(9)).await, (1, vec![mine.id.0]));
    let ids = [mine.id, theirs.id];
    let found = store.get_many(Some(&other), &ids).await.expect("answered");
    assert_eq!(found, std::slice::from_ref(&theirs));
    assert_eq!(store.get_many(None, &ids).await.expect("answered"), [mine, theirs]);
    let nobody = AppName::new("nobody");
    assert_eq!(store.search(&nobody, &everyone(9)).await.expect("answered").total, 0);
}

pub async fn concurrent_registrations_of_one_device_make_one(backend: &impl Backend) {
    let store = backend.open().await.devices;
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let token = format!("token-{}", number % 3);
                let registration = Registration { push_token: token, ..ios("same") };
                store.register(&app(), vec![registration], NOW).await.map(|mut all| all.remove(0))
            })
        })
        .collect();
    for task in tasks {
        let device = task.await.expect("no panic").expect("registered").expect("not refused");
        assert_eq!(device.id, DeviceId(1));
    }
    assert_eq!(numbers(&*store, &everyone(9)).await, (1, vec![1]));
}

pub async fn everything_is_there_after_reopening(backend: &impl Backend) {
    let stores = backend.open().await;
    let a = put(&*stores.devices, with_tags(ios("a"), &["x"])).await;
    put(&*stores.devices, android("b")).await;
    stores.devices.remove(&app(), "b").await.expect("removed");
    drop(stores);
    let store = backend.open().await.devices;
    assert_eq!(store.get(&app(), "a").await.expect("answered"), Some(a));
    let tagged = leaf("@tag", "str_eq", "x");
    let count = store.count(&app(), Some(&tagged), &[], NOW).await.expect("counted");
    assert_eq!(count.platforms.ios, 1);
    assert!(put(&*store, ios("c")).await.id > DeviceId(2), "numbers go on");
}
