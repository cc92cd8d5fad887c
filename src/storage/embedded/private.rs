//! The directory and the files in it, for this program's user alone: they hold push tokens.
//!
//! Used by `open` and `lock`. SQLite gives the files beside the database the database's own mode.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io,
    path::Path,
};

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

/// Makes the directory, and those above it, where they are missing. One that is there stays as its
/// owner made it.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(path)
}

/// Opens a file to read and write, made empty where it is missing.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::{Embedded, EmbeddedOptions};
    use std::{os::unix::fs::PermissionsExt, path::Path};

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    #[test]
    fn strangers_read_nothing() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let place = tempfile::tempdir().expect("a temporary directory");
        let made_before = place.path().join("there");
        std::fs::create_dir(&made_before).expect("made");
        for directory in [place.path().join("made/anew"), made_before] {
            let opened = Embedded::open(&directory, EmbeddedOptions::default());
            let store = runtime.block_on(opened).expect("opened");
            let files = std::fs::read_dir(&directory).expect("a directory");
            let files: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
            assert!(files.len() >= 3, "{files:?}");
            for file in files {
                assert_eq!(mode(&file), 0o600, "{}", file.display());
            }
            drop(store);
        }
        assert_eq!(mode(&place.path().join("made/anew")), 0o700);
    }
}
