//! The scheduler: launches what is due and begins the campaigns of what is launched. A reconciler: it
//! looks at what the store says on a nudge and on a timer, takes no other input, and may look twice.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actix::prelude::*;
use serde_json::json;
use tokio::time::Instant;

use super::{
    Shared,
    campaign::{CampaignRun, PageBudget},
    coordinator::CoordinatorActor,
    supervise::{self, Guard, Probe, Seat},
};
use crate::domain::{
    Result,
    ids::NotificationId,
    notification::{Notification, Status},
    timestamp::Timestamp,
};

/// How often it looks by itself.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often old pages and events are dropped.
const RETENTION_INTERVAL: Duration = Duration::from_secs(3600);

/// The actor.
pub struct SchedulerActor {
    shared: Arc<Shared>,
    /// Owned so that its end is noticed; the scheduler never finishes.
    _guard: Guard,
    looking: bool,
    /// Asked to look while looking.
    again: bool,
    queued: usize,
    /// When campaigns were begun lately.
    begun: HashMap<NotificationId, Instant>,
}

/// Looks at what the store says.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reconcile;

/// What the store says; none when it did not answer.
#[derive(Message)]
#[rtype(result = "()")]
struct ActiveListed(Option<Active>);

/// What is active, and when that was asked, by the clock of all nodes.
struct Active {
    notifications: Vec<Notification>,
    at: Timestamp,
}

impl SchedulerActor {
    /// A generation of the scheduler.
    pub fn new(shared: Arc<Shared>, guard: Guard) -> Self {
        Self {
            shared,
            _guard: guard,
            looking: false,
            again: false,
            queued: 0,
            begun: HashMap::new(),
        }
    }

    fn launch(&self, mut notification: Notification, ctx: &mut Context<Self>) {
        let (shared, me) = (Arc::clone(&self.shared), ctx.address());
        actix::spawn(async move {
            notification.set_status(Status::Launched, Timestamp::now());
            match shared.stores.notifications.update(notification, None).await {
                Ok(Some(_)) => {
                    let _ = me.send(Reconcile).await;
                }
                // Changed in between, or the store failed: the next look decides anew.
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "failed to launch a notification"),
            }
        });
    }

    /// Whether the campaign was begun a moment ago. One that ends at once without coming to an end
    /// begins again at the next look, not in a tight circle.
    fn begun_just_now(&mut self, id: NotificationId) -> bool {
        self.begun.retain(|_, at| at.elapsed() < INTERVAL / 2);
        self.begun.contains_key(&id)
    }

    fn begin(&mut self, notification: Notification) {
        if self.begun_just_now(notification.uuid) {
            return;
        }
        self.begun.insert(notification.uuid, Instant::now());
        let shared = &self.shared;
        let mut rendered = HashMap::new();
        for desk in shared.senders.of(&notification.app) {
            // Its time to live counts from here: a pause or a second round must not send what is
            // already over.
            let from = Timestamp::now();
            match desk.transport.render(notification.uuid, &notification.message, from) {
                Ok(message) => {
                    rendered.insert(desk.transport.provider(), Arc::new(message));
                }
                // Checked at create; the limits may have changed with a new version since. Its devices
                // end as without credentials, and the log says why.
                Err(error) => {
                    tracing::error!(notification = %notification.uuid, %error, "failed to render")
                }
            }
        }
        let name = format!("coordinator {}", notification.uuid);
        let limits = &shared.limits;
        let pages = PageBudget { most: limits.pages_in_flight, page_size: limits.page_size };
        let id = notification.uuid.to_string();
        let trace = shared.traces.as_ref();
        let trace =
            trace.map(|traces| traces.campaign(notification.app.as_str(), &id, notification.round));
        let run = CampaignRun::new(notification, rendered, pages, trace);
        // The next look divides its rate anew; until then it must not go at everybody's.
        run.rate.divide(shared.nodes.load(Ordering::SeqCst), Instant::now());
        let run = Arc::new(run);
        shared.campaigns.put(Arc::clone(&run));
        let (seat, board) = (Seat::empty(), Arc::clone(&shared.board));
        let (shared, own_seat) = (Arc::clone(shared), Arc::clone(&seat));
        let thread = self.shared.threads.next();
        supervise::keep(name, thread, board, seat, move |guard| {
            let (shared, run) = (Arc::clone(&shared), Arc::clone(&run));
            CoordinatorActor::new(shared, run, Arc::clone(&own_seat), guard)
        });
    }

    /// Whoever stops a campaign or changes its pace tells the engine of its own node; the store tells all.
    fn follow_the_store(&self, active: &[Notification]) {
        let launched = |run: &CampaignRun| {
            let same =
                |one: &Notification| one.uuid == run.id() && one.round == run.notification.round;
            active.iter().any(|one| one.status == Status::Launched && same(one))
        };
        for run in self.shared.campaigns.all() {
            if run.is_open() && !launched(&run) {
                self.shared.halt(&run);
            }
        }
        for one in active {
            let rate = one.message.options.rate_limit.unwrap_or(0);
            if let Some(run) = self.shared.campaigns.get(one.uuid)
                && run.rate.per_second() != rate
            {
                run.set_rate(rate);
                self.shared.senders.wake();
            }
        }
    }

    fn drop_old(&self) {
        let Some(kept) = self.shared.retention else { return };
        let shared = Arc::clone(&self.shared);
        actix::spawn(async move {
            // By the clock of all: one node's own, if wrong, would take everybody's logs away.
            let dropped = async {
                let now = shared.cluster.now().await?;
                shared.stores.ledger.drop_before(now.minus(kept)).await
            };
            match dropped.await {
                Ok(0) => {}
                Ok(campaigns) => tracing::info!(campaigns, "dropped delivery logs past their time"),
                Err(error) => tracing::error!(%error, "failed to drop old delivery logs"),
            }
        });
    }
}

