//! Packages of Python that tests drive Fanfare with: other systems' own clients. Fetched once with pip into
//! the tests' cache; a test fails where they cannot be had.

use std::{fs::File, path::PathBuf, process::Command};

use super::mongod::cache;

/// A directory that has these packages, each with its version, to be named in `PYTHONPATH`.
pub fn packages(name: &str, packages: &[&str]) -> PathBuf {
    let versions: Vec<String> = packages.iter().map(|one| one.replace("==", "-")).collect();
    let directory = cache().join(format!("python-{name}-{}", versions.join("-")));
    fetch(&directory, packages).unwrap_or_else(|problem| {
        panic!("this test needs `pip install {}`: {problem}", packages.join(" "))
    });
    directory
}

fn fetch(directory: &PathBuf, packages: &[&str]) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    std::fs::create_dir_all(cache()).map_err(failed)?;
    // Tests fetch one at a time; the lock goes with the file handle.
    let lock = File::create(cache().join("python-lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if directory.is_dir() {
        return Ok(());
    }
    let work = tempfile::tempdir_in(cache()).map_err(failed)?;
    let target = work.path().join("packages");
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-compile", "--target"])
        .arg(&target)
        .args(packages)
        .output()
        .map_err(failed)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    std::fs::rename(&target, directory).map_err(failed)
}
