//! The engine: actors that turn a launched notification into pushes and a record of them.
//!
//! ```text
//! scheduler ── begins ──▶ coordinator ── seats ──▶ shard ── pages ──▶ sender ──▶ transport
//!     ▲                        ▲                    │  ▲                │
//!     └────── campaign ended ──┴──── shard ended ───┘  └── page settled ┘
//! ```
//!
//! Actors decide; what must outlive a crash of one lies on desks (`campaign`, `sender::Desk`) and in
//! the ledger. The services reach all this through [`EngineHandle`] alone.

mod backoff;
mod breaker;
mod campaign;
mod coordinator;
mod direct;
pub mod handle;
mod inspect;
mod pace;
mod page;
mod prune_guard;
mod rate_limit;
mod rates;
pub mod report;
mod scheduler;
mod sender;
mod shard;
mod supervise;
mod verdict;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Arbiter, ArbiterHandle};
use tokio::time::Instant;

pub use direct::{DirectOutcome, DirectPush};
pub use handle::{EngineHandle, EngineState, Rates};
pub use pace::SECONDS as PACE_SECONDS;

pub use crate::transport::Preview;

use self::{
    backoff::Backoff,
    campaign::{CampaignRun, Campaigns},
    rates::InForce,
    scheduler::SchedulerActor,
    sender::{Desk, DeskRates, Meter, SenderActor, Senders},
    shard::Look,
    supervise::{Board, Seat},
    verdict::RetryPolicy,
};
use crate::{
    cluster::Cluster,
    domain::{Result, ids::AppName, rate::Rate},
    settings::LimitSettings,
    storage::Stores,
    telemetry::Traces,
    transport::{Opener, SharedTransport},
};

/// An app and its ways out.
pub struct AppTransports {
    /// The app.
    pub app: AppName,
    /// At most one for each provider.
    pub transports: Vec<SharedTransport>,
}

/// Starts the engine on threads of its own. Must be called within an actix system. `opener` serves the
/// apps that come while it runs.
pub fn start(
    stores: Stores,
    cluster: Arc<dyn Cluster>,
    apps: Vec<AppTransports>,
    opener: Opener,
    limits: &LimitSettings,
    retention: Option<Duration>,
    traces: Option<Traces>,
) -> EngineHandle {
    let shared = Arc::new(Shared {
        stores,
        cluster,
        limits: limits.clone(),
        retention,
        traces: traces.map(Arc::new),
        threads: Threads::start(),
        board: Arc::default(),
        campaigns: Campaigns::default(),
        senders: Arc::default(),
        replaced: AtomicU32::new(0),
        opener,
        scheduler: Seat::empty(),
        rates: InForce::new(limits),
        nodes: AtomicU32::new(1),
        stopping: AtomicBool::new(false),
    });
    for AppTransports { app, transports } in apps {
        shared.put_app(&app, transports);
    }
    seat_scheduler(&shared);
    EngineHandle::new(shared)
}

fn seat_scheduler(shared: &Arc<Shared>) {
    let (board, seat, own) =
        (Arc::clone(&shared.board), Arc::clone(&shared.scheduler), Arc::clone(shared));
    supervise::keep("scheduler".into(), shared.threads.next(), board, seat, move |guard| {
        SchedulerActor::new(Arc::clone(&own), guard)
    });
}

fn policy(limits: &LimitSettings) -> RetryPolicy {
    let backoff = Backoff {
        base: Duration::from_millis(limits.backoff_base_ms),
        max: Duration::from_millis(limits.backoff_max_ms),
    };
    RetryPolicy { max_attempts: limits.max_attempts, backoff }
}

