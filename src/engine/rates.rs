//! The rates in force: what the settings say, and before it what operators changed since. Changes lie in
//! the store, where every node looks once a second, and the node that was asked at once.

use std::{collections::HashMap, sync::Arc};

use tokio::{sync::Mutex, time::Instant};

use super::rate_limit::RateLimiter;
use crate::{
    domain::{Result, device::SendPlatform, ids::AppName, rate::Rate},
    settings::LimitSettings,
    storage::RateStore,
};

/// Every rate but those of campaigns, each with its limiter.
pub struct InForce {
    limiters: HashMap<Rate, Arc<RateLimiter>>,
    settings: LimitSettings,
    /// One look at the store at a time: what an earlier look read must not be put over what a later
    /// one did.
    looking: Mutex<()>,
}

impl InForce {
    /// The settings' rates for these apps.
    pub fn new<'a>(settings: &LimitSettings, apps: impl Iterator<Item = &'a AppName>) -> Self {
        let now = Instant::now();
        let own = apps.flat_map(|app| {
            let app = || app.clone();
            [Rate::App(app()), Rate::Apns(app()), Rate::Fcm(app())]
        });
        let limiter = |rate: Rate| {
            let limiter = RateLimiter::new(configured(settings, &rate), now);
            (rate, Arc::new(limiter))
        };
        let limiters = own.chain([Rate::Global]).map(limiter).collect();
        Self { limiters, settings: settings.clone(), looking: Mutex::new(()) }
    }

    /// What pushes wait on; without a limit where the rate is of no app here.
    pub fn limiter(&self, rate: &Rate) -> Arc<RateLimiter> {
        self.limiters.get(rate).map_or_else(unlimited, Arc::clone)
    }

    /// A provider's limiter of an app; without a limit where the provider has no rate of its own.
    pub fn of(&self, app: &AppName, provider: SendPlatform) -> Arc<RateLimiter> {
        Rate::of(app, provider).map_or_else(unlimited, |rate| self.limiter(&rate))
    }

    /// Over all nodes, in pushes per second; 0 is no limit.
    pub fn per_second(&self, rate: &Rate) -> u32 {
        self.limiters.get(rate).map_or(0, |limiter| limiter.per_second())
    }

    /// Every limiter.
    pub fn all(&self) -> impl Iterator<Item = &RateLimiter> {
        self.limiters.values().map(|limiter| &**limiter)
    }

    /// Puts in force what the store holds now; whether that changed anything. Whoever waits must be
    /// woken by the caller then.
    pub async fn follow(&self, store: &dyn RateStore) -> Result<bool> {
        let _one_at_a_time = self.looking.lock().await;
        let stored = store.rates().await?;
        let (mut changed, now) = (false, Instant::now());
        for (rate, limiter) in &self.limiters {
            let configured = || configured(&self.settings, rate);
            let per_second = stored.get(rate).copied().unwrap_or_else(configured);
            if limiter.per_second() != per_second {
                limiter.set(per_second, now);
                changed = true;
            }
        }
        Ok(changed)
    }
}

fn unlimited() -> Arc<RateLimiter> {
    Arc::new(RateLimiter::new(0, Instant::now()))
}

fn configured(settings: &LimitSettings, rate: &Rate) -> u32 {
    match rate {
        Rate::Global => settings.global_per_second,
        Rate::App(_) => settings.app_per_second,
        Rate::Apns(_) => settings.apns_per_second,
        Rate::Fcm(_) => settings.fcm_per_second,
    }
}
