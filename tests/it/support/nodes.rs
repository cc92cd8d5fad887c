//! Several nodes, each a real process, on one MongoDB, before gateways that record every push.

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    path::Path,
    time::{Duration, Instant},
};

use fanfare::demo::{
    self, audience,
    processes::{Api, Gateways, Server},
    proof,
};
use serde_json::{Value, json};

use super::clock;
use super::house::{SENT, expected, program, settled, total};

/// Devices of a proven campaign.
pub const DEVICES: usize = 20_000;
/// What all nodes have in common; the store's section is put before it, and more limits may follow.
pub const LIMITS: &str = "[internal]\nkeys = [\"a-test-looks-at-its-nodes\"]\n\n\
    [limits]\nfcm_per_second = 0\nsave_interval_ms = 200\npage_size = 200\n";
const INTERNAL_KEY: &str = "a-test-looks-at-its-nodes";
/// The longest stretch of pushes that may be repeated: what is saved at, twice over for a busy
/// machine, and what one answer takes.
pub const MOMENT_MS: u64 = 2 * 200 + 400;

/// The gateways and the nodes.
pub struct Nodes {
    pub directory: tempfile::TempDir,
    pub gateways: Gateways,
    pub nodes: Vec<Option<Server>>,
    settings: String,
    uri: String,
}

impl Nodes {
    /// Starts so many nodes on the database at `uri`, with these settings.
    pub fn start(uri: &str, count: usize, settings: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let besides = ["--latency-ms", "5"];
        let gateways = Gateways::start(program(), directory.path(), &besides).expect("gateways");
        let (settings, uri) = (settings.to_owned(), uri.to_owned());
        let mut nodes = Self { directory, gateways, nodes: Vec::new(), settings, uri };
        (0..count).for_each(|_| nodes.add());
        nodes
    }

    /// Adds a node.
    pub fn add(&mut self) {
        self.add_at(&self.uri.clone());
    }

    /// Adds a node that reaches the database by another way.
    pub fn add_at(&mut self, uri: &str) {
        self.add_run_by(program(), uri);
    }

    /// Adds a node whose clock is so many seconds ahead.
    pub fn add_ahead(&mut self, secs: u64) {
        let program = clock::ahead(self.directory.path(), secs);
        self.add_run_by(&program, &self.uri.clone());
    }

    fn add_run_by(&mut self, program: &Path, uri: &str) {
        let name = format!("node-{}", self.nodes.len());
        let directory = self.directory.path();
        let (at, settings) = ((name.as_str(), uri), &self.settings);
        let node = Server::start_node(program, directory, &self.gateways, at, settings);
        self.nodes.push(Some(node.expect("a node")));
    }

    /// The API of the youngest living node.
    pub fn api(&self) -> Api {
        let living = self.nodes.iter().flatten().last().expect("a living node");
        living.api(&self.gateways)
    }

    /// Registers devices and launches a campaign to them; its UUID.
    pub fn launch_to(&self, devices: usize, rate: u32) -> String {
        demo::register(&self.api(), devices, |_| {}).expect("registered");
        let notification = json!({
            "title": "t", "body": "b", "conditions": audience::conditions(), "rate_limit": rate
        });
        let created = self.api().post("/notifications", &notification).expect("created");
        let uuid = created["uuid"].as_str().expect("a uuid").to_owned();
        self.api().post(&format!("/notifications/{uuid}/:launch"), &json!({})).expect("launched");
        uuid
    }

    /// Launches a campaign that can be proven.
    pub fn launch(&self, rate: u32) -> String {
        self.launch_to(DEVICES, rate)
    }

    /// The notification, where the store answers.
    pub fn asked(&self, uuid: &str) -> Option<Value> {
        self.api().get(&format!("/notifications/{uuid}")).ok()
    }

    /// The notification.
    pub fn notification(&self, uuid: &str) -> Value {
        self.wait("an answer", || self.asked(uuid))
    }

    /// Waits until `look` finds something.
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(found) = look() {
                return found;
            }
            let overdue = Instant::now() > deadline;
            assert!(!overdue, "waited too long for {what}:\n{}\n{}", self.logs(), self.states());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until so many devices have their outcome.
    pub fn wait_settled(&self, uuid: &str, at_least: u64) {
        self.wait("progress", || (settled(&self.notification(uuid)) >= at_least).then_some(()));
    }

    /// Waits until the campaign is sent.
    pub fn wait_sent(&self, uuid: &str) -> Value {
        let sent = || self.asked(uuid).filter(|now| now["status"] == json!(SENT));
        self.wait("SENT", sent)
    }

    /// What the nodes have logged.
    pub fn logs(&self) -> String {
        let log = |index| {
            let path = self.directory.path().join(format!("node-{index}.log"));
            std::fs::read_to_string(path).unwrap_or_default()
        };
        (0..self.nodes.len()).map(log).collect::<Vec<_>>().join("\n---\n")
    }

    /// Whether this node sends some of a campaign's shards.
    pub fn works(&self, node: usize, uuid: &str) -> bool {
        let node = self.nodes[node].as_ref().expect("running");
        let state = node.api(&self.gateways).internal_state(INTERNAL_KEY).expect("its state");
        let held =
            |(_, desk): (&String, &Value)| desk["shards"].as_u64() > desk["shards_ended"].as_u64();
        let actors = state["actors"].as_object().expect("actors by name");
        actors.iter().filter(|(name, _)| name.contains(uuid)).any(held)
    }

    /// How many scheduled notifications a node knows of.
    pub fn queued(&self, node: usize) -> u64 {
        let node = self.nodes[node].as_ref().expect("running");
        let state = node.api(&self.gateways).internal_state(INTERNAL_KEY).expect("its state");
        state["actors"]["scheduler"]["queued"].as_u64().expect("a number")
    }

    /// What the living nodes' actors hold.
    fn states(&self) -> String {
        let state = |node: &Server| match node.api(&self.gateways).internal_state(INTERNAL_KEY) {
            Ok(state) => state.to_string(),
            Err(error) => error.to_string(),
        };
        self.nodes.iter().flatten().map(state).collect::<Vec<_>>().join("\n---\n")
    }

    /// The gateways' clock, as far as their records tell.
    pub fn now_ms(&self) -> u64 {
        self.records().iter().map(|(_, _, ms)| *ms).max().unwrap_or(0)
    }

    /// Token, status and moment of every push.
    pub fn records(&self) -> Vec<(String, String, u64)> {
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

    /// Nobody missed, each counted once, and what was pushed twice was first pushed within one of
    /// `moments`.
    pub fn prove(&self, ended: &Value, moments: &[RangeInclusive<u64>]) {
        let proof = proof::compare(&self.gateways, DEVICES).expect("records");
        let logs = || self.logs();
        assert_eq!((proof.missed, proof.unexpected), (0, 0), "{moments:?}:\n{}", logs());
        assert_eq!(settled(ended), expected(DEVICES), "each device has one outcome");
        assert_eq!(total(&ended["failed"]), 0, "{ended}");
        let mut first: HashMap<String, u64> = HashMap::new();
        for (token, status, ms) in self.records() {
            if status != "200" {
                continue;
            }
            if let Some(first) = first.get(&token) {
                let within = moments.iter().any(|moment| moment.contains(first));
                assert!(within, "at {first} and again at {ms} ms; {moments:?}\n{}", logs());
            } else {
                first.insert(token, ms);
            }
        }
    }
}

/// What may be repeated where a node's work was cut short then.
pub fn moment_before(cut: u64) -> RangeInclusive<u64> {
    cut.saturating_sub(MOMENT_MS)..=cut + 100
}
