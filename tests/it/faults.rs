//! The arrows between engine and providers, cut while a campaign runs. The gateways' records say that
//! nobody was missed; where a provider never answered for a push, a repeat is allowed and counted.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::house::{House, expected, settled, total};

const DEVICES: usize = 8_000;
const SETTINGS: &str = "[limits]\nfcm_per_second = 0\nbackoff_base_ms = 50\nbackoff_max_ms = 1000\n\
                        max_attempts = 8\nrequest_timeout_ms = 2000\n";

fn sent_through(gateway_arguments: &[&str]) -> (House, serde_json::Value) {
    let house = House::start(gateway_arguments, SETTINGS);
    house.register(DEVICES);
    let uuid = house.create(&json!({}));
    house.launch(&uuid);
    let ended = house.wait_sent(&uuid);
    assert_eq!(settled(&ended), expected(DEVICES), "every device has its outcome");
    (house, ended)
}

#[test]
fn connections_that_are_drained_lose_and_repeat_nothing() {
    let (house, ended) = sent_through(&["--goaway-every", "300"]);
    let proof = house.prove(DEVICES);
    assert_eq!((proof.missed, proof.duplicates, total(&ended["failed"])), (0, 0, 0));
}

#[test]
fn answers_that_say_later_are_tried_again_until_they_are_taken() {
    let faults = [
        "--fail",
        "apns:503:ServiceUnavailable:0.1",
        "--fail",
        "fcm:503:UNAVAILABLE:0.1",
        "--fail-times",
        "2",
    ];
    let (house, ended) = sent_through(&faults);
    let proof = house.prove(DEVICES);
    assert_eq!((proof.missed, proof.duplicates, total(&ended["failed"])), (0, 0, 0), "{ended}");
}

#[test]
fn devices_that_are_put_off_for_ever_end_when_the_time_to_live_is_over() {
    // A try while the provider is out of order is no device's own; so many they would never use up. And
    // no answer is late, so that nobody else is waited for.
    let settings = SETTINGS.replace("max_attempts = 8", "max_attempts = 100");
    let settings = settings.replace("timeout_ms = 2000", "timeout_ms = 60000");
    let house = House::start(&["--fail", "fcm:503:UNAVAILABLE:0.1"], &settings);
    house.register(DEVICES);
    let uuid = house.create(&json!({"time_to_live": 2}));
    house.launch(&uuid);
    let ended = house.wait_sent(&uuid);
    let records = house.records();
    let with = |status: &str| -> HashSet<&str> {
        let those = records.iter().filter(|(_, answered, _)| answered == status);
        those.map(|(token, ..)| token.as_str()).collect()
    };
    let (put_off, taken) = (with("503"), with("200"));
    assert!(put_off.len() > 50 && put_off.is_disjoint(&taken), "{}", put_off.len());
    assert_eq!((taken.len() + put_off.len()) as u64, expected(DEVICES), "nobody else is left out");
    assert_eq!(house.prove(DEVICES).duplicates, 0);
    assert_eq!(total(&ended["sent"]), taken.len() as u64, "{ended}");
    // Who asked last has the provider's word; for the others it was no use to ask.
    let reasons = ended["reasons"].as_object().expect("by reason");
    let of = |reason: &str| reasons.get(reason).and_then(Value::as_u64).unwrap_or(0);
    assert!(of("expired") > 0 && of("UNAVAILABLE") > 0, "{ended}");
    assert_eq!(of("expired") + of("UNAVAILABLE"), put_off.len() as u64, "{ended}");
}

#[test]
fn streams_that_are_reset_and_connections_that_are_cut_are_sent_again() {
    let (house, ended) =
        sent_through(&["--reset-every", "97", "--cut-every", "1500", "--latency-ms", "3"]);
    assert_eq!((house.prove(DEVICES).missed, total(&ended["failed"])), (0, 0), "{ended}");
}

