//! The store on MongoDB, for several nodes: the same roles as the embedded store, over one
//! database that every node reads and writes.
//!
//! How it hangs together: every operation runs in a task of the store's own runtime, because a future
//! of the driver that is dropped half-way spoils its connection. Single writes gather in `writer` and
//! go out as one command. `filter` compiles conditions, `targets` streams a shard's devices, `schema`
//! names the collections and their indexes. `devices`, `notifications`, `ledger` and `rates`
//! implement the roles. Other nodes write too, so every write names what it read (a version, an epoch) and is
//! decided again where that changed. `bootstrap` opens the store; everybody else sees the roles alone.

mod apps;
mod audiences;
mod audit;
mod commands;
mod core;
mod desk;
mod desk_plan;
mod device_row;
mod devices;
mod documents;
mod failure;
mod failures;
mod filter;
mod history;
mod label_gate;
mod label_index;
mod labels;
mod ledger;
mod notification_row;
mod notifications;
mod page_rows;
mod position;
mod rates;
mod records;
mod register;
mod schema;
mod sequences;
mod shards;
mod spread;
mod suggestions;
mod targets;
mod writer;

use std::{future::Future, sync::Arc, time::Duration};

use mongodb::{
    Client,
    options::{ClientOptions, WriteConcern},
};
use tokio::runtime::{Builder, Runtime};

use self::{
    core::Core,
    failure::OrFailed,
    records::{EventOrder, RecordOrder},
    register::DeviceOrder,
    writer::{Group, Lanes},
};
use super::Stores;
use crate::domain::{Error, Result};

/// The database where the connection string names none.
const DEFAULT_DATABASE: &str = "fanfare";

/// How the store runs.
#[derive(Clone, Copy, Debug)]
pub struct MongoOptions {
    /// Threads that talk to the database and decode its answers; at least 1.
    pub threads: usize,
    /// Connections to each server at most, where the connection string does not say. The driver's own
    /// default, 10, is fewer than a node's shards.
    pub connections: u32,
    /// How long a group of writes gathers when several callers are writing.
    pub linger: Duration,
}

impl Default for MongoOptions {
    fn default() -> Self {
        Self { threads: 2, connections: 64, linger: Duration::from_millis(1) }
    }
}

/// The store. Cheap to clone; when the last clone goes, so do its threads and connections.
#[derive(Clone)]
pub struct Mongo {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    devices: Lanes<DeviceOrder>,
    records: Group<RecordOrder>,
    events: Group<EventOrder>,
    runtime: OwnRuntime,
}

/// A runtime may not be dropped where tasks run; this one is left to end by itself.
struct OwnRuntime(Option<Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Mongo {
    /// Connects and makes the indexes that are missing. The database is the connection string's, or
    /// `fanfare`.
    ///
    /// # Errors
    /// Invalid where `uri` is no connection string (the message does not repeat it, since it may hold a
    /// password); unavailable where no server answers; a conflict where the server is too old.
    pub async fn connect(uri: &str, options: MongoOptions) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.threads.max(1))
            .thread_name("store-mongo")
            .enable_all()
            .build()
            .map_err(|error| Error::internal("start the store's threads", error))?;
        let uri = uri.to_owned();
        let opened = runtime.spawn(async move { open(&uri, options).await });
        let opened = opened.await.map_err(|error| Error::internal("open the store", error));
        // Owned from here on, so that a failure does not drop a runtime inside another.
        let runtime = OwnRuntime(Some(runtime));
        let core = Arc::new(opened??);
        let handle = runtime.handle();
        let inner = Inner {
            devices: register::lanes(&core, handle, options.linger),
            records: records::record_group(&core, handle, options.linger),
            events: records::event_group(&core, handle, options.linger),
            core,
            runtime,
        };
        targets::tidy_streams(&inner.core, inner.runtime.handle());
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

    /// Runs one operation to its end, whether or not its caller waits for it.
    async fn run<T, F>(&self, operation: impl FnOnce(Arc<Core>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let task = self.inner.runtime.handle().spawn(operation(Arc::clone(&self.inner.core)));
        task.await.map_err(|error| Error::internal("finish an operation of the store", error))?
    }
}

impl OwnRuntime {
    fn handle(&self) -> &tokio::runtime::Handle {
        self.0.as_ref().expect("only dropping takes the runtime away").handle()
    }
}

async fn open(uri: &str, options: MongoOptions) -> Result<Core> {
    let mut settings = ClientOptions::parse(uri).await.map_err(|_| {
        Error::invalid("storage.uri", "is not a MongoDB connection string that can be resolved")
    })?;
    settings.app_name.get_or_insert_with(|| "fanfare".to_owned());
    settings.max_pool_size.get_or_insert(options.connections);
    // Anything less loses acknowledged writes when a primary dies, so the string cannot lower it.
    settings.write_concern = Some(WriteConcern::majority());
    let name = settings.default_database.clone().unwrap_or_else(|| DEFAULT_DATABASE.to_owned());
    let client = Client::with_options(settings).or_failed("make a client of the database")?;
    let database = client.database(&name);
    schema::prepare(&database).await?;
    audit::name_actors(&database).await?;
    Ok(Core::new(database))
}
