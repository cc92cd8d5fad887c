//! The coordinator of one notification's campaign on one node: plans its round, leases this node's fair
//! part of the shards that are not done, seats an actor for each, and ends the campaign here when all
//! are done or it was stopped. Every node that knows of the campaign has one; alone, everything is ours.

mod tenure;

use std::{sync::Arc, time::Duration};

use actix::prelude::*;
use serde_json::json;

use self::tenure::Tenure;
use super::{
    Shared,
    campaign::{CampaignRun, ShardDesk},
    scheduler::Reconcile,
    shard::{ShardActor, ShardParts},
    supervise::{self, Guard, Probe, Seat},
};
use crate::cluster::{self, LiveNode};
use crate::domain::{
    Error, Result,
    audience::{self, Clause},
    campaign::{RoundPlan, Shard},
    device::Unreachable,
    notification::{Notification, Status},
    timestamp::Timestamp,
};

/// How often it looks which shards are left, renews leases and takes what others let go.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long it waits before asking a failing store again.
const STORE_WAIT: Duration = Duration::from_millis(500);

/// The actor.
pub struct CoordinatorActor {
    shared: Arc<Shared>,
    run: Arc<CampaignRun>,
    seat: Arc<Seat<Self>>,
    guard: Guard,
    planned: bool,
    /// Whether shards and leases are being looked at.
    looking: bool,
    /// Asked to look while looking.
    again: bool,
    ending: bool,
}

/// The round is planned.
#[derive(Message)]
#[rtype(result = "()")]
struct RoundPlanned;

/// The campaign cannot be sent, for a reason to be shown.
#[derive(Message)]
#[rtype(result = "()")]
struct CannotGoOn(String);

/// A shard's actor has ended its work.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ShardEnded;

/// The shards were looked at; none where the store did not answer.
#[derive(Message)]
#[rtype(result = "()")]
struct Looked(Option<Tenure>);

/// The campaign's end is stored.
#[derive(Message)]
#[rtype(result = "()")]
struct EndStored;

/// Looks which shards are left, and whether the gate was closed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LookAround;

impl CoordinatorActor {
    /// A generation that knows nothing yet; what there is lies in `run` and in the ledger.
    pub fn new(
        shared: Arc<Shared>,
        run: Arc<CampaignRun>,
        seat: Arc<Seat<Self>>,
        guard: Guard,
    ) -> Self {
        let (planned, looking, again, ending) = (false, false, false, false);
        Self { shared, run, seat, guard, planned, looking, again, ending }
    }

    /// Looks at the shards in a task of its own.
    fn look(&mut self, ctx: &mut Context<Self>) {
        if !self.planned || self.ending {
            return;
        }
        if self.looking {
            self.again = true;
            return;
        }
        self.looking = true;
        let (shared, run, me) = (Arc::clone(&self.shared), Arc::clone(&self.run), ctx.address());
        actix::spawn(async move {
            let tenure = tenure::look(&shared, &run).await;
            if let Err(error) = &tenure {
                tracing::error!(notification = %run.id(), %error, "failed to look after shards");
            }
            let _ = me.send(Looked(tenure.ok())).await;
        });
    }

    /// Seats an actor at every desk that has none, those of an earlier generation of this actor too.
    fn seat_shards(&self) {
        let desks = self.run.shards().clone();
        desks.iter().filter(|desk| desk.take_seat()).for_each(|desk| self.seat_shard(desk));
    }

    fn seat_shard(&self, desk: &Arc<ShardDesk>) {
        let parts = ShardParts {
            run: Arc::clone(&self.run),
            desk: Arc::clone(desk),
            ledger: Arc::clone(&self.shared.stores.ledger),
            senders: Arc::clone(&self.shared.senders),
            coordinator: Arc::clone(&self.seat),
            save_interval: Duration::from_millis(self.shared.limits.save_interval_ms),
        };
        let (key, thread) = (desk.key, self.shared.threads.next());
        let name = format!("shard {} {}.{}", key.notification, key.round, key.index);
        let (board, seat) = (Arc::clone(&self.shared.board), Arc::clone(&desk.seat));
        supervise::keep(name, thread, board, seat, move |guard| {
            ShardActor::new(parts.clone(), guard)
        });
    }

