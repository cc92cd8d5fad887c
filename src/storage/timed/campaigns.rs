//! The tables of [`NotificationStore`] and [`CampaignLedger`].

use std::collections::BTreeMap;

use super::timed;
use crate::{
    domain::{
        audience::Clause,
        campaign::{FailureFilter, PageRecord, RoundPlan, Shard, ShardKey, Span, TargetPage},
        ids::{AppName, DeviceId, NotificationId},
        notification::Notification,
        tally::{PlatformCounts, Tally},
        timestamp::Timestamp,
    },
    storage::{
        CampaignLedger, Event, EventKind, EventQuery, Failure, Found, IdempotencyKey,
        NotificationQuery, NotificationStore,
    },
};

timed! { NotificationStore, NotificationTimes:
    create(notification: Notification, key: Option<IdempotencyKey>) -> Notification;
    get(app: Option<&AppName>, uuid: NotificationId) -> Option<Notification>;
    get_by_number(id: u64) -> Option<Notification>;
    list(app: &AppName, query: &NotificationQuery) -> Found<Notification>;
    update(notification: Notification, key: Option<IdempotencyKey>) -> Option<Notification>;
    answered(app: &AppName, key: &IdempotencyKey) -> Option<Notification>;
    active() -> Vec<Notification>;
    report(uuid: NotificationId, counts: PlatformCounts) -> Option<PlatformCounts>;
}

timed! { CampaignLedger, LedgerTimes:
    plan(plan: &RoundPlan, clause: Option<&Clause>, now: Timestamp) -> Vec<Shard>;
    shards(notification: NotificationId) -> Vec<Shard>;
    read_page(shard: ShardKey, span: Span, limit: usize) -> TargetPage;
    open_pages(shard: ShardKey) -> Vec<PageRecord>;
    record(page: PageRecord, checkpoint: Shard) -> ();
    tally(notification: NotificationId) -> Tally;
    failures(notification: NotificationId, filter: &FailureFilter, start: u64, size: usize) -> Found<Failure>;
    log(notification: NotificationId, devices: &[DeviceId], kind: EventKind, now: Timestamp) -> ();
    history(app: &AppName, device: DeviceId, query: &EventQuery) -> Found<Event>;
    heard(notification: NotificationId) -> BTreeMap<EventKind, u64>;
    drop_before(before: Timestamp) -> u64;
    ping() -> ();
}
