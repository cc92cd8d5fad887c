//! Stored apps and keys on real servers: credentials that are given through the API send campaigns,
//! nodes of one store share keys, sessions and apps, and no secret is found where it must not be.

use std::{io::Write, net::TcpStream, os::fd::AsRawFd, path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fanfare::{
    demo::processes::Gateways,
    domain::{ids::AppName, timestamp::Timestamp},
    services::{
        Sessions,
        keys::{KeyRef, digest_of},
        sessions::LIFETIME,
    },
};
use serde_json::{Value, json};

use crate::support::{
    caller::Caller,
    house::{House, SENT, total},
    mongod::Mongod,
    nodes::Nodes,
    stores::{Backend, EmbeddedBackend},
};

const SETTINGS: &str = "[internal]\nkeys = [\"a-test-looks-at-its-nodes\"]\n\
    sealing_secret = \"sealed-for-a-test-alone\"\n";
const APNS_TOKEN: &str = "00aa11bb22cc33dd44ee55ff00aa11bb22cc33dd44ee55ff00aa11bb22cc33dd";
const FCM_TOKEN: &str = "a-token-of-a-stored-app";

/// What the configuration of the gateways' app says of this.
fn configured(gateways: &Gateways, key: &str) -> String {
    let mut lines = gateways.config.lines();
    let line = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    line.expect("the key").trim_matches('"').to_owned()
}

fn file(gateways: &Gateways, key: &str) -> String {
    std::fs::read_to_string(configured(gateways, key)).expect("a file of the gateways")
}

fn apns(gateways: &Gateways, key_id: &str) -> Value {
    json!({
        "key_id": key_id,
        "team_id": configured(gateways, "team_id"),
        "private_key": file(gateways, "key_file"),
        "topic": configured(gateways, "topic"),
        "environment": "production",
    })
}

fn fcm(gateways: &Gateways) -> Value {
    let account: Value =
        serde_json::from_str(&file(gateways, "service_account_file")).expect("JSON");
    json!({ "service_account": account })
}

/// An app with the gateways' credentials and a device for each; its key and its secret.
fn make_app(operator: &Caller, gateways: &Gateways, name: &str) -> (String, String) {
    let new = operator.done("POST", "/apps", &json!({ "name": name }));
    let path = |rest: &str| format!("/apps/{name}/providers/{rest}");
    let key_id = configured(gateways, "key_id");
    operator.done("PUT", &path("apns"), &apns(gateways, &key_id));
    operator.done("PUT", &path("fcm"), &fcm(gateways));
    let text = |field: &str| new[field].as_str().expect("text").to_owned();
    let (key, secret) = (text("key"), text("secret"));
    let caller = Caller::with_key(&operator.base, &secret);
    for (provider, platform, token) in [("APNS", "IOS", APNS_TOKEN), ("FCM", "ANDROID", FCM_TOKEN)]
    {
        let device = json!({
            "external_id": token, "push_token": token,
            "send_platform": provider, "device_platform": platform,
        });
        caller.done("PUT", "/devices", &device);
    }
    (key, secret)
}

/// Launches a notification to everyone; its UUID.
fn launch(caller: &Caller) -> String {
    let made = caller.done("POST", "/notifications", &json!({ "title": "t", "body": "b" }));
    let uuid = made["uuid"].as_str().expect("a uuid").to_owned();
    caller.done("POST", &format!("/notifications/{uuid}/:launch"), &json!({}));
    uuid
}

fn is_sent(caller: &Caller, uuid: &str) -> Option<Value> {
    let now = caller.shown(&format!("/notifications/{uuid}"));
    (now["status"] == json!(SENT)).then_some(now)
}

fn assert_both_sent(sent: &Value) {
    assert_eq!((&sent["sent"]["ios"], &sent["sent"]["android"]), (&json!(1), &json!(1)), "{sent}");
}

/// Files under a directory that hold this text.
fn holding(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else {
            let bytes = std::fs::read(&path).unwrap_or_default();
            if bytes.windows(text.len()).any(|part| part == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn a_stored_app_sends_by_its_own_credentials_and_keeps_its_secrets() {
    let mut house = House::start(&[], SETTINGS);
    let base = house.server.as_ref().expect("running").base().to_owned();
    let operator = Caller::operator(&base);
    let (key, secret) = make_app(&operator, &house.gateways, "stored");
    let caller = Caller::with_key(&base, &secret);
    for provider in ["apns", "fcm"] {
        let path = format!("/apps/stored/providers/{provider}/:check");
        let way = caller.done("POST", &path, &json!({}));
        assert_eq!((&way["provider"], &way["state"]), (&json!(provider), &json!("ok")), "{way}");
    }
    let shown = caller.shown("/apps/stored");
    assert_eq!(shown["providers"][0]["topic"], configured(&house.gateways, "topic"));
    assert_eq!(shown["providers"][1]["state"], "ok", "{shown}");

    let uuid = launch(&caller);
    assert_both_sent(&house.wait("SENT", || is_sent(&caller, &uuid)));
    for token in [APNS_TOKEN, FCM_TOKEN] {
        let taken =
            house.records().iter().filter(|(to, status, _)| to == token && status == "200").count();
        assert_eq!(taken, 1, "{token}");
    }

    let basic = format!("Basic {}", STANDARD.encode(format!("{key}:{secret}")));
    let engagelab = Caller::new(&base, &[("Authorization", &basic)]);
    let push = json!({
        "to": "all", "body": { "platform": "all", "notification": { "alert": "hi" } }
    });
    let (status, _, answer) = engagelab.ask("POST", "/v4/push", Some(&push));
    assert_eq!(status, 200, "{answer}");

    let (status, cookie, _) =
        Caller::new(&base, &[]).ask("POST", "/console/session", Some(&json!({ "key": secret })));
    assert_eq!(status, 200);
    let cookie = cookie.split_once('=').expect("a cookie").1.to_owned();
    let pem = file(&house.gateways, "key_file");
    let pem = pem.lines().nth(1).expect("the key itself").to_owned();
    house.kill_server();
    house.start_server();
    let caller = Caller::with_key(house.server.as_ref().expect("running").base(), &secret);
    let uuid = launch(&caller);
    assert_both_sent(&house.wait("SENT after a restart", || is_sent(&caller, &uuid)));

    let audit = caller.shown("/audit?size=1000").to_string();
    for hidden in [secret.as_str(), cookie.as_str(), pem.as_str(), "BEGIN PRIVATE KEY"] {
        assert_eq!(holding(&house.directory.path().join("data"), hidden), [""; 0], "{hidden}");
        assert!(!house.log().contains(hidden), "the log");
        assert!(!audit.contains(hidden), "the audit log");
        assert!(!caller.shown("/apps").to_string().contains(hidden), "an answer");
    }
}

#[test]
fn credentials_given_again_in_mid_campaign_fail_nobody() {
    const DEVICES: u64 = 1000;
    let house = House::start(&[], SETTINGS);
    let base = house.server.as_ref().expect("running").base().to_owned();
    let operator = Caller::operator(&base);
    let (_, secret) = make_app(&operator, &house.gateways, "stored");
    let caller = Caller::with_key(&base, &secret);
    let device = |n: u64| {
        json!({ "external_id": n.to_string(), "push_token": format!("{n:064x}"),
                "send_platform": "APNS", "device_platform": "IOS" })
    };
    let devices: Vec<_> = (0..DEVICES).map(device).collect();
    caller.done("POST", "/devices/-/:register", &json!({ "devices": devices }));
    let written = json!({ "title": "t", "body": "b", "rate_limit": 300 });
    let made = caller.done("POST", "/notifications", &written);
    let path = format!("/notifications/{}", made["uuid"].as_str().expect("a uuid"));
    caller.done("POST", &format!("{path}/:launch"), &json!({}));
    let credentials = apns(&house.gateways, &configured(&house.gateways, "key_id"));
    for settled in [50, 200, 400] {
        house.wait("pushes", || {
            (caller.shown(&path)["settled"].as_u64() >= Some(settled)).then_some(())
        });
        caller.done("PUT", "/apps/stored/providers/apns", &credentials);
    }
    let ended =
        house.wait("SENT", || Some(caller.shown(&path)).filter(|now| now["status"] == json!(SENT)));
    assert_eq!((total(&ended["sent"]), total(&ended["failed"])), (DEVICES + 2, 0), "{ended}");
}

#[test]
fn what_a_caller_began_is_finished_and_recorded_though_it_hangs_up() {
    let house = House::start(&[], SETTINGS);
    let base = house.server.as_ref().expect("running").base().to_owned();
    let caller = Caller::with_key(&base, &house.gateways.secret);
    let address = base.strip_prefix("http://").expect("an address");
    for round in 0..40 {
        let made = caller.done("POST", "/notifications", &json!({ "title": "t", "body": "b" }));
        let uuid = made["uuid"].as_str().expect("a uuid");
        let request = format!(
            "POST /notifications/{uuid}/:launch HTTP/1.1\r\nHost: {address}\r\n\
             Authorization: Bearer {}\r\nContent-Length: 0\r\n\r\n",
            house.gateways.secret
        );
        hang_up(address, &request, Duration::from_micros(300 * round));
    }
    let launched = || {
        let all = caller.shown("/notifications?size=100");
        let all = all.as_array().expect("notifications").iter();
        all.filter(|notification| notification["status"] != json!(0)).count()
    };
    let recorded = || {
        let entries = caller.shown("/audit?size=100&action=notification.launched");
        entries.as_array().expect("entries").len()
    };
    house.wait("an entry for every launch", || {
        let launched = launched();
        (launched > 0 && launched == recorded()).then_some(())
    });
}

/// Sends a request, and resets the connection without reading the answer.
fn hang_up(address: &str, request: &str, after: Duration) {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.write_all(request.as_bytes()).expect("sent");
    std::thread::sleep(after);
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the descriptor is open, and the option is of the size that is told.
    let set = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const at_once).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
}

#[test]
fn a_check_says_what_the_provider_thinks_of_the_credentials() {
    let house = House::start(&[], SETTINGS);
    let base = house.server.as_ref().expect("running").base().to_owned();
    let operator = Caller::operator(&base);
    operator.done("POST", "/apps", &json!({ "name": "wrong" }));
    let check = |provider: &str| {
        operator.done("POST", &format!("/apps/wrong/providers/{provider}/:check"), &json!({}))
    };
    assert_eq!(operator.status("POST", "/apps/wrong/providers/apns/:check"), 404);
    assert_eq!(operator.status("POST", "/apps/wrong/providers/pigeon/:check"), 404);
    let broken = json!({
        "key_id": "ABCDE12345", "team_id": "ABCDE12345", "private_key": "no key",
        "topic": "t", "environment": "production",
    });
    let (status, _, answer) = operator.ask("PUT", "/apps/wrong/providers/apns", Some(&broken));
    assert_eq!(status, 400);
    assert!(
        answer["reason"].as_str().is_some_and(|told| told.starts_with("private_key: ")),
        "{answer}"
    );
    for (field, wrong) in [
        ("topic", "com/example"),
        ("topic", &"t".repeat(300)),
        ("key_id", "short"),
        ("team_id", "ABCDE1234\n"),
        ("private_key", &"k".repeat(100_000)),
    ] {
        let mut given = apns(&house.gateways, "ABCDE12345");
        given[field] = json!(wrong);
        let (status, _, answer) = operator.ask("PUT", "/apps/wrong/providers/apns", Some(&given));
        assert_eq!(status, 400, "{field}");
        let told = answer["reason"].as_str().unwrap_or_default();
        assert!(told.starts_with(&format!("{field}: ")), "{told}");
    }
    let mut account = fcm(&house.gateways);
    account["service_account"]["client_email"] = json!("nobody");
    let (status, _, answer) = operator.ask("PUT", "/apps/wrong/providers/fcm", Some(&account));
    assert_eq!(status, 400);
    let told = answer["reason"].as_str().unwrap_or_default();
    assert!(told.starts_with("service_account: client_email "), "{told}");
    assert_eq!(operator.shown("/apps/wrong")["providers"], json!([]), "nothing was changed");
    let (status, _, answer) =
        operator.ask("PUT", "/apps/wrong/providers/fcm", Some(&json!({ "service_account": {} })));
    assert_eq!(status, 400);
    assert!(
        answer["reason"].as_str().is_some_and(|told| told.starts_with("service_account: ")),
        "{answer}"
    );

    operator.done("PUT", "/apps/wrong/providers/apns", &apns(&house.gateways, "ZZZZZ99999"));
    assert_eq!(operator.shown("/apps/wrong")["providers"][0]["state"], "unknown");
    let refused = check("apns");
    assert_eq!(refused["state"], "refused", "{refused}");
    assert!(refused["reason"].is_string() && refused["checked_at"].is_string(), "{refused}");
    assert_eq!(operator.shown("/apps/wrong")["providers"][0]["state"], "refused");

    let own = configured(&house.gateways, "key_id");
    operator.done("PUT", "/apps/wrong/providers/apns", &apns(&house.gateways, &own));
    assert_eq!(check("apns")["state"], "ok");
    let down = json!({ "status": 503, "reason": "ServiceUnavailable", "token_prefix": "0000" });
    house.gateways.set_faults(&json!({ "apns": { "rules": [down] } })).expect("faults");
    assert_eq!(check("apns")["state"], "out_of_order");
    let (status, ..) = operator.ask("DELETE", "/apps/wrong/providers/apns", None);
    assert_eq!(status, 200);
    assert_eq!(operator.shown("/apps/wrong")["providers"], json!([]));
}

fn nodes_share_what_is_stored(mongod: &Mongod) {
    let uri = mongod.uri(&format!("access_{}", uuid::Uuid::new_v4().simple()));
    let nodes = Nodes::start(&uri, 2, SETTINGS);
    let base = |node: usize| nodes.nodes[node].as_ref().expect("running").base().to_owned();
    let (first, second) = (base(0), base(1));
    let operator = Caller::operator(&first);
    let (_, secret) = make_app(&operator, &nodes.gateways, "stored");

    let elsewhere = Caller::with_key(&second, &secret);
    nodes.wait("the key at the other node", || {
        (elsewhere.status("GET", "/apps/stored") == 200).then_some(())
    });
    let uuid = launch(&Caller::with_key(&first, &secret));
    assert_both_sent(&nodes.wait("SENT", || is_sent(&elsewhere, &uuid)));

    let made = operator.done(
        "POST",
        "/apps/stored/keys",
        &json!({ "name": "console", "scopes": ["read"] }),
    );
    let key = json!({ "key": made["secret"] });
    let (status, cookie, _) = Caller::new(&first, &[]).ask("POST", "/console/session", Some(&key));
    assert_eq!(status, 200);
    let there = Caller::new(&second, &[("Cookie", &cookie)]);
    nodes.wait("the session at the other node", || {
        (there.status("GET", "/notifications") == 200).then_some(())
    });
    let path = format!("/apps/stored/keys/{}", made["id"].as_str().expect("an id"));
    assert_eq!(Caller::with_key(&second, &secret).status("DELETE", &path), 200);
    assert_eq!(there.status("GET", "/notifications"), 401, "at once where it was revoked");
    let here = Caller::new(&first, &[("Cookie", &cookie)]);
    nodes.wait("the end of the session at the other node", || {
        (here.status("GET", "/notifications") == 401).then_some(())
    });

    for round in 0..5 {
        let key = json!({ "name": format!("spent {round}"), "scopes": ["admin"] });
        let made = operator.done("POST", "/apps/stored/keys", &key);
        let spent = Caller::with_key(&second, made["secret"].as_str().expect("a secret"));
        nodes.wait("the key at the other node", || {
            (spent.status("GET", "/apps/stored") == 200).then_some(())
        });
        let path = format!("/apps/stored/keys/{}", made["id"].as_str().expect("an id"));
        assert_eq!(operator.status("DELETE", &path), 200);
        let another = json!({ "name": format!("by a spent one {round}"), "scopes": ["admin"] });
        let (status, ..) = spent.ask("POST", "/apps/stored/keys", Some(&another));
        assert_eq!(status, 401, "a key that was revoked a moment ago makes no other");
    }

    assert_eq!(operator.status("DELETE", "/apps/stored"), 200);
    nodes.wait("the end of the app at the other node", || {
        (elsewhere.status("GET", "/apps") == 401).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_one_store_share_keys_sessions_and_apps() {
    let mongod = Mongod::shared().await;
    let test = move || nodes_share_what_is_stored(&mongod);
    tokio::task::spawn_blocking(test).await.expect("the test");
}

#[tokio::test]
async fn a_session_lasts_as_long_as_it_is_used() {
    let backend = EmbeddedBackend::fresh().await;
    let sessions = Sessions::new(backend.open().await);
    let key = KeyRef { app: Some(AppName::new("shop")), id: "k".to_owned() };
    let start = Timestamp::now();
    let session = sessions.begin(&key, &digest_of(b"secret"), false, start).await.expect("begun");
    let found = async |at: Timestamp| sessions.find(session.token(), at).await.expect("answered");
    let almost = Timestamp(start.plus(LIFETIME).0 - 1);
    let used = found(almost).await.expect("not over");
    assert_eq!(used.key(), &key);
    assert!(used.was_begun_with(&digest_of(b"secret")));
    assert_eq!(used.expires_at, almost.plus(LIFETIME), "prolonged by its use");
    assert!(found(almost.plus(LIFETIME)).await.is_none(), "over");
    let session = sessions.begin(&key, &digest_of(b"secret"), false, start).await.expect("begun");
    let seen = sessions.look(session.token(), almost).await.expect("answered").expect("not over");
    assert_eq!(seen.expires_at, start.plus(LIFETIME), "to look is no use");
    let over = sessions.find(session.token(), start.plus(LIFETIME)).await.expect("answered");
    assert!(over.is_none(), "it was not prolonged");
    assert!(sessions.find("no such token", start).await.expect("answered").is_none());
}
