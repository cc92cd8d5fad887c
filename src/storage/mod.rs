//! What a store must do, by role. The engine and the services know these traits alone; `bootstrap`
//! picks the backend.
//!
//! Every method answers with the domain's types and error. A store names the caller's field in an
//! [`Error`](crate::domain::Error) only where it alone can know that the input is wrong.

mod audit;
mod blank;
mod documents;
pub mod embedded;
mod labels;
pub mod mongo;
mod pages;
mod suggestions;
mod timed;

use std::collections::BTreeMap;

use async_trait::async_trait;

pub use audit::{AuditQuery, AuditStore};
pub use documents::{Document, DocumentStore, Drawer, NewDocument};
pub use labels::LabelStore;
pub use suggestions::{KnownKey, KnownValue, SuggestionStore};
pub use timed::{StoreTimes, Timing};

use crate::domain::{
    Result,
    audience::Clause,
    campaign::{FailureFilter, PageRecord, RoundPlan, Shard, ShardKey, Span, TargetPage},
    device::{Device, DeviceEdit, DevicePlatform, Registration, SendPlatform, Unreachable},
    ids::{AppName, DeviceId, NotificationId},
    notification::{Notification, Status},
    outcome::Reason,
    rate::{Rate, RateChange},
    tally::{PlatformCounts, Tally},
    timestamp::Timestamp,
};

/// Which devices a search is for. Its parts must all hold.
#[derive(Clone, Debug, Default)]
pub struct DeviceQuery {
    /// These alone; none means any.
    pub external_ids: Option<Vec<String>>,
    /// Those that satisfy this; none means any.
    pub clause: Option<Clause>,
    /// The moment that relative times count from.
    pub now: Timestamp,
    /// Only devices after this one, for clients that walk everything.
    pub after: Option<DeviceId>,
    /// How many to skip.
    pub start: u64,
    /// How many at most.
    pub size: usize,
    /// About how many bytes they may be answered with together: the first is answered whatever its size,
    /// those that do not fit any more are left out. None is no bound.
    pub max_bytes: Option<usize>,
}

impl DeviceQuery {
    /// Whether the answer has room for one device more, which it counts.
    fn takes(&self, answered: &mut usize, device: &Device) -> bool {
        let Some(max_bytes) = self.max_bytes else { return true };
        let is_first = *answered == 0;
        *answered = answered.saturating_add(device.answered_bytes());
        is_first || *answered <= max_bytes
    }
}

/// A stretch of what was found, and how much there is in all.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<T> {
    /// All that match, `after` and `start` apart.
    pub total: u64,
    /// Those asked for.
    pub items: Vec<T>,
}

// Not derived: that would ask for a default `T`, and nothing found needs none.
impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { total: 0, items: Vec::new() }
    }
}

/// How many devices satisfy a clause. What is zero is left out of the maps.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct AudienceCount {
    /// By platform, reachable or not.
    pub platforms: PlatformCounts,
    /// By provider, those that can be reached with credentials for it.
    pub providers: BTreeMap<SendPlatform, u64>,
    /// Those that cannot be reached, by why.
    pub unreachable: BTreeMap<Unreachable, u64>,
}

/// A token to give up, as far as it is still the device's.
#[derive(Clone, Debug, PartialEq)]
pub struct PruneOrder {
    /// The device.
    pub device: DeviceId,
    /// The token that was refused; a device that has another by now is left alone.
    pub token: Box<str>,
    /// The provider's word.
    pub reason: Reason,
}

/// A device that was to be restored.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored {
    /// The device as it is now.
    pub device: Device,
    /// Whether it was pruned before.
    pub changed: bool,
}

/// Devices and their audience index.
#[async_trait]
pub trait DeviceStore: Send + Sync {
    /// Registers devices: each is made, or found by `external_id` and updated. A token that another
    /// device of the app held is taken from it. A registered token is a fresh one: `pruned` is
    /// cleared and `registered_at` set. Durable when this returns. The answers come in the order of
    /// the registrations; one refused (too many properties) refuses no other.
    async fn register(
        &self,
        app: &AppName,
        registrations: Vec<Registration>,
        now: Timestamp,
    ) -> Result<Vec<Result<Device>>>;

    /// Changes one device, and marks it seen at `now`; none where there is no such device. Durable when
    /// this returns.
    async fn edit(
        &self,
        app: &AppName,
        external_id: &str,
        edit: DeviceEdit,
        now: Timestamp,
    ) -> Result<Option<Device>>;

    /// Forgets a device; whether there was one.
    async fn remove(&self, app: &AppName, external_id: &str) -> Result<bool>;

    /// One device.
    async fn get(&self, app: &AppName, external_id: &str) -> Result<Option<Device>>;

