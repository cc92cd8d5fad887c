//! One provider is away for long, with many more devices than a campaign holds at a time. By the
//! gateways' records the other provider gets all of its devices meanwhile, and the first gets all of its
//! own when it is back: nobody missed, nobody pushed to twice.

mod changes;
mod few;

use std::collections::{HashMap, HashSet};

use fanfare::demo::{audience, processes::Api};
use serde_json::{Value, json};

use crate::support::{
    house::{House, expected, settled, total},
    mongod::Mongod,
    nodes::{self, Nodes, moment_before},
};

const DEVICES: usize = 8_000;
const KEY: &str = "a-test-looks-at-its-server";
/// What the settings below save at, twice over for a busy machine, and what one answer takes.
const MOMENT_MS: u64 = 2 * 100 + 400;
/// A campaign holds 320 devices at a time: a tenth of those that it is for.
const SETTINGS: &str = "[internal]\nkeys = [\"a-test-looks-at-its-server\"]\n\n[limits]\n\
    fcm_per_second = 0\nbackoff_base_ms = 50\nbackoff_max_ms = 500\nmax_attempts = 8\n\
    request_timeout_ms = 2000\nsave_interval_ms = 100\npage_size = 20\npages_in_flight = 16\n";

/// No device was pushed to again.
const NONE: [u64; 0] = [];

/// A house whose FCM is away.
fn without_fcm(settings: &str) -> House {
    let house = House::start(&[], settings);
    house.register(DEVICES);
    house.gateways.set_faults(&fcm_away()).expect("away");
    house
}

fn fcm_away() -> Value {
    json!({"fcm": {"refuse": true}, "apns": {}})
}

/// How many of the demo's devices its condition is for that are Apple's.
fn apple(devices: usize) -> usize {
    (0..devices).filter_map(audience::expects).filter(|token| is_apples(token)).count()
}

fn is_apples(token: &str) -> bool {
    !token.contains(':')
}

/// The tokens that a provider took, in these records.
fn accepted(records: &[(String, String, u64)]) -> HashSet<&str> {
    let accepted = records.iter().filter(|(_, status, _)| status == "200");
    accepted.map(|(token, ..)| token.as_str()).collect()
}

/// Waits until APNs took every push of its devices; that FCM took none.
fn wait_for_all_of_apple(house: &House) {
    let all = apple(DEVICES);
    house.wait("APNs' pushes", || {
        let records = house.records();
        let accepted = accepted(&records);
        assert!(accepted.iter().all(|token| is_apples(token)), "FCM is away");
        (accepted.len() == all).then_some(())
    });
}

/// How many pages of a campaign are set aside.
fn pages_aside(api: &Api, uuid: &str) -> u64 {
    let state = api.internal_state(KEY).expect("the engine's state");
    let actors = state["actors"].as_object().expect("actors by name");
    let shards = actors.iter().filter(|(name, _)| name.starts_with(&format!("shard {uuid} ")));
    shards.filter_map(|(_, shard)| shard["pages_aside"].as_u64()).sum()
}

/// FCM is back: everybody gets the rest, and each device has one outcome, a good one. How often a device
/// was pushed to again, at what moment the first time.
fn ends_well(house: &House, uuid: &str) -> Vec<u64> {
    house.gateways.set_faults(&json!({})).expect("back");
    let ended = house.wait_sent(uuid);
    let proof = house.prove(DEVICES);
    assert_eq!((proof.missed, proof.unexpected), (0, 0), "{ended}");
    assert_eq!((settled(&ended), total(&ended["failed"])), (expected(DEVICES), 0), "{ended}");
    let mut first: HashMap<String, u64> = HashMap::new();
    let mut again = Vec::new();
    for (token, _, ms) in house.records().into_iter().filter(|(_, status, _)| status == "200") {
        match first.get(&token) {
            Some(first) => again.push(*first),
            None => _ = first.insert(token, ms),
        }
    }
    assert_eq!(again.len() as u64, proof.duplicates);
    again
}

#[test]
fn apns_gets_all_of_its_devices_while_fcm_is_away() {
    let house = without_fcm(SETTINGS);
    let uuid = house.create(&json!({}));
    house.launch(&uuid);
    wait_for_all_of_apple(&house);
    assert_ne!(house.notification(&uuid)["status"], json!(2), "FCM's devices are waited for");
    assert_eq!(ends_well(&house, &uuid), NONE);
}

