//! The Push Server dialect, against real servers and the gateways: its wire cases, what the cases cannot
//! show, and WalletConnect's own client.

use std::collections::BTreeMap;

use fanfare::demo::processes::Gateways;
use serde_json::{Value, json};

use crate::support::{
    house::program,
    mongod::Mongod,
    npm,
    server::{Answer, Server},
    wire_case::{self, Saved, Story},
};

const TENANT_SECRET: &str = "the-tenant-secret-of-the-tests";
/// A token by HS256 with that secret, which ends in 2100.
const TENANT_TOKEN: &str = "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAib3BlcmF0b3IiLCAicm9sZSI6ICJhdXRoZW50aWNhdGVkIiwgImF1ZCI6ICJhdXRoZW50aWNhdGVkIiwgImV4cCI6IDQxMDI0NDQ4MDB9.eyGFZrbYoWERv2c2mVkFzNv6lt8GnbIuft19zpZtLfo";
/// A token as Google makes them.
const TOKEN: &str = "token-of-a-client-of-the-push-server";
/// The package of WalletConnect's own client.
const CLIENTS: &str = "@walletconnect/core@2.25.0";

/// Gateways, and where their files lie.
struct Site {
    gateways: Gateways,
    _directory: tempfile::TempDir,
}

impl Site {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let gateways = Gateways::start(program(), directory.path(), &[]).expect("gateways");
        Self { gateways, _directory: directory }
    }

    /// What the configuration of the gateways' app says of this.
    fn configured(&self, section: &str, key: &str) -> String {
        let (_, rest) = self.gateways.config.split_once(section).expect("the section");
        let line = rest.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        line.expect("the key").trim_matches('"').to_owned()
    }

    /// The settings of a server whose only app sends to the gateways.
    fn settings(&self) -> BTreeMap<String, String> {
        let keys = [
            ("[[apps]]", "", &["name", "key", "secret"][..]),
            (
                "[apps.apns]",
                "APNS__",
                &["key_file", "key_id", "team_id", "topic", "environment", "endpoint", "ca_file"],
            ),
            (
                "[apps.fcm]",
                "FCM__",
                &["service_account_file", "project_id", "endpoint", "token_uri", "ca_file"],
            ),
        ];
        let mut settings: BTreeMap<_, _> = [
            ("LIMITS__MAX_ATTEMPTS".to_owned(), "1".to_owned()),
            ("DIALECTS__PUSH_SERVER__TENANT_SECRET".to_owned(), TENANT_SECRET.to_owned()),
        ]
        .into();
        for (section, prefix, keys) in keys {
            for key in keys {
                let name = format!("APPS__0__{prefix}{}", key.to_uppercase());
                settings.insert(name, self.configured(section, key));
            }
        }
        settings
    }

    /// The gateways' records of a token: provider, token, status, reason, id, collapse id, moment.
    fn records(&self, token: &str) -> Vec<Vec<String>> {
        let mut text = String::new();
        let mut reader = self.gateways.records().expect("records");
        std::io::Read::read_to_string(&mut reader, &mut text).expect("records are text");
        let fields = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
        text.lines().map(fields).filter(|record| record[1] == token).collect()
    }
}

fn rule(prefix: &str, status: u16, reason: &str) -> Value {
    json!({ "status": status, "reason": reason, "token_prefix": prefix })
}

fn post(server: &Server, path: &str, body: &Value) -> Answer {
    let headers = [("Content-Type".to_owned(), "application/json".to_owned())].into();
    server.send("POST", path, &headers, Some(body.to_string().into_bytes()))
}

fn tenant_call(server: &Server, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let headers = [("Authorization".to_owned(), TENANT_TOKEN.to_owned())].into();
    server.send(method, path, &headers, body.map(|body| body.to_string().into_bytes()))
}

fn form(server: &Server, path: &str, fields: &[(&str, &str)]) -> Answer {
    let field = |(name, value): &(&str, &str)| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = fields.iter().map(field).collect::<String>() + "--B--\r\n";
    let headers = [
        ("Authorization".to_owned(), format!("Bearer {TENANT_TOKEN}")),
        ("Content-Type".to_owned(), "multipart/form-data; boundary=B".to_owned()),
    ];
    server.send("POST", path, &headers.into(), Some(body.into_bytes()))
}

fn message(id: &str) -> Value {
    json!({ "id": id, "payload": { "topic": "t", "flags": 17, "blob": "b" } })
}

