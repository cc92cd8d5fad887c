//! The server is killed at random moments of a campaign, and started again. By the gateways' own
//! records nobody is missed, and only pushes of the last saved moment are repeated.

use std::collections::HashMap;

use serde_json::json;

use crate::support::house::{House, expected, settled, total};

const DEVICES: usize = 30_000;
/// What the settings below save at, twice over for a busy machine, and what one answer takes.
const MOMENT_MS: u64 = 2 * 200 + 300;
const SETTINGS: &str = "[limits]\nfcm_per_second = 0\nsave_interval_ms = 200\npage_size = 200\n";

#[test]
fn killed_at_random_moments_nobody_is_missed_and_only_the_last_moment_repeats() {
    let gateways =
        ["--latency-ms", "5", "--jitter-ms", "20", "--fail", "apns:410:Unregistered:0.01"];
    let mut house = House::start(&gateways, SETTINGS);
    house.register(DEVICES);
    let uuid = house.create(&json!({"rate_limit": 6000}));
    house.launch(&uuid);
    let mut kills = Vec::new();
    for _ in 0..4 {
        let before = house.requests();
        let more = rand::random_range(200..2500);
        house.wait("pushes", || (house.requests() > before + more).then_some(()));
        house.kill_server();
        kills.push(house.records().iter().map(|(_, _, ms)| *ms).max().expect("records"));
        house.start_server();
    }
    let ended = house.wait_sent(&uuid);
    let proof = house.prove(DEVICES);
    assert_eq!((proof.missed, proof.unexpected), (0, 0), "kills at {kills:?} ms");
    assert_eq!(settled(&ended), expected(DEVICES), "every device has exactly one outcome");

    let mut first_accepted: HashMap<String, u64> = HashMap::new();
    let mut repeated = 0;
    for (token, status, ms) in house.records() {
        if status != "200" {
            continue;
        }
        let Some(first) = first_accepted.get(&token) else {
            first_accepted.insert(token, ms);
            continue;
        };
        repeated += 1;
        let in_moment = |kill: &u64| (kill.saturating_sub(MOMENT_MS)..=kill + 50).contains(first);
        assert!(
            kills.iter().any(in_moment),
            "pushed at {first} ms and again at {ms}; kills {kills:?}"
        );
    }
    assert_eq!(repeated, proof.duplicates);
    let accepted = first_accepted.len() as u64;
    assert_eq!(total(&ended["sent"]), accepted, "the API counts each accepted device once");
}

#[test]
fn a_server_told_to_end_records_what_is_under_way_and_goes_on_without_a_repeat() {
    let mut house = House::start(&["--latency-ms", "20"], SETTINGS);
    house.register(DEVICES);
    let uuid = house.create(&json!({"rate_limit": 5000}));
    house.launch(&uuid);
    for _ in 0..2 {
        let before = house.requests();
        house.wait("pushes", || (house.requests() > before + 2000).then_some(()));
        let code = house.server.take().expect("running").terminate().expect("ended");
        assert_eq!(code, Some(0), "log:\n{}", house.log());
        house.start_server();
    }
    let ended = house.wait_sent(&uuid);
    let proof = house.prove(DEVICES);
    assert_eq!((proof.missed, proof.duplicates, proof.unexpected), (0, 0, 0));
    assert_eq!(settled(&ended), expected(DEVICES));
}

#[test]
fn an_acknowledged_device_survives_a_kill() {
    let mut house = House::start(&[], "");
    for round in 0..5 {
        let mut acknowledged = Vec::new();
        for index in 0..40 {
            let external_id = format!("durable-{round}-{index}");
            let device = json!({
                "external_id": external_id, "push_token": format!("token-{round}-{index}-of-some-length"),
                "send_platform": 1, "device_platform": 1,
            });
            house.api().put("/devices", &device).expect("acknowledged");
            acknowledged.push(external_id);
        }
        house.kill_server();
        house.start_server();
        for external_id in acknowledged {
            house.api().get(&format!("/devices/{external_id}")).expect("still there");
        }
    }
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let house = House::start(&[], "");
    let other = fanfare::demo::processes::Server::start(
        crate::support::house::program(),
        house.directory.path(),
        &house.gateways,
        "",
    );
    let told = format!("{:#}", other.expect_err("refused"));
    assert!(told.contains("data"), "the error names the directory: {told}");
    house.api().get("/notifications").expect("the first goes on");
}
