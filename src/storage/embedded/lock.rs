//! One process per data directory: a lock file says which. Called once, by `open`.

use std::{
    fs::{File, TryLockError},
    io::{Read, Seek, Write},
    path::Path,
    time::{Duration, Instant},
};

use super::private;
use crate::domain::{Error, Result};

/// How long this process waits for itself: a process that it is just starting has a copy of every open
/// file until it runs its own program, and with it the lock that was let go.
const OWN_PATIENCE: Duration = Duration::from_millis(500);

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
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    let holder = holder(&mut file);
                    if holder != std::process::id().to_string() || begun.elapsed() > OWN_PATIENCE {
                        return Err(in_use(directory, &holder));
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::Error(error)) => {
                    return Err(Error::internal(format!("lock {}", path.display()), error));
                }
            }
        }
        let sign = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(format!("{}\n", std::process::id()).as_bytes())
        };
        sign(&mut file)
            .map_err(|error| Error::internal(format!("write {}", path.display()), error))?;
        Ok(Self { _file: file })
    }
}

/// The number of the process that holds the directory, as it wrote it.
fn holder(file: &mut File) -> String {
    let mut holder = String::new();
    // The holder's number is a courtesy: without it the message still says what is wrong.
    let _ = file.rewind().and_then(|()| file.read_to_string(&mut holder));
    holder.trim().to_owned()
}

fn in_use(directory: &Path, holder: &str) -> Error {
    let holder = match holder {
        "" => "another process".to_owned(),
        pid => format!("process {pid}"),
    };
    Error::conflict(format!(
        "the data directory {} is in use by {holder}; one process may hold it at a time",
        directory.display()
    ))
}