/// Runs the wire cases.
fn cases(besides: impl Fn() -> BTreeMap<String, String>) {
    let site = Site::start();
    let (known, settings) = prepared(&site, besides);
    let wrong = wire_case::run_all_knowing("push_server", settings, &known);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the servers of the wire cases answer.
pub fn stories() -> Vec<Story> {
    let site = Site::start();
    let (known, settings) = prepared(&site, BTreeMap::new);
    wire_case::stories("push_server", settings, &known)
}

/// Sets the faults that the wire cases count on: tokens that begin with `dead`, `bad0`, `down-`. What the
/// cases may name, and their settings.
fn prepared(
    site: &Site,
    besides: impl Fn() -> BTreeMap<String, String>,
) -> (Saved, impl Fn() -> BTreeMap<String, String>) {
    let apns = [rule("dead", 410, "Unregistered"), rule("bad0", 400, "BadDeviceToken")];
    let fcm = [rule("down-", 503, "UNAVAILABLE")];
    let faults = json!({ "apns": { "rules": apns }, "fcm": { "rules": fcm } });
    site.gateways.set_faults(&faults).expect("faults");
    let saved = [
        ("secret", site.gateways.secret.clone()),
        ("topic", site.configured("[apps.apns]", "topic")),
    ];
    let saved = saved.map(|(name, value)| (name.to_owned(), Value::from(value))).into();
    let settings = move || {
        let mut settings = site.settings();
        settings.remove("DIALECTS__PUSH_SERVER__TENANT_SECRET");
        settings.extend(besides());
        settings
    };
    (saved, settings)
}

#[test]
fn every_wire_case_answers_as_written() {
    cases(BTreeMap::new);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wire_case_answers_as_written_on_mongodb() {
    let mongod = Mongod::shared().await;
    let cases = move || cases(|| mongod.settings());
    tokio::task::spawn_blocking(cases).await.expect("the cases");
}

#[test]
fn of_repeats_at_once_one_is_sent_and_all_hear_of_it() {
    let site = Site::start();
    let server = Server::start(&site.settings());
    let registered = json!({ "client_id": "c1", "type": "fcm", "token": TOKEN });
    assert_eq!(post(&server, "/clients", &registered).status, 200);
    site.gateways.set_faults(&json!({ "fcm": { "latency_ms": 300 } })).expect("faults");
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let push = || post(&server, "/clients/c1", &message("1")).status;
        let pushes: Vec<_> = (0..6).map(|_| scope.spawn(push)).collect();
        pushes.into_iter().map(|push| push.join().expect("no panic")).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 202]);
    assert_eq!(site.records(TOKEN).len(), 1);
}

#[test]
fn a_repeat_after_a_failure_is_sent_and_carries_the_same_name() {
    let site = Site::start();
    let server = Server::start(&site.settings());
    let token = "ab".repeat(32);
    let registered = json!({ "client_id": "c1", "type": "apns", "token": token });
    assert_eq!(post(&server, "/clients", &registered).status, 200);
    let down = rule(&token, 503, "ServiceUnavailable");
    site.gateways.set_faults(&json!({ "apns": { "rules": [down] } })).expect("faults");
    assert_eq!(post(&server, "/clients/c1", &message("1")).status, 502);
    site.gateways.set_faults(&json!({})).expect("faults");
    assert_eq!(post(&server, "/clients/c1", &message("1")).status, 202);
    assert_eq!(post(&server, "/clients/c1", &message("1")).status, 200);
    let records = site.records(&token);
    assert_eq!(records.len(), 2, "{records:?}");
    // The id and the collapse id.
    assert_eq!(records[0][4..6], records[1][4..6]);
    assert_eq!((records[0][2].as_str(), records[1][2].as_str()), ("503", "200"));
}

#[test]
fn a_provider_that_is_down_for_a_moment_is_asked_again_within_one_push() {
    let site = Site::start();
    let mut settings = site.settings();
    settings.insert("LIMITS__MAX_ATTEMPTS".into(), "4".into());
    settings.insert("LIMITS__BACKOFF_BASE_MS".into(), "20".into());
    let server = Server::start(&settings);
    let registered = json!({ "client_id": "c1", "type": "fcm", "token": TOKEN });
    assert_eq!(post(&server, "/clients", &registered).status, 200);
    let mut twice = rule(TOKEN, 503, "UNAVAILABLE");
    twice["times"] = json!(2);
    site.gateways.set_faults(&json!({ "fcm": { "rules": [twice] } })).expect("faults");
    assert_eq!(post(&server, "/clients/c1", &message("1")).status, 202);
    assert_eq!(site.records(TOKEN).len(), 3);
}

