//! How the installation is: whether it can serve and send, its rates, what its actors do.

use std::time::Duration;

use super::Figures;
use crate::{
    domain::{
        Error, Result,
        ids::AppName,
        rate::{Rate, RateChange},
    },
    engine::{EngineHandle, EngineState, Rates},
    storage::{StoreTimes, Stores},
};

/// How long the store may take to answer before it counts as away.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// The use cases of operators.
#[derive(Clone)]
pub struct StatusReport {
    stores: Stores,
    engine: EngineHandle,
}

/// Whether a node can do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// The store answers, and some provider can be sent to.
    pub is_ready: bool,
    /// What is wrong, also where it does not keep the node from working.
    pub reasons: Vec<String>,
}

/// Changes to an app's rates: the outer none leaves a rate as it is, the inner one puts it back to what
/// the settings say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppRatesChange {
    /// Given only to be compared: an app cannot change it.
    pub global: Option<Option<u32>>,
    /// Over the app.
    pub app: Option<Option<u32>>,
    /// The app's APNs.
    pub apns: Option<Option<u32>>,
    /// The app's FCM.
    pub fcm: Option<Option<u32>>,
}

impl AppRatesChange {
    fn of(self, app: &AppName) -> Vec<RateChange> {
        let named = [
            (Rate::App(app.clone()), self.app),
            (Rate::Apns(app.clone()), self.apns),
            (Rate::Fcm(app.clone()), self.fcm),
        ];
        named.into_iter().filter_map(|(rate, to)| Some((rate, to?))).collect()
    }
}

impl StatusReport {
    /// Over these stores and this engine.
    pub fn new(stores: Stores, engine: EngineHandle) -> Self {
        Self { stores, engine }
    }

    /// Whether this node can do its work, and what is wrong. A provider that refuses one app, or is away,
    /// is told and takes no node out of service: the others would fare no better.
    pub async fn readiness(&self) -> Readiness {
        let store = self.store_trouble().await;
        let is_ready = store.is_none() && self.engine.is_able();
        let reasons = store.into_iter().chain(self.engine.troubles()).collect();
        Readiness { is_ready, reasons }
    }

    /// Why the store cannot be used. It is asked on a task of its own, since a store's call must not be
    /// dropped half-way.
    async fn store_trouble(&self) -> Option<String> {
        let ledger = self.stores.ledger.clone();
        let ping = tokio::spawn(async move { ledger.ping().await });
        match tokio::time::timeout(PING_TIMEOUT, ping).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(error))) => {
                tracing::warn!(%error, "the store does not answer");
                Some(format!("store: {}", error.public_message()))
            }
            Ok(Err(_)) => Some("store: the check ended unexpectedly".to_owned()),
            Err(_) => Some("store: no answer in time".to_owned()),
        }
    }

    /// What the engine counts.
    pub async fn figures(&self) -> Figures {
        Figures::gather(&self.engine, &self.stores).await
    }

    /// How long the store's operations took.
    pub fn store_times(&self) -> &StoreTimes {
        &self.stores.times
    }

    /// What every actor is doing.
    pub async fn engine_state(&self) -> EngineState {
        self.engine.state().await
    }

    /// The rates in force for an app, each over all nodes.
    pub fn rates(&self, app: &AppName) -> Rates {
        self.engine.rates(app)
    }

    /// Changes an app's rates, at once on this node and within about a second on the others, until they
    /// are changed again; the rates after it.
    pub async fn change_rates(&self, app: &AppName, change: AppRatesChange) -> Result<Rates> {
        let global = self.engine.rates(app).global;
        if change.global.is_some_and(|given| given != Some(global)) {
            return Err(Error::invalid("global", "is over every app and not this app's to change"));
        }
        self.put_in_force(change.of(app)).await?;
        Ok(self.engine.rates(app))
    }

    /// Changes the rate over every app likewise; none puts it back to what the settings say. The rate
    /// after it.
    pub async fn change_global_rate(&self, per_second: Option<u32>) -> Result<u32> {
        self.put_in_force(vec![(Rate::Global, per_second)]).await?;
        Ok(self.engine.global_rate())
    }

    async fn put_in_force(&self, changes: Vec<RateChange>) -> Result<()> {
        if !changes.is_empty() {
            self.stores.rates.change_rates(changes).await?;
        }
        self.engine.follow_rates().await
    }
}
