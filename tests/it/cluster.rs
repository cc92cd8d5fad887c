//! Leases between nodes on one MongoDB, and what a lost lease means for the ledger.

use std::time::{Duration, Instant};

use fanfare::{
    cluster::{
        Cluster, Lease,
        alone::Alone,
        mongo::{MongoCluster, MongoClusterOptions},
    },
    domain::{
        ErrorKind,
        campaign::{PageEntry, PageRecord, RoundPlan, Shard, ShardKey, Span},
        device::DevicePlatform,
        outcome::{Outcome, Reason},
    },
    storage::Stores,
};

use crate::support::stores::{Backend, MongoBackend, NOW, app, ios, notification};

async fn node(backend: &MongoBackend, name: &str) -> MongoCluster {
    let mut options = MongoClusterOptions::new(name);
    options.lease_time = Duration::from_millis(1500);
    MongoCluster::join(&backend.uri(), options).await.expect("joined")
}

async fn names(cluster: &dyn Cluster) -> Vec<String> {
    let nodes = cluster.live_nodes().await.expect("listed");
    nodes.into_iter().map(|node| node.name).collect()
}

/// A launched campaign of four shards over twenty devices.
async fn planned(stores: &Stores) -> Vec<Shard> {
    let devices = (0..20).map(|number| ios(&format!("d{number}"))).collect();
    stores.devices.register(&app(), devices, NOW).await.expect("registered");
    let sent = stores.notifications.create(notification(&app(), None), None).await;
    let plan = RoundPlan {
        notification: sent.expect("created").uuid,
        app: app(),
        round: 0,
        shards: 4,
        failures: None,
    };
    stores.ledger.plan(&plan, None, NOW).await.expect("planned")
}

fn keys(shards: &[Shard]) -> Vec<ShardKey> {
    shards.iter().map(|shard| shard.key).collect()
}

