//! Campaigns from launch to SENT, through the real server against strict gateways: exact delivery,
//! pause, withdrawal, rates, schedules, failures and sending them again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::house::{House, expected, settled, total};

const DEVICES: usize = 10_000;
const UNLIMITED: &str = "[limits]\nfcm_per_second = 0\n";

#[test]
fn every_matching_device_is_pushed_once_and_no_other() {
    let house = House::start(&[], UNLIMITED);
    house.register(DEVICES);
    let uuid = house.create(&json!({}));
    house.launch(&uuid);
    let ended = house.wait_sent(&uuid);
    let proof = house.prove(DEVICES);
    assert_eq!((proof.missed, proof.duplicates, proof.unexpected), (0, 0, 0));
    assert_eq!(total(&ended["sent"]), expected(DEVICES));
    assert_eq!(total(&ended["failed"]), 0);
}

#[test]
fn an_audience_of_nobody_is_sent_at_once() {
    let house = House::start(&[], UNLIMITED);
    let no_devices = house.create(&json!({}));
    house.launch(&no_devices);
    assert_eq!(settled(&house.wait_sent(&no_devices)), 0);
    house.register(100);
    let nowhere = json!({"key": "country", "operator": "str_eq", "value": "nowhere"});
    let no_match = house.create(&json!({"conditions": nowhere}));
    house.launch(&no_match);
    assert_eq!(settled(&house.wait_sent(&no_match)), 0);
    assert_eq!(house.requests(), 0);
}

#[test]
fn a_pause_stops_pushes_a_resume_goes_on_and_a_withdrawal_ends_it() {
    let house = House::start(&["--latency-ms", "10"], UNLIMITED);
    house.register(DEVICES);
    let uuid = house.create(&json!({"rate_limit": 2000}));
    house.launch(&uuid);
    house.wait_settled(&uuid, 500);
    house.set_status(&uuid, "PAUSED");
    let settle = Instant::now();
    // Pushes under way end within their round trip; after that the gateways see nothing new.
    let seen = quiet(&house);
    assert!(settle.elapsed() < Duration::from_secs(3));
    let paused = house.wait("the record of what was under way", || {
        Some(house.notification(&uuid)).filter(|now| settled(now) == seen)
    });
    assert_eq!(paused["status"], json!(6));
    house.set_status(&uuid, "LAUNCHED");
    house.wait_settled(&uuid, seen + 500);
    house.set_status(&uuid, "PAUSED");
    house.set_status(&uuid, "LAUNCHED");
    let ended = house.wait_sent(&uuid);
    let proof = house.prove(DEVICES);
    assert_eq!((proof.missed, proof.duplicates, proof.unexpected), (0, 0, 0));
    assert_eq!(settled(&ended), expected(DEVICES));

    let other = house.create(&json!({"rate_limit": 1000}));
    house.launch(&other);
    house.wait_settled(&other, 100);
    house.set_status(&other, "DELETED");
    let seen = quiet(&house);
    assert!(seen < 2 * expected(DEVICES), "a withdrawn campaign sends nothing more");
    let refused =
        house.api().put(&format!("/notifications/{other}/status"), &json!({"status": "LAUNCHED"}));
    assert!(refused.is_err(), "what is withdrawn stays withdrawn");
}

/// Waits until the gateways have seen nothing new for a while; how many requests they saw.
fn quiet(house: &House) -> u64 {
    let (mut seen, mut since) = (house.requests(), Instant::now());
    house.wait("quiet", || {
        let now = house.requests();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        (since.elapsed() > Duration::from_millis(400)).then_some(seen)
    })
}

