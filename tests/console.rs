//! Runs the tests of the console's pure parts, `tests/console/*.test.js`, with Node's own test runner. They
//! import modules of `console/` as the browser does; Node 20.19 or newer takes them as they are.

use std::{fs, path::Path, process::Command};

#[test]
fn the_consoles_own_tests_pass() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console");
    let files = fs::read_dir(&directory).expect("tests/console is readable");
    let mut tests: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
    tests.retain(|path| path.to_string_lossy().ends_with(".test.js"));
    tests.sort();
    assert!(!tests.is_empty(), "there are tests in {}", directory.display());
    let output = Command::new("node").arg("--test").args(&tests).output().expect("node runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
}
