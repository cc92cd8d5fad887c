//! One process per data directory: a lock file says which. Called once, by `open`.

use std::{
    fs::{File, TryLockError},
    io::{Read, Write},
    path::Path,
};

use super::private;
use crate::domain::{Error, Result};

/// Holds the directory until dropped; the system lets go of it too when the process ends in any way.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the directory, or says who has it.
    pub(super) fn take(directory: &Path) -> Result<Self> {
        let path = directory.join("lock");
        let mut file = private::open_file(&path)
            .map_err(|error| Error::internal(format!("open {}", path.display()), error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(directory, &mut file)),
            Err(TryLockError::Error(error)) => {
                return Err(Error::internal(format!("lock {}", path.display()), error));
            }
        }
        let sign = |file: &mut File| {
            file.set_len(0)?;
            file.write_all(format!("{}\n", std::process::id()).as_bytes())
        };
        sign(&mut file)
            .map_err(|error| Error::internal(format!("write {}", path.display()), error))?;
        Ok(Self { _file: file })
    }
}

fn in_use(directory: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    // The holder's number is a courtesy: without it the message still says what is wrong.
    let _ = file.read_to_string(&mut holder);
    let holder = match holder.trim() {
        "" => "another process".to_owned(),
        pid => format!("process {pid}"),
    };
    Error::conflict(format!(
        "the data directory {} is in use by {holder}; one process may hold it at a time",
        directory.display()
    ))
}
