//! EngageLab's API, against a real server: the wire cases, and its own clients unchanged.

use std::{collections::BTreeMap, path::Path, process::Command};

use fanfare::demo::processes::{Gateways, Server};

use crate::support::{house::program, mongod::Mongod, python, wire_case};

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
