//! Messages to single devices, with the engine within the test: beside a campaign, under a sender that
//! panics, through an outage, and with credentials that are replaced and taken away.

use std::{
    collections::HashMap,
    io::Read,
    time::{Duration, Instant},
};

use fanfare::{
    bootstrap,
    demo::processes::Gateways,
    domain::{
        audience::ClauseSpec,
        device::{Device, DeviceEdit, DevicePlatform, Registration, SendPlatform},
        ids::{AppName, NotificationId},
        message::{Message, Options},
        notification::Status,
        timestamp::Timestamp,
    },
    engine::{DirectOutcome, DirectPush, EngineHandle},
    services::{
        DirectMessages,
        direct::{Delivery, DirectMessage},
    },
    settings::Settings,
    storage::Stores,
};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{house::program, stores};

const PATIENCE: Duration = Duration::from_secs(20);

/// An engine with the gateways' credentials, on a store of its own.
struct Rig {
    gateways: Gateways,
    settings: Settings,
    _directory: tempfile::TempDir,
}

impl Rig {
    fn start(limits: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let gateways = Gateways::start(program(), directory.path(), &[]).expect("gateways");
        let config = directory.path().join("fanfare.toml");
        let storage = format!("[storage]\npath = {:?}\n", directory.path().join("data"));
        let limits = format!("[limits]\nfcm_per_second = 0\n{limits}\n");
        std::fs::write(&config, format!("{limits}{storage}{}", gateways.config)).expect("written");
        let settings = Settings::load(Some(&config)).expect("good settings");
        Self { gateways, settings, _directory: directory }
    }

    fn run(&self, test: impl AsyncFnOnce(Stores, EngineHandle)) {
        actix_web::rt::System::new().block_on(async {
            let (stores, engine, _) = bootstrap::assemble(&self.settings).await.expect("a house");
            test(stores, engine).await;
        });
    }

    fn app(&self) -> AppName {
        AppName::new(self.settings.default_app())
    }

    /// How often the gateways were asked to push to each token.
    fn pushes(&self) -> HashMap<String, u32> {
        let mut text = String::new();
        self.gateways.records().expect("records").read_to_string(&mut text).expect("text");
        let mut pushes = HashMap::new();
        for line in text.lines() {
            let token = line.split('\t').nth(1).expect("a token").to_owned();
            *pushes.entry(token).or_default() += 1;
        }
        pushes
    }
}

fn token(name: &str, index: usize) -> String {
    format!("{name}-{index:0>24}")
}

async fn devices(rig: &Rig, stores: &Stores, name: &str, count: usize) -> Vec<Device> {
    let registration = |index| Registration {
        external_id: token(name, index),
        push_token: token(name, index),
        send_platform: Some(SendPlatform::Fcm),
        device_platform: Some(DevicePlatform::Android),
        edit: DeviceEdit { tags: Some([name.to_owned()].into()), ..DeviceEdit::default() },
    };
    let registrations = (0..count).map(registration).collect();
    let made = stores.devices.register(&rig.app(), registrations, Timestamp::now()).await;
    made.expect("registered").into_iter().map(|device| device.expect("a device")).collect()
}

fn message() -> Message {
    Message { title: "t".into(), body: "b".into(), ..Message::default() }
}

async fn push(engine: &EngineHandle, app: &AppName, device: &Device) -> DirectOutcome {
    let (id, message) = (NotificationId(uuid::Uuid::new_v4()), message());
    engine.push(DirectPush { app, id, device, message: &message }, PATIENCE).await
}

