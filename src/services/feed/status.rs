//! The status of an app as people see it, and how it is put together from what the nodes and the books
//! say. Pure. What is not known is left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::books::Book;
use crate::{
    domain::{
        device::SendPlatform,
        ids::{AppName, NotificationId},
        notification::Status as State,
        tally::PlatformCounts,
        timestamp::Timestamp,
    },
    engine::{
        Rates,
        report::{ActorStates, BreakerState, CampaignReport, Latency, ProviderReport},
    },
};

/// What one node tells of an app: the engine's account, made small.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeAccount {
    /// What people call the node.
    pub name: String,
    /// Which program it runs.
    pub version: String,
    /// When this was so, by the clock of all nodes.
    pub at: Timestamp,
    /// How many times an actor had to be started again.
    pub restarts: u64,
    /// The app's providers.
    pub providers: BTreeMap<SendPlatform, ProviderAccount>,
    /// The app's campaigns under way there.
    pub campaigns: BTreeMap<NotificationId, CampaignAccount>,
}

/// One provider on one node.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProviderAccount {
    accepted: u64,
    failed: u64,
    /// Pushes that ended in the last second.
    pub per_second: u64,
    /// The same of the seconds before, the oldest first.
    pub past: Vec<u64>,
    waiting: u64,
    in_flight: u64,
    breaker: BreakerState,
    refused: bool,
    reason: Option<String>,
    retry_at: Option<Timestamp>,
    latency: Latency,
}

/// One campaign on one node.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CampaignAccount {
    /// Devices that got their outcome in the last second.
    pub per_second: u64,
    /// The same of the seconds before, the oldest first.
    pub past: Vec<u64>,
    /// Shards that the node works on.
    pub shards: u64,
}

impl From<ProviderReport> for ProviderAccount {
    fn from(report: ProviderReport) -> Self {
        Self {
            accepted: report.totals.accepted,
            failed: report.totals.failed,
            per_second: report.per_second,
            past: report.past,
            waiting: report.waiting + report.waiting_again,
            in_flight: report.in_flight,
            breaker: report.breaker,
            refused: report.refused,
            reason: report.reason,
            retry_at: report.retry_at,
            latency: report.recent_latency,
        }
    }
}

impl From<CampaignReport> for CampaignAccount {
    fn from(report: CampaignReport) -> Self {
        Self { per_second: report.per_second, past: report.past, shards: report.shards }
    }
}

impl ProviderAccount {
    /// Adds another node's: numbers add up, and of troubles the worst counts.
    fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.failed += other.failed;
        self.per_second += other.per_second;
        self.waiting += other.waiting;
        self.in_flight += other.in_flight;
        self.breaker = self.breaker.max(other.breaker);
        self.refused |= other.refused;
        self.reason = self.reason.take().or_else(|| other.reason.clone());
        self.retry_at = [self.retry_at, other.retry_at].into_iter().flatten().min();
        self.latency.add(&other.latency);
    }
}

/// The status of an app.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    app: AppName,
    at: String,
    rates: BTreeMap<&'static str, RateRow>,
    queue: QueueRow,
    providers: BTreeMap<&'static str, ProviderRow>,
    limits: Rates,
    nodes: BTreeMap<String, NodeRow>,
    errors: BTreeMap<String, u64>,
    /// Campaigns by their UUID.
    pub campaigns: BTreeMap<NotificationId, CampaignRow>,
    /// What the engine's actors do for the one notification that is watched.
    pub actors: Option<ActorStates>,
}

