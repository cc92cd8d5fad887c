//! A wrong clock for one process: a library that the loader puts before libc, made by the C compiler that
//! Rust links with.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use super::house::program;

/// The time of day runs ahead; the steady clock does not.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t which, struct timespec *now) {
    long failed = syscall(SYS_clock_gettime, which, now);
    if (!failed && which == CLOCK_REALTIME) now->tv_sec += AHEAD;
    return (int)failed;
}
"#;

/// Makes in `directory` a program that is `fanfare` with a clock so many seconds ahead.
pub fn ahead(directory: &Path, secs: u64) -> PathBuf {
    let (source, library) = (directory.join("clock.c"), directory.join("clock.so"));
    fs::write(&source, LIBRARY).expect("written");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", &format!("-DAHEAD={secs}"), "-o"])
        .args([&library, &source])
        .status();
    assert!(compiled.expect("a C compiler").success());
    let (script, preload) = (directory.join("fanfare-ahead"), library.display());
    let text = format!("#!/bin/sh\nLD_PRELOAD={preload} exec {} \"$@\"\n", program().display());
    fs::write(&script, text).expect("written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("made executable");
    script
}
