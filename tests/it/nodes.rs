//! Several nodes, each a real process, on one MongoDB. One of them is killed, stopped for longer than its
//! leases, or told to end in the middle of a campaign; by the gateways' records nobody is missed, and
//! only what was under way or not yet saved is pushed again.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use fanfare::demo::{
    self, audience,
    processes::{Api, Gateways, Server},
    proof,
};
use serde_json::{Value, json};

use crate::support::{
    house::{SENT, expected, program, settled, total},
    mongod::Mongod,
};

const DEVICES: usize = 20_000;
const SETTINGS: &str =
    "[limits]\nfcm_per_second = 0\nsave_interval_ms = 200\npage_size = 200\nshards = 32\n";
/// The longest stretch of pushes that may be repeated: what is saved at, twice over for a busy
/// machine, and what one answer takes.
const MOMENT_MS: u64 = 2 * 200 + 400;

struct Nodes {
    directory: tempfile::TempDir,
    gateways: Gateways,
    nodes: Vec<Option<Server>>,
    uri: String,
}

impl Nodes {
    fn start(mongod: &Mongod, count: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let besides = ["--latency-ms", "5"];
        let gateways = Gateways::start(program(), directory.path(), &besides).expect("gateways");
        let uri = mongod.uri(&format!("nodes_{}", uuid::Uuid::new_v4().simple()));
        let mut nodes = Self { directory, gateways, nodes: Vec::new(), uri };
        (0..count).for_each(|_| nodes.add());
        nodes
    }

    fn add(&mut self) {
        let name = format!("node-{}", self.nodes.len());
        let directory = self.directory.path();
        let node =
            Server::start_node(program(), directory, &self.gateways, (&name, &self.uri), SETTINGS);
        self.nodes.push(Some(node.expect("a node")));
    }

    fn api(&self) -> Api {
        let living = self.nodes.iter().flatten().last().expect("a living node");
        living.api(&self.gateways)
    }

    fn launch(&self, rate: u32) -> String {
        demo::register(&self.api(), DEVICES, |_| {}).expect("registered");
        let notification = json!({
            "title": "t", "body": "b", "conditions": audience::conditions(), "rate_limit": rate
        });
        let created = self.api().post("/notifications", &notification).expect("created");
        let uuid = created["uuid"].as_str().expect("a uuid").to_owned();
        self.api().post(&format!("/notifications/{uuid}/:launch"), &json!({})).expect("launched");
        uuid
    }

    fn notification(&self, uuid: &str) -> Value {
        self.api().get(&format!("/notifications/{uuid}")).expect("answered")
    }

    fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < deadline, "waited too long for {what}:\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_settled(&self, uuid: &str, at_least: u64) {
        self.wait("progress", || (settled(&self.notification(uuid)) >= at_least).then_some(()));
    }

    fn wait_sent(&self, uuid: &str) -> Value {
        let sent = || Some(self.notification(uuid)).filter(|now| now["status"] == json!(SENT));
        self.wait("SENT", sent)
    }

    fn logs(&self) -> String {
        let log = |index| {
            let path = self.directory.path().join(format!("node-{index}.log"));
            std::fs::read_to_string(path).unwrap_or_default()
        };
        (0..self.nodes.len()).map(log).collect::<Vec<_>>().join("\n---\n")
    }

    /// The gateways' clock, as far as their records tell.
    fn now_ms(&self) -> u64 {
        self.records().iter().map(|(_, _, ms)| *ms).max().unwrap_or(0)
    }

    fn records(&self) -> Vec<(String, String, u64)> {
        let mut text = String::new();
        let mut reader = self.gateways.records().expect("records");
        std::io::Read::read_to_string(&mut reader, &mut text).expect("text");
        let record = |line: &str| {
            let fields: Vec<&str> = line.split('\t').collect();
            let ms = fields[fields.len() - 1].parse().expect("a time");
            (fields[1].to_owned(), fields[2].to_owned(), ms)
        };
        text.lines().map(record).collect()
    }

    /// Nobody missed, each counted once, and what was pushed twice was first pushed within a moment
    /// before one of `cuts`.
    fn prove(&self, ended: &Value, cuts: &[u64]) {
        let proof = proof::compare(&self.gateways, DEVICES).expect("records");
        assert_eq!((proof.missed, proof.unexpected), (0, 0), "cuts at {cuts:?}:\n{}", self.logs());
        assert_eq!(settled(ended), expected(DEVICES), "each device has one outcome");
        assert_eq!(total(&ended["failed"]), 0, "{ended}");
        let mut first: HashMap<String, u64> = HashMap::new();
        for (token, status, ms) in self.records() {
            if status != "200" {
                continue;
            }
            if let Some(first) = first.get(&token) {
                let within =
                    |cut: &u64| (cut.saturating_sub(MOMENT_MS)..=cut + 100).contains(first);
                assert!(cuts.iter().any(within), "at {first} and again at {ms} ms; cuts {cuts:?}");
            } else {
                first.insert(token, ms);
            }
        }
    }
}

async fn on_mongod(test: impl FnOnce(&Mongod) + Send + 'static) {
    let mongod = Mongod::shared().await;
    tokio::task::spawn_blocking(move || test(&mongod)).await.expect("the test");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_share_a_campaign_and_a_killed_ones_part_is_taken_over() {
    on_mongod(|mongod| {
        let mut nodes = Nodes::start(mongod, 3);
        let uuid = nodes.launch(2500);
        nodes.wait_settled(&uuid, 1500);
        nodes.nodes[0].take().expect("running").kill().expect("killed");
        let cut = nodes.now_ms();
        let ended = nodes.wait_sent(&uuid);
        nodes.prove(&ended, &[cut]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_slept_through_its_leases_wakes_up_and_repeats_nothing_more() {
    on_mongod(|mongod| {
        let nodes = Nodes::start(mongod, 2);
        let uuid = nodes.launch(1500);
        nodes.wait_settled(&uuid, 1000);
        let sleeper = nodes.nodes[0].as_ref().expect("running");
        sleeper.signal(libc::SIGSTOP).expect("stopped");
        let cut = nodes.now_ms();
        // Its leases end after ten seconds; the other node must have gone on by then.
        let before = settled(&nodes.notification(&uuid));
        let stopped = Instant::now();
        nodes.wait("the leases to run out", || {
            (stopped.elapsed() > Duration::from_secs(13)).then_some(())
        });
        assert!(settled(&nodes.notification(&uuid)) > before, "the other node goes on");
        sleeper.signal(libc::SIGCONT).expect("woken");
        let ended = nodes.wait_sent(&uuid);
        nodes.prove(&ended, &[cut]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_hands_shards_over_and_repeats_nothing() {
    on_mongod(|mongod| {
        let mut nodes = Nodes::start(mongod, 2);
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
        let nodes = Nodes::start(mongod, 3);
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