#[derive(Clone, Debug, Serialize)]
struct RateRow {
    per_second: f64,
    accepted: u64,
    failed: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
struct QueueRow {
    waiting: u64,
    in_flight: u64,
}

#[derive(Clone, Debug, Serialize)]
struct ProviderRow {
    state: BreakerState,
    refused: bool,
    reason: Option<String>,
    retry_at: Option<String>,
    waiting: u64,
    in_flight: u64,
    latency_ms: Option<LatencyRow>,
}

#[derive(Clone, Debug, Serialize)]
struct LatencyRow {
    p50: f64,
    p99: f64,
}

#[derive(Clone, Debug, Serialize)]
struct NodeRow {
    name: String,
    version: String,
    here: bool,
    last_seen: String,
    per_second: f64,
    restarts: u64,
    shards: u64,
}

/// One campaign.
#[derive(Clone, Debug, Serialize)]
pub struct CampaignRow {
    title: String,
    status: u8,
    expected: Option<u64>,
    sent: PlatformRow,
    failed: PlatformRow,
    reasons: BTreeMap<String, u64>,
    per_second: f64,
    eta_seconds: Option<u64>,
    started_at: Option<String>,
    shards: ShardsRow,
    rate_limit: Option<u32>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct PlatformRow {
    android: u64,
    ios: u64,
    web: u64,
    /// Only devices that name neither platform nor provider; left out where there are none.
    unknown: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
struct ShardsRow {
    total: u64,
    done: u64,
    by_node: BTreeMap<String, u64>,
}

/// What a status is put together from.
pub struct Parts<'a> {
    /// The app.
    pub app: &'a AppName,
    /// The moment.
    pub at: Timestamp,
    /// This node's name.
    pub here: &'a str,
    /// Every node's account, by its name.
    pub nodes: &'a BTreeMap<String, NodeAccount>,
    /// The rates in force.
    pub limits: Rates,
    /// The campaigns to be shown.
    pub books: &'a [Book],
    /// Failures by reason, of campaigns of the last hour.
    pub errors: &'a BTreeMap<String, u64>,
}

impl Status {
    /// Puts a status together.
    pub fn of(parts: &Parts<'_>) -> Self {
        let mut providers: BTreeMap<SendPlatform, ProviderAccount> = BTreeMap::new();
        for (provider, account) in parts.nodes.values().flat_map(|node| &node.providers) {
            providers.entry(*provider).or_default().add(account);
        }
        let mut queue = QueueRow::default();
        for account in providers.values() {
            queue.waiting += account.waiting;
            queue.in_flight += account.in_flight;
        }
        let named = |(provider, account): (&SendPlatform, &ProviderAccount)| {
            (provider.name(), rate_row(account), provider_row(account))
        };
        let (mut rates, mut rows) = (BTreeMap::new(), BTreeMap::new());
        for (name, rate, row) in providers.iter().map(named) {
            rates.insert(name, rate);
            rows.insert(name, row);
        }
        let nodes = parts.nodes.iter();
        let campaigns = parts.books.iter();
        Self {
            app: parts.app.clone(),
            at: parts.at.to_rfc3339(),
            rates,
            queue,
            providers: rows,
            limits: parts.limits,
            nodes: nodes.map(|(id, node)| (id.clone(), node_row(id, node, parts.here))).collect(),
            errors: parts.errors.clone(),
            campaigns: campaigns
                .map(|book| (book.notification.uuid, campaign_row(book, parts.nodes)))
                .collect(),
            actors: None,
        }
    }

    /// It as it is told.
    pub fn to_value(&self) -> Value {
        // Text keys and plain numbers throughout: this cannot fail.
        super::patch::without_nulls(serde_json::to_value(self).unwrap_or_default())
    }
}

fn rate_row(account: &ProviderAccount) -> RateRow {
    let ProviderAccount { per_second, accepted, failed, .. } = *account;
    RateRow { per_second: per_second as f64, accepted, failed }
}

fn provider_row(account: &ProviderAccount) -> ProviderRow {
    let quantile = |share| account.latency.quantile_ms(share).map(|ms| (ms * 10.0).round() / 10.0);
    let latency = quantile(0.5).zip(quantile(0.99)).map(|(p50, p99)| LatencyRow { p50, p99 });
    ProviderRow {
        state: account.breaker,
        refused: account.refused,
        reason: account.reason.clone(),
        retry_at: account.retry_at.map(Timestamp::to_rfc3339),
        waiting: account.waiting,
        in_flight: account.in_flight,
        latency_ms: latency,
    }
}

fn node_row(id: &str, node: &NodeAccount, here: &str) -> NodeRow {
    let per_second: u64 = node.providers.values().map(|provider| provider.per_second).sum();
    NodeRow {
        name: node.name.clone(),
        version: node.version.clone(),
        here: id == here,
        last_seen: node.at.to_rfc3339(),
        per_second: per_second as f64,
        restarts: node.restarts,
        shards: node.campaigns.values().map(|campaign| campaign.shards).sum(),
    }
}

fn campaign_row(book: &Book, nodes: &BTreeMap<String, NodeAccount>) -> CampaignRow {
    let notification = &book.notification;
    let uuid = &notification.uuid;
    let of_it = nodes.iter().filter_map(|(id, node)| Some((id, node.campaigns.get(uuid)?)));
    let accounts: Vec<_> = of_it.collect();
    let per_second: u64 = accounts.iter().map(|(_, account)| account.per_second).sum();
    let holders = accounts.into_iter().filter(|(_, account)| account.shards > 0);
    let settled = book.tally.settled();
    // Devices that came since it was counted are reached too.
    let expected = book.expected.map(|expected| expected.max(settled));
    let left = expected.map(|expected| expected - settled);
    let is_sending = notification.status == State::Launched && per_second > 0;
    CampaignRow {
        title: notification.message.title.clone(),
        status: notification.status.number(),
        expected,
        sent: platform_row(book.sent()),
        failed: platform_row(book.tally.failed),
        reasons: book.tally.reasons.clone(),
        per_second: per_second as f64,
        eta_seconds: left.filter(|_| is_sending).map(|left| left.div_ceil(per_second.max(1))),
        started_at: notification.launched_at.map(Timestamp::to_rfc3339),
        shards: ShardsRow {
            total: book.shards_total,
            done: book.shards_done,
            by_node: holders.map(|(id, account)| (id.clone(), account.shards)).collect(),
        },
        rate_limit: notification.message.options.rate_limit,
    }
}

fn platform_row(counts: PlatformCounts) -> PlatformRow {
    let PlatformCounts { android, ios, web, unknown } = counts;
    PlatformRow { android, ios, web, unknown: (unknown > 0).then_some(unknown) }
}