#[test]
fn rates_hold_and_change_while_running() {
    let house = House::start(&[], UNLIMITED);
    house.register(DEVICES);
    let uuid = house.create(&json!({"rate_limit": 500}));
    house.launch(&uuid);
    house.wait_settled(&uuid, 100);
    let (before, started) = (house.requests(), Instant::now());
    house.wait("a second at the rate", || {
        (started.elapsed() > Duration::from_secs(2)).then_some(())
    });
    let rate = (house.requests() - before) as f64 / started.elapsed().as_secs_f64();
    assert!((300.0..=560.0).contains(&rate), "{rate} a second at a limit of 500");
    let path = format!("/notifications/{uuid}/rate_limit");
    house.api().put(&path, &json!({"rate_limit": null})).expect("changed");
    house.wait_sent(&uuid);
    let proof = house.prove(DEVICES);
    assert_eq!((proof.missed, proof.duplicates), (0, 0));
}

#[test]
fn a_dry_run_goes_through_everything_but_the_provider() {
    let house = House::start(&[], UNLIMITED);
    house.register(2000);
    let uuid = house.create(&json!({"dry_run": true}));
    house.launch(&uuid);
    let ended = house.wait_sent(&uuid);
    assert_eq!(total(&ended["sent"]), expected(2000));
    assert_eq!(house.requests(), 0);
}

#[test]
fn a_scheduled_notification_waits_and_then_goes() {
    let house = House::start(&[], UNLIMITED);
    house.register(1000);
    let at = fanfare::domain::timestamp::Timestamp::now().plus(Duration::from_millis(1500));
    let uuid = house.create(&json!({"scheduled_at": at.to_rfc3339()}));
    house.launch(&uuid);
    assert_eq!(house.notification(&uuid)["status"], json!(5));
    assert_eq!(house.requests(), 0);
    let ended = house.wait_sent(&uuid);
    let launched = ended["launched_at"].as_str().expect("a time");
    let launched = fanfare::domain::timestamp::Timestamp::parse(launched).expect("a time");
    assert!(
        launched >= at && launched < at.plus(Duration::from_secs(5)),
        "due {at:?}, launched {launched:?}"
    );
    assert_eq!(house.prove(1000).missed, 0);
}

#[test]
fn failures_are_listed_by_reason_and_sent_again() {
    let faults =
        ["--fail", "apns:400:DeviceTokenNotForTopic:0.03", "--fail", "fcm:404:UNREGISTERED:0.02"];
    let house = House::start(&faults, UNLIMITED);
    house.register(DEVICES);
    let uuid = house.create(&json!({}));
    house.launch(&uuid);
    let first = house.wait_sent(&uuid);
    let reasons = first["reasons"].as_object().expect("reasons").clone();
    let topic = reasons["DeviceTokenNotForTopic"].as_u64().expect("some");
    assert!(topic > 0 && reasons["UNREGISTERED"].as_u64() > Some(0));
    let path = format!("/notifications/{uuid}/failures?reason=DeviceTokenNotForTopic&size=1000");
    let listed = house.api().get(&path).expect("listed");
    assert_eq!(listed.as_array().map(Vec::len), Some(topic as usize));
    assert!(
        listed
            .as_array()
            .expect("a list")
            .iter()
            .all(|row| row["reason"] == "DeviceTokenNotForTopic")
    );

    // The fault is mended; what failed for that reason goes again, and nothing else.
    house.gateways.set_faults(&json!({})).expect("mended");
    let before = house.requests();
    let again = json!({"reason": "DeviceTokenNotForTopic"});
    house.api().post(&format!("/notifications/{uuid}/:resend"), &again).expect("sent again");
    let second = house.wait_sent(&uuid);
    assert_eq!(house.requests() - before, topic);
    assert_eq!(total(&second["sent"]), total(&first["sent"]) + topic);
    assert_eq!(settled(&second), expected(DEVICES));
    let left: &Value = &second["reasons"];
    assert_eq!(
        left.as_object().map(|left| left.keys().cloned().collect::<Vec<_>>()),
        Some(vec!["UNREGISTERED".to_owned()])
    );
    assert_eq!(house.prove(DEVICES).duplicates, 0);
}
