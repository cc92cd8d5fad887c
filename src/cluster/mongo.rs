//! Leases and heartbeats in MongoDB, by the server's clock throughout (`$$NOW`), since nodes' clocks may
//! differ by seconds.
//!
//! A lease is three fields of the shard's document in the ledger, which `storage/mongo/shards.rs` makes:
//! `owner`, `until` and the epoch `e`. They lie where the ledger's writes are checked, so that a new
//! lease refuses its predecessor's writes from the moment it is granted. Heartbeats have a collection
//! of their own, `nodes`.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures_util::{TryStreamExt, future::try_join_all};
use mongodb::{
    Client, Collection, Database, IndexModel,
    bson::{Binary, Bson, Document, doc, spec::BinarySubtype},
    error::{Error as DriverError, ErrorKind},
    options::{ClientOptions, IndexOptions, ReturnDocument, WriteConcern},
};

use super::{Cluster, Lease, LiveNode, Ways};
use crate::domain::{
    Error, Result, campaign::ShardKey, device::SendPlatform, ids::AppName, timestamp::Timestamp,
};

/// The store's names.
const DEFAULT_DATABASE: &str = "fanfare";
const LEDGER: &str = "ledger";
const NODES: &str = "nodes";
/// Leases taken or given back at once.
const AT_ONCE: usize = 16;

/// How this node takes part.
#[derive(Clone, Debug)]
pub struct MongoClusterOptions {
    /// This node's name; no other may have it.
    pub node: String,
    /// The ways out that this node has at first.
    pub ways: Ways,
    /// How long a lease holds without being renewed, and how long a silent node counts as living.
    pub lease_time: Duration,
}

impl MongoClusterOptions {
    /// Ten seconds, and the default for everything else.
    pub fn new(node: impl Into<String>) -> Self {
        Self { node: node.into(), ways: Ways::new(), lease_time: Duration::from_secs(10) }
    }
}

/// This node in a cluster on MongoDB. Its heart beats as long as it is kept.
#[derive(Clone)]
pub struct MongoCluster {
    inner: Arc<Inner>,
}

struct Inner {
    options: MongoClusterOptions,
    /// The ways out that this node has now.
    ways: Mutex<Ways>,
    database: Database,
    known: Mutex<KnownNodes>,
    ledger: Collection<Document>,
    nodes: Collection<Document>,
}

/// The nodes as they were last listed. While the database is away nobody's heart is heard; for one lease
/// after, those known before count as living still, so that the first that is back takes neither all
/// shards nor all of a rate.
#[derive(Default)]
struct KnownNodes {
    nodes: BTreeMap<String, Ways>,
    /// Nobody is forgotten before.
    kept_until: Option<Instant>,
}

impl KnownNodes {
    /// Takes in what a question answered that was asked then; who lives, in the order of names.
    fn take_in(
        &mut self,
        listed: Result<Vec<LiveNode>>,
        asked: Instant,
        lease_time: Duration,
    ) -> Result<Vec<LiveNode>> {
        let now = Instant::now();
        // An answer that took so long waited for the database.
        if listed.is_err() || now - asked > lease_time / 4 {
            self.kept_until = Some(now + lease_time);
        }
        let listed = listed?;
        if self.kept_until.is_none_or(|until| until < now) {
            self.nodes.clear();
        }
        self.nodes.extend(listed.into_iter().map(|node| (node.name, node.ways)));
        let node =
            |(name, ways): (&String, &Ways)| LiveNode { name: name.clone(), ways: ways.clone() };
        Ok(self.nodes.iter().map(node).collect())
    }
}

impl MongoCluster {
    /// Joins the cluster that shares this database: the first heartbeat is stored when this returns.
    ///
    /// # Errors
    /// Invalid where `uri` is no connection string, unavailable where no server answers.
    pub async fn join(uri: &str, options: MongoClusterOptions) -> Result<Self> {
        let uri = uri.to_owned();
        let database = apart(async move { connect(&uri).await }).await?;
        let inner = Arc::new(Inner {
            ledger: database.collection(LEDGER),
            nodes: database.collection(NODES),
            known: Mutex::default(),
            ways: Mutex::new(options.ways.clone()),
            database,
            options,
        });
        let first = Arc::clone(&inner);
        apart(async move {
            first.forget_old_nodes().await?;
            first.beat().await
        })
        .await?;
        tokio::spawn(keep_beating(Arc::downgrade(&inner)));
        Ok(Self { inner })
    }