    /// Those of these numbers that exist in this app, in the order of their numbers. `app` none looks
    /// in every app, for the internal API.
    async fn get_many(&self, app: Option<&AppName>, ids: &[DeviceId]) -> Result<Vec<Device>>;

    /// Those that hold one of these tokens.
    async fn holders(&self, app: &AppName, tokens: &[String]) -> Result<Vec<Device>>;

    /// Devices in the order of their numbers.
    async fn search(&self, app: &AppName, query: &DeviceQuery) -> Result<Found<Device>>;

    /// The size of an audience, without listing it. `configured` are the providers that the app has
    /// credentials for.
    async fn count(
        &self,
        app: &AppName,
        clause: Option<&Clause>,
        configured: &[SendPlatform],
        now: Timestamp,
    ) -> Result<AudienceCount>;

    /// Whether anyone of an audience can be reached, which may be quicker to tell than how many.
    async fn reaches_any(
        &self,
        app: &AppName,
        clause: Option<&Clause>,
        configured: &[SendPlatform],
        now: Timestamp,
    ) -> Result<bool> {
        Ok(!self.count(app, clause, configured, now).await?.providers.is_empty())
    }

    /// Gives tokens up; how many were still current.
    async fn prune(&self, app: &AppName, orders: Vec<PruneOrder>, now: Timestamp) -> Result<u64>;

    /// Undoes a pruning: the device can be reached by its token again; none where there is no such
    /// device. One that is not pruned stays as it is; one whose token another device took since is a
    /// conflict. `registered_at` stays, so that a provider that calls the token gone is believed again.
    /// Durable when this returns.
    async fn restore(&self, app: &AppName, external_id: &str) -> Result<Option<Restored>>;
}

/// What `list` is sorted by, first key first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationField {
    /// `id`
    Id,
    /// `uuid`
    Uuid,
    /// `title`
    Title,
    /// `status`
    Status,
    /// `scheduled_at`
    ScheduledAt,
    /// `created_at`
    CreatedAt,
    /// `modified_at`
    ModifiedAt,
}

/// A sort key and whether it runs downwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderBy<F> {
    /// The key.
    pub field: F,
    /// Largest first.
    pub descending: bool,
}

/// Which notifications to list.
#[derive(Clone, Debug, Default)]
pub struct NotificationQuery {
    /// In these states; empty means all but none is filtered.
    pub statuses: Vec<Status>,
    /// With this text within their title, in whatever case; empty filters nothing.
    pub search: String,
    /// Sorted so; ties by id upwards.
    pub order_by: Vec<OrderBy<NotificationField>>,
    /// How many to skip.
    pub start: u64,
    /// How many at most.
    pub size: usize,
}

/// What the API needs remembered of a request with an `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The caller's key, within its app and its use (`create`, `launch:<uuid>`).
    pub key: String,
    /// A digest of the request, so that a key used for another request is noticed.
    pub digest: String,
}

/// Notifications.
#[async_trait]
pub trait NotificationStore: Send + Sync {
    /// Keeps a new notification, its `id` drawn by the store (the argument's is ignored) and answered.
    /// With a key that was used before, nothing is made and the earlier notification is answered; a
    /// key used for another request is a conflict.
    async fn create(
        &self,
        notification: Notification,
        key: Option<IdempotencyKey>,
    ) -> Result<Notification>;

    /// One notification of an app; `app` none is the engine, which may see all.
    async fn get(
        &self,
        app: Option<&AppName>,
        uuid: NotificationId,
    ) -> Result<Option<Notification>>;

    /// One notification by its sequence number, for the internal API.
    async fn get_by_number(&self, id: u64) -> Result<Option<Notification>>;

    /// Those of an app.
    async fn list(&self, app: &AppName, query: &NotificationQuery) -> Result<Found<Notification>>;

    /// Replaces a notification if its stored version is still `notification.version`; the stored one
    /// then counts one up and is answered. None when it changed in between: read again and decide
    /// again. `key`, when given, is remembered in the same step, with the notification as its answer.
    async fn update(
        &self,
        notification: Notification,
        key: Option<IdempotencyKey>,
    ) -> Result<Option<Notification>>;

    /// The notification that a key answered before, if any.
    async fn answered(&self, app: &AppName, key: &IdempotencyKey) -> Result<Option<Notification>>;

    /// Every notification the engine works on, of every app: QUEUED and LAUNCHED.
    async fn active(&self) -> Result<Vec<Notification>>;

    /// Adds to what other systems reported; the totals after it.
    async fn report(
        &self,
        uuid: NotificationId,
        counts: PlatformCounts,
    ) -> Result<Option<PlatformCounts>>;
}

/// What happened between a device and a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventKind {
    /// Accepted by the provider.
    Sent,
    /// Failed for good.
    Failed,
    /// The app said it arrived.
    Received,
    /// The app said it was opened.
    Opened,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Sent, Self::Failed, Self::Received, Self::Opened];

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Received => "received",
            Self::Opened => "opened",
        }
    }
}

