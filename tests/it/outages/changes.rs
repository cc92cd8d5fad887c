//! While a provider is away devices are deleted, get other tokens, and lose theirs to somebody else. When
//! it is back each is pushed to as it is by then: by the gateways' records no old token is tried.

use std::collections::BTreeMap;

use super::*;

/// Devices of each provider.
const EACH: usize = 2_000;
/// Of FCM's the first so many are deleted, as many get another token, of as many the token becomes
/// another's.
const CHANGED: usize = 100;

/// FCM's token of this number; those that will be replaced have a prefix of their own.
fn googles(index: usize) -> String {
    let retokened = (CHANGED..2 * CHANGED).contains(&index);
    format!("{}{index:0>20}:APA91b-test", if retokened { "old" } else { "own" })
}

fn replaced(index: usize) -> String {
    format!("new{index:0>20}:APA91b-test")
}

fn device(external_id: &str, token: &str) -> Value {
    let platform = 1 + i32::from(is_apples(token));
    json!({"external_id": external_id, "push_token": token, "send_platform": platform})
}

fn register(house: &House, devices: &[Value]) {
    for devices in devices.chunks(500) {
        let batch = json!({ "devices": devices });
        house.api().post("/devices/-/:register", &batch).expect("registered");
    }
}

/// A campaign for devices of FCM, and of APNs where `both`, launched while these faults are in force.
fn launch(both: bool, faults: &Value) -> (House, String) {
    let house = House::start(&[], SETTINGS);
    let devices = (0..EACH).flat_map(|index| {
        let google = device(&format!("google-{index}"), &googles(index));
        let apple = device(&format!("apple-{index}"), &format!("{index:064x}"));
        [Some(google), both.then_some(apple)].into_iter().flatten()
    });
    register(&house, &devices.collect::<Vec<_>>());
    house.gateways.set_faults(faults).expect("away");
    let uuid = house.create(&json!({"conditions": null}));
    house.launch(&uuid);
    (house, uuid)
}

/// Waits until the campaign has no device in memory, and nothing but to wait for.
fn wait_until_none_is_held(house: &House, uuid: &str) {
    house.wait("nothing in flight", || {
        let state = house.api().internal_state(KEY).expect("the engine's state");
        let actors = state["actors"].as_object().expect("actors by name");
        let shards = || {
            actors
                .iter()
                .filter(|(name, _)| name.starts_with(&format!("shard {uuid} ")))
                .map(|(_, shard)| shard)
        };
        let aside: u64 = shards().filter_map(|shard| shard["pages_aside"].as_u64()).sum();
        let held = shards()
            .any(|shard| shard["pages_in_flight"] != json!(0) || shard["reading"] == json!(true));
        (aside > 0 && !held).then_some(())
    });
}

/// Changes devices while none is in memory, and waits until none is that was read before.
fn change_devices(house: &House, uuid: &str) {
    wait_until_none_is_held(house, uuid);
    let api = house.api();
    for index in 0..CHANGED {
        let url = format!("{}/devices/google-{index}", api.base);
        let bearer = format!("Bearer {}", house.gateways.secret);
        ureq::delete(&url).header("Authorization", bearer).call().expect("deleted");
    }
    for index in CHANGED..2 * CHANGED {
        api.put("/devices", &device(&format!("google-{index}"), &replaced(index))).expect("moved");
    }
    let others: Vec<Value> = (2 * CHANGED..3 * CHANGED)
        .map(|index| device(&format!("somebody-else-{index}"), &googles(index)))
        .collect();
    register(house, &others);
    wait_until_none_is_held(house, uuid);
}

/// FCM is back, and knows the replaced tokens no more. Everybody gets the push, once, at the token that is
/// theirs.
fn ends_as_they_are(house: &House, uuid: &str, both: bool) {
    let asked = house.records().len();
    let gone = json!({"status": 404, "reason": "UNREGISTERED", "token_prefix": "old"});
    let faults = json!({"fcm": {"rules": [gone]}, "apns": {}});
    house.gateways.set_faults(&faults).expect("back");
    let ended = house.wait_sent(uuid);
    let records = house.records();
    let tried: HashSet<&str> = records[asked..].iter().map(|(token, ..)| token.as_str()).collect();
    let stale = (0..3 * CHANGED).filter(|index| tried.contains(googles(*index).as_str())).count();
    assert_eq!(stale, 0, "tokens that are nobody's, or not theirs any more: {ended}");
    let mut pushes: BTreeMap<&str, usize> = BTreeMap::new();
    for (token, ..) in records.iter().filter(|(_, status, _)| status == "200") {
        *pushes.entry(token).or_default() += 1;
    }
    assert!(pushes.values().all(|times| *times == 1), "none twice");
    let moved = (CHANGED..2 * CHANGED).map(replaced);
    let all: Vec<String> = moved.chain((3 * CHANGED..EACH).map(googles)).collect();
    assert_eq!(all.iter().filter(|token| !pushes.contains_key(token.as_str())).count(), 0);
    assert_eq!(pushes.len(), all.len() + if both { EACH } else { 0 });
    assert_eq!(ended["reasons"], json!({"no_token": CHANGED}), "{ended}");
}

fn away(status: Value) -> Value {
    json!({"fcm": {"rules": [status]}, "apns": {}})
}

#[test]
fn devices_that_change_while_a_provider_of_two_is_away_are_pushed_to_as_they_are() {
    let (house, uuid) = launch(true, &fcm_away());
    house.wait("APNs' pushes", || (accepted(&house.records()).len() == EACH).then_some(()));
    change_devices(&house, &uuid);
    ends_as_they_are(&house, &uuid, true);
}

#[test]
fn so_are_those_of_an_audience_of_that_one_provider() {
    let failing = away(json!({"status": 503, "reason": "UNAVAILABLE"}));
    let (house, uuid) = launch(false, &failing);
    change_devices(&house, &uuid);
    ends_as_they_are(&house, &uuid, false);
}

#[test]
fn so_are_those_of_a_campaign_that_has_no_provider_left() {
    let (house, uuid) = launch(true, &json!({"fcm": {"refuse": true}, "apns": {"refuse": true}}));
    wait_until_none_is_held(&house, &uuid);
    let pages = 2 * EACH as u64 / 20;
    let aside = pages_aside(&house.api(), &uuid);
    assert!(aside < pages / 2, "{aside} of {pages} pages were gone over in vain");
    change_devices(&house, &uuid);
    ends_as_they_are(&house, &uuid, true);
}

#[test]
fn so_are_those_that_wait_because_a_provider_asked_for_it() {
    let slower = json!({"status": 429, "reason": "QUOTA_EXCEEDED", "retry_after_secs": 15});
    let (house, uuid) = launch(true, &away(slower));
    house.wait("APNs' pushes", || (accepted(&house.records()).len() == EACH).then_some(()));
    change_devices(&house, &uuid);
    ends_as_they_are(&house, &uuid, true);
}
