//! How the installation is: whether it can serve and send, its rates, what its actors do.

use std::time::Duration;

use crate::{
    domain::{Error, Result, ids::AppName},
    engine::{EngineHandle, EngineState, Rates},
    storage::Stores,
};

/// How long the store may take to answer before it counts as away.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// The use cases of operators.
#[derive(Clone)]
pub struct StatusReport {
    stores: Stores,
    engine: EngineHandle,
}

/// Changes to an app's rates; what is left out stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateChange {
    /// Given only to be compared: an app cannot change it.
    pub global: Option<u32>,
    /// Over the app.
    pub app: Option<u32>,
    /// The app's APNs.
    pub apns: Option<u32>,
    /// The app's FCM.
    pub fcm: Option<u32>,
}

impl StatusReport {
    /// Over these stores and this engine.
    pub fn new(stores: Stores, engine: EngineHandle) -> Self {
        Self { stores, engine }
    }

    /// Why the installation cannot do its work now; empty when it can. The store is asked on a task
    /// of its own, since a store's call must not be dropped half-way.
    pub async fn troubles(&self) -> Vec<String> {
        let ledger = self.stores.ledger.clone();
        let ping = tokio::spawn(async move { ledger.ping().await });
        let mut troubles = match tokio::time::timeout(PING_TIMEOUT, ping).await {
            Ok(Ok(Ok(()))) => Vec::new(),
            Ok(Ok(Err(error))) => {
                tracing::warn!(%error, "the store does not answer");
                vec![format!("store: {}", error.public_message())]
            }
            Ok(Err(_)) => vec!["store: the check ended unexpectedly".to_owned()],
            Err(_) => vec!["store: no answer in time".to_owned()],
        };
        troubles.extend(self.engine.troubles());
        troubles
    }

    /// What every actor is doing.
    pub async fn engine_state(&self) -> EngineState {
        self.engine.state().await
    }

    /// The rates in force for an app.
    pub fn rates(&self, app: &AppName) -> Rates {
        self.engine.rates(app)
    }

    /// Changes an app's rates at once; the rates after it.
    pub fn change_rates(&self, app: &AppName, change: RateChange) -> Result<Rates> {
        let mut rates = self.engine.rates(app);
        if change.global.is_some_and(|global| global != rates.global) {
            return Err(Error::invalid("global", "is over every app and not this app's to change"));
        }
        rates.app = change.app.unwrap_or(rates.app);
        rates.apns = change.apns.unwrap_or(rates.apns);
        rates.fcm = change.fcm.unwrap_or(rates.fcm);
        self.engine.set_rates(app, rates);
        Ok(rates)
    }

    /// Changes the rate over every app at once.
    pub fn change_global_rate(&self, per_second: u32) {
        self.engine.set_global_rate(per_second);
    }
}