#[test]
fn who_waits_for_a_provider_that_stays_away_ends_with_the_time_to_live() {
    let house = House::start(&[], &SETTINGS.replace("timeout_ms = 2000", "timeout_ms = 60000"));
    house.register(DEVICES);
    house.gateways.set_faults(&json!({"apns": {"refuse": true}, "fcm": {}})).expect("away");
    let uuid = house.create(&json!({"time_to_live": 5}));
    house.launch(&uuid);
    let ended = house.wait_sent(&uuid);
    let (apple, all) = (apple(DEVICES) as u64, expected(DEVICES));
    let records = house.records();
    assert_eq!(accepted(&records).len() as u64, all - apple, "FCM got all of its own");
    let counted = (total(&ended["sent"]), total(&ended["failed"]));
    assert_eq!(counted, (all - apple, apple), "{ended}");
    // But for those that asked, in vain, after their time.
    assert!(ended["reasons"]["expired"].as_u64() > Some(apple * 9 / 10), "{ended}");
    // Sent again they are sent to: another round has its time from its own beginning.
    house.gateways.set_faults(&json!({})).expect("back");
    house.api().post(&format!("/notifications/{uuid}/:resend"), &json!({})).expect("resent");
    assert_eq!(ends_well(&house, &uuid), NONE);
}

#[test]
fn a_slow_campaign_sends_at_its_pace_to_the_provider_that_is_there() {
    let house = without_fcm(SETTINGS);
    let uuid = house.create(&json!({"rate_limit": 1500}));
    house.launch(&uuid);
    wait_for_all_of_apple(&house);
    assert_eq!(ends_well(&house, &uuid), NONE);
}

#[test]
fn a_provider_that_is_back_soon_gets_what_was_set_aside_before_the_end() {
    let house = without_fcm(SETTINGS);
    let uuid = house.create(&json!({"rate_limit": 250}));
    house.launch(&uuid);
    house.wait("pages set aside", || (pages_aside(&house.api(), &uuid) > 5).then_some(()));
    house.gateways.set_faults(&json!({})).expect("back");
    house.wait("them to be called", || (pages_aside(&house.api(), &uuid) == 0).then_some(()));
    let apples = || {
        let records = house.records();
        accepted(&records).into_iter().filter(|token| is_apples(token)).count()
    };
    assert!(apples() < apple(DEVICES), "APNs' part is not over by then");
    assert_eq!(ends_well(&house, &uuid), NONE);
}

#[test]
fn killed_while_pages_are_set_aside_a_server_goes_on_with_them() {
    let mut house = without_fcm(SETTINGS);
    let uuid = house.create(&json!({"rate_limit": 500}));
    house.launch(&uuid);
    house.wait("pages set aside", || (pages_aside(&house.api(), &uuid) > 20).then_some(()));
    house.kill_server();
    let kill = house.records().iter().map(|(_, _, ms)| *ms).max().expect("records");
    house.start_server();
    wait_for_all_of_apple(&house);
    let again = ends_well(&house, &uuid);
    let moment = kill.saturating_sub(MOMENT_MS)..=kill + 50;
    assert!(again.iter().all(|first| moment.contains(first)), "killed at {kill}; {again:?}");
}

