//! The Moxie dialect, against a real server: its wire cases on both stores, and its pushes through the
//! gateways.

use std::collections::BTreeMap;

use crate::support::{mongod::Mongod, wire_case};

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
