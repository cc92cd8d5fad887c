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
pub mod handle;
mod page;
mod prune_guard;
mod rate_limit;
mod rates;
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

pub use handle::{EngineHandle, EngineState, Rates};

use self::{
    backoff::Backoff,
    campaign::{CampaignRun, Campaigns},
    rates::InForce,
    scheduler::SchedulerActor,
    sender::{Desk, DeskRates, SenderActor, Senders},
    shard::Look,
    supervise::{Board, Seat},
    verdict::RetryPolicy,
};
use crate::{
    cluster::Cluster,
    domain::{Result, ids::AppName, rate::Rate},
    settings::LimitSettings,
    storage::Stores,
    transport::SharedTransport,
};

/// An app and its ways out.
pub struct AppTransports {
    /// The app.
    pub app: AppName,
    /// At most one for each provider.
    pub transports: Vec<SharedTransport>,
}

/// Starts the engine on threads of its own. Must be called within an actix system.
pub fn start(
    stores: Stores,
    cluster: Arc<dyn Cluster>,
    apps: Vec<AppTransports>,
    limits: &LimitSettings,
    retention: Option<Duration>,
) -> EngineHandle {
    let rates = InForce::new(limits, apps.iter().map(|own| &own.app));
    let mut senders = Senders::default();
    for AppTransports { app, transports } in apps {
        for transport in transports {
            let desk_rates = DeskRates {
                provider: rates.of(&app, transport.provider()),
                app: rates.limiter(&Rate::App(app.clone())),
                global: rates.limiter(&Rate::Global),
            };
            let policy = policy(limits);
            let guard = limits.prune_guard_percent;
            let desk = Desk::new(app.clone(), transport, desk_rates, policy, guard);
            senders.put(Arc::new(desk));
        }
    }
    let shared = Arc::new(Shared {
        stores,
        cluster,
        limits: limits.clone(),
        retention,
        threads: Threads::start(),
        board: Arc::default(),
        campaigns: Campaigns::default(),
        senders: Arc::new(senders),
        scheduler: Seat::empty(),
        rates,
        nodes: AtomicU32::new(1),
        stopping: AtomicBool::new(false),
    });
    seat_actors(&shared);
    EngineHandle::new(shared)
}

fn seat_actors(shared: &Arc<Shared>) {
    for desk in shared.senders.all() {
        let name = format!("sender {} {}", desk.app, desk.transport.provider().name());
        let (desk, devices) = (Arc::clone(desk), Arc::clone(&shared.stores.devices));
        let board = Arc::clone(&shared.board);
        supervise::keep(name, shared.threads.next(), board, Seat::empty(), move |guard| {
            SenderActor::new(Arc::clone(&desk), Arc::clone(&devices), guard)
        });
    }
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
    threads: Threads,
    board: Arc<Board>,
    campaigns: Campaigns,
    senders: Arc<Senders>,
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
        let every = self.rates.all().chain(campaigns.iter().map(|run| &run.rate));
        every.for_each(|rate| rate.divide(nodes, now));
        self.senders.wake();
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
