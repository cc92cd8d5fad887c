//! Who works on which shard. Nodes that share a store lease shards from it; a lease ends by itself when
//! its holder does not renew it, and every lease of a shard has a later epoch than the one before, which
//! the ledger checks at every write.
//!
//! The engine asks; `bootstrap` picks the implementation. Nothing here knows what a shard's work is.

pub mod alone;
pub mod mongo;

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;

use crate::domain::{
    Result, campaign::ShardKey, device::SendPlatform, ids::AppName, timestamp::Timestamp,
};

/// A shard that this node may work on, under this epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The shard.
    pub shard: ShardKey,
    /// What the ledger's writes carry.
    pub epoch: u64,
}

/// A node that was heard of lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveNode {
    /// Its name.
    pub name: String,
    /// The apps it has credentials of, each with the provider they are for.
    pub ways: Ways,
}

/// Apps and the providers they are pushed through.
pub type Ways = BTreeSet<(AppName, SendPlatform)>;

/// Those of `nodes` that a campaign of `app` is divided among: with every way out that any of them has,
/// since another would take devices for unreachable that are not. All of them, where none has every one.
pub fn able<'a>(nodes: &'a [LiveNode], app: &AppName) -> Vec<&'a LiveNode> {
    let own = |node: &'a LiveNode| node.ways.iter().filter(|(one, _)| one == app);
    let most = nodes.iter().flat_map(own).collect::<BTreeSet<_>>().len();
    let able: Vec<_> = nodes.iter().filter(|node| own(node).count() == most).collect();
    if able.is_empty() { nodes.iter().collect() } else { able }
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
    async fn live_nodes(&self) -> Result<Vec<LiveNode>>;

    /// Takes up to `want` of `shards`: those that are not done and that nobody holds. A shard that this
    /// node holds is held too: name only those that it does not.
    async fn lease(&self, shards: &[ShardKey], want: usize) -> Result<Vec<Lease>>;

    /// Prolongs leases; those that still are this node's. Work on a shard whose lease is not among them
    /// must stop.
    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>>;

    /// Gives leases back, so that others need not wait for their end.
    async fn release(&self, leases: &[Lease]) -> Result<()>;

    /// Tells the others through which providers this node can send an app's pushes, in the place of what
    /// it told before.
    async fn offer(&self, app: &AppName, providers: Vec<SendPlatform>) -> Result<()>;

    /// Takes this node off the list of the living; its leases are released before.
    async fn leave(&self) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, ways: &[(&str, SendPlatform)]) -> LiveNode {
        let ways = ways.iter().map(|(app, provider)| (AppName::new(app), *provider)).collect();
        LiveNode { name: name.to_owned(), ways }
    }

    fn able_for(nodes: &[LiveNode], app: &str) -> Vec<String> {
        able(nodes, &AppName::new(app)).iter().map(|node| node.name.clone()).collect()
    }

    #[test]
    fn a_node_that_lacks_a_way_out_leaves_the_campaign_to_those_that_have_it() {
        let (apns, fcm) = (SendPlatform::Apns, SendPlatform::Fcm);
        let old = node("old", &[("shop", fcm)]);
        let new = node("new", &[("shop", fcm), ("shop", apns), ("news", fcm)]);
        let nodes = [old, new];
        assert_eq!(able_for(&nodes, "shop"), ["new"]);
        assert_eq!(able_for(&nodes, "news"), ["new"]);
        assert_eq!(able_for(&nodes, "unknown"), ["old", "new"]);
        let halves = [node("a", &[("shop", fcm)]), node("b", &[("shop", apns)])];
        assert_eq!(able_for(&halves, "shop"), ["a", "b"], "nobody has both");
    }
}