/// What is active, with the rates it is to be sent at in force.
async fn look(shared: &Shared) -> Result<Active> {
    shared.follow_rates().await?;
    let at = shared.cluster.now().await?;
    Ok(Active { notifications: shared.stores.notifications.active().await?, at })
}

impl Actor for SchedulerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.notify(Reconcile);
        ctx.run_interval(INTERVAL, |_, ctx| ctx.notify(Reconcile));
        self.drop_old();
        ctx.run_interval(RETENTION_INTERVAL, |actor, _| actor.drop_old());
    }
}

impl Handler<Reconcile> for SchedulerActor {
    type Result = ();
    fn handle(&mut self, _: Reconcile, ctx: &mut Context<Self>) {
        if self.shared.is_stopping() {
            return;
        }
        if self.looking {
            self.again = true;
            return;
        }
        self.looking = true;
        let (shared, me) = (Arc::clone(&self.shared), ctx.address());
        actix::spawn(async move {
            match shared.cluster.live_nodes().await {
                Ok(nodes) => shared.divide_rates(nodes.len()),
                Err(error) => tracing::error!(%error, "failed to list the live nodes"),
            }
            let active = look(&shared).await;
            if let Err(error) = &active {
                tracing::error!(%error, "failed to look what the store says");
            }
            let _ = me.send(ActiveListed(active.ok())).await;
        });
    }
}

impl Handler<ActiveListed> for SchedulerActor {
    type Result = ();
    fn handle(&mut self, ActiveListed(active): ActiveListed, ctx: &mut Context<Self>) {
        self.looking = false;
        let Some(Active { notifications: active, at: now }) = active else { return };
        self.follow_the_store(&active);
        let queued = |notification: &&Notification| notification.status == Status::Queued;
        self.queued = active.iter().filter(queued).count();
        let next_due = active.iter().filter(queued).filter_map(|queued| queued.scheduled_at).min();
        if let Some(wait) = next_due.map(|due| now.until(due)).filter(|wait| *wait < INTERVAL) {
            ctx.notify_later(Reconcile, wait);
        }
        for notification in active {
            let running = self.shared.campaigns.get(notification.uuid).is_some();
            match notification.status {
                Status::Queued if notification.is_due(now) => self.launch(notification, ctx),
                Status::Launched if !running && !self.shared.is_stopping() => {
                    self.begin(notification)
                }
                _ => {}
            }
        }
        if std::mem::take(&mut self.again) {
            ctx.notify(Reconcile);
        }
    }
}

impl Handler<Probe> for SchedulerActor {
    type Result = MessageResult<Probe>;
    fn handle(&mut self, probe: Probe, _: &mut Context<Self>) -> Self::Result {
        assert!(matches!(probe, Probe::Inspect), "asked to crash");
        let running = self.shared.campaigns.all().len();
        MessageResult(json!({ "queued": self.queued, "running": running }))
    }
}
