//! The senders: one for each app and provider. A sender's devices wait on its [`Desk`]; its pump begins
//! pushes as rates, window and breaker allow; its actor keeps the pump alive, gives dead tokens up and
//! tells what it is doing.

mod account;
mod conclude;
mod desk;
mod expire;
mod job;
mod meter;
mod pump;
mod queue;
mod refusal;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix::prelude::*;
use arc_swap::ArcSwap;
use tokio::{task::JoinHandle, time::Instant};

pub use account::Standing;
pub use desk::{Desk, DeskRates};
pub use meter::Meter;

use self::job::Job;
use super::{
    page::PageWork,
    report::Latency,
    supervise::{Guard, Probe},
};
use crate::{
    domain::{
        device::{SendPlatform, Unreachable},
        ids::AppName,
        outcome::{Outcome, Reason},
        timestamp::Timestamp,
    },
    storage::DeviceStore,
};

/// How often dead tokens are given up.
const PRUNE_INTERVAL: Duration = Duration::from_secs(1);

/// Every sender's desk, by app and provider. Apps come and go while others read.
#[derive(Default)]
pub struct Senders {
    desks: ArcSwap<HashMap<(AppName, SendPlatform), Arc<Desk>>>,
    /// Latencies of desks that were taken down for good.
    retired: Mutex<BTreeMap<SendPlatform, Latency>>,
}

impl Senders {
    /// Puts these desks in the place of those that the app has, which are taken down.
    pub fn replace(&self, app: &AppName, desks: &[Arc<Desk>]) {
        // Held until the others are gone from `desks`: nobody sees them in neither place, or in both.
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.desks.rcu(|all| {
            let others = all.iter().filter(|((owner, _), _)| owner != app);
            let others = others.map(|(key, desk)| (key.clone(), Arc::clone(desk)));
            let own = desks
                .iter()
                .map(|desk| ((app.clone(), desk.transport.provider()), Arc::clone(desk)));
            others.chain(own).collect::<HashMap<_, _>>()
        });
        let goes_on = |provider| desks.iter().any(|desk| desk.transport.provider() == provider);
        for desk in before.values().filter(|desk| desk.app == *app) {
            desk.close();
            let provider = desk.transport.provider();
            if !goes_on(provider) {
                retired.entry(provider).or_default().add(&desk.report().totals.latency);
            }
        }
    }

    /// How long each provider took to answer, desks included that are no more.
    pub fn latencies(&self) -> BTreeMap<SendPlatform, Latency> {
        let retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let mut latencies = retired.clone();
        for desk in self.all() {
            let latency = latencies.entry(desk.transport.provider()).or_default();
            latency.add(&desk.report().totals.latency);
        }
        latencies
    }

    /// Every desk.
    pub fn all(&self) -> Vec<Arc<Desk>> {
        self.desks.load().values().cloned().collect()
    }

    /// The desks of one app.
    pub fn of(&self, app: &AppName) -> Vec<Arc<Desk>> {
        self.desks.load().values().filter(|desk| desk.app == *app).cloned().collect()
    }

    /// The desk of an app and provider.
    pub fn get(&self, app: &AppName, provider: SendPlatform) -> Option<Arc<Desk>> {
        self.desks.load().get(&(app.clone(), provider)).cloned()
    }

    /// Hands a page's devices to their senders; those that cannot be sent to are settled at once, and in
    /// a dry run so are the others: nothing of it may pass for a provider's answer.
    pub fn send(&self, page: &Arc<PageWork>) {
        let run = &page.run;
        let dry_run = run.notification.message.options.dry_run;
        let mut batches: HashMap<SendPlatform, Vec<Job>> = HashMap::new();
        let mut settled = Vec::new();
        let failed = |why: Unreachable| Outcome::Failed(Reason::new(why.name()));
        for (index, target) in page.targets().iter().enumerate() {
            match (target.unreachable, run.rendered.get(&target.provider)) {
                (None, Some(_)) if dry_run => settled.push((index, Outcome::Accepted)),
                (None, Some(rendered)) => {
                    let job = Job::new(Arc::clone(page), Arc::clone(rendered), index as u32);
                    batches.entry(target.provider).or_default().push(job);
                }
                (None, None) => settled.push((index, failed(Unreachable::NoCredentials))),
                (Some(why), _) => settled.push((index, failed(why))),
            }
        }
        for (provider, jobs) in batches {
            match self.get(run.app(), provider) {
                Some(desk) => desk.submit(page, jobs),
                None => jobs.into_iter().for_each(Job::forsake),
            }
        }
        run.pace.add(u32::try_from(settled.len()).unwrap_or(u32::MAX), Instant::now());
        settled.into_iter().for_each(|(index, outcome)| page.settle(index, outcome));
    }

    /// Hands back what waits of campaigns whose gate has closed, and of pages set aside.
    pub fn sweep(&self) {
        self.desks.load().values().for_each(|desk| desk.sweep());
    }

    /// Lets every pump ask its rates again.
    pub fn wake(&self) {
        self.desks.load().values().for_each(|desk| desk.work.notify_one());
    }
}

/// The actor of one sender.
pub struct SenderActor {
    desk: Arc<Desk>,
    devices: Arc<dyn DeviceStore>,
    pump: Option<JoinHandle<()>>,
    guard: Guard,
}

impl SenderActor {
    /// A generation of the sender of this desk.
    pub fn new(desk: Arc<Desk>, devices: Arc<dyn DeviceStore>, guard: Guard) -> Self {
        Self { desk, devices, pump: None, guard }
    }

    fn prune(&self) {
        let (orders, changed) = self.desk.prunes();
        let provider = self.desk.transport.provider().name();
        match changed {
            Some(false) => tracing::warn!(
                app = %self.desk.app, provider,
                "too many tokens come back gone or bad: none is given up until that is over; \
                 look at the key and the environment"
            ),
            Some(true) => {
                tracing::info!(app = %self.desk.app, provider, "tokens are given up again")
            }
            None => {}
        }
        if orders.is_empty() {
            return;
        }
        let (app, devices) = (self.desk.app.clone(), Arc::clone(&self.devices));
        actix::spawn(async move {
            match devices.prune(&app, orders, Timestamp::now()).await {
                Ok(pruned) => tracing::info!(%app, provider, pruned, "gave up dead tokens"),
                // They come back as gone with the next campaign.
                Err(error) => tracing::error!(%app, %error, "failed to give up dead tokens"),
            }
        });
    }

    /// A pump that died is started again; its pushes went back to the desk.
    fn keep_pump(&mut self) {
        if self.pump.as_ref().is_none_or(JoinHandle::is_finished) {
            self.pump = Some(actix::spawn(pump::run(Arc::clone(&self.desk))));
        }
    }
}

impl Actor for SenderActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.keep_pump();
        ctx.run_interval(PRUNE_INTERVAL, |actor, ctx| {
            actor.keep_pump();
            actor.prune();
            actor.desk.sweep_single();
            if actor.desk.is_closed() && actor.desk.in_flight() == 0 {
                actor.guard.finish();
                ctx.stop();
            }
        });
    }
}

impl Drop for SenderActor {
    fn drop(&mut self) {
        if let Some(pump) = &self.pump {
            pump.abort();
        }
    }
}

impl Handler<Probe> for SenderActor {
    type Result = MessageResult<Probe>;
    fn handle(&mut self, probe: Probe, _: &mut Context<Self>) -> Self::Result {
        assert!(matches!(probe, Probe::Inspect), "asked to crash");
        MessageResult(self.desk.observe())
    }
}
