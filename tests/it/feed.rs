//! The feed, seen by a websocket client while campaigns run: what it is told adds up to what `GET
//! /status` says, the slow skip and hold nothing back, and nobody sees another app.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    caller::Caller,
    house::{House, SENT, expected, settled, total},
    mongod::Mongod,
    nodes::{DEVICES, LIMITS, Nodes},
    server::Server,
    watcher::Watcher,
};

const SETTINGS: &str = "[limits]\nfcm_per_second = 0\nsave_interval_ms = 200\npage_size = 200\n";
/// Snapshots that a sleeper asks for: as many as it is told of one after the other.
const ASKED: u64 = 30;
/// Notifications of an app that can be watched at once.
const MOST_WATCHED: usize = 50;
/// How long what is to be seen within a second or two may take on a busy machine.
const SOON: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(30);
/// Devices of the smaller campaigns.
const FEW: usize = 4_000;

fn house() -> House {
    House::start(&["--latency-ms", "5"], SETTINGS)
}

async fn watch(house: &House, query: &str) -> Watcher {
    let key = format!("Bearer {}", house.gateways.secret);
    let base = house.server.as_ref().expect("running").base().to_owned();
    Watcher::join(&base, query, &[("authorization", &key)]).await.expect("joined")
}

fn campaign<'a>(status: &'a Value, uuid: &str) -> &'a Value {
    &status["campaigns"][uuid]
}

/// How many devices have their outcome, as far as a status tells.
fn progress(status: &Value, uuid: &str) -> u64 {
    let shown = campaign(status, uuid);
    if shown.is_object() { settled(shown) } else { 0 }
}

fn is_sent(status: &Value, uuid: &str) -> bool {
    campaign(status, uuid)["status"] == json!(SENT)
}

