//! The Moxie dialect, against a real server: its wire cases on both stores, and its pushes through the
//! gateways.

use std::{collections::BTreeMap, path::Path, process::Command};

use fanfare::sandbox::{FaultPlan, FaultRule, Provider, Sandbox, SandboxOptions};
use serde_json::{Value, json};

use crate::support::{
    house::{House, total},
    mongod::Mongod,
    server::Server,
    signed::{self, Sign},
    wire_case,
};

const KEY: &str = "d51459b5-d634-48f7-a77c-d87c77af37f1";
const SECRET: &str = "usersharedsecret";
const SETTINGS: &str = r#"
[limits]
backoff_base_ms = 20
backoff_max_ms = 200
request_timeout_ms = 2000

[dialects.moxie.users]
d51459b5-d634-48f7-a77c-d87c77af37f1 = "usersharedsecret"

[dialects.moxie.mail]
smtp_server = "{smtp_url}"
sender_email = "fanfare@example.com"
send_to = ["team@example.com", "later@example.com", "nobody@example.com"]
"#;

#[test]
fn every_wire_case_answers_as_written() {
    let wrong = wire_case::run_all("moxie", BTreeMap::new);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wire_case_answers_as_written_on_mongodb() {
    let mongod = Mongod::shared().await;
    let cases = move || wire_case::run_all("moxie", || mongod.settings());
    let wrong = tokio::task::spawn_blocking(cases).await.expect("the cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_address_registers_a_hundred_times_a_minute() {
    let users = ("DIALECTS__MOXIE__USERS__ALICE".to_owned(), "alice-and-server".to_owned());
    let server = Server::start(&[users].into());
    let register = |way: &str| {
        let (path, headers) = (format!("/moxie/notifications/register/{way}"), BTreeMap::new());
        server.send("POST", &path, &headers, Some(b"{}".to_vec()))
    };
    for _ in 0..50 {
        assert_eq!((register("gcm").status, register("apns").status), (400, 400));
    }
    let refused = register("gcm");
    assert_eq!((refused.status, &refused.body["status"]), (429, &json!("error")));
    let wait: u64 = refused.headers["retry-after"].parse().expect("seconds");
    assert!((1..=60).contains(&wait));
}

#[test]
fn a_client_as_documented_reaches_phones_and_mailboxes() {
    let house = House::start(&[], SETTINGS);
    let pushed = python("moxie.py", &[&module(&house), KEY, SECRET]);
    let pushed: Value = serde_json::from_str(&pushed).expect("the client says what it pushed");
    let sent = house.wait_sent(&only_notification(&house));
    assert_eq!(sent["body"], "Bomb threat at X, avoid the area");
    assert_eq!((total(&sent["sent"]), total(&sent["failed"])), (5, 0));
    let mut reached: Vec<_> = house.records().into_iter().map(|(token, ..)| token).collect();
    reached.sort();
    let phones = ["apns", "gcm"].map(|way| pushed[way].as_str().expect("a token"));
    let mut expected =
        [phones[0], phones[1], "later@example.com", "nobody@example.com", "team@example.com"];
    expected.sort_unstable();
    assert_eq!(reached, expected);
    let mails = mails(&house);
    assert_eq!(mails.len(), 3);
    for mail in &mails {
        let data = mail["data"].as_str().expect("text");
        assert_eq!(mail["from"], "fanfare@example.com");
        assert!(data.contains(&format!("To: <{}>", mail["to"][0].as_str().expect("one"))));
        assert!(data.contains("\r\nSubject: Notification\r\n"), "{data}");
        assert!(data.contains("Bomb threat at X, avoid the area\r\n"), "{data}");
        assert!(data.contains("http://m.ox.ac.uk/x"), "{data}");
    }
}

#[test]
fn a_mail_servers_replies_are_outcomes() {
    let house = House::start(&[], SETTINGS);
    let rules = json!([
        {"status": 451, "reason": "4.7.1 greylisted", "token_prefix": "later", "times": 2},
        {"status": 550, "reason": "5.1.1 no such mailbox <nobody@example.com>", "token_prefix": "nobody"},
    ]);
    house.gateways.set_faults(&json!({"mail": {"rules": rules}})).expect("set");
    let stranger = json!({
        "external_id": "x", "push_token": "stranger@example.com", "send_platform": "EMAIL",
        "properties": [{"key": "moxie", "value": true}],
    });
    house.api().put("/devices", &stranger).expect("registered");
    push(&house);
    let sent = house.wait_sent(&only_notification(&house));
    assert_eq!((total(&sent["sent"]), total(&sent["failed"])), (2, 2));
    assert_eq!(sent["sent"], json!({"android": 0, "ios": 0, "web": 0, "unknown": 2}));
    assert_eq!(sent["reasons"], json!({"smtp_550_5.1.1": 1, "not_a_recipient": 1}));
    assert_eq!(tries(&house, "stranger@example.com"), 0);
    assert_eq!(tries(&house, "later@example.com"), 3);
    assert_eq!(tries(&house, "nobody@example.com"), 1);
}

#[test]
fn a_password_is_not_sent_in_the_clear() {
    let mut house = House::start(&[], SETTINGS);
    house.kill_server();
    // The sandbox has no TLS, which a password needs.
    house.reset_settings(|settings| settings.replacen("smtp://", "smtp://user:password@", 1));
    house.start_server();
    push(&house);
    let sent = house.wait_sent(&only_notification(&house));
    assert_eq!(sent["reasons"], json!({"smtp_unsupported": 3}));
    assert!(mails(&house).is_empty());
}

#[test]
fn a_mail_server_that_is_away_is_waited_for_and_a_push_can_be_stopped() {
    let house = House::start(&[], &SETTINGS.replace("[limits]", "[limits]\nmax_attempts = 100"));
    house.gateways.set_faults(&json!({"mail": {"refuse": true}})).expect("set");
    push(&house);
    let uuid = only_notification(&house);
    house.wait("the engine to notice", || house.ready().contains("email").then_some(()));
    house.set_status(&uuid, "PAUSED");
    house.gateways.set_faults(&json!({})).expect("set");
    assert_eq!(house.notification(&uuid)["status"], 6, "it stays paused");
    assert!(mails(&house).is_empty());
    house.set_status(&uuid, "LAUNCHED");
    let sent = house.wait_sent(&uuid);
    assert_eq!((total(&sent["sent"]), total(&sent["failed"])), (3, 0));
    assert_eq!(mails(&house).len(), 3);
}

#[test]
fn nonces_and_recipients_outlast_a_restart_as_they_should() {
    let mut house = House::start(&[], SETTINGS);
    let sign = Sign { nonce: Some("12642".to_owned()), ..sign() };
    let body = json!({"message": "Fire"});
    assert_eq!(post(&house, "/", &body, &sign).0, 201);
    let mail = json!({"conditions": {"key": "moxie", "operator": "bool_eq", "value": true}});
    let recipients = |house: &House| {
        let found = house.api().post("/devices/-/:search", &mail).expect("found");
        let devices = found.as_array().expect("a list").clone();
        devices.into_iter().map(|device| device["push_token"].clone()).collect::<Vec<_>>()
    };
    let before = ["team@example.com", "later@example.com", "nobody@example.com"];
    assert_eq!(recipients(&house), before);
    house.kill_server();
    house.reset_settings(|settings| settings.replace(", \"nobody@example.com\"", ""));
    house.start_server();
    assert_eq!(post(&house, "/", &body, &sign).0, 401);
    assert_eq!(recipients(&house), before[..2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_mail_client_is_served_by_the_sandbox() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut options = SandboxOptions::new(directory.path());
    let mut rule = FaultRule::new(550, "5.1.1 no such mailbox");
    rule.token_prefix = Some("refused".to_owned());
    let mut faults = FaultPlan::default();
    faults.mail.rules.push(rule);
    options.faults = faults;
    let sandbox = Sandbox::start(options).await.expect("a sandbox");
    let url = sandbox.smtp_url();
    let address = url.strip_prefix("smtp://").and_then(|address| address.split_once(':'));
    let (host, port) = address.expect("a host and a port");
    let (host, port) = (host.to_owned(), port.to_owned());
    let client = move || python("smtp.py", &[&host, &port]);
    tokio::task::spawn_blocking(client).await.expect("no panic");
    let mails = sandbox.mails();
    let to: Vec<_> = mails.iter().map(|mail| mail.to.join(",")).collect();
    assert_eq!(to, ["a@example.com", "b@example.com", "c@example.com"]);
    assert_eq!((mails[0].from.as_str(), mails[2].from.as_str()), ("me@example.com", ""));
    let (_, text) = mails[0].data.split_once("\r\n\r\n").expect("a head and a text");
    assert_eq!(text, ".one\r\n..two\r\n.\r\nÜber\r\n");
    let stats = sandbox.stats(Provider::Mail);
    assert_eq!((stats.requests, stats.accepted), (4, 3));
    sandbox.stop().await;
}

fn python(script: &str, arguments: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(script);
    let ran = Command::new("python3").arg(path).args(arguments).output().expect("python3 runs");
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{script} failed:\n{told}");
    String::from_utf8(ran.stdout).expect("its output is text")
}

fn sign() -> Sign {
    let (user, secret) = (KEY.to_owned(), SECRET.to_owned());
    Sign { user, secret, date: None, nonce: None, without: Vec::new() }
}

fn url(house: &House) -> String {
    house.server.as_ref().expect("a running server").url().to_owned()
}

fn module(house: &House) -> String {
    format!("{}/moxie/notifications", url(house))
}

/// Posts a signed request; the status and the answer.
fn post(house: &House, path: &str, body: &Value, sign: &Sign) -> (u16, Value) {
    let url = format!("{}{path}", module(house));
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let mut request = ureq::Agent::from(config).post(&url);
    for (name, value) in signed::headers("POST", &url, sign) {
        request = request.header(name, value);
    }
    let mut answer = request.send_json(body).expect("the server answers");
    let status = answer.status().as_u16();
    (status, answer.body_mut().read_json().expect("JSON"))
}

/// Makes a notification and pushes it.
fn push(house: &House) {
    let (status, made) = post(house, "/", &json!({"message": "Flood"}), &sign());
    assert_eq!(status, 201, "{made}");
    let body = json!({"notification": made["ident"], "message": "Avoid the area"});
    let (status, answer) = post(house, "/push", &body, &sign());
    assert_eq!(status, 202, "{answer}");
}

fn only_notification(house: &House) -> String {
    let listed = house.api().get("/notifications").expect("listed");
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    listed[0]["uuid"].as_str().expect("a uuid").to_owned()
}

fn mails(house: &House) -> Vec<Value> {
    let url = format!("{}/mails", house.gateways.control_url);
    let mut answer = ureq::get(&url).call().expect("the control interface answers");
    answer.body_mut().read_json().expect("a list")
}

fn tries(house: &House, address: &str) -> usize {
    house.records().iter().filter(|(token, ..)| token == address).count()
}
