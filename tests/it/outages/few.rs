//! A campaign of a few devices: too few for shares of answers to tell anything.

use serde_json::{Value, json};

use crate::support::house::{House, settled, total};

const DEVICES: usize = 8;
/// Two tries, one soon after the other.
const SETTINGS: &str = "[limits]\nmax_attempts = 2\nbackoff_base_ms = 20\nbackoff_max_ms = 20\n";

/// It waits for FCM, and for as long as that takes.
fn waits_for_fcm(away: &Value) {
    let house = House::start(&[], SETTINGS);
    house.register(DEVICES);
    house.gateways.set_faults(away).expect("away");
    let uuid = house.create(&json!({ "conditions": null }));
    house.launch(&uuid);
    house.wait("the server to notice", || house.ready().contains("fcm").then_some(()));
    let waiting = house.notification(&uuid);
    assert_eq!((total(&waiting["failed"]), &waiting["status"]), (0, &json!(1)), "{waiting}");
    house.gateways.set_faults(&json!({})).expect("back");
    let sent = house.wait_sent(&uuid);
    assert_eq!((settled(&sent), total(&sent["failed"])), (DEVICES as u64, 0), "{sent}");
}

#[test]
fn a_provider_that_cannot_be_reached_is_waited_for() {
    waits_for_fcm(&json!({ "fcm": { "refuse": true } }));
}

#[test]
fn so_is_one_that_answers_every_push_with_an_outage() {
    let down = json!({ "status": 503, "reason": "UNAVAILABLE" });
    waits_for_fcm(&json!({ "fcm": { "rules": [down] } }));
}
