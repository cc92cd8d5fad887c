//! Clients of other systems from the npm registry, run by Node. A package is fetched once, with npm, and
//! kept in the cache of the tests; where it cannot be had, the test fails.

use std::{fs::File, path::PathBuf, process::Command};

use serde_json::Value;

use super::mongod::cache;

/// Runs a script of `tests/it/clients` with these packages at hand (their names, with spaces between), and
/// reads the JSON that it prints last.
pub fn run(packages: &str, script: &str, arguments: &[&str]) -> Value {
    let directory = fetched(packages).unwrap_or_else(|problem| {
        panic!("this test needs Node and `npm install {packages}`, but {problem}")
    });
    let script =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(script);
    let output = Command::new("node").arg(script).args(arguments).current_dir(directory).output();
    let output = output.expect("node runs");
    let (told, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the client failed: {told}{complaints}");
    let last = told.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|_| panic!("no JSON: {told}{complaints}"))
}

/// The directory that the packages are installed in.
fn fetched(packages: &str) -> Result<PathBuf, String> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| format!("failed to {what}: {error}")
    };
    let cache = cache();
    std::fs::create_dir_all(&cache).map_err(failed("make the cache"))?;
    let name: String = packages
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    let directory = cache.join(format!("npm{name}"));
    // Test processes fetch one at a time; the lock goes with the file handle.
    let lock = File::create(cache.join("npm-lock")).map_err(failed("make a lock"))?;
    lock.lock().map_err(failed("lock the cache"))?;
    if directory.is_dir() {
        return Ok(directory);
    }
    let work = tempfile::tempdir_in(&cache).map_err(failed("make a directory"))?;
    std::fs::write(work.path().join("package.json"), r#"{"private": true}"#)
        .map_err(failed("write package.json"))?;
    let install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save"];
    let mut command = Command::new("npm");
    command.args(install).args(packages.split(' ')).current_dir(work.path());
    let output = command.output();
    let output = output.map_err(failed("run npm"))?;
    if !output.status.success() {
        return Err(format!("npm says: {}", String::from_utf8_lossy(&output.stderr)));
    }
    std::fs::rename(work.keep(), &directory).map_err(failed("keep it"))?;
    Ok(directory)
}