#[test]
fn a_provider_that_goes_away_is_waited_for_while_the_other_goes_on() {
    let house = House::start(&[], SETTINGS);
    house.register(DEVICES);
    let gone = json!({"fcm": {"refuse": true}, "apns": {}});
    house.gateways.set_faults(&gone).expect("gone");
    let uuid = house.create(&json!({}));
    house.launch(&uuid);
    // APNs' devices are pushed although FCM is away.
    house.wait("APNs' pushes", || {
        let stats = house.gateways.stats().expect("stats");
        (stats["apns"]["accepted"].as_u64() > Some(1000)).then_some(())
    });
    house.gateways.set_faults(&json!({})).expect("back");
    let ended = house.wait_sent(&uuid);
    let proof = house.prove(DEVICES);
    assert_eq!((proof.missed, proof.duplicates, total(&ended["failed"])), (0, 0, 0), "{ended}");
}

#[test]
fn a_provider_that_falls_silent_hangs_nothing() {
    // Slow enough to be in the middle when the silence begins; in one shard, so that its pages hold
    // many devices of both providers, whatever was sent until then.
    let house = House::start(&[], &format!("{SETTINGS}shards = 1\n"));
    house.register(2000);
    let uuid = house.create(&json!({"rate_limit": 100}));
    house.launch(&uuid);
    house.wait_settled(&uuid, 100);
    house.gateways.set_faults(&json!({"apns": {"black_hole": true}})).expect("silent");
    let silent = house.requests();
    house.wait("FCM's pushes", || (house.requests() > silent + 50).then_some(()));
    house.gateways.set_faults(&json!({})).expect("back");
    let ended = house.wait_sent(&uuid);
    assert_eq!((house.prove(2000).missed, settled(&ended)), (0, expected(2000)), "{ended}");
}

#[test]
fn a_wrong_environment_deletes_no_tokens() {
    let (house, ended) = sent_through(&["--fail", "apns:410:Unregistered:1.0"]);
    let gone = ended["reasons"]["Unregistered"].as_u64().expect("many");
    assert!(gone > 1000);
    let counted = house.api().post("/devices/-/:count", &json!({})).expect("counted");
    let pruned = counted["unreachable"]["pruned"].as_u64().unwrap_or(0);
    assert!(pruned * 10 < gone, "{pruned} of {gone} tokens were given up");
}

/// APNs' pushes under way at once: `apns_connections` of `streams_per_connection`, as they are by default.
const APNS_WINDOW: u64 = 2 * 500;

#[test]
fn refused_credentials_fail_fast_without_hammering_the_provider() {
    let (house, ended) = sent_through(&["--fail", "apns:403:InvalidProviderToken:1.0"]);
    let refused = ended["reasons"]["InvalidProviderToken"].as_u64().expect("many");
    let stats = house.gateways.stats().expect("stats");
    let asked = stats["apns"]["requests"].as_u64().expect("a number");
    // What was under way at the first refusal, what it takes to be certain, and who asks whether it still is.
    assert!(asked <= APNS_WINDOW + 24 + 10 && asked < refused, "{asked} of {refused}");
    assert_eq!(total(&ended["sent"]) + refused, expected(DEVICES));
}

#[test]
fn a_refusal_of_some_fails_those_alone() {
    let (house, ended) = sent_through(&["--fail", "apns:403:InvalidProviderToken:0.3"]);
    let records = house.records();
    let refused = records.iter().filter(|(_, status, _)| status == "403").count() as u64;
    assert!(refused > 300, "{refused}");
    let taken = records.iter().filter(|(_, status, _)| status == "200").count() as u64;
    assert_eq!((taken + refused, total(&ended["failed"])), (expected(DEVICES), refused), "{ended}");
    let proof = house.prove(DEVICES);
    assert_eq!((proof.missed, proof.duplicates), (0, 0), "each was asked for once");
}

#[test]
fn a_resend_at_once_asks_a_provider_that_refused_everything() {
    let (house, ended) = sent_through(&["--fail", "apns:403:InvalidProviderToken:1.0"]);
    assert!(total(&ended["failed"]) > 1000, "{ended}");
    house.gateways.set_faults(&json!({})).expect("set");
    let uuid = ended["uuid"].as_str().expect("a uuid");
    house.api().post(&format!("/notifications/{uuid}/:resend"), &json!({})).expect("resent");
    let ended = house.wait_sent(uuid);
    assert_eq!((total(&ended["failed"]), house.prove(DEVICES).missed), (0, 0), "{ended}");
}

