//! Several nodes, each a real process, on one MongoDB. One of them is killed, stopped for longer than its
//! leases, cut from the store, or told to end in the middle of a campaign, or the store itself changes
//! its primary; by the gateways' records nobody is missed, and only what was under way or not yet saved
//! is pushed again.

use std::time::{Duration, Instant};

use fanfare::{demo::audience, domain::timestamp::Timestamp};
use serde_json::json;

use crate::support::{
    house::settled,
    mongod::Mongod,
    nodes::{DEVICES, LIMITS, MOMENT_MS, Nodes, moment_before},
    proxy::Proxy,
};

/// Seconds of a lease, where a test waits for its end.
const LEASE: u64 = 3;

fn settings() -> String {
    format!("[cluster]\nlease_seconds = {LEASE}\n{LIMITS}")
}

fn database() -> String {
    format!("nodes_{}", uuid::Uuid::new_v4().simple())
}

fn start(mongod: &Mongod, count: usize) -> Nodes {
    Nodes::start(&mongod.uri(&database()), count, &settings())
}

async fn on_mongod(test: impl FnOnce(&Mongod) + Send + 'static) {
    let mongod = Mongod::shared().await;
    tokio::task::spawn_blocking(move || test(&mongod)).await.expect("the test");
}

fn a_killed_ones_part_is_taken_over(mongod: &Mongod) {
    let mut nodes = start(mongod, 3);
    let uuid = nodes.launch(2500);
    nodes.wait_settled(&uuid, 1500);
    nodes.nodes[0].take().expect("running").kill().expect("killed");
    let cut = nodes.now_ms();
    let ended = nodes.wait_sent(&uuid);
    nodes.prove(&ended, &[moment_before(cut)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_share_a_campaign_and_a_killed_ones_part_is_taken_over() {
    on_mongod(a_killed_ones_part_is_taken_over).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_on_a_replica_set_of_three_take_a_killed_ones_part_over() {
    let mongod = Mongod::start(3).await;
    let test = move || a_killed_ones_part_is_taken_over(&mongod);
    tokio::task::spawn_blocking(test).await.expect("the test");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_slept_through_its_leases_wakes_up_and_repeats_nothing_more() {
    on_mongod(|mongod| {
        let nodes = start(mongod, 2);
        let uuid = nodes.launch(1500);
        nodes.wait_settled(&uuid, 1000);
        let sleeper = nodes.nodes[0].as_ref().expect("running");
        sleeper.signal(libc::SIGSTOP).expect("stopped");
        let cut = nodes.now_ms();
        // The other node must have gone on by the end of its leases.
        let before = settled(&nodes.notification(&uuid));
        let stopped = Instant::now();
        nodes.wait("the leases to run out", || {
            (stopped.elapsed() > Duration::from_secs(LEASE + 3)).then_some(())
        });
        assert!(settled(&nodes.notification(&uuid)) > before, "the other node goes on");
        sleeper.signal(libc::SIGCONT).expect("woken");
        let ended = nodes.wait_sent(&uuid);
        nodes.prove(&ended, &[moment_before(cut)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_hands_shards_over_and_repeats_nothing() {
    on_mongod(|mongod| {
        let mut nodes = start(mongod, 2);
        let uuid = nodes.launch(2000);
        for index in 0..2 {
            let before = settled(&nodes.notification(&uuid));
            nodes.wait_settled(&uuid, before + 1000);
            nodes.add();
            let leaving = nodes.nodes[index].take().expect("running");
            assert_eq!(leaving.terminate().expect("ended"), Some(0), "{}", nodes.logs());
        }
        let ended = nodes.wait_sent(&uuid);
        nodes.prove(&ended, &[]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_at_one_node_stops_the_others_within_a_second() {
    on_mongod(|mongod| {
        let nodes = start(mongod, 3);
        let uuid = nodes.launch(2000);
        nodes.wait_settled(&uuid, 500);
        let path = format!("/notifications/{uuid}/status");
        nodes.api().put(&path, &json!({"status": "PAUSED"})).expect("paused");
        let asked = Instant::now();
        let requests = || {
            let stats = nodes.gateways.stats().expect("stats");
            let of = |provider: &str| stats[provider]["requests"].as_u64().expect("a number");
            of("apns") + of("fcm")
        };
        let (mut seen, mut changed) = (requests(), Instant::now());
        nodes.wait("quiet", || {
            let now = requests();
            if now != seen {
                (seen, changed) = (now, Instant::now());
            }
            (changed.elapsed() > Duration::from_millis(1500)).then_some(())
        });
        let last = changed.saturating_duration_since(asked);
        assert!(last < Duration::from_millis(1300), "the last push came {last:?} after the pause");
        nodes.api().put(&path, &json!({"status": "LAUNCHED"})).expect("resumed");
        let ended = nodes.wait_sent(&uuid);
        nodes.prove(&ended, &[]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_dies_costs_a_pause_and_repeats_nothing() {
    let mut mongod = Mongod::start(3).await;
    let test = move || {
        // The leases outlast an election, so that every node keeps its part and its pages.
        let settings = format!("[cluster]\nlease_seconds = 15\n{LIMITS}");
        let nodes = Nodes::start(&mongod.uri(&database()), 3, &settings);
        let uuid = nodes.launch(1500);
        nodes.wait_settled(&uuid, 2000);
        tokio::runtime::Handle::current().block_on(mongod.kill_primary());
        let ended = nodes.wait_sent(&uuid);
        nodes.prove(&ended, &[]);
    };
    tokio::task::spawn_blocking(test).await.expect("the test");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_cut_from_the_store_stops_by_itself_and_comes_back() {
    on_mongod(|mongod| {
        let name = database();
        let mut nodes = Nodes::start(&mongod.uri(&name), 0, &settings());
        let mut proxy = Proxy::start(mongod.address());
        nodes.add_at(&format!("mongodb://{}/{name}?directConnection=true", proxy.address()));
        nodes.add();
        // Slow enough to be far from its end when the node is back.
        let uuid = nodes.launch(500);
        nodes.wait_settled(&uuid, 500);
        proxy.cut();
        let (cut, since) = (nodes.now_ms(), Instant::now());
        // Long enough for its leases to end and for the other node to have taken all.
        nodes.wait("the takeover", || (since.elapsed().as_secs() > LEASE + 2).then_some(()));
        let before = settled(&nodes.notification(&uuid));
        nodes.wait_settled(&uuid, before + 200);
        proxy.mend();
        nodes.wait("the cut node to work again", || nodes.works(0, &uuid).then_some(()));
        // The one that was cut off has to send the rest.
        let leaving = nodes.nodes[1].take().expect("running");
        assert_eq!(leaving.terminate().expect("ended"), Some(0), "{}", nodes.logs());
        let ended = nodes.wait_sent(&uuid);
        // It noticed that nothing was recorded long before its leases ended.
        nodes.prove(&ended, &[cut - MOMENT_MS..=cut + MOMENT_MS]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_clock_is_wrong_launches_and_forgets_nothing_early() {
    on_mongod(|mongod| {
        let mut nodes = start(mongod, 1);
        let sent = nodes.launch_to(200, 100_000);
        nodes.wait_sent(&sent);
        let tomorrow = Timestamp::now().plus(Duration::from_secs(86_400));
        let later = json!({"title": "t", "body": "b", "scheduled_at": tomorrow.to_rfc3339()});
        let later = nodes.api().post("/notifications", &later).expect("created");
        let later = later["uuid"].as_str().expect("a uuid");
        nodes.api().post(&format!("/notifications/{later}/:launch"), &json!({})).expect("queued");
        // Further than a schedule, and than delivery logs are kept.
        nodes.add_ahead(100 * 86_400);
        nodes.wait("its look", || (nodes.queued(1) == 1).then_some(()));
        assert_eq!(nodes.notification(later)["status"], json!(5), "it is QUEUED");
        let sent_to = (0..200).find(|index| audience::expects(*index).is_some()).expect("somebody");
        let history = format!("/devices/demo-{sent_to}/notifications");
        let history = nodes.api().get(&history).expect("its history");
        assert_eq!(history["total"], json!(1), "{history}");
        assert!(!nodes.logs().contains("dropped delivery logs"), "{}", nodes.logs());
    })
    .await;
}

/// Most pushes in any two seconds, and how many there were in all.
fn busiest_two_seconds(nodes: &Nodes) -> (usize, usize) {
    let mut times: Vec<u64> = nodes.records().into_iter().map(|(_, _, ms)| ms).collect();
    times.sort_unstable();
    let within = |(at, from): (usize, &u64)| times.partition_point(|ms| *ms < from + 2000) - at;
    (times.iter().enumerate().map(within).max().unwrap_or(0), times.len())
}

fn keeps_to_six_hundred(mongod: &Mongod, limit: &str, rate: u32) {
    let settings = format!("{}{limit}", settings());
    let nodes = Nodes::start(&mongod.uri(&database()), 3, &settings);
    // Each hears of the others within a second.
    std::thread::sleep(Duration::from_millis(1500));
    let uuid = nodes.launch_to(DEVICES / 2, rate);
    nodes.wait_sent(&uuid);
    let (busiest, all) = busiest_two_seconds(&nodes);
    assert!(all > 2400, "too few pushes to tell: {all}");
    assert!((900..=1320).contains(&busiest), "{busiest} in two seconds, of {all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_keep_to_an_apps_rate_together() {
    on_mongod(|mongod| keeps_to_six_hundred(mongod, "app_per_second = 600\n", 100_000)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_keep_to_a_campaigns_rate_together() {
    on_mongod(|mongod| keeps_to_six_hundred(mongod, "", 600)).await;
}