async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !look().await {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn beside_a_campaign_and_under_a_sender_that_panics_each_is_sent_once() {
    let rig = Rig::start("page_size = 100");
    rig.run(async |stores, engine| {
        let app = rig.app();
        devices(&rig, &stores, "many", 2000).await;
        let many = ClauseSpec::leaf("@tag", "str_eq", "many");
        let mut campaign = stores::notification(&app, Some(many));
        campaign.launched_at = Some(Timestamp::now());
        campaign.message.options = Options { rate_limit: Some(1000), ..Options::default() };
        let campaign = stores.notifications.create(campaign, None).await.expect("created");
        engine.nudge();
        let settled = async || stores.ledger.tally(campaign.uuid).await.expect("a tally").settled();
        until("the campaign to begin", async || settled().await > 100).await;
        let direct = DirectMessages::new(stores.clone(), engine.clone());
        let single = devices(&rig, &stores, "single", 200).await;
        let send = |device: &Device| {
            let (app, device, name) = (app.clone(), device.clone(), "m1".to_owned());
            let apple_sandbox = false;
            direct.send(DirectMessage { app, device, apple_sandbox, name, message: message() })
        };
        let crash = async {
            for _ in 0..3 {
                assert!(engine.crash("sender").await > 0);
                tokio::task::yield_now().await;
            }
        };
        let (sent, ()) = tokio::join!(join_all(single.iter().map(&send)), crash);
        for delivery in sent {
            assert_eq!(delivery.expect("answered"), Delivery::Sent);
        }
        for delivery in join_all(single.iter().map(&send)).await {
            assert_eq!(delivery.expect("answered"), Delivery::SentBefore);
        }
        until("SENT", async || {
            let now = stores.notifications.get(None, campaign.uuid).await.expect("answered");
            now.expect("there").status == Status::Sent
        })
        .await;
    });
    let pushes = rig.pushes();
    for index in 0..200 {
        assert_eq!(pushes.get(&token("single", index)), Some(&1));
    }
    let to_many = (0..2000).filter(|index| pushes.contains_key(&token("many", *index)));
    assert_eq!(to_many.count(), 2000);
}

#[test]
fn an_outage_is_answered_and_its_end_is_found_out() {
    let rig = Rig::start("max_attempts = 1");
    rig.run(async |stores, engine| {
        let app = rig.app();
        let device = devices(&rig, &stores, "single", 1).await.remove(0);
        let down = json!({ "status": 503, "reason": "UNAVAILABLE" });
        rig.gateways.set_faults(&json!({ "fcm": { "rules": [down] } })).expect("faults");
        let mut troubles = Vec::new();
        for _ in 0..100 {
            let outcome = push(&engine, &app, &device).await;
            assert!(matches!(outcome, DirectOutcome::Failed(_) | DirectOutcome::Unavailable));
            troubles = engine.troubles();
            if !troubles.is_empty() {
                break;
            }
        }
        assert_eq!(troubles.len(), 1, "the breaker opens");
        // Held back are a few at the most; the others hear at once that there is no way.
        let begun = Instant::now();
        let many = join_all((0..50).map(|_| push(&engine, &app, &device)));
        let told = tokio::time::timeout(PATIENCE / 2, many).await;
        if let Ok(told) = told {
            assert!(told.contains(&DirectOutcome::Unavailable), "{:?}", begun.elapsed());
        }
        rig.gateways.set_faults(&json!({})).expect("faults");
        until("the provider to be found back", async || {
            push(&engine, &app, &device).await == DirectOutcome::Accepted
        })
        .await;
        assert!(engine.troubles().is_empty());
    });
}

#[test]
fn credentials_can_be_replaced_and_taken_away_under_way() {
    let rig = Rig::start("");
    rig.run(async |stores, engine| {
        let (app, settings) = (rig.app(), rig.settings.dialect_app());
        let devices = devices(&rig, &stores, "single", 300).await;
        let pushes = join_all(devices.iter().map(|device| push(&engine, &app, device)));
        let replace = async {
            for _ in 0..5 {
                tokio::task::yield_now().await;
                engine.put_app(&app, &settings).expect("good credentials");
            }
        };
        let (outcomes, ()) = tokio::join!(pushes, replace);
        for outcome in outcomes {
            // What waited at a desk that was taken down is for the caller to send again.
            let known = [DirectOutcome::Accepted, DirectOutcome::Unavailable];
            assert!(known.contains(&outcome), "{outcome:?}");
        }
        assert_eq!(push(&engine, &app, &devices[0]).await, DirectOutcome::Accepted);
        let senders = async || {
            let actors = engine.state().await.actors;
            actors.keys().filter(|name| name.starts_with("sender ")).count()
        };
        until("the old senders to end", async || senders().await == 2).await;
        engine.remove_app(&app);
        assert_eq!(push(&engine, &app, &devices[0]).await, DirectOutcome::NoCredentials);
        until("all senders to end", async || senders().await == 0).await;
    });
}

#[test]
fn bad_tokens_of_direct_pushes_do_not_keep_dead_ones() {
    let rig = Rig::start("");
    rig.run(async |stores, engine| {
        let app = rig.app();
        let bad = json!({ "status": 403, "reason": "SENDER_ID_MISMATCH", "token_prefix": "bad" });
        let gone = json!({ "status": 404, "reason": "UNREGISTERED", "token_prefix": "gone" });
        rig.gateways.set_faults(&json!({ "fcm": { "rules": [bad, gone] } })).expect("faults");
        let bad = devices(&rig, &stores, "bad", 30).await;
        for outcome in join_all(bad.iter().map(|device| push(&engine, &app, device))).await {
            assert!(matches!(outcome, DirectOutcome::Refused(_)), "{outcome:?}");
        }
        let gone = devices(&rig, &stores, "gone", 1).await.remove(0);
        let outcome = push(&engine, &app, &gone).await;
        assert!(matches!(outcome, DirectOutcome::TokenGone(_)), "{outcome:?}");
        until("the dead token to be given up", async || {
            let found = stores.devices.get(&app, &gone.external_id).await.expect("answered");
            found.expect("there").pruned.is_some()
        })
        .await;
    });
}
