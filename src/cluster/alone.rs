//! One node alone: every shard is ours, and there is nobody to tell apart by epochs.

use std::time::Duration;

use async_trait::async_trait;

use super::{Cluster, Lease};
use crate::domain::{Result, campaign::ShardKey, timestamp::Timestamp};

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

    async fn live_nodes(&self) -> Result<Vec<String>> {
        Ok(vec![self.node().to_owned()])
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

    async fn leave(&self) -> Result<()> {
        Ok(())
    }
}
