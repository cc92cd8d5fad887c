//! A real Chromium for tests of the console: found, never fetched. `scripts/test` installs Debian's package
//! where it can.

use std::{env, path::PathBuf};

/// Where Debian's package has it.
const DEBIANS: &str = "/usr/bin/chromium";
const NAMES: [&str; 3] = ["chromium", "google-chrome", "google-chrome-stable"];

/// The browser: the one that `FANFARE_TEST_CHROMIUM` names, or Debian's, or one on the path.
pub fn program() -> PathBuf {
    if let Some(named) = env::var_os("FANFARE_TEST_CHROMIUM") {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "FANFARE_TEST_CHROMIUM names no file: {}", named.display());
        return named;
    }
    let debians = Some(PathBuf::from(DEBIANS)).filter(|program| program.is_file());
    debians.or_else(on_the_path).unwrap_or_else(|| {
        panic!(
            "this test needs Chromium: install it (on Debian, `apt-get install chromium`), \
             or name a browser in FANFARE_TEST_CHROMIUM"
        )
    })
}

fn on_the_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let directories: Vec<_> = env::split_paths(&path).collect();
    let find = |name: &str| directories.iter().map(|at| at.join(name)).find(|at| at.is_file());
    NAMES.into_iter().find_map(find)
}
