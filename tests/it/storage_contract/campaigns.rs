//! The ledger: planning, pages, rounds, histories, retention.

use std::{collections::BTreeMap, time::Duration};

use fanfare::{
    domain::{
        ErrorKind,
        audience::ClauseSpec,
        campaign::{
            FailureFilter, PageEntry, PageRecord, RoundPlan, Shard, ShardKey, Span, Target,
        },
        device::{DevicePlatform, Registration, Unreachable},
        ids::{DeviceId, NotificationId},
        notification::{Notification, Status},
        outcome::{Outcome, Reason},
        tally::PlatformCounts,
        timestamp::Timestamp,
    },
    storage::{Event, EventField, EventKind, EventQuery, OrderBy, PruneOrder, Stores},
};

use crate::support::stores::{Backend, NOW, android, app, int, ios, notification, with_property};

/// Twenty devices, ios and android by turns; the odd ones (1, 3, …) have `even` 0.
async fn twenty(stores: &Stores) {
    let all = (0..20).map(|number| {
        let name = format!("d{number}");
        let device = if number % 2 == 0 { ios(&name) } else { android(&name) };
        with_property(device, "even", int(number % 2))
    });
    stores.devices.register(&app(), all.collect(), NOW).await.expect("registered");
}

async fn launched(stores: &Stores, conditions: Option<ClauseSpec>) -> Notification {
    let made = stores.notifications.create(notification(&app(), conditions), None).await;
    made.expect("created")
}

fn round(notification: &Notification, round: u16, failures: Option<FailureFilter>) -> RoundPlan {
    RoundPlan { notification: notification.uuid, app: app(), round, shards: 4, failures }
}

async fn plan(stores: &Stores, plan: &RoundPlan) -> Vec<Shard> {
    stores.ledger.plan(plan, None, NOW).await.expect("planned")
}

/// The pages of a shard, `limit` devices each.
async fn pages(stores: &Stores, shard: &Shard, limit: usize) -> Vec<(Span, Vec<Target>)> {
    let mut pages = Vec::new();
    let mut span = Span { after: shard.cursor, upto: shard.span.upto };
    while !span.is_empty() {
        let page = stores.ledger.read_page(shard.key, span, limit).await.expect("read");
        assert!(page.upto > span.after && page.upto <= span.upto);
        assert!(page.targets.len() <= limit);
        pages.push((Span { after: span.after, upto: page.upto }, page.targets));
        span.after = page.upto;
    }
    pages
}

fn page(
    shard: &Shard,
    span: Span,
    targets: &[Target],
    at: Timestamp,
    decide: impl Fn(&Target) -> Outcome,
) -> PageRecord {
    let entries = targets.iter().map(|target| PageEntry {
        device: target.device,
        position: target.position,
        platform: target.platform,
        outcome: decide(target),
        failed_before: target.failed_before.clone(),
    });
    PageRecord { shard: shard.key, span, done: true, entries: entries.collect(), at }
}

/// Sends a whole round, recording every page.
async fn send(
    stores: &Stores,
    shards: Vec<Shard>,
    at: Timestamp,
    decide: impl Fn(&Target) -> Outcome,
) -> Vec<u64> {
    let mut reached = Vec::new();
    for mut shard in shards {
        for (span, targets) in pages(stores, &shard, 3).await {
            reached.extend(targets.iter().map(|target| target.device.0));
            let record = page(&shard, span, &targets, at, &decide);
            let (tally, again) = record.tallies();
            shard.tally.add(&tally);
            shard.again.add(&again);
            shard.cursor = span.upto;
            shard.done = span.upto == shard.span.upto;
            stores.ledger.record(record, shard.clone()).await.expect("recorded");
        }
    }
    reached.sort_unstable();
    reached
}

fn fail(reason: &str) -> Outcome {
    Outcome::Failed(Reason::new(reason))
}

pub async fn planning_twice_changes_nothing(backend: &impl Backend) {
    let stores = backend.open().await;
    twenty(&stores).await;
    let sent = launched(&stores, None).await;
    let first = plan(&stores, &round(&sent, 0, None)).await;
    assert_eq!(first.len(), 4);
    for pair in first.windows(2) {
        assert_eq!(pair[0].span.upto, pair[1].span.after, "no gap");
    }
    for (index, shard) in (0..).zip(&first) {
        assert_eq!(shard.key, ShardKey { notification: sent.uuid, round: 0, index });
        assert_eq!((shard.cursor, shard.done), (shard.span.after, false));
    }
    stores.devices.register(&app(), vec![ios("late")], NOW).await.expect("registered");
    let again = RoundPlan { shards: 9, ..round(&sent, 0, None) };
    assert_eq!(plan(&stores, &again).await, first);
    drop(stores);
    let stores = backend.open().await;
    assert_eq!(stores.ledger.shards(sent.uuid).await.expect("shards"), first);
    let reached = send(&stores, first, NOW, |_| Outcome::Accepted).await;
    assert_eq!(reached, (1..=20).collect::<Vec<_>>(), "who came later is not in it");
}