async fn until_leased(cluster: &MongoCluster, shard: ShardKey) -> Lease {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(lease) = cluster.lease(&[shard], 1).await.expect("answered").pop() {
            return lease;
        }
        assert!(Instant::now() < deadline, "the lease does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The first page of a shard, every device of it with `outcome`, and the checkpoint it goes with.
async fn page(stores: &Stores, shard: &Shard, epoch: u64, outcome: Outcome) -> (PageRecord, Shard) {
    let read = stores.ledger.read_page(shard.key, shard.span, 3).await.expect("read");
    let span = Span { after: shard.span.after, upto: read.upto };
    let entries = read.targets.iter().map(|target| PageEntry {
        device: target.device,
        position: target.position,
        platform: DevicePlatform::Ios,
        outcome: outcome.clone(),
        failed_before: None,
    });
    let entries = entries.collect();
    let record = PageRecord { shard: shard.key, span, done: true, entries, at: NOW };
    let tally = record.tallies().0;
    (record, Shard { cursor: span.upto, tally, epoch, ..shard.clone() })
}

#[tokio::test]
async fn a_shard_has_one_holder_until_its_lease_ends_by_the_servers_clock() {
    let backend = MongoBackend::fresh().await;
    let stores = backend.open().await;
    let shards = keys(&planned(&stores).await);
    let (a, b) = (node(&backend, "a").await, node(&backend, "b").await);
    assert_eq!(names(&b).await, ["a", "b"]);
    let of_a = a.lease(&shards, 3).await.expect("leased");
    let of_b = b.lease(&shards, 3).await.expect("leased");
    assert_eq!((of_a.len(), of_b.len()), (3, 1));
    assert!(of_a.iter().chain(&of_b).all(|lease| lease.epoch == 1));
    assert!(of_a.iter().all(|lease| lease.shard != of_b[0].shard));
    assert_eq!(a.lease(&shards, 9).await.expect("answered"), [], "nothing is free");
    // `b` goes on renewing, `a` does not: what was `a`'s becomes free, what is `b`'s does not.
    let lost = of_a[0].shard;
    let deadline = Instant::now() + Duration::from_secs(20);
    let taken = loop {
        assert_eq!(b.renew(&of_b).await.expect("renewed"), of_b);
        if let Some(lease) = b.lease(&[lost], 1).await.expect("answered").pop() {
            break lease;
        }
        assert!(Instant::now() < deadline, "the lease does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(taken.epoch, 2);
    assert_eq!(a.renew(&of_a[..1]).await.expect("answered"), [], "it is lost");
    // What nobody took in between can still be renewed; what is released is free at once.
    assert_eq!(a.renew(&of_a[1..2]).await.expect("renewed"), of_a[1..2]);
    b.release(&[taken]).await.expect("released");
    let again = a.lease(&[lost], 1).await.expect("leased");
    assert_eq!(again, [Lease { shard: lost, epoch: 3 }]);
    b.leave().await.expect("left");
    drop(b);
    let deadline = Instant::now() + Duration::from_secs(20);
    while names(&a).await != ["a"] {
        assert!(Instant::now() < deadline, "a node that left lives on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn who_lost_a_lease_writes_nothing_that_counts() {
    let backend = MongoBackend::fresh().await;
    // Two processes: caches of one must not help the other.
    let (of_a, of_b) = (backend.open().await, backend.open().await);
    let shard = planned(&of_a).await.remove(0);
    let (a, b) = (node(&backend, "a").await, node(&backend, "b").await);
    let first = a.lease(&[shard.key], 1).await.expect("leased").remove(0);
    let (early, checkpoint) = page(&of_a, &shard, first.epoch, Outcome::Accepted).await;
    of_a.ledger.record(early.clone(), checkpoint.clone()).await.expect("recorded");
    let second = until_leased(&b, shard.key).await;
    assert_eq!(second.epoch, first.epoch + 1);
    // The stale owner's same page, another page, and a checkpoint far ahead: all refused.
    let gone = Outcome::Failed(Reason::new("stale"));
    let (mut stale, _) = page(&of_a, &shard, first.epoch, gone).await;
    for after in [stale.span.after, checkpoint.cursor] {
        stale.span.after = after;
        stale.entries.retain(|entry| entry.position > after);
        let ahead = Shard { cursor: shard.span.upto, done: true, ..checkpoint.clone() };
        let refused = of_a.ledger.record(stale.clone(), ahead).await.expect_err("refused");
        assert_eq!(refused.kind(), &ErrorKind::LeaseLost);
    }
    let stored = of_b.ledger.shards(shard.key.notification).await.expect("shards").remove(0);
    assert_eq!((stored.cursor, stored.done), (checkpoint.cursor, false));
    assert_eq!(stored.epoch, second.epoch);
    assert_eq!(of_b.ledger.open_pages(shard.key).await.expect("open pages"), []);
    // The new owner goes on where the ledger stands, and may record the early page anew.
    let (again, mine) = page(&of_b, &shard, second.epoch, Outcome::Accepted).await;
    of_b.ledger.record(again, mine).await.expect("recorded");
    let refused = of_a.ledger.record(early, checkpoint).await.expect_err("refused");
    assert_eq!(refused.kind(), &ErrorKind::LeaseLost);
    let tally = of_b.ledger.tally(shard.key.notification).await.expect("tally");
    assert_eq!((tally.accepted.total(), tally.failed.total()), (3, 0));
}

#[tokio::test]
async fn alone_everything_is_ours() {
    let shard = |index| ShardKey { notification: notification(&app(), None).uuid, round: 0, index };
    let shards = [shard(0), shard(1)];
    let leases = Alone.lease(&shards, 1).await.expect("leased");
    assert_eq!(leases, [Lease { shard: shards[0], epoch: 0 }]);
    assert_eq!(Alone.renew(&leases).await.expect("renewed"), leases);
    assert_eq!(names(&Alone).await, [Alone.node()]);
}
