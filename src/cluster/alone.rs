//! One node alone: every shard is ours, and there is nobody to tell apart by epochs.

use std::time::Duration;

use async_trait::async_trait;

use super::{Cluster, Lease, LiveNode, Ways};
use crate::domain::{
    Result, campaign::ShardKey, device::SendPlatform, ids::AppName, timestamp::Timestamp,
};

/// The only node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

#[async_trait]
impl Cluster for Alone {
    fn node(&self) -> &str {
        "alone"
    }

    fn lease_time(&self) -> Option<Duration> {
        None
    }

    async fn now(&self) -> Result<Timestamp> {
        Ok(Timestamp::now())
    }

    async fn live_nodes(&self) -> Result<Vec<LiveNode>> {
        Ok(vec![LiveNode { name: self.node().to_owned(), ways: Ways::new() }])
    }

    async fn lease(&self, shards: &[ShardKey], want: usize) -> Result<Vec<Lease>> {
        Ok(shards.iter().take(want).map(|shard| Lease { shard: *shard, epoch: 0 }).collect())
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        Ok(leases.to_vec())
    }

    async fn release(&self, _: &[Lease]) -> Result<()> {
        Ok(())
    }

    async fn offer(&self, _: &AppName, _: Vec<SendPlatform>) -> Result<()> {
        Ok(())
    }

    async fn leave(&self) -> Result<()> {
        Ok(())
    }
}