pub async fn pages_tile_the_audience_in_one_order(backend: &impl Backend) {
    let stores = backend.open().await;
    twenty(&stores).await;
    let bare = Registration { send_platform: None, device_platform: None, ..ios("bare") };
    let taken =
        vec![bare, ios("taken"), Registration { push_token: "token-taken".into(), ..ios("taker") }];
    stores.devices.register(&app(), taken, NOW).await.expect("registered");
    let order = PruneOrder {
        device: DeviceId(1),
        token: "token-d0".into(),
        reason: Reason::new("Unregistered"),
    };
    stores.devices.prune(&app(), vec![order], NOW).await.expect("pruned");
    stores.devices.remove(&app(), "d2").await.expect("removed");
    let sent = launched(&stores, Some(ClauseSpec::leaf("even", "int_ne", 1))).await;
    let mut seen = BTreeMap::new();
    for shard in plan(&stores, &round(&sent, 0, None)).await {
        for (span, targets) in pages(&stores, &shard, 2).await {
            for target in targets {
                assert!(target.position > span.after && target.position <= span.upto);
                seen.insert(target.device.0, target);
            }
        }
    }
    let expected = [1, 5, 7, 9, 11, 13, 15, 17, 19, 21, 22, 23];
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), expected);
    let why = |device: u64| seen[&device].unreachable;
    assert_eq!(why(1), Some(Unreachable::Pruned));
    assert_eq!(why(5), None);
    assert_eq!(why(21), Some(Unreachable::NoProvider));
    assert_eq!(why(22), Some(Unreachable::NoToken));
    assert_eq!(seen[&5].token.as_ref(), "token-d4");
    assert_eq!((seen[&5].platform, seen[&5].registered_at), (DevicePlatform::Ios, NOW));
    // A page that reads the whole stretch reaches its end; one that is full ends at its last device.
    let shards = plan(&stores, &round(&sent, 0, None)).await;
    let whole = Span { after: shards[0].span.after, upto: shards[3].span.upto };
    let page = stores.ledger.read_page(shards[0].key, whole, 100).await.expect("read");
    assert_eq!((page.targets.len(), page.upto), (12, whole.upto));
    let page = stores.ledger.read_page(shards[0].key, whole, 2).await.expect("read");
    assert_eq!(page.upto, page.targets[1].position);
}

pub async fn a_page_in_flight_is_found_again(backend: &impl Backend) {
    let stores = backend.open().await;
    twenty(&stores).await;
    let sent = launched(&stores, None).await;
    let mut shard = plan(&stores, &round(&sent, 0, None)).await.remove(1);
    let read = pages(&stores, &shard, 2).await;
    assert!(read.len() >= 2, "the shard has more than one page");
    // The second page first, out of turn; then the first, half done.
    let second = page(&shard, read[1].0, &read[1].1, NOW, |_| Outcome::Accepted);
    shard.tally.add(&second.tallies().0);
    stores.ledger.record(second.clone(), shard.clone()).await.expect("recorded");
    let mut first = page(&shard, read[0].0, &read[0].1, NOW, |_| fail("unavailable"));
    (first.done, first.entries) = (false, first.entries[..1].to_vec());
    stores.ledger.record(first.clone(), shard.clone()).await.expect("recorded");
    drop(stores);
    let stores = backend.open().await;
    let open = stores.ledger.open_pages(shard.key).await.expect("open pages");
    assert_eq!(open, [first, second.clone()]);
    // Now the first in full; the cursor passes both.
    let first = page(&shard, read[0].0, &read[0].1, NOW, |_| Outcome::Accepted);
    shard.cursor = read[1].0.upto;
    shard.tally.add(&first.tallies().0);
    stores.ledger.record(first, shard.clone()).await.expect("recorded");
    assert_eq!(stores.ledger.open_pages(shard.key).await.expect("open pages"), []);
    let stored = stores.ledger.shards(sent.uuid).await.expect("shards");
    assert_eq!(stored[1], shard);
    assert_eq!(stores.ledger.tally(sent.uuid).await.expect("tally").accepted.total(), 4);
}