    async fn run<T, F>(&self, operation: impl FnOnce(Arc<Inner>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        apart(operation(Arc::clone(&self.inner))).await
    }
}

/// Runs to its end even if the caller goes away: a driver's future dropped half-way spoils its connection.
async fn apart<T: Send + 'static>(
    operation: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let done = tokio::spawn(operation).await;
    done.map_err(|error| Error::internal("finish an operation of the cluster", error))?
}

async fn connect(uri: &str) -> Result<Database> {
    let mut settings = ClientOptions::parse(uri).await.map_err(|_| {
        Error::invalid("storage.uri", "is not a MongoDB connection string that can be resolved")
    })?;
    settings.app_name.get_or_insert_with(|| "fanfare-cluster".to_owned());
    settings.write_concern = Some(WriteConcern::majority());
    let name = settings.default_database.clone().unwrap_or_else(|| DEFAULT_DATABASE.to_owned());
    let client =
        Client::with_options(settings).map_err(|error| failed("join the cluster", error))?;
    Ok(client.database(&name))
}

async fn keep_beating(inner: Weak<Inner>) {
    loop {
        let Some(wait) = inner.upgrade().map(|inner| inner.options.lease_time / 4) else { return };
        tokio::time::sleep(wait).await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.beat().await {
            tracing::warn!(%error, "failed to tell the other nodes that this one lives");
        }
    }
}

impl Inner {
    async fn beat(&self) -> Result<()> {
        // Until when this node counts as living is its own to say: others' leases may be of other lengths.
        let ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ways = ways.iter().map(|(app, provider)| {
            doc! { "app": app.as_str(), "provider": i32::from(provider.number()) }
        });
        let ways = doc! { "$literal": ways.collect::<Vec<_>>() };
        let seen = doc! { "$set": { "seen": "$$NOW", "until": self.until(), "ways": ways } };
        let seen = vec![seen];
        let beat = self.nodes.update_one(doc! { "_id": &self.options.node }, seen).upsert(true);
        beat.await.map(drop).map_err(|error| failed("store a heartbeat", error))
    }

    async fn list_nodes(&self) -> Result<Vec<LiveNode>> {
        const DOING: &str = "list the nodes";
        let living = doc! { "$expr": { "$gt": ["$until", "$$NOW"] } };
        let living = self.nodes.find(living).await;
        let living = living.map_err(|error| failed(DOING, error))?;
        let living: Vec<_> = living.try_collect().await.map_err(|error| failed(DOING, error))?;
        Ok(living.iter().filter_map(read_node).collect())
    }

    async fn forget_old_nodes(&self) -> Result<()> {
        let options = IndexOptions::builder()
            .name("forgotten_after_a_day".to_owned())
            .expire_after(Duration::from_secs(86_400))
            .build();
        let index = IndexModel::builder().keys(doc! { "seen": 1 }).options(options).build();
        let made = self.nodes.create_index(index).await;
        made.map(drop).map_err(|error| failed("make the index of nodes", error))
    }

    fn lease_ms(&self) -> i64 {
        i64::try_from(self.options.lease_time.as_millis()).unwrap_or(i64::MAX)
    }

    /// The end of a lease granted now.
    fn until(&self) -> Document {
        doc! { "$add": ["$$NOW", self.lease_ms()] }
    }

    /// Takes one shard if it is free.
    async fn take(&self, shard: ShardKey) -> Result<Option<Lease>> {
        let mut filter = free();
        filter.insert("_id", key(shard));
        let grant = doc! { "$set": {
            "owner": { "$literal": &self.options.node },
            "until": self.until(),
            "e": { "$add": ["$e", 1_i64] },
        } };
        let taken = self.ledger.find_one_and_update(filter, vec![grant]);
        let taken = taken.projection(doc! { "e": 1 }).return_document(ReturnDocument::After).await;
        let taken = taken.map_err(|error| failed("lease a shard", error))?;
        let epoch = taken.and_then(|row| row.get_i64("e").ok());
        Ok(epoch.map(|epoch| Lease { shard, epoch: epoch.cast_unsigned() }))
    }