/// Makes a tenant with the gateways' own credentials.
fn make_tenant(site: &Site, server: &Server, id: &str) {
    let made = tenant_call(server, "POST", "/tenants", Some(&json!({ "id": id })));
    assert_eq!(made.status, 200, "{}", made.body);
    let file = |section: &str, key: &str| {
        std::fs::read_to_string(site.configured(section, key)).expect("a file of the gateways")
    };
    let (key, account) =
        (file("[apps.apns]", "key_file"), file("[apps.fcm]", "service_account_file"));
    let of_apns = |key: &str| site.configured("[apps.apns]", key);
    let fields = [
        ("apns_topic", of_apns("topic")),
        ("apns_pkcs8_pem", key),
        ("apns_key_id", of_apns("key_id")),
        ("apns_team_id", of_apns("team_id")),
    ];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let set = form(server, &format!("/tenants/{id}/apns"), &fields);
    assert_eq!(set.status, 200, "{}", set.body);
    let set = form(server, &format!("/tenants/{id}/fcm_v1"), &[("credentials", &account)]);
    assert_eq!(set.status, 200, "{}", set.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_made_on_one_node_is_served_and_ended_by_all() {
    let mongod = Mongod::shared().await;
    let test = move || {
        let site = Site::start();
        let mut settings = site.settings();
        settings.extend(mongod.settings());
        let nodes = [Server::start(&settings), Server::start(&settings)];
        make_tenant(&site, &nodes[0], "p1");
        for (push_type, token) in [("apns", "cd".repeat(32)), ("fcm", TOKEN.to_owned())] {
            let body = json!({ "client_id": push_type, "type": push_type, "token": token });
            assert_eq!(post(&nodes[1], "/p1/clients", &body).status, 200);
            let path = format!("/p1/clients/{push_type}");
            assert_eq!(post(&nodes[1], &path, &message("1")).status, 202);
            assert_eq!(post(&nodes[0], &path, &message("1")).status, 200);
            assert_eq!(post(&nodes[0], &path, &message("2")).status, 202);
            assert_eq!(site.records(&token).len(), 2);
        }
        let bad = [("apns_topic", "com.example.another")];
        assert_eq!(form(&nodes[0], "/tenants/p1/apns", &bad).status, 200);
        assert_eq!(post(&nodes[1], "/p1/clients/apns", &message("3")).status, 400);
        assert_eq!(tenant_call(&nodes[1], "DELETE", "/tenants/p1", None).status, 200);
        assert_eq!(post(&nodes[0], "/p1/clients/apns", &message("4")).status, 404);
    };
    tokio::task::spawn_blocking(test).await.expect("the test");
}

#[test]
fn a_tenants_credentials_lie_sealed_in_the_store_and_outlast_a_restart() {
    let site = Site::start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut settings = site.settings();
    let data = directory.path().join("data");
    settings.insert("STORAGE__PATH".into(), data.to_str().expect("text").to_owned());
    let server = Server::start(&settings);
    make_tenant(&site, &server, "p1");
    let registered = json!({ "client_id": "c1", "type": "fcm", "token": TOKEN });
    assert_eq!(post(&server, "/p1/clients", &registered).status, 200);
    assert!(server.terminate().success());
    for entry in std::fs::read_dir(&data).expect("the store") {
        let bytes = std::fs::read(entry.expect("an entry").path()).unwrap_or_default();
        let found = bytes.windows(11).any(|window| window == b"PRIVATE KEY");
        assert!(!found, "a key lies open in the store");
    }
    let server = Server::start(&settings);
    assert_eq!(post(&server, "/p1/clients/c1", &message("1")).status, 202);
    assert!(server.terminate().success());
    settings.insert(
        "DIALECTS__PUSH_SERVER__TENANT_SECRET".into(),
        "another-secret-of-the-tests".into(),
    );
    let server = Server::start(&settings);
    assert_eq!(post(&server, "/p1/clients/c1", &message("2")).status, 409);
}

#[test]
fn walletconnects_own_client_registers_and_is_pushed_to() {
    let site = Site::start();
    let mut settings = site.settings();
    settings.insert("DIALECTS__PUSH_SERVER__REQUIRE_CLIENT_AUTH".into(), "false".into());
    let server = Server::start(&settings);
    make_tenant(&site, &server, "project-1");
    let base = format!("http://{}", server.address());
    let told = npm::run(CLIENTS, "walletconnect.mjs", &[&base, "project-1", TOKEN]);
    let client = told["client_id"].as_str().expect("the client's id");
    assert_eq!(told["statuses"], json!([200, 200, 200]), "{told}");
    let path = format!("/project-1/clients/{client}");
    let raw = json!({ "topic": "t", "tag": 4002, "message": "sealed" });
    assert_eq!(post(&server, &path, &raw).status, 202);
    assert_eq!(site.records(TOKEN).len(), 1);
}
