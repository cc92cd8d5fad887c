//! The embedded store: SQLite in one directory, opened by one process, and an audience index in
//! memory.
//!
//! How it hangs together: every write is a job for the one `writer` thread, which commits in groups;
//! every read runs on one of the `readers`; the `index` is a cache of what is stored, rebuilt at
//! `open` and changed after each commit. `devices`, `notifications`, `ledger` and `rates` implement
//! the roles; `register`, `device_row`, `pages` and the rest are the parts they share. `bootstrap` opens
//! the store; everybody else sees the roles alone.

mod apps;
mod audiences;
mod audit;
mod device_row;
mod devices;
mod documents;
mod failure;
mod failures;
mod history;
mod index;
mod json;
mod label_changes;
mod labels;
mod ledger;
mod lock;
mod notification_list;
mod notification_row;
mod notifications;
mod page_rows;
mod private;
mod rates;
mod readers;
mod register;
mod schema;
mod shards;
mod suggestions;
mod targets;
mod work;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OpenFlags, ffi};

use self::{
    apps::Apps, audiences::Audiences, failure::OrFailed, index::SharedIndex, lock::DirectoryLock,
    readers::Readers, writer::Writer,
};
use super::Stores;
use crate::domain::{Error, Result};

/// How the store runs.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedOptions {
    /// Threads that answer reads; at least 1.
    pub readers: usize,
    /// The writer's page cache, in MiB. Random inserts slow down once the indexes outgrow it.
    pub cache_mib: u32,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self { readers: 2, cache_mib: 128 }
    }
}

/// The embedded store. Cheap to clone; when the last clone goes, its threads finish what they were
/// given and the directory is free.
#[derive(Clone)]
pub struct Embedded {
    inner: Arc<Inner>,
}

/// Fields drop in this order: the threads end before the directory is let go.
struct Inner {
    writer: Writer,
    readers: Readers,
    index: Arc<SharedIndex>,
    audiences: Arc<Audiences>,
    apps: Apps,
    _lock: DirectoryLock,
}

impl Embedded {
    /// Opens the store in directory `path`, made where missing, and rebuilds the index.
    ///
    /// # Errors
    /// A conflict when another process holds the directory or a newer program wrote it; otherwise
    /// what the disk says.
    pub async fn open(path: &Path, options: EmbeddedOptions) -> Result<Self> {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || Self::open_blocking(path, options))
            .await
            .map_err(|error| Error::internal("open the store", error))?
    }

    fn open_blocking(directory: PathBuf, options: EmbeddedOptions) -> Result<Self> {
        private::make_directory(&directory)
            .map_err(|error| Error::internal(format!("make {}", directory.display()), error))?;
        let lock = DirectoryLock::take(&directory)?;
        let file = directory.join("fanfare.db");
        private::open_file(&file)
            .map_err(|error| Error::internal(format!("make {}", file.display()), error))?;
        spare_statistics();
        // The writer thread alone uses it.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection =
            Connection::open_with_flags(&file, flags).or_failed("open the database")?;
        configure(&connection, options)?;
        schema::migrate(&mut connection)?;
        let index = Arc::new(SharedIndex::new(index::load(|| readers::connect(&file))?));
        let apps = Apps::load(&connection)?;
        let writer = Writer::start(connection, Arc::clone(&index))?;
        let readers = Readers::start(&file, options.readers)?;
        let audiences = Arc::new(Audiences::default());
        let inner = Inner { writer, readers, index, audiences, apps, _lock: lock };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The roles of this store, timed.
    pub fn stores(&self) -> Stores {
        Stores {
            devices: Arc::new(self.clone()),
            notifications: Arc::new(self.clone()),
            ledger: Arc::new(self.clone()),
            rates: Arc::new(self.clone()),
            documents: Arc::new(self.clone()),
            audit: Arc::new(self.clone()),
            labels: Arc::new(self.clone()),
            suggestions: Arc::new(self.clone()),
            times: Arc::default(),
        }
        .timed()
    }
}

/// Turns off SQLite's count of its memory, which takes one lock for every allocation of every thread.
/// Nobody reads it. Once a database was opened in this process it is too late, and does no harm.
fn spare_statistics() {
    // SAFETY: `sqlite3_config` is called with the one integer that this option takes
    // (sqlite.org, "Configuration Options", SQLITE_CONFIG_MEMSTATUS); after initialisation it refuses.
    unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0) };
}

/// Write-ahead log, fsync at every commit, and a log that is folded back every 64 MiB: random inserts
/// rewrite the same index pages, and one fold writes each once.
fn configure(connection: &Connection, options: EmbeddedOptions) -> Result<()> {
    const DOING: &str = "configure the database";
    connection.set_prepared_statement_cache_capacity(128);
    let cache_kib = u64::from(options.cache_mib.max(1)) * 1024;
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -{cache_kib};
             PRAGMA wal_autocheckpoint = 16384;
             PRAGMA journal_size_limit = 134217728;"
        ))
        .or_failed(DOING)
}
