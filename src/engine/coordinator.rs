//! The coordinator of one notification's campaign: plans its round, seats a shard's actor for each part
//! that is not done, and ends the campaign when the last of them has ended.

use std::sync::{Arc, atomic::Ordering};
use std::time::Duration;

use actix::prelude::*;
use serde_json::json;

use super::{
    Shared,
    campaign::{CampaignRun, ShardDesk},
    scheduler::Reconcile,
    shard::{Look, ShardActor, ShardParts},
    supervise::{self, Guard, Probe, Seat},
};
use crate::domain::{
    Error, Result,
    audience::{self, Clause},
    campaign::{RoundPlan, Shard, ShardKey},
    device::Unreachable,
    notification::{Notification, Status},
    timestamp::Timestamp,
};

/// How often it looks by itself, should a shard's word have been missed.
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
    ending: bool,
}

/// The round's shards that are not done.
#[derive(Message)]
#[rtype(result = "()")]
struct ShardsPlanned(Vec<ShardKey>);

/// The campaign cannot be sent, for a reason to be shown.
#[derive(Message)]
#[rtype(result = "()")]
struct CannotGoOn(String);

/// A shard's actor has ended its work.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ShardEnded;

/// The campaign's end is stored.
#[derive(Message)]
#[rtype(result = "()")]
struct EndStored;

/// Looks whether the gate was closed or all shards have ended.
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
        Self { shared, run, seat, guard, planned: false, ending: false }
    }

    fn seat_shard(&self, desk: &Arc<ShardDesk>) {
        let parts = ShardParts {
            run: Arc::clone(&self.run),
            desk: Arc::clone(desk),
            ledger: Arc::clone(&self.shared.stores.ledger),
            senders: Arc::clone(&self.shared.senders),
            coordinator: Arc::clone(&self.seat),
            page_size: self.shared.limits.page_size,
            save_interval: Duration::from_millis(self.shared.limits.save_interval_ms),
        };
        let (key, thread) = (desk.key, self.shared.threads.next());
        let name = format!("shard {} {}.{}", key.notification, key.round, key.index);
        let (board, seat) = (Arc::clone(&self.shared.board), Arc::clone(&desk.seat));
        supervise::keep(name, thread, board, seat, move |guard| {
            ShardActor::new(parts.clone(), guard)
        });
    }

    /// Ends the campaign once every shard has ended.
    fn end_if_over(&mut self, ctx: &mut Context<Self>) {
        let over =
            self.planned && self.run.shards().iter().all(|desk| desk.ended.load(Ordering::SeqCst));
        if over && !self.ending {
            self.end(Ending::Shards, ctx);
        }
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

/// Plans the round, or says why it cannot be sent.
async fn plan(shared: &Shared, notification: &Notification) -> Result<Result<Vec<Shard>, String>> {
    let (id, round) = (notification.uuid, notification.round);
    if round > 0 {
        // A later round was planned when it was asked for.
        let shards = shared.stores.ledger.shards(id).await?;
        return Ok(Ok(shards.into_iter().filter(|shard| shard.key.round == round).collect()));
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
    Ok(Ok(shared.stores.ledger.plan(&plan, clause.as_ref(), now).await?))
}

/// An audience none of which can be reached for want of credentials is an error of configuration, not
/// a campaign that fails device by device.
async fn unreachable_audience(
    shared: &Shared,
    notification: &Notification,
    clause: Option<&Clause>,
    now: Timestamp,
) -> Result<Option<String>> {
    let desks = shared.senders.of(&notification.app);
    let providers: Vec<_> = desks.map(|desk| desk.transport.provider()).collect();
    let devices = &shared.stores.devices;
    let count = devices.count(&notification.app, clause, &providers, now).await?;
    let reachable: u64 = count.providers.values().sum();
    let without = count.unreachable.get(&Unreachable::NoCredentials).copied().unwrap_or(0);
    let reason = || "the app has no credentials for any matching platform".to_owned();
    Ok((reachable == 0 && without > 0).then(reason))
}

impl Actor for CoordinatorActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(LOOK_INTERVAL, |_, ctx| ctx.notify(LookAround));
        if !self.run.shards().is_empty() {
            // An earlier generation has seated the shards, and they are at work.
            self.planned = true;
            return ctx.notify(LookAround);
        }
        let (shared, run, me) = (Arc::clone(&self.shared), Arc::clone(&self.run), ctx.address());
        actix::spawn(async move {
            let planned = loop {
                match plan(&shared, &run.notification).await {
                    Ok(planned) => break planned,
                    Err(error) if is_callers(&error) => break Err(error.public_message()),
                    Err(error) => {
                        tracing::error!(notification = %run.id(), %error, "failed to plan a campaign");
                        tokio::time::sleep(STORE_WAIT).await;
                    }
                }
            };
            let _ = match planned {
                Ok(shards) => {
                    let open =
                        shards.iter().filter(|shard| !shard.is_done()).map(|shard| shard.key);
                    me.send(ShardsPlanned(open.collect())).await
                }
                Err(reason) => me.send(CannotGoOn(reason)).await,
            };
        });
    }
}

/// Whether the fault lies in the notification itself, so that asking again cannot help.
fn is_callers(error: &Error) -> bool {
    matches!(error.kind(), crate::domain::ErrorKind::Invalid { .. })
}

impl Handler<ShardsPlanned> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, ShardsPlanned(open): ShardsPlanned, ctx: &mut Context<Self>) {
        self.planned = true;
        let desks: Vec<_> = open.into_iter().map(ShardDesk::new).collect();
        tracing::info!(
            notification = %self.run.id(), app = %self.run.app(),
            round = self.run.notification.round, shards = desks.len(), "campaign begins"
        );
        self.run.shards().clone_from(&desks);
        desks.iter().for_each(|desk| self.seat_shard(desk));
        self.end_if_over(ctx);
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
        self.end_if_over(ctx);
    }
}

impl Handler<LookAround> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, _: LookAround, ctx: &mut Context<Self>) {
        if !self.run.is_open() {
            self.run.shards().iter().for_each(|desk| desk.seat.tell(Look));
        }
        self.end_if_over(ctx);
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
            "shards_ended": shards.iter().filter(|desk| desk.ended.load(Ordering::SeqCst)).count(),
            "credits_left": self.run.credits.available_permits(),
            "per_second": self.run.rate.per_second(),
        }))
    }
}
