//! What the engine and the store hold, as figures for machines: gathered when somebody asks.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    domain::{device::SendPlatform, ids::AppName, notification::Status},
    engine::{
        EngineHandle, Rates,
        report::{Latency, ProviderReport},
    },
    storage::Stores,
};

/// How long the store may take to list the active campaigns.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// Everything that the engine counts, on this node where it says nothing else.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Each provider of each app.
    pub providers: Vec<ProviderReport>,
    /// How long each provider took to answer, over all apps that there ever were.
    pub latencies: BTreeMap<SendPlatform, Latency>,
    /// The rate in force over every app and all nodes.
    pub global_rate: u32,
    /// The rates in force of each app, over all nodes.
    pub rates: BTreeMap<AppName, Rates>,
    /// Actors that crashed and were started again.
    pub restarts: u64,
    /// Nodes among which rates are divided.
    pub nodes: u32,
    /// Campaigns that this node works on.
    pub campaigns_here: usize,
    /// Campaigns that wait for their time or are being sent, by app and state, on any node; none where the
    /// store did not answer.
    pub campaigns: Option<BTreeMap<(AppName, Status), u64>>,
}

impl Figures {
    /// Gathers them.
    pub async fn gather(engine: &EngineHandle, stores: &Stores) -> Self {
        let providers = engine.provider_reports(None);
        let apps = providers.iter().map(|report| &report.app);
        Self {
            rates: apps.map(|app| (app.clone(), engine.rates(app))).collect(),
            providers,
            latencies: engine.latencies(),
            global_rate: engine.global_rate(),
            restarts: engine.restarts(),
            nodes: engine.nodes_counted(),
            campaigns_here: engine.campaign_reports(None).len(),
            campaigns: active(stores).await,
        }
    }
}

/// The store is asked on a task of its own, since a store's call must not be dropped half-way.
async fn active(stores: &Stores) -> Option<BTreeMap<(AppName, Status), u64>> {
    let notifications = stores.notifications.clone();
    let asked = tokio::spawn(async move { notifications.active().await });
    let found = tokio::time::timeout(STORE_PATIENCE, asked).await.ok()?.ok()?.ok()?;
    let mut counts = BTreeMap::new();
    for notification in found {
        *counts.entry((notification.app, notification.status)).or_default() += 1;
    }
    Some(counts)
}