    async fn lease(&self, shards: &[ShardKey], want: usize) -> Result<Vec<Lease>> {
        let mut filter = free();
        filter.insert("_id", among(shards));
        let found = self.rows(filter).await?;
        let is_free = |shard: &ShardKey| {
            let key = key(*shard);
            found.iter().any(|row| row.get_document("_id").ok() == Some(&key))
        };
        let mut free = shards.iter().copied().filter(is_free);
        let mut leases = Vec::new();
        loop {
            let next: Vec<_> = free.by_ref().take(AT_ONCE.min(want - leases.len())).collect();
            if next.is_empty() {
                return Ok(leases);
            }
            // Another node may have been quicker.
            let taken = try_join_all(next.into_iter().map(|shard| self.take(shard))).await?;
            leases.extend(taken.into_iter().flatten());
        }
    }

    /// All in one go: one after the other, many leases could end while the first are prolonged. A later
    /// lease of this node may be prolonged with them; only those under their own epoch are kept.
    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let shards: Vec<_> = leases.iter().map(|lease| lease.shard).collect();
        let own = doc! { "_id": among(&shards), "owner": &self.options.node };
        let prolonged = vec![doc! { "$set": { "until": self.until() } }];
        let renewed = self.ledger.update_many(own.clone(), prolonged).await;
        renewed.map_err(|error| failed("renew leases", error))?;
        let kept = self.rows(own).await?;
        let is_kept = |lease: &&Lease| {
            let (key, epoch) = (key(lease.shard), Some(lease.epoch.cast_signed()));
            let is_it = |row: &Document| row.get_document("_id").ok() == Some(&key);
            kept.iter().any(|row| is_it(row) && row.get_i64("e").ok() == epoch)
        };
        Ok(leases.iter().filter(is_kept).copied().collect())
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        let gone = doc! { "$unset": { "owner": true, "until": true } };
        let released = self.ledger.update_one(self.mine(lease), gone).await;
        released.map(drop).map_err(|error| failed("release a lease", error))
    }

    /// A lease that ran out and that nobody took since is still this node's to renew.
    fn mine(&self, lease: &Lease) -> Document {
        let epoch = lease.epoch.cast_signed();
        doc! { "_id": key(lease.shard), "owner": &self.options.node, "e": epoch }
    }

    async fn rows(&self, filter: Document) -> Result<Vec<Document>> {
        let find = self.ledger.find(filter).projection(doc! { "_id": 1, "e": 1 }).await;
        let find = find.map_err(|error| failed("look at leases", error))?;
        find.try_collect().await.map_err(|error| failed("look at leases", error))
    }
}

fn read_node(row: &Document) -> Option<LiveNode> {
    let way = |way: &Bson| {
        let way = way.as_document()?;
        let provider = SendPlatform::from_number(way.get_i32("provider").ok()?.into())?;
        Some((AppName::new(way.get_str("app").ok()?), provider))
    };
    let ways = row.get_array("ways").ok()?.iter().filter_map(way).collect();
    Some(LiveNode { name: row.get_str("_id").ok()?.to_owned(), ways })
}

/// Shards that are not done and that nobody holds.
fn free() -> Document {
    let ended = doc! { "$lte": [{ "$ifNull": ["$until", "$$NOW"] }, "$$NOW"] };
    doc! { "done": false, "$expr": ended }
}

/// Keys of these shards. A list of keys alone would have the server read the whole ledger, so it is told
/// between which they lie; a campaign's pages lie beyond its shards.
fn among(shards: &[ShardKey]) -> Document {
    let order = |shard: &&ShardKey| (shard.notification.0, shard.round, shard.index);
    let keys: Vec<_> = shards.iter().map(|shard| key(*shard)).collect();
    let mut among = doc! { "$in": keys };
    let (first, last) = (shards.iter().min_by_key(order), shards.iter().max_by_key(order));
    if let (Some(first), Some(last)) = (first, last) {
        among.extend(doc! { "$gte": key(*first), "$lte": key(*last) });
    }
    among
}

/// A shard's key in the ledger, as `storage/mongo/shards.rs` writes it.
fn key(shard: ShardKey) -> Document {
    let bytes = shard.notification.0.as_bytes().to_vec();
    let number = i64::from(shard.round) << 16 | i64::from(shard.index);
    doc! { "c": Binary { subtype: BinarySubtype::Uuid, bytes }, "i": number }
}

