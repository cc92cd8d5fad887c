//! Who works on which shard. Nodes that share a store lease shards from it; a lease ends by itself when
//! its holder does not renew it, and every lease of a shard has a later epoch than the one before, which
//! the ledger checks at every write.
//!
//! The engine asks; `bootstrap` picks the implementation. Nothing here knows what a shard's work is.

pub mod alone;
pub mod mongo;

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{Result, campaign::ShardKey, timestamp::Timestamp};

/// A shard that this node may work on, under this epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The shard.
    pub shard: ShardKey,
    /// What the ledger's writes carry.
    pub epoch: u64,
}

/// This node among the others.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// This node's name, another at every start.
    fn node(&self) -> &str;

    /// How long a lease lasts without being renewed; none is for ever.
    fn lease_time(&self) -> Option<Duration>;

    /// The time of day that all nodes go by.
    async fn now(&self) -> Result<Timestamp>;

    /// The nodes that were heard of lately, this one included, in the order of their names.
    async fn live_nodes(&self) -> Result<Vec<String>>;

    /// Takes up to `want` of `shards`: those that are not done and that nobody holds. A shard that this
    /// node holds is held too: name only those that it does not.
    async fn lease(&self, shards: &[ShardKey], want: usize) -> Result<Vec<Lease>>;

    /// Prolongs leases; those that still are this node's. Work on a shard whose lease is not among them
    /// must stop.
    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>>;

    /// Gives leases back, so that others need not wait for their end.
    async fn release(&self, leases: &[Lease]) -> Result<()>;

    /// Takes this node off the list of the living; its leases are released before.
    async fn leave(&self) -> Result<()>;
}