    fn end(&mut self, ending: Ending, ctx: &mut Context<Self>) {
        self.ending = true;
        let (shared, run, me) = (Arc::clone(&self.shared), Arc::clone(&self.run), ctx.address());
        actix::spawn(async move {
            while let Err(error) = store_end(&shared, &run, &ending).await {
                tracing::error!(notification = %run.id(), %error, "failed to store a campaign's end");
                tokio::time::sleep(STORE_WAIT).await;
            }
            let _ = me.send(EndStored).await;
        });
    }
}

/// Why a campaign ends here.
enum Ending {
    /// Its shards have ended: all is sent, or it was stopped.
    Shards,
    /// It cannot go on.
    Error(String),
}

async fn store_end(shared: &Shared, run: &CampaignRun, ending: &Ending) -> Result<()> {
    let shards = shared.stores.ledger.shards(run.id()).await?;
    let done = shards.iter().all(Shard::is_done);
    shared.cluster.release(&run.leases()).await?;
    let round = run.notification.round;
    let change = |notification: &mut Notification| match ending {
        Ending::Shards if done => notification.set_status(Status::Sent, Timestamp::now()),
        Ending::Shards => {}
        Ending::Error(reason) => {
            notification.set_status(Status::Error, Timestamp::now());
            notification.error = Some(reason.clone());
        }
    };
    loop {
        let Some(mut notification) = shared.stores.notifications.get(None, run.id()).await? else {
            return Ok(());
        };
        let before = notification.status;
        // Only what was launched ends; a pause or a withdrawal stands.
        if before != Status::Launched || notification.round != round {
            return Ok(());
        }
        change(&mut notification);
        if notification.status == before {
            return Ok(());
        }
        let status = notification.status.name();
        if shared.stores.notifications.update(notification, None).await?.is_some() {
            let tally = shared.stores.ledger.tally(run.id()).await?;
            tracing::info!(
                notification = %run.id(), app = %run.app(), status,
                accepted = tally.accepted.total(), failed = tally.failed.total(),
                "campaign ended"
            );
            return Ok(());
        }
    }
}

/// Plans the round, or says why it cannot be sent. A later round was planned when it was asked for.
async fn plan(shared: &Shared, run: &CampaignRun) -> Result<Result<(), String>> {
    let notification = &run.notification;
    let (id, round) = (notification.uuid, notification.round);
    // It may have been stopped since it was listed.
    let stored = shared.stores.notifications.get(None, id).await?;
    if !stored.is_some_and(|now| now.status == Status::Launched && now.round == round) {
        run.close();
        return Ok(Ok(()));
    }
    if round > 0 {
        return Ok(Ok(()));
    }
    let spec = notification.conditions.as_ref();
    let clause = spec.map(|spec| audience::parse(spec, "conditions")).transpose()?;
    let now = notification.launched_at.unwrap_or(notification.created_at);
    if let Some(reason) = unreachable_audience(shared, notification, clause.as_ref(), now).await? {
        return Ok(Err(reason));
    }
    let plan = RoundPlan {
        notification: id,
        app: notification.app.clone(),
        round,
        shards: shared.limits.shards,
        failures: None,
    };
    shared.stores.ledger.plan(&plan, clause.as_ref(), now).await?;
    Ok(Ok(()))
}