#[test]
fn a_pause_and_a_resume_while_pages_are_set_aside_repeat_nothing() {
    let house = without_fcm(SETTINGS);
    let uuid = house.create(&json!({"rate_limit": 500}));
    house.launch(&uuid);
    for _ in 0..2 {
        house.wait("pages set aside", || (pages_aside(&house.api(), &uuid) > 20).then_some(()));
        house.set_status(&uuid, "PAUSED");
        house.wait("the campaign to rest", || {
            let state = house.api().internal_state(KEY).expect("the engine's state");
            (!state["actors"].to_string().contains(&uuid)).then_some(())
        });
        house.set_status(&uuid, "LAUNCHED");
    }
    wait_for_all_of_apple(&house);
    assert_eq!(ends_well(&house, &uuid), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_killed_while_pages_are_set_aside_leaves_them_to_the_others() {
    let mongod = Mongod::shared().await;
    let test = move || {
        let database = format!("outages_{}", uuid::Uuid::new_v4().simple());
        let lease = "[cluster]\nlease_seconds = 3\n";
        // A campaign holds 640 devices at a time on each node.
        let limits = nodes::LIMITS.replace("page_size = 200", "page_size = 40");
        let settings = format!("{lease}{limits}backoff_max_ms = 500\n");
        let mut nodes = Nodes::start(&mongod.uri(&database), 2, &settings);
        nodes.gateways.set_faults(&fcm_away()).expect("away");
        let uuid = nodes.launch(3000);
        nodes.wait_settled(&uuid, 2000);
        nodes.nodes[0].take().expect("running").kill().expect("killed");
        let cut = nodes.now_ms();
        let all = apple(nodes::DEVICES);
        nodes.wait("APNs' pushes", || {
            let records = nodes.records();
            (accepted(&records).len() == all).then_some(())
        });
        nodes.gateways.set_faults(&json!({})).expect("back");
        let ended = nodes.wait_sent(&uuid);
        nodes.prove(&ended, &[moment_before(cut)]);
    };
    tokio::task::spawn_blocking(test).await.expect("the test");
}

/// The device that FCM was last asked with, once it is asked with one now and then: nothing for a while,
/// then one push.
fn asks_now_and_then(house: &House) -> String {
    house.wait("a probe", || {
        let mut records = house.records();
        records.retain(|(token, ..)| !is_apples(token));
        let [.., (_, _, before), (token, _, last)] = records.as_slice() else { return None };
        (last - before > 800).then(|| token.clone())
    })
}

#[test]
fn a_device_that_always_fails_does_not_keep_its_provider_away_from_the_others() {
    let house = House::start(&[], SETTINGS);
    house.register(DEVICES);
    let failing = |tokens: Value| {
        let rule = json!({"status": 503, "reason": "UNAVAILABLE", "token_prefix": tokens});
        house.gateways.set_faults(&json!({"fcm": {"rules": [rule]}, "apns": {}})).expect("set");
    };
    failing(json!(""));
    let uuid = house.create(&json!({}));
    house.launch(&uuid);
    // FCM is back for all but the one that asks whether it is.
    failing(json!(asks_now_and_then(&house)));
    let ended = house.wait_sent(&uuid);
    assert_eq!(ended["reasons"], json!({"UNAVAILABLE": 1}), "{ended}");
    assert_eq!((house.prove(DEVICES).missed, settled(&ended)), (0, expected(DEVICES)));
}

#[test]
fn a_provider_that_nothing_waits_for_any_more_is_asked_whether_it_is_back() {
    // FCM's devices come first, and all of them are set aside; APNs' take their time after that.
    const GOOGLE: usize = 200;
    const APPLE: usize = 3_000;
    let house = House::start(&[], &format!("{SETTINGS}shards = 1\n"));
    let device = |index: usize| {
        let apples = index >= GOOGLE;
        let token =
            if apples { format!("{index:064x}") } else { format!("{index:0>24}:APA91b-test") };
        json!({"external_id": format!("d{index}"), "push_token": token, "send_platform": 1 + i32::from(apples)})
    };
    let devices: Vec<Value> = (0..GOOGLE + APPLE).map(device).collect();
    for devices in devices.chunks(100) {
        let batch = json!({ "devices": devices });
        house.api().post("/devices/-/:register", &batch).expect("registered");
    }
    house.gateways.set_faults(&fcm_away()).expect("away");
    let uuid = house.create(&json!({"conditions": null, "rate_limit": 150}));
    house.launch(&uuid);
    let pages = GOOGLE as u64 / 20;
    house.wait("all of FCM's pages set aside", || {
        (pages_aside(&house.api(), &uuid) >= pages).then_some(())
    });
    house.gateways.set_faults(&json!({})).expect("back");
    let of_google = |records: &[(String, String, u64)]| {
        accepted(records).into_iter().filter(|token| !is_apples(token)).count()
    };
    let records = house.wait("FCM's pushes", || {
        Some(house.records()).filter(|records| of_google(records) == GOOGLE)
    });
    // At the end, when nothing is left to read, they are gone over whoever is there.
    let of_apple = accepted(&records).len() - GOOGLE;
    assert!(of_apple + 2 * 16 * 20 < APPLE, "{of_apple} of APNs' pushes were sent by then");
    house.set_status(&uuid, "DELETED");
}
