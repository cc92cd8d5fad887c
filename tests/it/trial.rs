//! A notification looked at before it is launched, with gateways: pushed to a few devices, one of which
//! is given up by it and restored.

use serde_json::{Value, json};

use crate::support::house::{House, settled};

/// A device of this provider among the demo's.
fn device_of(house: &House, provider: u64) -> String {
    let found = house.api().post("/devices/-/:search", &json!({ "size": 100 })).expect("found");
    let rows = found.as_array().expect("devices").iter();
    let mut of = rows.filter(|device| device["send_platform"] == json!(provider));
    of.next().expect("one of each")["external_id"].as_str().expect("a name").to_owned()
}

fn device(house: &House, name: &str) -> Value {
    house.api().get(&format!("/devices/{name}")).expect("answered")
}

#[test]
fn a_test_send_reaches_the_named_devices_alone_and_counts_for_nothing() {
    let house = House::start(&[], "[limits]\nfcm_per_second = 0\n");
    house.register(100);
    let (android, ios) = (device_of(&house, 1), device_of(&house, 2));
    let uuid = house.create(&json!({}));
    let path = format!("/notifications/{uuid}/:test");
    let test = || {
        let named = json!({ "external_ids": [ios, android] });
        house.api().post(&path, &named).expect("answered")
    };
    let accepted = |name: &str| json!({"external_id": name, "outcome": "accepted", "reason": null});
    assert_eq!(test(), json!([accepted(&ios), accepted(&android)]));
    let mut pushed: Vec<_> = house.records().into_iter().map(|(token, ..)| token).collect();
    let token = |name: &str| device(&house, name)["push_token"].as_str().expect("one").to_owned();
    let mut tokens = [token(&ios), token(&android)];
    pushed.sort();
    tokens.sort();
    assert_eq!(pushed, tokens);

    let gone = json!({"status": 404, "reason": "UNREGISTERED", "share": 1.0});
    let faults = json!({"apns": {}, "fcm": {"rules": [gone]}});
    house.gateways.set_faults(&faults).expect("faults");
    let failed = json!({"external_id": android, "outcome": "failed", "reason": "UNREGISTERED"});
    assert_eq!(test(), json!([accepted(&ios), failed]));
    let given_up = || Some(device(&house, &android)).filter(|now| !now["pruned"].is_null());
    assert_eq!(house.wait("pruned", given_up)["pruned"]["reason"], "UNREGISTERED");
    assert_eq!(test()[1]["reason"], "pruned");
    house.gateways.set_faults(&json!({"apns": {}, "fcm": {}})).expect("no faults");
    let restore = format!("/devices/{android}/:restore");
    assert_eq!(house.api().post(&restore, &json!({})).expect("restored")["pruned"], Value::Null);
    assert_eq!(test(), json!([accepted(&ios), accepted(&android)]));

    let now = house.notification(&uuid);
    assert_eq!((settled(&now), &now["status"]), (0, &json!(0)));
    let timeline = house.api().get(&format!("/notifications/{uuid}/timeline")).expect("told");
    let tested = timeline.as_array().expect("rows").iter().filter(|row| row["event"] == "tested");
    let details: Vec<_> = tested.map(|row| row["details"]["accepted"].clone()).collect();
    assert_eq!(details, [json!(2), json!(1), json!(1), json!(2)]);
    let log = house.api().get("/audit?action=device.restored").expect("listed");
    assert_eq!((log.as_array().map(Vec::len), &log[0]["target"]), (Some(1), &json!(android)));
    let history = house.api().get(&format!("/devices/{ios}/notifications")).expect("answered");
    assert_eq!(history["total"], 0);
    let before = house.requests();
    let dry = house.create(&json!({ "dry_run": true }));
    let named = json!({ "external_ids": [ios] });
    let dry = house.api().post(&format!("/notifications/{dry}/:test"), &named).expect("answered");
    assert_eq!((dry, house.requests()), (json!([accepted(&ios)]), before));
}

#[test]
fn a_preview_says_what_is_too_large() {
    let house = House::start(&[], "");
    let preview = |body: String| {
        let draft = json!({ "title": "t", "body": body, "data": { "k": "v".repeat(200) } });
        house.api().post("/notifications/-/:preview", &draft).expect("answered")
    };
    for (provider, name) in [("apns", "APNs"), ("fcm", "FCM")] {
        assert_eq!(preview("b".into())[provider]["problem"], Value::Null);
        let large = preview("b".repeat(4000));
        let problem = large[provider]["problem"].as_str().expect("a problem");
        assert!(problem.contains(name) && problem.contains("4096"), "{problem}");
        assert!(large[provider]["bytes"].as_u64() > Some(4096));
        assert!(large[provider]["payload"].is_object());
    }
}
