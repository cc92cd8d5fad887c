//! EngageLab's API, against a real server: the wire cases, and its own clients unchanged.

use std::{collections::BTreeMap, path::Path, process::Command};

use fanfare::{
    demo::processes::{Gateways, Server},
    domain::device::{DevicePlatform, SendPlatform},
    services::Tokens,
};

use crate::support::{
    house::program,
    mongod::Mongod,
    python,
    stores::{Backend, EmbeddedBackend, NOW, app},
    wire_case,
};

#[test]
fn every_engagelab_case_answers_as_written() {
    let wrong = wire_case::run_all("engagelab", BTreeMap::new);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_engagelab_case_answers_as_written_on_mongodb() {
    let mongod = Mongod::shared().await;
    let cases = move || wire_case::run_all("engagelab", || mongod.settings());
    let wrong = tokio::task::spawn_blocking(cases).await.expect("the cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn of_callers_with_a_new_token_at_one_moment_one_is_told_that_it_is_new() {
    let backend = EmbeddedBackend::fresh().await;
    let tokens = &Tokens::new(backend.open().await);
    let (app, token) = (&app(), &["t".to_owned()]);
    let callers = (0..8).map(|_| async move {
        let named = tokens.register(app, SendPlatform::Apns, DevicePlatform::Ios, token, NOW).await;
        named.expect("registered").remove(0).expect("a good token").is_new
    });
    let told = futures_util::future::join_all(callers).await;
    assert_eq!(told.into_iter().filter(|is_new| *is_new).count(), 1);
}

#[test]
fn engagelabs_own_clients_work_unchanged() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let gateways = gateways(directory.path());
    let server = Server::start(program(), directory.path(), &gateways, "");
    run_clients(&server.expect("a server"), &gateways);
}

#[tokio::test(flavor = "multi_thread")]
async fn engagelabs_own_clients_work_unchanged_on_mongodb() {
    let mongod = Mongod::shared().await;
    let clients = move || {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let gateways = gateways(directory.path());
        let uri = mongod.uri(&format!("test-{}", uuid::Uuid::new_v4().simple()));
        let node = ("node", uri.as_str());
        let server = Server::start_node(program(), directory.path(), &gateways, node, "");
        run_clients(&server.expect("a server"), &gateways);
    };
    tokio::task::spawn_blocking(clients).await.expect("the clients");
}

fn gateways(directory: &Path) -> Gateways {
    Gateways::start(program(), directory, &[]).expect("gateways")
}

/// The key of the sandbox's app.
fn key(gateways: &Gateways) -> &str {
    let key = gateways.config.lines().find_map(|line| line.strip_prefix("key = "));
    key.expect("the app has a key").trim_matches('"')
}

fn run_clients(server: &Server, gateways: &Gateways) {
    let packages = python::packages("engagelab", &["engagelab-apppush==0.1.1", "jpush==3.4.1"]);
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/engagelab_clients.py");
    let output = Command::new("python3")
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(script)
        .args([server.base(), key(gateways), &gateways.secret])
        .output()
        .expect("python3 runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let stats = gateways.stats().expect("stats");
    assert!(stats["apns"]["requests"].as_u64().is_some_and(|pushes| pushes >= 1), "{stats}");
    assert!(stats["fcm"]["requests"].as_u64().is_some_and(|pushes| pushes >= 1), "{stats}");
}
