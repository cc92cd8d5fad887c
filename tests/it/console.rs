//! The console, in a real Chromium against a real server and the gateways: scripts of
//! `clients/console`, each with a house of its own. Pictures of the pages lie in
//! `target/console-screenshots` afterwards.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{chromium, house::House, npm};

/// What drives the browser, and what judges whether everybody can use a page.
const PACKAGES: &str = "playwright-core@1.65.1 axe-core@4.14.1";
const OPERATOR: &str = "the-operator-key-of-the-tests";
const SEALS: &str = "what-seals-credentials-in-the-tests";
const DEVICES: usize = 120;

/// A house in which somebody has worked: devices, and campaigns in several states.
struct Worked {
    house: House,
    sent: String,
    sending: String,
    draft: String,
}

impl Worked {
    fn start() -> Self {
        Self::with_faults(&[])
    }

    /// With gateways that go wrong so, from now on.
    fn with_faults(faults: &[&str]) -> Self {
        let settings = format!("[internal]\nkeys = [{OPERATOR:?}]\nsealing_secret = {SEALS:?}\n");
        Self::in_house(House::start(faults, &settings))
    }

    fn in_house(house: House) -> Self {
        Self::with_devices(house, DEVICES)
    }

    fn with_devices(house: House, devices: usize) -> Self {
        house.register(devices);
        let sent = house.create(&json!({ "title": "Doors open at eight" }));
        house.launch(&sent);
        house.wait_sent(&sent);
        let draft = house.create(&json!({ "title": "Last tickets" }));
        // Slow enough to be looked at.
        let sending = house.create(&json!({ "title": "See you tonight", "rate_limit": 1 }));
        house.launch(&sending);
        Self { house, sent, sending, draft }
    }

    /// Runs a script of `clients/console`; what it tells.
    fn run(&self, script: &str) -> Value {
        let server = self.house.server.as_ref().expect("a running server");
        let site = json!({
            "base": server.base().replace("127.0.0.1", "localhost"),
            "key": self.house.gateways.secret,
            "operator": OPERATOR,
            "app": "sandbox",
            "sent": self.sent,
            "sending": self.sending,
            "draft": self.draft,
            "reached": self.reached(),
            "credentials": self.credentials(),
            "control": self.house.gateways.control_url,
            "chromium": chromium::program(),
            "pictures": pictures(),
        });
        npm::run(PACKAGES, &format!("console/{script}"), &[&site.to_string()])
    }

    /// What the gateways take: paths of files, and what belongs to them.
    fn credentials(&self) -> Value {
        let configured = |key: &str| {
            let mut lines = self.house.gateways.config.lines();
            let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            value.expect("the gateways configure it").trim_matches('"').to_owned()
        };
        let keys = ["key_file", "key_id", "team_id", "topic", "service_account_file"];
        keys.into_iter().map(|key| (key.to_owned(), Value::from(configured(key)))).collect()
    }

    /// A device that the campaign was sent to.
    fn reached(&self) -> Value {
        let conditions = fanfare::demo::audience::conditions();
        let search = json!({ "conditions": conditions, "size": 1 });
        let found = self.house.api().post("/devices/-/:search", &search).expect("devices");
        found[0]["external_id"].clone()
    }
}

/// Where pictures of the pages are kept.
fn pictures() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    target.join("console-screenshots")
}

#[test]
fn a_key_signs_in_to_the_console_and_out_again() {
    Worked::start().run("sign_in.mjs");
}

#[test]
fn every_page_of_the_console_stands_for_everybody() {
    let told = Worked::start().run("every_page.mjs");
    assert!(told["pages"].as_u64() > Some(10), "{told}");
}

#[test]
fn the_console_finds_explains_and_changes_devices() {
    Worked::start().run("devices.mjs");
}

#[test]
fn the_console_conducts_campaigns_and_shows_them_live() {
    Worked::start().run("campaigns.mjs");
}

#[test]
fn apps_keys_and_credentials_are_made_and_ended_in_the_console() {
    Worked::start().run("apps.mjs");
}

#[test]
fn what_is_missing_is_said_before_credentials_are_typed() {
    let settings = format!("[internal]\nkeys = [{OPERATOR:?}]\n");
    Worked::in_house(House::start(&[], &settings)).run("unsealed.mjs");
}

/// Enough for the breaker to be sure.
const MANY: usize = 2_000;

#[test]
fn a_provider_that_is_away_is_told_of_wherever_somebody_waits_for_it() {
    let settings = format!("[internal]\nkeys = [{OPERATOR:?}]\nsealing_secret = {SEALS:?}\n");
    Worked::with_devices(House::start(&[], &settings), MANY).run("outage.mjs");
}

#[test]
fn a_campaign_is_written_tested_and_launched_once() {
    Worked::start().run("compose.mjs");
}

#[test]
fn a_persons_whole_way_goes_by_keyboard_alone() {
    // Each device's first push is refused, or not, as its token falls; the second is taken. Some devices have
    // their first push in the campaign of this test.
    let faults = ["--fail", "apns:400:BadPriority:0.3", "--fail-times", "1"];
    Worked::with_faults(&faults).run("whole_way.mjs");
}
