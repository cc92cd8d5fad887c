//! The rates in force: what the settings say, and before it what operators changed since. Changes lie in
//! the store, where every node looks once a second, and the node that was asked at once.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use tokio::{sync::Mutex, time::Instant};

use super::rate_limit::RateLimiter;
use crate::{
    domain::{Result, device::SendPlatform, ids::AppName, rate::Rate},
    settings::LimitSettings,
    storage::RateStore,
};

/// Every rate but those of campaigns, each with its limiter.
pub struct InForce {
    limiters: RwLock<Limiters>,
    settings: LimitSettings,
    /// One look at the store at a time: what an earlier look read must not be put over what a later
    /// one did.
    looking: Mutex<()>,
}

type Limiters = HashMap<Rate, Arc<RateLimiter>>;

impl InForce {
    /// The settings' rates, without any app yet.
    pub fn new(settings: &LimitSettings) -> Self {
        let global = RateLimiter::new(settings.global_per_second, Instant::now());
        let limiters = RwLock::new([(Rate::Global, Arc::new(global))].into());
        Self { limiters, settings: settings.clone(), looking: Mutex::new(()) }
    }

    /// Gives an app the settings' rates, divided among so many nodes. One that has rates keeps them.
    pub fn admit(&self, app: &AppName, nodes: u32) {
        let now = Instant::now();
        let mut limiters = self.write();
        for rate in rates_of(app) {
            limiters.entry(rate).or_insert_with_key(|rate| {
                let limiter = RateLimiter::new(configured(&self.settings, rate), now);
                limiter.divide(nodes, now);
                Arc::new(limiter)
            });
        }
    }

    /// Takes an app's rates away.
    pub fn dismiss(&self, app: &AppName) {
        let mut limiters = self.write();
        for rate in rates_of(app) {
            limiters.remove(&rate);
        }
    }

    /// What pushes wait on; without a limit where the rate is of no app here.
    pub fn limiter(&self, rate: &Rate) -> Arc<RateLimiter> {
        self.read().get(rate).map_or_else(unlimited, Arc::clone)
    }

    /// A provider's limiter of an app; without a limit where the provider has no rate of its own.
    pub fn of(&self, app: &AppName, provider: SendPlatform) -> Arc<RateLimiter> {
        Rate::of(app, provider).map_or_else(unlimited, |rate| self.limiter(&rate))
    }

    /// Over all nodes, in pushes per second; 0 is no limit.
    pub fn per_second(&self, rate: &Rate) -> u32 {
        self.read().get(rate).map_or(0, |limiter| limiter.per_second())
    }

    /// Takes one part in `nodes` of every rate.
    pub fn divide(&self, nodes: u32, now: Instant) {
        self.read().values().for_each(|limiter| limiter.divide(nodes, now));
    }

    /// Puts in force what the store holds now; whether that changed anything. Whoever waits must be
    /// woken by the caller then.
    pub async fn follow(&self, store: &dyn RateStore) -> Result<bool> {
        let _one_at_a_time = self.looking.lock().await;
        let stored = store.rates().await?;
        let (mut changed, now) = (false, Instant::now());
        for (rate, limiter) in &*self.read() {
            let configured = || configured(&self.settings, rate);
            let per_second = stored.get(rate).copied().unwrap_or_else(configured);
            if limiter.per_second() != per_second {
                limiter.set(per_second, now);
                changed = true;
            }
        }
        Ok(changed)
    }

    fn read(&self) -> RwLockReadGuard<'_, Limiters> {
        self.limiters.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Limiters> {
        self.limiters.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rates_of(app: &AppName) -> [Rate; 3] {
    let app = || app.clone();
    [Rate::App(app()), Rate::Apns(app()), Rate::Fcm(app())]
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