pub async fn recording_a_page_again_replaces_it(backend: &impl Backend) {
    let stores = backend.open().await;
    twenty(&stores).await;
    let sent = launched(&stores, None).await;
    let shard = plan(&stores, &round(&sent, 0, None)).await.remove(0);
    let (span, targets) = pages(&stores, &shard, 3).await.remove(0);
    let device = targets[0].device;
    let mut ids = Vec::new();
    for outcome in [fail("BadDeviceToken"), Outcome::Accepted] {
        let record = page(&shard, span, &targets, NOW, |_| outcome.clone());
        let checkpoint = Shard { tally: record.tallies().0, ..shard.clone() };
        stores.ledger.record(record, checkpoint).await.expect("recorded");
        let query = EventQuery { size: 9, ..EventQuery::default() };
        let found = stores.ledger.history(&app(), device, &query).await.expect("history");
        assert_eq!(found.total, 1);
        ids.push(found.items[0].id);
    }
    assert_eq!(ids[0], ids[1], "an event keeps its number");
    let tally = stores.ledger.tally(sent.uuid).await.expect("tally");
    assert_eq!((tally.accepted.total(), tally.failed.total()), (3, 0));
    let all = FailureFilter::default();
    let failures = stores.ledger.failures(sent.uuid, &all, 0, 9).await.expect("failures");
    assert_eq!(failures.total, 0);
}