/// One row of a device's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Sequence number within the installation.
    pub id: u64,
    /// The notification.
    pub notification: NotificationId,
    /// What happened.
    pub kind: EventKind,
    /// Why, for a failure.
    pub reason: Option<Reason>,
    /// When.
    pub at: Timestamp,
}

/// What a device's history is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventField {
    /// `id`
    Id,
    /// `event`
    Kind,
    /// `created_at`
    CreatedAt,
}

/// Which events of a device to list.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Of these kinds; empty means all.
    pub kinds: Vec<EventKind>,
    /// Sorted so; ties by id upwards.
    pub order_by: Vec<OrderBy<EventField>>,
    /// How many to skip.
    pub start: u64,
    /// How many at most.
    pub size: usize,
}

/// One failed device of a campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The device.
    pub device: DeviceId,
    /// The platform it counts under.
    pub platform: DevicePlatform,
    /// Why.
    pub reason: Reason,
    /// When it was recorded.
    pub at: Timestamp,
}

/// The record of campaigns: their rounds, shards and pages, and single events.
#[async_trait]
pub trait CampaignLedger: Send + Sync {
    /// Makes the shards of a round, or answers those made before: planning twice changes nothing.
    /// `clause` is the notification's, `now` the moment its relative times count from.
    async fn plan(
        &self,
        plan: &RoundPlan,
        clause: Option<&Clause>,
        now: Timestamp,
    ) -> Result<Vec<Shard>>;

    /// Every shard of every round of a campaign, in order.
    async fn shards(&self, notification: NotificationId) -> Result<Vec<Shard>>;

    /// The next devices of a shard's audience within `span`, at most `limit`, in the store's order.
    async fn read_page(&self, shard: ShardKey, span: Span, limit: usize) -> Result<TargetPage>;

    /// Pages recorded beyond the shard's cursor, in the store's order: those finished out of turn, and
    /// those cut short by a crash or a pause.
    async fn open_pages(&self, shard: ShardKey) -> Result<Vec<PageRecord>>;

    /// Records a page and its shard's checkpoint in one step. Durable when this returns. Recording the
    /// same page again replaces it.
    async fn record(&self, page: PageRecord, checkpoint: Shard) -> Result<()>;

    /// A campaign's totals over rounds and shards.
    async fn tally(&self, notification: NotificationId) -> Result<Tally>;

    /// Devices whose latest outcome is a failure, in the store's order.
    async fn failures(
        &self,
        notification: NotificationId,
        filter: &FailureFilter,
        start: u64,
        size: usize,
    ) -> Result<Found<Failure>>;

    /// Keeps single events of devices, each a row.
    async fn log(
        &self,
        notification: NotificationId,
        devices: &[DeviceId],
        kind: EventKind,
        now: Timestamp,
    ) -> Result<()>;

    /// One device's history; newest first where no order is asked for.
    async fn history(
        &self,
        app: &AppName,
        device: DeviceId,
        query: &EventQuery,
    ) -> Result<Found<Event>>;

    /// How many devices each kind of single event was kept of.
    async fn heard(&self, notification: NotificationId) -> Result<BTreeMap<EventKind, u64>>;

    /// Drops pages and events older than `before`, whole campaigns at a time; how many campaigns.
    async fn drop_before(&self, before: Timestamp) -> Result<u64>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<()>;
}

/// The rates that operators have changed while the installation ran. They hold on every node, and
/// before the settings', until they are changed again or reset.
#[async_trait]
pub trait RateStore: Send + Sync {
    /// Every rate that was changed and not reset since.
    async fn rates(&self) -> Result<BTreeMap<Rate, u32>>;

    /// Changes these rates in one step and leaves the others. Durable when this returns.
    async fn change_rates(&self, changes: Vec<RateChange>) -> Result<()>;
}

/// The roles of one backend.
#[derive(Clone)]
pub struct Stores {
    /// Devices.
    pub devices: std::sync::Arc<dyn DeviceStore>,
    /// Notifications.
    pub notifications: std::sync::Arc<dyn NotificationStore>,
    /// The ledger.
    pub ledger: std::sync::Arc<dyn CampaignLedger>,
    /// Changed rates.
    pub rates: std::sync::Arc<dyn RateStore>,
    /// Small documents of dialects and of the console.
    pub documents: std::sync::Arc<dyn DocumentStore>,
    /// Who did what.
    pub audit: std::sync::Arc<dyn AuditStore>,
    /// Tags and aliases under quotas.
    pub labels: std::sync::Arc<dyn LabelStore>,
    /// Keys and values to choose from.
    pub suggestions: std::sync::Arc<dyn SuggestionStore>,
    /// How long each operation of these took.
    pub times: std::sync::Arc<StoreTimes>,
}
