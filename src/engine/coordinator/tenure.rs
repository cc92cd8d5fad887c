//! Which shards of a campaign this node works on: its leases renewed, what it may no longer hold or
//! should leave to others let go, and its fair part of what is free taken.

use std::{collections::HashSet, sync::Arc};

use tokio::time::Instant;

use crate::{
    cluster::{self, Lease},
    domain::{
        Result,
        campaign::{Shard, ShardKey},
    },
    engine::{
        Shared,
        campaign::{CampaignRun, ShardDesk},
        shard::Look,
    },
};

/// What a look at the shards came to.
pub struct Tenure {
    /// Whether every shard of the campaign is done, on whatever node.
    pub all_done: bool,
    /// Desks of shards that this node has just leased.
    pub gained: Vec<Arc<ShardDesk>>,
}

/// Looks once. Nothing here depends on an earlier look.
pub async fn look(shared: &Shared, run: &CampaignRun) -> Result<Tenure> {
    let round = run.notification.round;
    let shards = shared.stores.ledger.shards(run.id()).await?;
    let open: Vec<ShardKey> = shards
        .iter()
        .filter(|shard| shard.key.round == round && !shard.is_done())
        .map(|shard| shard.key)
        .collect();
    let all_done = shards.iter().all(Shard::is_done);
    clear_ended(shared, run).await?;
    renew(shared, run).await?;
    if !run.is_open() {
        wake(shared, run);
        return Ok(Tenure { all_done, gained: Vec::new() });
    }
    let fair = fair_part(shared, run, open.len()).await?;
    let held: HashSet<ShardKey> = run.shards().iter().map(|desk| desk.key).collect();
    leave_surplus(shared, run, fair);
    let free: Vec<ShardKey> = open.into_iter().filter(|key| !held.contains(key)).collect();
    let want = fair.saturating_sub(held.len());
    let asked = Instant::now();
    let leases = match want {
        0 => Vec::new(),
        _ => shared.cluster.lease(&free, want).await?,
    };
    let until = shared.cluster.lease_time().map(|time| asked + time);
    let gained = leases.into_iter().map(|lease| ShardDesk::new(lease, until)).collect();
    Ok(Tenure { all_done, gained })
}

/// How many of the open shards this node should hold: none where others have ways out that it lacks.
async fn fair_part(shared: &Shared, run: &CampaignRun, open: usize) -> Result<usize> {
    let nodes = shared.cluster.live_nodes().await?;
    let able = cluster::able(&nodes, run.app());
    let own = shared.cluster.node();
    let is_left_out =
        nodes.iter().any(|node| node.name == own) && able.iter().all(|node| node.name != own);
    Ok(if is_left_out { 0 } else { open.div_ceil(able.len().max(1)) })
}

/// Takes desks away whose work has ended, and gives their leases back.
async fn clear_ended(shared: &Shared, run: &CampaignRun) -> Result<()> {
    let ended: Vec<Lease> = {
        let desks = run.shards();
        desks.iter().filter(|desk| desk.has_ended()).map(|desk| desk.lease()).collect()
    };
    if ended.is_empty() {
        return Ok(());
    }
    shared.cluster.release(&ended).await?;
    run.shards().retain(|desk| !ended.contains(&desk.lease()));
    Ok(())
}

/// Renews this node's leases. One that could not be renewed in time is over by its desk's own clock.
async fn renew(shared: &Shared, run: &CampaignRun) -> Result<()> {
    let Some(time) = shared.cluster.lease_time() else { return Ok(()) };
    let asked = Instant::now();
    let leases = run.leases();
    if leases.is_empty() {
        return Ok(());
    }
    let kept: HashSet<Lease> = shared.cluster.renew(&leases).await?.into_iter().collect();
    for desk in run.shards().iter() {
        if kept.contains(&desk.lease()) {
            desk.hold_until(Some(asked + time));
        } else if leases.contains(&desk.lease()) {
            desk.close();
        }
    }
    wake(shared, run);
    Ok(())
}

/// Lets go of shards beyond the fair part, so that a node that has joined gets its own.
fn leave_surplus(shared: &Shared, run: &CampaignRun, fair: usize) {
    let desks = run.shards().clone();
    let surplus: Vec<_> = desks.iter().filter(|desk| desk.is_open()).skip(fair).collect();
    if surplus.is_empty() {
        return;
    }
    surplus.iter().for_each(|desk| desk.close());
    shared.senders.sweep();
    surplus.iter().for_each(|desk| desk.seat.tell(Look));
}

/// Lets the shards whose gate is closed find out.
fn wake(shared: &Shared, run: &CampaignRun) {
    let desks = run.shards().clone();
    let closed: Vec<_> = desks.iter().filter(|desk| !run.is_open() || !desk.is_open()).collect();
    if closed.is_empty() {
        return;
    }
    shared.senders.sweep();
    closed.iter().for_each(|desk| desk.seat.tell(Look));
}