/// The status without what changes from moment to moment.
fn at_rest(mut status: Value) -> Value {
    status.as_object_mut().expect("an object").remove("at");
    for node in status["nodes"].as_object_mut().expect("nodes").values_mut() {
        node.as_object_mut().expect("an object").remove("last_seen");
    }
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_adds_up_to_the_status() {
    let house = house();
    house.register(FEW);
    let mut watcher = watch(&house, "").await;
    watcher.until_told("snapshot").await;
    assert_eq!(watcher.status["campaigns"], json!({}));
    let uuid = house.create(&json!({"rate_limit": 3000}));
    house.launch(&uuid);
    watcher.until("pushes", |status| progress(status, &uuid) > 0).await;
    watcher
        .until("a rate", |status| campaign(status, &uuid)["per_second"].as_f64() > Some(0.0))
        .await;
    let shown = watcher.status.clone();
    assert_eq!(campaign(&shown, &uuid)["rate_limit"], json!(3000));
    watcher.until("its end", |status| is_sent(status, &uuid)).await;
    let ended = campaign(&watcher.status, &uuid).clone();
    assert_eq!(settled(&ended), expected(FEW), "{ended}");
    assert_eq!(ended["expected"], json!(expected(FEW)));
    assert_eq!(ended["shards"]["done"], ended["shards"]["total"]);
    // A second later the rates have come to rest.
    watcher
        .until("rest", |status| {
            let rates = status["rates"].as_object().expect("rates");
            rates.values().all(|rate| rate["per_second"] == json!(0.0))
        })
        .await;
    let asked = house.api().get("/status").expect("a status");
    assert_eq!(at_rest(watcher.status.clone()), at_rest(asked.clone()));
    assert_eq!(watcher.counts["snapshot"], 1, "the rest came as patches");
    let accepted = |provider: &str| asked["rates"][provider]["accepted"].as_u64().expect("counted");
    assert_eq!(accepted("apns") + accepted("fcm"), total(&ended["sent"]));
    assert!(asked["providers"]["fcm"]["latency_ms"]["p50"].as_f64() >= Some(5.0), "{asked}");
    assert_eq!(asked["providers"]["apns"]["state"], "closed");
    assert!(asked["nodes"].as_object().expect("nodes").values().all(|node| node["here"] == true));
}

fn sum(series: &Value) -> u64 {
    let all = series.as_object().expect("series").values();
    all.flat_map(|one| one.as_array().expect("numbers")).filter_map(Value::as_u64).sum()
}

/// Asks until the rates of the last two minutes add up to so many: the quarter of a second that is being
/// counted is not told yet.
async fn remembered(watcher: &mut Watcher, pushes: u64) -> Value {
    let mut history = Value::Null;
    for _ in 0..25 {
        watcher.say(&json!({"type": "watch", "notification": null})).await;
        history = watcher.until_told("snapshot").await["history"].clone();
        if sum(&history["rates"]) == pushes {
            return history;
        }
        watcher.until_told("delta").await;
    }
    panic!("they do not add up to {pushes}: {history}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_later_is_told_how_the_rates_were() {
    let house = house();
    house.register(FEW);
    let sent = house.create(&json!({}));
    house.launch(&sent);
    house.wait_sent(&sent);
    let mut watcher = watch(&house, "").await;
    // Nobody watched.
    let history = remembered(&mut watcher, expected(FEW)).await;
    assert!(history["rates"]["apns"].as_array().is_some_and(|all| all.len() <= 120), "{history}");
    let slow = house.create(&json!({"rate_limit": 200}));
    house.launch(&slow);
    watcher.until("pushes", |status| progress(status, &slow) > 100).await;
    let told = watcher.until_told("delta").await;
    assert!(told.get("history").is_none() && told["patch"].get("history").is_none(), "{told}");
    for query in [String::new(), format!("?notification={slow}")] {
        let told = watch(&house, &query).await.until_told("snapshot").await;
        assert!(sum(&told["history"]["campaigns"]) > 100, "{query}: {told}");
        let named: Vec<_> =
            told["history"]["campaigns"].as_object().expect("by UUID").keys().collect();
        assert_eq!(named, [&slow], "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_notification_is_shown_with_its_actors() {
    let house = house();
    house.register(FEW);
    let (one, other) =
        (house.create(&json!({"rate_limit": 200})), house.create(&json!({"rate_limit": 200})));
    house.launch(&one);
    house.launch(&other);
    let mut watcher = watch(&house, "").await;
    let both = |status: &Value| status["campaigns"].as_object().is_some_and(|all| all.len() == 2);
    watcher.until("both", both).await;
    assert!(watcher.status.get("actors").is_none());
    watcher.say(&json!({"type": "watch", "notification": one})).await;
    watcher.until_told("hello").await;
    watcher.until_told("snapshot").await;
    watcher
        .until("its actors", |status| {
            status["actors"][format!("coordinator {one}")]["open"] == true
        })
        .await;
    let campaigns = watcher.status["campaigns"].as_object().expect("campaigns").clone();
    assert_eq!(campaigns.keys().collect::<Vec<_>>(), [&one]);
    let actors = watcher.status["actors"].as_object().expect("actors").clone();
    assert!(actors.keys().any(|name| name.starts_with(&format!("shard {one} "))), "{actors:?}");
    assert!(actors.keys().any(|name| name.starts_with("sender ")), "{actors:?}");
    assert!(!actors.keys().any(|name| name.contains(&other)), "{actors:?}");
    watcher.say(&json!({"type": "watch", "notification": null})).await;
    watcher.until("both again", both).await;
    // Of a notification that is not there, it is told so, and goes on as before.
    let nobodys = uuid::Uuid::new_v4();
    watcher.say(&json!({"type": "watch", "notification": nobodys})).await;
    let told = watcher.until_told("error").await;
    assert!(told["reason"].as_str().expect("a reason").contains(&nobodys.to_string()), "{told}");
    watcher.say(&json!({"type": "look"})).await;
    watcher.until_told("error").await;
    watcher.until_told("delta").await;
    let mut direct = watch(&house, &format!("?notification={one}")).await;
    direct.until("its actors", |status| status["actors"].is_object()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_hears_what_it_missed() {
    let house = house();
    house.register(FEW);
    let uuid = house.create(&json!({"rate_limit": 500}));
    house.launch(&uuid);
    let mut first = watch(&house, "").await;
    let mut stays = watch(&house, "").await;
    first.until("pushes", |status| progress(status, &uuid) > 0).await;
    let (resume, status, seq) = (first.resume(), first.status.clone(), first.seq);
    drop(first);
    let later = seq + 4;
    while stays.seq < later {
        stays.hear().await;
    }
    let mut back = watch(&house, &resume).await;
    (back.status, back.seq) = (status, seq);
    while back.seq < later {
        back.hear().await;
    }
    assert_eq!(back.counts.get("snapshot"), None, "patches were enough");
    while stays.seq < back.seq {
        stays.hear().await;
    }
    assert_eq!(back.status, stays.status);
    // What is not known any more begins anew.
    for unknown in ["?resume=0123.5", "?resume=nonsense"] {
        assert_eq!(watch(&house, unknown).await.hear().await["type"], "snapshot", "{unknown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_are_answered_and_a_server_that_ends_says_so() {
    let mut house = house();
    let mut watcher = watch(&house, "").await;
    watcher.say(&json!({"type": "ping"})).await;
    watcher.until_told("pong").await;
    watcher.ping_frame().await;
    let server = house.server.take().expect("running");
    let ended = tokio::task::spawn_blocking(move || server.terminate());
    assert_eq!(watcher.end().await, Some(1001));
    let begun = Instant::now();
    assert_eq!(ended.await.expect("no panic").expect("ended"), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "watchers hold nothing up");
}

/// Two apps with keys, and the headers that show one.
fn two_apps() -> Server {
    let settings = [
        ("APPS__0__NAME", "one"),
        ("APPS__0__SECRET", "0123456789abcdef"),
        ("APPS__1__NAME", "two"),
        ("APPS__1__SECRET", "fedcba9876543210"),
        ("APPS__1__API_KEYS__0__NAME", "registers"),
        ("APPS__1__API_KEYS__0__SECRET", "registers-0123456"),
        ("APPS__1__API_KEYS__0__SCOPES", "register"),
    ];
    Server::start(&settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into())
}

const ONE: (&str, &str) = ("authorization", "Bearer 0123456789abcdef");
const TWO: (&str, &str) = ("authorization", "Bearer fedcba9876543210");

fn create(server: &Server, key: (&str, &str), title: &str) -> String {
    let headers: BTreeMap<_, _> = [(key.0.to_owned(), key.1.to_owned())].into();
    let body = json!({"title": title, "body": "b", "scheduled_at": "2999-01-01T00:00:00Z"});
    let created = server.send("POST", "/notifications", &headers, Some(body.to_string().into()));
    let uuid = created.body["result"]["uuid"].as_str().expect("created").to_owned();
    let launched = server.send("POST", &format!("/notifications/{uuid}/:launch"), &headers, None);
    assert_eq!(launched.status, 200);
    uuid
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_sees_only_itself() {
    let server = two_apps();
    let (own, others) = (create(&server, ONE, "ours"), create(&server, TWO, "theirs"));
    let base = format!("http://{}", server.address());
    let mut watcher = Watcher::join(&base, "", &[ONE]).await.expect("joined");
    watcher.until("its campaign", |status| campaign(status, &own)["title"] == "ours").await;
    assert_eq!(watcher.status["app"], "one");
    assert!(!watcher.status.to_string().contains(&others), "{}", watcher.status);
    watcher.say(&json!({"type": "watch", "notification": others})).await;
    watcher.until_told("error").await;
    let joined = async |query: &str, headers: &[(&'static str, &str)]| {
        Watcher::join(&base, query, headers).await.map(|_| ()).err()
    };
    assert_eq!(joined(&format!("?notification={others}"), &[ONE]).await, Some(404));
    assert_eq!(joined("?app=two", &[ONE]).await, Some(403));
    assert_eq!(joined("?app=one", &[ONE]).await, None);
    assert_eq!(joined("?notification=5", &[ONE]).await, Some(400));
    assert_eq!(joined("?colour=red", &[ONE]).await, Some(400));
    assert_eq!(joined("", &[]).await, Some(401));
    let registers = ("authorization", "Bearer registers-0123456");
    assert_eq!(joined("", &[registers]).await, Some(403));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_are_refused() {
    let server = two_apps();
    let base = format!("http://{}", server.address());
    let joined = async |origin: &str| {
        Watcher::join(&base, "", &[ONE, ("origin", origin)]).await.map(|_| ()).err()
    };
    assert_eq!(joined(&base).await, None);
    for foreign in
        ["https://evil.example", "null", &format!("{base}.evil.example"), "http://127.0.0.1:1"]
    {
        assert_eq!(joined(foreign).await, Some(403), "{foreign}");
    }
    let two = [ONE, ("origin", base.as_str()), ("origin", base.as_str())];
    assert_eq!(Watcher::join(&base, "", &two).await.map(|_| ()).err(), Some(403));
}

/// The gateways' records say when pushes were: with watchers that ask for more and more and read none of
/// it, until their sockets take no more, they go on as without.
#[tokio::test(flavor = "multi_thread")]
async fn watchers_that_do_not_read_hold_nothing_back() {
    let house = house();
    house.register(FEW);
    for _ in 0..49 {
        // Long ones, so that the snapshots are far more, together, than sockets hold.
        let later = json!({"title": "😀".repeat(700), "scheduled_at": "2999-01-01T00:00:00Z"});
        house.launch(&house.create(&later));
    }
    let mut sleepers = join_all((0..4).map(|_| watch(&house, ""))).await;
    for sleeper in &mut sleepers {
        for _ in 0..ASKED {
            sleeper.say(&json!({"type": "watch", "notification": null})).await;
        }
    }
    let uuid = house.create(&json!({"rate_limit": 500}));
    house.launch(&uuid);
    let ended = house.wait_sent(&uuid);
    let proof = house.prove(FEW);
    assert_eq!((proof.missed, proof.duplicates, total(&ended["failed"])), (0, 0, 0), "{ended}");
    let times = house.records().into_iter().map(|(_, _, ms)| ms);
    let (first, last) = (times.clone().min().expect("pushes"), times.max().expect("pushes"));
    let due_ms = expected(FEW) * 1000 / 500;
    assert!(last - first < due_ms * 3 / 2, "{} ms for what is due in {due_ms}", last - first);
    // They wake up, read what they asked for, and see how it ended.
    for sleeper in &mut sleepers {
        let answered = |sleeper: &Watcher| {
            sleeper.counts["hello"] + sleeper.counts.get("error").copied().unwrap_or(0)
        };
        while answered(sleeper) <= ASKED {
            sleeper.hear().await;
        }
        sleeper.until("its end", |status| is_sent(status, &uuid)).await;
        assert_eq!(settled(campaign(&sleeper.status, &uuid)), expected(FEW));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_notifications_of_an_app_are_watched_at_once() {
    let server = two_apps();
    let base = format!("http://{}", server.address());
    let mut watchers = Vec::new();
    for n in 0..MOST_WATCHED {
        let uuid = create(&server, ONE, &n.to_string());
        let watched = Watcher::join(&base, &format!("?notification={uuid}"), &[ONE]).await;
        watchers.push((uuid, watched.expect("joined")));
    }
    let query = format!("?notification={}", create(&server, ONE, "one too many"));
    let joined = async |query: &str, key| Watcher::join(&base, query, &[key]).await;
    assert_eq!(joined(&query, ONE).await.err(), Some(429));
    let same = format!("?notification={}", watchers[0].0);
    drop(joined(&same, ONE).await.expect("it is watched already"));
    let others = format!("?notification={}", create(&server, TWO, "theirs"));
    drop(joined(&others, TWO).await.expect("another app's watchers are its own"));
    let mut all = joined("", ONE).await.expect("all of the app can be watched");
    let too_many = query.strip_prefix("?notification=").expect("it begins so");
    all.say(&json!({"type": "watch", "notification": too_many})).await;
    let told = tokio::time::timeout(PATIENCE, all.until_told("error")).await.expect("in time");
    assert!(told["reason"].as_str().expect("a reason").starts_with("50 notifications"), "{told}");
    all.until_told("delta").await;
    drop(watchers.pop());
    // As soon as the server has seen that one is gone, there is room.
    let room = async {
        while joined(&query, ONE).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, room).await.expect("room in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_elsewhere_too_often_is_told() {
    let server = two_apps();
    let base = format!("http://{}", server.address());
    let mut watcher = Watcher::join(&base, "", &[ONE]).await.expect("joined");
    for _ in 0..40 {
        watcher.say(&json!({"type": "watch", "notification": null})).await;
    }
    let told = tokio::time::timeout(PATIENCE, watcher.until_told("error")).await;
    let told = told.expect("told in time");
    assert!(told["reason"].as_str().expect("a reason").contains("`watch` messages"), "{told}");
    assert_eq!(watcher.counts["hello"], 31, "the first, and those within the pace");
    watcher.say(&json!({"type": "ping"})).await;
    watcher.until_told("pong").await;
    watcher.until_told("delta").await;
}

/// Begins a session; its cookie, and what its changes must carry.
fn sign_in(server: &Server, secret: &str) -> (String, String) {
    let body = json!({"key": secret}).to_string();
    let answer = server.send("POST", "/console/session", &BTreeMap::new(), Some(body.into()));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let cookie = answer.headers["set-cookie"].split(';').next().expect("a cookie").to_owned();
    (cookie, answer.body["result"]["csrf"].as_str().expect("a word").to_owned())
}

fn headers(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_with_what_admitted_it() {
    let server = two_apps();
    let base = format!("http://{}", server.address());
    let (cookie, csrf) = sign_in(&server, "0123456789abcdef");
    let (other, _) = sign_in(&server, "0123456789abcdef");
    let signed_in = async |cookie: &str| Watcher::join(&base, "", &[("cookie", cookie)]).await;
    let mut watcher = signed_in(&cookie).await.expect("joined");
    let mut stays = signed_in(&other).await.expect("joined");
    let out = headers(&[("Cookie", &cookie), ("X-CSRF-Token", &csrf)]);
    let begun = Instant::now();
    assert_eq!(server.send("DELETE", "/console/session", &out, None).status, 200);
    assert_eq!(watcher.end().await, Some(1008));
    assert!(begun.elapsed() < SOON, "signed out for {:?}", begun.elapsed());
    stays.until_told("delta").await;

    let admin = headers(&[("Authorization", ONE.1)]);
    let key = json!({"name": "watcher", "scopes": ["read"]}).to_string();
    let made = server.send("POST", "/apps/one/keys", &admin, Some(key.into()));
    let text = |field: &str| made.body["result"][field].as_str().expect("text").to_owned();
    let (id, secret) = (text("id"), text("secret"));
    let (cookie, _) = sign_in(&server, &secret);
    let bearer = format!("Bearer {secret}");
    let by_key = Watcher::join(&base, "", &[("authorization", &bearer)]).await;
    let mut ending = [by_key.expect("joined"), signed_in(&cookie).await.expect("joined")];
    let begun = Instant::now();
    assert_eq!(server.send("DELETE", &format!("/apps/one/keys/{id}"), &admin, None).status, 200);
    for watcher in &mut ending {
        assert_eq!(watcher.end().await, Some(1008));
    }
    assert!(begun.elapsed() < SOON, "revoked for {:?}", begun.elapsed());
    stays.until_told("delta").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_with_its_session_at_other_nodes_too() {
    let mongod = Mongod::shared().await;
    let database = format!("feed_{}", uuid::Uuid::new_v4().simple());
    let nodes = Nodes::start(&mongod.uri(&database), 2, LIMITS);
    let base = |node: usize| nodes.nodes[node].as_ref().expect("running").base().to_owned();
    let caller = |headers: &[(&str, &str)]| Caller::new(&base(0), headers);
    let key = json!({"key": nodes.gateways.secret});
    let (status, cookie, answer) = caller(&[]).ask("POST", "/console/session", Some(&key));
    assert_eq!(status, 200);
    let csrf = answer["result"]["csrf"].as_str().expect("a word");
    let watcher = Watcher::join(&base(1), "", &[("cookie", &cookie)]).await;
    let mut watcher = watcher.expect("joined");
    let begun = Instant::now();
    let out = caller(&[("Cookie", &cookie), ("X-CSRF-Token", csrf)]);
    assert_eq!(out.status("DELETE", "/console/session"), 200);
    assert_eq!(watcher.end().await, Some(1008));
    assert!(begun.elapsed() < SOON, "signed out for {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_shows_all_nodes_and_the_whole_campaign() {
    let mongod = Mongod::shared().await;
    let database = format!("feed_{}", uuid::Uuid::new_v4().simple());
    let nodes = Nodes::start(&mongod.uri(&database), 2, LIMITS);
    let key = format!("Bearer {}", nodes.gateways.secret);
    let mut watchers = Vec::new();
    for node in nodes.nodes.iter().flatten() {
        let watcher = Watcher::join(node.base(), "", &[("authorization", &key)]).await;
        watchers.push(watcher.expect("joined"));
    }
    let uuid = nodes.launch(1500);
    for watcher in &mut watchers {
        let shared = |status: &Value| {
            let by_node = &campaign(status, &uuid)["shards"]["by_node"];
            by_node.as_object().is_some_and(|held| held.len() == 2)
        };
        watcher.until("both nodes at work", shared).await;
        let seen = watcher.status["nodes"].as_object().expect("nodes");
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert_eq!(seen.values().filter(|node| node["here"] == true).count(), 1);
        let both_send = |status: &Value| {
            let nodes = status["nodes"].as_object().expect("nodes");
            nodes.len() == 2 && nodes.values().all(|node| node["per_second"].as_f64() > Some(0.0))
        };
        watcher.until("both nodes' pushes", both_send).await;
    }
    // One who asks once waits for what the other tells.
    let asked = nodes.api().get("/status").expect("a status");
    assert_eq!(asked["nodes"].as_object().expect("nodes").len(), 2, "{asked}");
    for watcher in &mut watchers {
        watcher.until("its end", |status| is_sent(status, &uuid)).await;
        assert_eq!(settled(campaign(&watcher.status, &uuid)), expected(DEVICES));
    }
    let totals = |status: &Value| -> u64 {
        let rates = status["rates"].as_object().expect("rates").values();
        rates.map(|rate| rate["accepted"].as_u64().expect("counted")).sum()
    };
    for watcher in &mut watchers {
        watcher.until("both nodes' totals", |status| totals(status) == expected(DEVICES)).await;
        // Once the other node has told that it rests, each second of both is told.
        remembered(watcher, expected(DEVICES)).await;
    }
}