/// An audience none of which can be reached for want of credentials is an error of configuration, not
/// a campaign that fails device by device.
async fn unreachable_audience(
    shared: &Shared,
    notification: &Notification,
    clause: Option<&Clause>,
    now: Timestamp,
) -> Result<Option<String>> {
    let nodes = shared.cluster.live_nodes().await?;
    let others = |node: &LiveNode| node.name != shared.cluster.node();
    if cluster::able(&nodes, &notification.app).into_iter().all(others) {
        // Not this node's to judge.
        return Ok(None);
    }
    let desks = shared.senders.of(&notification.app);
    let providers: Vec<_> = desks.iter().map(|desk| desk.transport.provider()).collect();
    let devices = &shared.stores.devices;
    if devices.reaches_any(&notification.app, clause, &providers, now).await? {
        return Ok(None);
    }
    let count = devices.count(&notification.app, clause, &providers, now).await?;
    let without = count.unreachable.get(&Unreachable::NoCredentials).copied().unwrap_or(0);
    let reason = || "the app has no credentials for any matching platform".to_owned();
    Ok((count.providers.is_empty() && without > 0).then(reason))
}

impl Actor for CoordinatorActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(LOOK_INTERVAL, |_, ctx| ctx.notify(LookAround));
        let (shared, run, me) = (Arc::clone(&self.shared), Arc::clone(&self.run), ctx.address());
        actix::spawn(async move {
            let planned = loop {
                match plan(&shared, &run).await {
                    Ok(planned) => break planned,
                    Err(error) if is_callers(&error) => break Err(error.public_message()),
                    Err(error) => {
                        tracing::error!(notification = %run.id(), %error, "failed to plan a campaign");
                        tokio::time::sleep(STORE_WAIT).await;
                    }
                }
            };
            let _ = match planned {
                Ok(()) => me.send(RoundPlanned).await,
                Err(reason) => me.send(CannotGoOn(reason)).await,
            };
        });
    }
}

/// Whether the fault lies in the notification itself, so that asking again cannot help.
fn is_callers(error: &Error) -> bool {
    matches!(error.kind(), crate::domain::ErrorKind::Invalid { .. })
}

impl Handler<RoundPlanned> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, _: RoundPlanned, ctx: &mut Context<Self>) {
        self.planned = true;
        let round = self.run.notification.round;
        tracing::info!(notification = %self.run.id(), app = %self.run.app(), round, "campaign begins");
        self.look(ctx);
    }
}

impl Handler<Looked> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, Looked(tenure): Looked, ctx: &mut Context<Self>) {
        self.looking = false;
        if let Some(tenure) = tenure {
            self.run.shards().extend(tenure.gained);
            self.seat_shards();
            if tenure.all_done {
                self.run.complete();
            }
            let stopped = !self.run.is_open() && self.run.shards().is_empty();
            if (tenure.all_done || stopped) && !self.ending {
                return self.end(Ending::Shards, ctx);
            }
        }
        if std::mem::take(&mut self.again) {
            self.look(ctx);
        }
    }
}

impl Handler<CannotGoOn> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, CannotGoOn(reason): CannotGoOn, ctx: &mut Context<Self>) {
        tracing::error!(notification = %self.run.id(), app = %self.run.app(), reason, "campaign cannot go on");
        self.run.close();
        self.end(Ending::Error(reason), ctx);
    }
}

impl Handler<ShardEnded> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, _: ShardEnded, ctx: &mut Context<Self>) {
        self.look(ctx);
    }
}

impl Handler<LookAround> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, _: LookAround, ctx: &mut Context<Self>) {
        self.look(ctx);
    }
}

impl Handler<EndStored> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, _: EndStored, ctx: &mut Context<Self>) {
        self.shared.campaigns.end(self.run.id());
        // A campaign that was resumed while it was stopping starts anew now.
        self.shared.scheduler.tell(Reconcile);
        self.guard.finish();
        ctx.stop();
    }
}

impl Handler<Probe> for CoordinatorActor {
    type Result = MessageResult<Probe>;
    fn handle(&mut self, probe: Probe, _: &mut Context<Self>) -> Self::Result {
        assert!(matches!(probe, Probe::Inspect), "asked to crash");
        let shards = self.run.shards();
        MessageResult(json!({
            "planned": self.planned,
            "open": self.run.is_open(),
            "shards": shards.len(),
            "shards_ended": shards.iter().filter(|desk| desk.has_ended()).count(),
            "credits_left": self.run.credits.available_permits(),
            "per_second": self.run.rate.per_second(),
        }))
    }
}
