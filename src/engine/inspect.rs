//! What the engine tells of itself: [`EngineHandle`]'s answers to the feed and to the metrics. Every
//! answer is read off the desks; none asks an actor but [`EngineHandle::actors_of`].

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use tokio::time::Instant;

use super::{
    EngineHandle,
    report::{ActorStates, CampaignReport, Latency, ProviderReport},
};
use crate::domain::{
    Result,
    device::SendPlatform,
    ids::{AppName, NotificationId},
    timestamp::Timestamp,
};

impl EngineHandle {
    /// This node's name, another at every start.
    pub fn node(&self) -> &str {
        self.shared.cluster.node()
    }

    /// How long a node that is not heard of counts as living; none where there is no other.
    pub fn node_lifetime(&self) -> Option<Duration> {
        self.shared.cluster.lease_time()
    }

    /// The names of the living nodes, this one among them.
    pub async fn nodes(&self) -> Result<Vec<String>> {
        let nodes = self.shared.cluster.live_nodes().await?;
        Ok(nodes.into_iter().map(|node| node.name).collect())
    }

    /// The time of day that all nodes go by.
    pub async fn now(&self) -> Result<Timestamp> {
        self.shared.cluster.now().await
    }

    /// Among how many nodes rates are divided.
    pub fn nodes_counted(&self) -> u32 {
        self.shared.nodes.load(Ordering::SeqCst)
    }

    /// How long each provider took to answer pushes from this node, over all apps. Grows only, apps that
    /// were taken down included.
    pub fn latencies(&self) -> BTreeMap<SendPlatform, Latency> {
        self.shared.senders.latencies()
    }

    /// Whether the engine is being stopped.
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// An app's providers on this node, in the order of their numbers; of every app where none is named.
    pub fn provider_reports(&self, app: Option<&AppName>) -> Vec<ProviderReport> {
        let senders = &self.shared.senders;
        let desks = app.map_or_else(|| senders.all(), |app| senders.of(app));
        let mut reports: Vec<_> = desks.iter().map(|desk| desk.report()).collect();
        reports.sort_by(|a, b| (&a.app, a.provider).cmp(&(&b.app, b.provider)));
        reports
    }

    /// An app's campaigns under way on this node; of every app where none is named.
    pub fn campaign_reports(&self, app: Option<&AppName>) -> Vec<CampaignReport> {
        let now = Instant::now();
        let runs = self.shared.campaigns.all();
        let runs = runs.iter().filter(|run| app.is_none_or(|app| app == run.app()));
        let report = runs.map(|run| CampaignReport {
            notification: run.id(),
            app: run.app().clone(),
            per_second: run.pace.per_second(now),
            past: run.pace.past(now),
            shards: run.shards().iter().filter(|desk| !desk.has_ended()).count() as u64,
        });
        report.collect()
    }

    /// What the actors of one notification are doing on this node, and the senders of its app.
    pub async fn actors_of(&self, app: &AppName, notification: NotificationId) -> ActorStates {
        let coordinator = format!("coordinator {notification}");
        let (shards, senders) = (format!("shard {notification} "), format!("sender {app} "));
        let wanted = |name: &str| {
            name == coordinator || name.starts_with(&shards) || name.starts_with(&senders)
        };
        self.actors(wanted).await
    }
}