pub async fn a_round_sends_failures_again(backend: &impl Backend) {
    let stores = backend.open().await;
    twenty(&stores).await;
    let sent = launched(&stores, None).await;
    let shards = plan(&stores, &round(&sent, 0, None)).await;
    // 1 to 4 unavailable (two of each platform), 5 and 6 gone, the rest accepted.
    let decide = |target: &Target| match target.device.0 {
        1..=4 => fail("unavailable"),
        5 | 6 => fail("Unregistered"),
        _ => Outcome::Accepted,
    };
    send(&stores, shards, NOW, decide).await;
    let failures = async |filter: &FailureFilter, start, size| {
        let found = stores.ledger.failures(sent.uuid, filter, start, size).await.expect("failures");
        let ids = found.items.iter().map(|failure| failure.device.0).collect::<Vec<_>>();
        (found.total, ids)
    };
    let all = FailureFilter::default();
    assert_eq!(failures(&all, 1, 3).await, (6, vec![2, 3, 4]));
    let ios_only = FailureFilter { platform: Some(DevicePlatform::Ios), ..all.clone() };
    assert_eq!(failures(&ios_only, 0, 9).await, (3, vec![1, 3, 5]));
    let unavailable = FailureFilter { reason: Some("unavailable".into()), ..all.clone() };
    let second = round(&sent, 1, Some(unavailable.clone()));
    let shards = plan(&stores, &second).await;
    assert_eq!(plan(&stores, &second).await, shards);
    // In the second round 1 and 2 get through, 3 and 4 fail otherwise.
    let later = NOW.plus(Duration::from_secs(60));
    let decide = |target: &Target| {
        assert_eq!(target.failed_before, Some(Reason::new("unavailable")));
        if target.device.0 <= 2 { Outcome::Accepted } else { fail("TooManyRequests") }
    };
    let reached = send(&stores, shards, later, decide).await;
    assert_eq!(reached, [1, 2, 3, 4]);
    assert_eq!(failures(&all, 0, 9).await, (4, vec![3, 4, 5, 6]));
    assert_eq!(failures(&unavailable, 0, 9).await, (0, vec![]));
    let tally = stores.ledger.tally(sent.uuid).await.expect("tally");
    assert_eq!((tally.settled(), tally.accepted.total(), tally.failed.total()), (20, 16, 4));
    let reasons = [("TooManyRequests".to_owned(), 2), ("Unregistered".to_owned(), 2)];
    assert_eq!(tally.reasons, BTreeMap::from(reasons));
    // The third round, after a restart, sees the latest outcomes alone.
    drop(stores);
    let stores = backend.open().await;
    let shards = plan(&stores, &round(&sent, 2, Some(all))).await;
    drop(stores);
    let stores = backend.open().await;
    let reached = send(&stores, shards, later, |_| Outcome::Accepted).await;
    assert_eq!(reached, [3, 4, 5, 6]);
    let tally = stores.ledger.tally(sent.uuid).await.expect("tally");
    assert_eq!((tally.accepted.total(), tally.failed.total()), (20, 0));
    let shards = stores.ledger.shards(sent.uuid).await.expect("shards");
    assert_eq!(
        shards.iter().map(|shard| shard.key.round).collect::<Vec<_>>(),
        [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    );
}

pub async fn a_device_has_its_history(backend: &impl Backend) {
    let stores = backend.open().await;
    twenty(&stores).await;
    let device = DeviceId(7);
    let mut sent = Vec::new();
    for number in 0..3_u64 {
        let one = launched(&stores, None).await;
        let at = NOW.plus(Duration::from_secs(number));
        let shards = plan(&stores, &round(&one, 0, None)).await;
        send(&stores, shards, at, |_| {
            if number == 1 { fail("unavailable") } else { Outcome::Accepted }
        })
        .await;
        sent.push(one.uuid);
    }
    let again =
        RoundPlan { notification: sent[1], app: app(), round: 1, shards: 4, failures: None };
    let shards = plan(&stores, &again).await;
    send(&stores, shards, NOW.plus(Duration::from_secs(10)), |_| Outcome::Accepted).await;
    let opened = NOW.plus(Duration::from_secs(5));
    let devices = [device, DeviceId(8)];
    stores.ledger.log(sent[0], &devices, EventKind::Opened, opened).await.expect("logged");
    let history = async |query: &EventQuery| {
        stores.ledger.history(&app(), device, query).await.expect("history")
    };
    let query = EventQuery { size: 10, ..EventQuery::default() };
    let found = history(&query).await;
    let told = |events: &[Event]| -> Vec<(NotificationId, EventKind)> {
        events.iter().map(|event| (event.notification, event.kind)).collect()
    };
    use EventKind::{Failed, Opened, Sent};
    let newest_first =
        [(sent[1], Sent), (sent[0], Opened), (sent[2], Sent), (sent[1], Failed), (sent[0], Sent)];
    assert_eq!((found.total, told(&found.items)), (5, newest_first.to_vec()));
    assert_eq!(found.items[3].reason, Some(Reason::new("unavailable")));
    let mut ids: Vec<_> = found.items.iter().map(|event| event.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5);
    let by_time = OrderBy { field: EventField::CreatedAt, descending: false };
    let query = EventQuery { kinds: vec![Sent], order_by: vec![by_time], start: 1, size: 1 };
    let found = history(&query).await;
    assert_eq!((found.total, told(&found.items)), (3, vec![(sent[2], Sent)]));
    let other = fanfare::domain::ids::AppName::new("other");
    let found = stores.ledger.history(&other, device, &query).await.expect("history");
    assert_eq!(found.total, 0);
}

pub async fn outdated_campaigns_are_dropped_and_totals_stay(backend: &impl Backend) {
    let stores = backend.open().await;
    twenty(&stores).await;
    let (old, kept) = (launched(&stores, None).await, launched(&stores, None).await);
    for one in [&old, &kept] {
        let shards = plan(&stores, &round(one, 0, None)).await;
        send(&stores, shards, NOW, |_| fail("unavailable")).await;
    }
    let mut done = old.clone();
    done.set_status(Status::Sent, NOW);
    stores.notifications.update(done, None).await.expect("updated").expect("not stale");
    let drop_before = async |at| stores.ledger.drop_before(at).await.expect("dropped");
    assert_eq!(drop_before(NOW).await, 0, "not before that very moment");
    let later = NOW.plus(Duration::from_secs(1));
    assert_eq!(drop_before(later).await, 1);
    assert_eq!(drop_before(later).await, 0);
    let all = FailureFilter::default();
    for (one, expected) in [(&old, 0), (&kept, 20)] {
        let found = stores.ledger.failures(one.uuid, &all, 0, 1).await.expect("failures");
        assert_eq!(found.total, expected);
        let tally = stores.ledger.tally(one.uuid).await.expect("tally");
        assert_eq!(tally.failed, PlatformCounts { ios: 10, android: 10, ..Default::default() });
    }
    let query = EventQuery { size: 9, ..EventQuery::default() };
    let found = stores.ledger.history(&app(), DeviceId(3), &query).await.expect("history");
    assert_eq!(found.items.iter().map(|event| event.notification).collect::<Vec<_>>(), [kept.uuid]);
}

pub async fn what_is_unknown_is_not_found(backend: &impl Backend) {
    let stores = backend.open().await;
    stores.ledger.ping().await.expect("it answers");
    let nobody = notification(&app(), None);
    let shards = stores.ledger.shards(nobody.uuid).await;
    assert_eq!(shards.expect_err("unknown").kind(), &ErrorKind::NotFound);
    let planned = stores.ledger.plan(&round(&nobody, 0, None), None, NOW).await;
    assert_eq!(planned.expect_err("unknown").kind(), &ErrorKind::NotFound);
    let known = launched(&stores, None).await;
    let key = ShardKey { notification: known.uuid, round: 0, index: 0 };
    let span = Span { after: Default::default(), upto: fanfare::domain::campaign::Position(9) };
    let read = stores.ledger.read_page(key, span, 9).await;
    assert_eq!(read.expect_err("not planned").kind(), &ErrorKind::NotFound);
    let shards = plan(&stores, &round(&known, 0, None)).await;
    assert!(shards.iter().all(|shard| shard.span.is_empty()), "an app without devices");
}