/// The driver's own words stay out: they show whole answers of the server.
fn failed(doing: &'static str, error: DriverError) -> Error {
    let passes = matches!(
        &*error.kind,
        ErrorKind::Io(_)
            | ErrorKind::ServerSelection { .. }
            | ErrorKind::ConnectionPoolCleared { .. }
    );
    let cause = std::io::Error::other(match &*error.kind {
        ErrorKind::Command(command) => format!("{} {}", command.code, command.code_name),
        ErrorKind::Io(cause) => cause.to_string(),
        ErrorKind::ServerSelection { message, .. } => message.clone(),
        _ => "the driver failed".to_owned(),
    });
    if passes || error.contains_label("RetryableWriteError") {
        Error::unavailable("the cluster's database cannot be reached now").caused_by(cause)
    } else {
        Error::internal(doing, cause)
    }
}

#[async_trait]
impl Cluster for MongoCluster {
    fn node(&self) -> &str {
        &self.inner.options.node
    }

    fn lease_time(&self) -> Option<Duration> {
        Some(self.inner.options.lease_time)
    }

    async fn now(&self) -> Result<Timestamp> {
        self.run(|inner| async move {
            const DOING: &str = "ask the server for its time";
            let hello = inner.database.run_command(doc! { "hello": 1 }).await;
            let hello = hello.map_err(|error| failed(DOING, error))?;
            let now = hello.get_datetime("localTime");
            let now = now.map_err(|error| Error::internal(DOING, error))?;
            Ok(Timestamp(now.timestamp_millis()))
        })
        .await
    }

    async fn live_nodes(&self) -> Result<Vec<LiveNode>> {
        let asked = Instant::now();
        let listed = self.run(|inner| async move { inner.list_nodes().await }).await;
        let mut known = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.take_in(listed, asked, self.inner.options.lease_time)
    }

    async fn lease(&self, shards: &[ShardKey], want: usize) -> Result<Vec<Lease>> {
        let shards = shards.to_vec();
        self.run(|inner| async move { inner.lease(&shards, want).await }).await
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        let leases = leases.to_vec();
        self.run(|inner| async move { inner.renew(&leases).await }).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<()> {
        let leases = leases.to_vec();
        self.run(|inner| async move {
            for some in leases.chunks(AT_ONCE) {
                try_join_all(some.iter().map(|lease| inner.release(lease))).await?;
            }
            Ok(())
        })
        .await
    }

    async fn offer(&self, app: &AppName, providers: Vec<SendPlatform>) -> Result<()> {
        {
            let mut ways = self.inner.ways.lock().unwrap_or_else(PoisonError::into_inner);
            ways.retain(|(one, _)| one != app);
            ways.extend(providers.into_iter().map(|provider| (app.clone(), provider)));
        }
        self.run(|inner| async move { inner.beat().await }).await
    }

    async fn leave(&self) -> Result<()> {
        self.run(|inner| async move {
            let left = inner.nodes.delete_one(doc! { "_id": &inner.options.node }).await;
            left.map(drop).map_err(|error| failed("leave the cluster", error))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<LiveNode> {
        let node = |name: &&str| LiveNode { name: (*name).to_owned(), ways: Ways::new() };
        names.iter().map(node).collect()
    }

    #[test]
    fn an_outage_forgets_nobody_for_a_lease() {
        let mut known = KnownNodes::default();
        let lease = Duration::from_secs(3600);
        let mut hear = |listed, lease| known.take_in(listed, Instant::now(), lease).ok();
        assert_eq!(hear(Ok(names(&["b", "a"])), lease), Some(names(&["a", "b"])));
        assert_eq!(hear(Ok(names(&["b"])), lease), Some(names(&["b"])), "a has left");
        assert_eq!(hear(Ok(names(&["a", "b"])), lease), Some(names(&["a", "b"])));
        assert_eq!(hear(Err(Error::unavailable("away")), lease), None);
        assert_eq!(hear(Ok(names(&["a"])), lease), Some(names(&["a", "b"])), "b may be back soon");
        assert_eq!(hear(Err(Error::unavailable("away")), Duration::ZERO), None);
        while hear(Ok(names(&["a"])), lease) != Some(names(&["a"])) {}
    }
}
