//! The command line, as a person at a shell meets it.

use crate::support::server::fanfare;

#[test]
fn check_config_names_every_problem_and_fails() {
    let output = fanfare()
        .arg("check-config")
        .env("FANFARE__SERVER__BIND", "0.0.0.0:80")
        .env("FANFARE__LIMITS__SHARDS", "0")
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("server.bind: ") && told.contains("limits.shards: "), "{told}");
}

#[test]
fn check_config_is_content_with_the_defaults() {
    let output = fanfare().arg("check-config").output().expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.starts_with("configuration is good"), "{told}");
}

#[test]
fn serve_refuses_a_bad_configuration() {
    let output = fanfare()
        .args(["serve", "--config", "/nonexistent.toml"])
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.starts_with("--config: cannot read"), "{told}");
}

#[test]
fn an_empty_configuration_is_no_open_server() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let output = fanfare().args(["serve", "--config"]).arg(file.path()).output();
    let output = output.expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("is empty"), "{told}");
}

#[test]
fn the_version_is_told() {
    let output = fanfare().arg("version").output().expect("the binary runs");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("fanfare "));
}

#[test]
fn a_variable_short_of_an_underscore_is_warned_of() {
    let output = fanfare()
        .arg("check-config")
        .env("FANFARE_SERVER_BIND", "127.0.0.1:1")
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(
        told.contains("FANFARE_SERVER_BIND") && told.contains("FANFARE__SERVER__BIND"),
        "{told}"
    );
}

#[test]
fn what_keeps_the_store_shut_is_told_once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(directory.path().join("lock")).expect("made");
    let output = fanfare()
        .arg("serve")
        .env("FANFARE__STORAGE__PATH", directory.path())
        .env("FANFARE__SERVER__BIND", "127.0.0.1:0")
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{told}");
    assert_eq!(told.matches("/lock: ").count(), 1, "{told}");
    assert!(!told.contains("internal error"), "{told}");
}

#[test]
fn the_demo_proves_itself_and_says_so_in_one_line() {
    let demo = std::process::Command::new(env!("CARGO_BIN_EXE_fanfare"))
        .args(["demo", "--exit", "--json", "--devices", "3000"])
        .output()
        .expect("the demo runs");
    let told = String::from_utf8_lossy(&demo.stderr);
    assert!(demo.status.success(), "{told}");
    let line: serde_json::Value = serde_json::from_slice(&demo.stdout).expect("one JSON line");
    let expected = crate::support::house::expected(3000);
    assert_eq!(line["matched"], expected);
    assert_eq!((&line["missed"], &line["duplicates"]), (&0.into(), &0.into()), "{line}");
    let settled = line["accepted"].as_u64().zip(line["failed"].as_u64()).map(|(a, f)| a + f);
    assert_eq!(settled, Some(expected));
}