#[test]
fn a_resend_to_a_few_through_a_distant_provider_asks_it_too() {
    let house = House::start(&[], SETTINGS);
    house.register(200);
    let apns = |rules: Value| {
        let faults = json!({"apns": {"rules": rules, "latency_ms": 100}, "fcm": {}});
        house.gateways.set_faults(&faults).expect("set");
    };
    apns(json!([{ "status": 403, "reason": "InvalidProviderToken" }]));
    let uuid = house.create(&json!({}));
    house.launch(&uuid);
    let refused = total(&house.wait_sent(&uuid)["failed"]);
    assert!(refused > 24, "enough to be certain");
    apns(json!([]));
    house.api().post(&format!("/notifications/{uuid}/:resend"), &json!({})).expect("resent");
    let ended = house.wait_sent(&uuid);
    assert_eq!(total(&ended["failed"]), 0, "of {refused}: {ended}");
}

#[test]
fn credentials_that_are_taken_again_fail_nobody() {
    const KEY: &str = "a-test-looks-at-its-server";
    let settings = format!("[internal]\nkeys = [\"{KEY}\"]\n\n{SETTINGS}");
    let house = House::start(&["--fail", "apns:403:InvalidProviderToken:1.0"], &settings);
    house.register(DEVICES);
    let refused = house.create(&json!({}));
    house.launch(&refused);
    house.wait_sent(&refused);
    house.gateways.set_faults(&json!({"fcm": {"rules": []}, "apns": {"rules": []}})).expect("set");
    // Refused a moment ago, the provider is not asked again at once.
    house.wait("the next try", || {
        let state = house.api().internal_state(KEY).expect("the engine's state");
        let desk = &state["actors"]["sender sandbox apns"];
        (desk["credentials_asked_again"] == json!(true)).then_some(())
    });
    let refused = |text: &str| text.contains("InvalidProviderToken");
    assert!(refused(&house.ready()), "{}", house.ready());
    assert!(house.ready().starts_with("200 "), "the other provider takes pushes");
    let uuid = house.create(&json!({"conditions": null}));
    house.launch(&uuid);
    let ended = house.wait_sent(&uuid);
    assert_eq!(total(&ended["failed"]), 0, "everybody waits for the answer to one: {ended}");
    assert!(!refused(&house.ready()), "{}", house.ready());
}

#[test]
fn an_absurd_wait_that_a_provider_asks_for_is_bounded_and_shown() {
    let house = House::start(&[], SETTINGS);
    house.register(300);
    let absurd = json!({"fcm": {"rules": [{
        "status": 429, "reason": "QUOTA_EXCEEDED", "retry_after_secs": u64::MAX, "times": 1, "share": 0.05
    }]}, "apns": {}});
    house.gateways.set_faults(&absurd).expect("set");
    let uuid = house.create(&json!({"conditions": null}));
    house.launch(&uuid);
    // Those that were struck end with the provider's word; the app is held for minutes, not for ever.
    house.wait("the hold to show", || {
        house.ready().contains("asks for a slower pace").then_some(())
    });
    let ended = house.wait_sent(&uuid);
    assert!(ended["reasons"]["QUOTA_EXCEEDED"].as_u64() > Some(0), "{ended}");
    // The next campaign waits for FCM, and can be stopped meanwhile.
    let next = house.create(&json!({}));
    house.launch(&next);
    house.wait("APNs' part of it", || (settled(&house.notification(&next)) > 0).then_some(()));
    house.set_status(&next, "PAUSED");
}

#[test]
fn a_dry_run_says_nothing_of_a_provider_that_is_down() {
    let house = House::start(&["--fail", "fcm:503:UNAVAILABLE:1.0"], SETTINGS);
    house.register(3000);
    let real = house.create(&json!({}));
    house.launch(&real);
    house.wait("the breaker", || {
        house.ready().contains("does not answer as it should: UNAVAILABLE").then_some(())
    });
    for _ in 0..5 {
        let dry = house.create(&json!({"dry_run": true}));
        house.launch(&dry);
        house.wait_sent(&dry);
    }
    house.gateways.set_faults(&json!({})).expect("back");
    let ended = house.wait_sent(&real);
    assert_eq!((total(&ended["failed"]), house.prove(3000).missed), (0, 0), "{ended}");
}
