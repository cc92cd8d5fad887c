//! A whole house for a test: gateways and a server as real processes, on a directory of their own.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use fanfare::demo::{
    self, audience,
    processes::{Api, Gateways, Server},
    proof::{self, Proof},
};
use serde_json::{Value, json};

/// The native API's number for SENT.
pub const SENT: i64 = 2;

/// The program under test.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_fanfare"))
}

/// Gateways, a server, and where they live.
pub struct House {
    pub directory: tempfile::TempDir,
    pub gateways: Gateways,
    pub server: Option<Server>,
    settings: String,
}

impl House {
    /// Starts gateways with these arguments, and a server with these settings, in which `{smtp_url}` is
    /// the mail server's.
    pub fn start(gateway_arguments: &[&str], settings: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let gateways =
            Gateways::start(program(), directory.path(), gateway_arguments).expect("gateways");
        let settings = settings.replace("{smtp_url}", &gateways.smtp_url);
        let mut house = Self { directory, gateways, server: None, settings };
        house.start_server();
        house
    }

    /// Starts the server on the store that is there.
    pub fn start_server(&mut self) {
        let server =
            Server::start(program(), self.directory.path(), &self.gateways, &self.settings);
        self.server = Some(server.expect("a server"));
    }

    /// Changes the settings for the next start.
    pub fn reset_settings(&mut self, change: impl FnOnce(&str) -> String) {
        self.settings = change(&self.settings);
    }

    /// Kills the server as a loss of power would.
    pub fn kill_server(&mut self) {
        self.server.take().expect("a running server").kill().expect("killed");
    }

    /// The server's API.
    pub fn api(&self) -> Api {
        self.server.as_ref().expect("a running server").api(&self.gateways)
    }

    /// Registers the demo's devices.
    pub fn register(&self, devices: usize) {
        demo::register(&self.api(), devices, |_| {}).expect("registered");
    }

    /// Creates the demo's notification with these fields besides; its uuid.
    pub fn create(&self, besides: &Value) -> String {
        let mut notification =
            json!({"title": "t", "body": "b", "conditions": audience::conditions()});
        let fields = notification.as_object_mut().expect("an object");
        fields.extend(besides.as_object().expect("an object").clone());
        let created = self.api().post("/notifications", &notification).expect("created");
        created["uuid"].as_str().expect("a uuid").to_owned()
    }

    /// Launches it.
    pub fn launch(&self, uuid: &str) {
        self.api().post(&format!("/notifications/{uuid}/:launch"), &json!({})).expect("launched");
    }

    /// Moves it to another state.
    pub fn set_status(&self, uuid: &str, status: &str) {
        let path = format!("/notifications/{uuid}/status");
        self.api().put(&path, &json!({ "status": status })).expect("moved");
    }

    /// It as the API shows it.
    pub fn notification(&self, uuid: &str) -> Value {
        self.api().get(&format!("/notifications/{uuid}")).expect("answered")
    }

    /// Waits until it is SENT; it as the API shows it then.
    pub fn wait_sent(&self, uuid: &str) -> Value {
        self.wait("SENT", || {
            Some(self.notification(uuid)).filter(|now| now["status"] == json!(SENT))
        })
    }

    /// Waits until so many of it have their outcome.
    pub fn wait_settled(&self, uuid: &str, at_least: u64) {
        self.wait("settled", || (settled(&self.notification(uuid)) >= at_least).then_some(()));
    }

    /// Waits for a condition, for two minutes at most.
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < deadline, "waited too long for {what}; log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Compares the gateways' records with what should have been sent.
    pub fn prove(&self, devices: usize) -> Proof {
        proof::compare(&self.gateways, devices).expect("records")
    }

    /// Every push that the gateways recorded: token, status, milliseconds of the gateways' clock.
    pub fn records(&self) -> Vec<(String, String, u64)> {
        let mut text = String::new();
        let mut reader = self.gateways.records().expect("records");
        std::io::Read::read_to_string(&mut reader, &mut text).expect("records are text");
        let record = |line: &str| {
            let fields: Vec<&str> = line.split('\t').collect();
            let ms = fields[fields.len() - 1].parse().expect("a time");
            (fields[1].to_owned(), fields[2].to_owned(), ms)
        };
        text.lines().map(record).collect()
    }

    /// How many requests the gateways have seen.
    pub fn requests(&self) -> u64 {
        let stats = self.gateways.stats().expect("stats");
        ["apns", "fcm"]
            .iter()
            .map(|provider| stats[provider]["requests"].as_u64().expect("a number"))
            .sum()
    }

    /// What `/ready` says, with its status before it.
    pub fn ready(&self) -> String {
        let request = ureq::get(format!("{}/ready", self.api().base));
        let request = request.config().http_status_as_error(false).build();
        let mut answer = request.call().expect("answered");
        let text = answer.body_mut().read_to_string().expect("text");
        format!("{} {text}", answer.status().as_u16())
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("server.log")).unwrap_or_default()
    }
}

/// How many devices have their outcome.
pub fn settled(notification: &Value) -> u64 {
    total(&notification["sent"]) + total(&notification["failed"])
}

/// The sum over platforms.
pub fn total(counts: &Value) -> u64 {
    let counts = counts.as_object().expect("counts by platform");
    counts.values().map(|count| count.as_u64().expect("a number")).sum()
}

/// How many of the demo's devices its condition is for.
pub fn expected(devices: usize) -> u64 {
    (0..devices).filter(|index| audience::expects(*index).is_some()).count() as u64
}
