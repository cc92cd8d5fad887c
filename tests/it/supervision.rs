//! Every kind of actor panics in the middle of a campaign, again and again. The engine runs within the
//! test; by the gateways' records every device is pushed once.

use std::{
    collections::HashMap,
    io::Read,
    time::{Duration, Instant},
};

use fanfare::{
    bootstrap,
    demo::processes::Gateways,
    domain::{
        device::{DevicePlatform, Registration, SendPlatform},
        ids::{AppName, NotificationId},
        message::{Message, Options},
        notification::{Notification, Status},
        timestamp::Timestamp,
    },
    engine::EngineHandle,
    settings::Settings,
    storage::Stores,
};
use serde_json::json;

use crate::support::house::program;

const DEVICES: usize = 8000;
const KINDS: [&str; 4] = ["shard", "sender", "coordinator", "scheduler"];

fn token(index: usize) -> String {
    if index.is_multiple_of(2) {
        format!("{index:064x}")
    } else {
        format!("{index:0>24}:APA91b-test")
    }
}

fn registration(index: usize) -> Registration {
    let (provider, platform) = if index.is_multiple_of(2) {
        (SendPlatform::Apns, DevicePlatform::Ios)
    } else {
        (SendPlatform::Fcm, DevicePlatform::Android)
    };
    Registration {
        external_id: format!("device-{index}"),
        push_token: token(index),
        send_platform: Some(provider),
        device_platform: Some(platform),
        ..Registration::default()
    }
}

fn launched(app: &AppName) -> Notification {
    let now = Timestamp::now();
    let options = Options { rate_limit: Some(2500), ..Options::default() };
    let message = Message { title: "t".into(), body: "b".into(), options, ..Message::default() };
    let draft = Notification::draft(app, NotificationId(uuid::Uuid::new_v4()), now);
    Notification { message, status: Status::Launched, launched_at: Some(now), ..draft }
}

async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !look().await {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn crash_everything(stores: &Stores, engine: &EngineHandle, id: NotificationId) {
    let settled = async || stores.ledger.tally(id).await.expect("a tally").settled();
    for round in 1..=3 {
        for (at, kind) in KINDS.iter().enumerate() {
            let wanted = (round * 4 + at as u64) * 200;
            until("progress", async || settled().await >= wanted).await;
            assert!(engine.crash(kind).await > 0, "no {kind} to crash");
        }
    }
    until("the last restart", async || engine.state().await.restarts >= 12).await;
}

/// Crashes the shards while FCM is away and pages that wait for it are set aside.
async fn crash_shards_with_pages_aside(gateways: &Gateways, engine: &EngineHandle) {
    gateways.set_faults(&json!({"fcm": {"refuse": true}, "apns": {}})).expect("away");
    for _ in 0..3 {
        until("pages set aside", async || {
            let state = engine.state().await;
            let aside = state.actors.values().filter_map(|actor| actor["pages_aside"].as_u64());
            aside.sum::<u64>() >= 5
        })
        .await;
        assert!(engine.crash("shard").await > 0, "no shard to crash");
    }
    gateways.set_faults(&json!({})).expect("back");
}

#[test]
fn a_panic_of_any_actor_loses_and_repeats_nothing() {
    sent_in_spite_of(async |_, stores, engine, id| crash_everything(stores, engine, id).await);
}

#[test]
fn a_panic_of_shards_loses_and_repeats_nothing_of_what_they_had_set_aside() {
    sent_in_spite_of(async |gateways, _, engine, _| {
        crash_shards_with_pages_aside(gateways, engine).await;
    });
}

/// Sends a campaign, and has this happen meanwhile. Every device is pushed to once.
fn sent_in_spite_of(trouble: impl AsyncFnOnce(&Gateways, &Stores, &EngineHandle, NotificationId)) {
    let directory = tempfile::tempdir().expect("a directory");
    let gateways =
        Gateways::start(program(), directory.path(), &["--latency-ms", "5"]).expect("gateways");
    let config = directory.path().join("fanfare.toml");
    let limits = "[limits]\npage_size = 100\nfcm_per_second = 0\nsave_interval_ms = 50\n";
    let storage = format!("[storage]\npath = {:?}\n", directory.path().join("data"));
    std::fs::write(&config, format!("{limits}{storage}{}", gateways.config)).expect("written");
    let settings = Settings::load(Some(&config)).expect("good settings");

    actix_web::rt::System::new().block_on(async {
        let (stores, engine, _) = bootstrap::assemble(&settings).await.expect("a house");
        let app = AppName::new("sandbox");
        let devices = (0..DEVICES).map(registration).collect();
        stores.devices.register(&app, devices, Timestamp::now()).await.expect("registered");
        let notification =
            stores.notifications.create(launched(&app), None).await.expect("created");
        engine.nudge();
        trouble(&gateways, &stores, &engine, notification.uuid).await;
        until("SENT", async || {
            let now = stores.notifications.get(None, notification.uuid).await.expect("answered");
            now.expect("there").status == Status::Sent
        })
        .await;
        let tally = stores.ledger.tally(notification.uuid).await.expect("a tally");
        assert_eq!((tally.accepted.total(), tally.failed.total()), (DEVICES as u64, 0));
    });

    let mut text = String::new();
    gateways.records().expect("records").read_to_string(&mut text).expect("text");
    let mut seen: HashMap<&str, u32> = HashMap::new();
    for line in text.lines() {
        *seen.entry(line.split('\t').nth(1).expect("a token")).or_default() += 1;
    }
    let missed = (0..DEVICES).filter(|index| !seen.contains_key(token(*index).as_str())).count();
    let repeated = seen.values().filter(|times| **times > 1).count();
    assert_eq!((missed, repeated, seen.len()), (0, 0, DEVICES));
}