/// What the actors share.
pub(crate) struct Shared {
    stores: Stores,
    cluster: Arc<dyn Cluster>,
    limits: LimitSettings,
    /// How long delivery logs are kept; none is for ever.
    retention: Option<Duration>,
    /// Where campaigns are told of, if anywhere.
    traces: Option<Arc<Traces>>,
    threads: Threads,
    board: Arc<Board>,
    campaigns: Campaigns,
    senders: Arc<Senders>,
    /// How many senders took another's place.
    replaced: AtomicU32,
    /// How an app that comes later gets its ways out.
    opener: Opener,
    scheduler: Arc<Seat<SchedulerActor>>,
    rates: InForce,
    /// Among how many nodes rates are divided.
    nodes: AtomicU32,
    stopping: AtomicBool,
}

impl Shared {
    /// Takes this node's part of every rate.
    fn divide_rates(&self, nodes: usize) {
        let (nodes, now) = (u32::try_from(nodes).unwrap_or(u32::MAX), Instant::now());
        self.nodes.store(nodes, Ordering::SeqCst);
        let campaigns = self.campaigns.all();
        self.rates.divide(nodes, now);
        campaigns.iter().for_each(|run| run.rate.divide(nodes, now));
        self.senders.wake();
    }

    /// Seats a sender for each of an app's ways out. Those that it had before are taken down.
    fn put_app(&self, app: &AppName, transports: Vec<SharedTransport>) {
        self.rates.admit(app, self.nodes.load(Ordering::SeqCst));
        let desks = transports.into_iter().map(|transport| {
            let rates = DeskRates {
                provider: self.rates.of(app, transport.provider()),
                app: self.rates.limiter(&Rate::App(app.clone())),
                global: self.rates.limiter(&Rate::Global),
            };
            let guard = self.limits.prune_guard_percent;
            // What was counted goes on where only the credentials change.
            let before = self.senders.get(app, transport.provider());
            let meter = before.map_or_else(|| Meter::new(Instant::now()), |desk| desk.meter());
            let policy = policy(&self.limits);
            Arc::new(Desk::new(app.clone(), transport, rates, policy, guard, meter))
        });
        let desks: Vec<_> = desks.collect();
        desks.iter().for_each(|desk| self.seat_sender(desk));
        self.senders.replace(app, &desks);
    }

    /// Takes an app's senders down. Its rates go too: another app of this name starts anew.
    fn remove_app(&self, app: &AppName) {
        self.senders.replace(app, &[]);
        self.rates.dismiss(app);
    }

    fn seat_sender(&self, desk: &Arc<Desk>) {
        let provider = desk.transport.provider();
        let mut name = format!("sender {} {}", desk.app, provider.name());
        // The one before may live on for a moment, under its own name.
        if self.senders.get(&desk.app, provider).is_some() {
            name += &format!(" #{}", self.replaced.fetch_add(1, Ordering::Relaxed) + 2);
        }
        let (desk, devices) = (Arc::clone(desk), Arc::clone(&self.stores.devices));
        let board = Arc::clone(&self.board);
        supervise::keep(name, self.threads.next(), board, Seat::empty(), move |guard| {
            SenderActor::new(Arc::clone(&desk), Arc::clone(&devices), guard)
        });
    }

    /// Puts in force the rates that the store holds, for work under way too.
    async fn follow_rates(&self) -> Result<()> {
        if self.rates.follow(&*self.stores.rates).await? {
            self.senders.wake();
        }
        Ok(())
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Closes a campaign's gate, takes what waits of it from the senders, and lets its shards end.
    fn halt(&self, run: &CampaignRun) {
        run.close();
        self.senders.sweep();
        run.shards().iter().for_each(|desk| desk.seat.tell(Look));
    }
}

/// The engine's threads, each an arbiter: a thread's actors and pushes never move, so a push costs no
/// hop between cores.
struct Threads {
    handles: Vec<ArbiterHandle>,
    next: AtomicUsize,
}

impl Threads {
    fn start() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 8);
        let handles = (0..cores).map(|_| Arbiter::new().handle()).collect();
        Self { handles, next: AtomicUsize::new(0) }
    }

    fn next(&self) -> &ArbiterHandle {
        &self.handles[self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len()]
    }
}
