//! What the rest of the house may ask of the engine. Cheap to clone; every clone speaks to the same
//! engine.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    DirectOutcome, DirectPush, Shared, report::ActorStates, scheduler::Reconcile, supervise::Probe,
};
use crate::{
    domain::{
        Result,
        device::SendPlatform,
        ids::{AppName, NotificationId},
        message::Message,
        outcome::{Answer, Reason},
        rate::Rate,
        timestamp::Timestamp,
    },
    settings::AppSettings,
    transport::{Preview, RenderError},
};

/// How long leaving the cluster may take.
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);
/// How long an actor may take to say what it is doing.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// The engine, as services see it.
#[derive(Clone)]
pub struct EngineHandle {
    pub(super) shared: Arc<Shared>,
}

/// Rates in pushes per second; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rates {
    /// Over every app.
    pub global: u32,
    /// Over this app.
    pub app: u32,
    /// This app's APNs.
    pub apns: u32,
    /// This app's FCM.
    pub fcm: u32,
}

/// What the engine is doing, for people to look at.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EngineState {
    /// Each actor's own account, by its name.
    pub actors: ActorStates,
    /// How many times an actor had to be started again.
    pub restarts: u64,
}

impl EngineHandle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Tells the scheduler that something may be due: a launch, a resume, an unscheduling.
    pub fn nudge(&self) {
        self.shared.scheduler.tell(Reconcile);
    }

    /// Stops a campaign's pushes, after its new state (PAUSED, DELETED) is stored: when this returns,
    /// no new push of it begins, and what was under way is recorded or being recorded.
    pub fn halt(&self, notification: NotificationId) {
        if let Some(run) = self.shared.campaigns.get(notification) {
            self.shared.halt(&run);
        }
    }

    /// Waits until no campaign of this notification is under way, for at most `patience`; whether none
    /// is.
    pub async fn ended(&self, notification: NotificationId, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while let Some(run) = self.shared.campaigns.get(notification) {
            let ended = run.ended.notified();
            if self.shared.campaigns.get(notification).is_none() {
                break;
            }
            if tokio::time::timeout_at(deadline, ended).await.is_err() {
                return self.shared.campaigns.get(notification).is_none();
            }
        }
        true
    }

    /// Stops every campaign where it stands and waits until what was under way is recorded, for at most
    /// `patience`; whether all was. Their notifications stay LAUNCHED, and go on at the next start.
    pub async fn shut_down(&self, patience: Duration) -> bool {
        self.shared.stopping.store(true, Ordering::SeqCst);
        let deadline = Instant::now() + patience;
        let runs = self.shared.campaigns.all();
        runs.iter().for_each(|run| self.halt(run.id()));
        let mut all = true;
        for run in runs {
            all &= self.ended(run.id(), deadline.saturating_duration_since(Instant::now())).await;
        }
        // A database that is away keeps nobody waiting: the others notice by themselves.
        match tokio::time::timeout(LEAVE_PATIENCE, self.shared.cluster.leave()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "failed to leave the cluster"),
            Err(_) => tracing::warn!("failed to leave the cluster: the database does not answer"),
        }
        self.send_traces().await;
        all
    }

    /// Sends the traces that are left; a collector that is away keeps nobody waiting for long.
    async fn send_traces(&self) {
        let Some(traces) = self.shared.traces.clone() else { return };
        // It cannot fail but by a panic of the exporter, which has been logged.
        let _ = tokio::task::spawn_blocking(move || traces.shut_down()).await;
    }

    /// The providers this app has credentials for.
    pub fn providers(&self, app: &AppName) -> Vec<SendPlatform> {
        let desks = self.shared.senders.of(app);
        let mut providers: Vec<_> = desks.iter().map(|desk| desk.transport.provider()).collect();
        providers.sort_unstable();
        providers
    }

    /// Whether every provider of the app can carry the message; the error is the first that cannot.
    pub fn check_message(&self, app: &AppName, message: &Message) -> Result<(), RenderError> {
        let id = NotificationId(uuid::Uuid::nil());
        self.shared
            .senders
            .of(app)
            .iter()
            .try_for_each(|desk| desk.transport.render(id, message, Timestamp::now()).map(drop))
    }

    /// The message as each of the app's providers would be sent it, or as both APNs and FCM would where
    /// it has neither. E-mail is left out: it is no JSON.
    pub fn preview(
        &self,
        app: &AppName,
        id: NotificationId,
        message: &Message,
    ) -> Vec<(SendPlatform, Preview)> {
        let shown = [SendPlatform::Apns, SendPlatform::Fcm];
        let own = self.providers(app);
        let none = !shown.iter().any(|provider| own.contains(provider));
        let wanted = shown.into_iter().filter(|provider| none || own.contains(provider));
        let of = |provider| {
            Preview::of(provider, id, message, Timestamp::now()).map(|preview| (provider, preview))
        };
        wanted.filter_map(of).collect()
    }

    /// Pushes to one device, by the ways and rules of campaigns, and waits for what becomes of it, for
    /// at most `patience`. Dropping the future may leave the push sent.
    pub async fn push(&self, push: DirectPush<'_>, patience: Duration) -> DirectOutcome {
        let DirectPush { app, id, device, message } = push;
        if self.shared.is_stopping() {
            return DirectOutcome::Unavailable;
        }
        let Some(desk) = self.shared.senders.get(app, device.send_platform) else {
            return DirectOutcome::NoCredentials;
        };
        let rendered = match desk.transport.render(id, message, Timestamp::now()) {
            Ok(rendered) => Arc::new(rendered),
            Err(unfit) => return DirectOutcome::Unfit(unfit),
        };
        let Some(heard) = desk.submit_single(device, rendered) else {
            return DirectOutcome::Unavailable;
        };
        match tokio::time::timeout(patience, heard).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => DirectOutcome::Unavailable,
        }
    }

    /// Whether an app's credentials can be used, as far as that shows without asking a provider.
    pub fn check_app(&self, app: &AppSettings) -> Result<()> {
        Ok((self.shared.opener)(app).map(drop)?)
    }

    /// Gives an app these credentials, in the place of those it had.
    pub fn put_app(&self, name: &AppName, app: &AppSettings) -> Result<()> {
        self.shared.put_app(name, (self.shared.opener)(app)?);
        Ok(())
    }

    /// Tells the other nodes what this one can send for an app now.
    pub async fn offer(&self, app: &AppName) -> Result<()> {
        self.shared.cluster.offer(app, self.providers(app)).await
    }

    /// Stops an app's campaigns on this node, for the scheduler to begin them again with the ways out
    /// that the app has now.
    pub fn begin_anew(&self, app: &AppName) {
        let runs = self.shared.campaigns.all();
        runs.iter().filter(|run| run.app() == app).for_each(|run| self.shared.halt(run));
    }

    /// Why a provider refuses an app's credentials, where pushes have shown that it does.
    pub fn refusal(&self, app: &AppName, provider: SendPlatform) -> Option<String> {
        self.shared.senders.get(app, provider)?.refusal()
    }

    /// Asks a provider whether it takes an app's credentials, for at most `patience`; none where the app
    /// has none for it. If it does, what waited for that goes on.
    pub async fn check_credentials(
        &self,
        app: &AppName,
        provider: SendPlatform,
        patience: Duration,
    ) -> Option<Answer> {
        let desk = self.shared.senders.get(app, provider)?;
        let silent = |_| Answer::Unavailable {
            reason: Reason::new("timeout"),
            retry_after: None,
            unsent: false,
        };
        let answer = tokio::time::timeout(patience, desk.transport.check()).await;
        let answer = answer.unwrap_or_else(silent);
        if answer == Answer::Accepted || answer.is_refusal() {
            desk.forgive();
        }
        Some(answer)
    }

    /// Takes an app's credentials away.
    pub fn remove_app(&self, name: &AppName) {
        self.shared.remove_app(name);
    }

    /// The rates in force for an app, each over all nodes.
    pub fn rates(&self, app: &AppName) -> Rates {
        let per_second = |rate| self.shared.rates.per_second(&rate);
        Rates {
            global: self.global_rate(),
            app: per_second(Rate::App(app.clone())),
            apns: per_second(Rate::Apns(app.clone())),
            fcm: per_second(Rate::Fcm(app.clone())),
        }
    }

    /// The rate in force over every app.
    pub fn global_rate(&self) -> u32 {
        self.shared.rates.per_second(&Rate::Global)
    }

    /// Puts in force the rates that the store holds, at once and for work under way too. By itself
    /// every node does so once a second.
    pub async fn follow_rates(&self) -> Result<()> {
        self.shared.follow_rates().await
    }

    /// Changes a running campaign's rate at once; none is no limit.
    pub fn set_notification_rate(&self, notification: NotificationId, per_second: Option<u32>) {
        if let Some(run) = self.shared.campaigns.get(notification) {
            run.set_rate(per_second.unwrap_or(0));
            self.shared.senders.wake();
        }
    }

    /// Whether any way out is open: one app's trouble is not the node's.
    pub fn is_able(&self) -> bool {
        let desks = self.shared.senders.all();
        desks.is_empty() || desks.iter().any(|desk| desk.outage().is_none())
    }

    /// Why the engine cannot send now, by app and provider; empty when it can.
    pub fn troubles(&self) -> Vec<String> {
        let mut troubles: Vec<_> =
            self.shared.senders.all().iter().filter_map(|desk| desk.trouble()).collect();
        troubles.sort_unstable();
        troubles
    }

    /// What every actor is doing.
    pub async fn state(&self) -> EngineState {
        EngineState { actors: self.actors(|_| true).await, restarts: self.restarts() }
    }

    /// What the actors whose names are wanted are doing. They are asked together.
    pub(super) async fn actors(&self, wanted: impl Fn(&str) -> bool) -> ActorStates {
        let actors = self.shared.board.list();
        let asked = actors.into_iter().filter(|(name, _)| wanted(name));
        let asked = asked.map(|(name, actor)| async move {
            let answer = tokio::time::timeout(PROBE_PATIENCE, actor.send(Probe::Inspect)).await;
            let state = match answer {
                Ok(Ok(state)) => state,
                Ok(Err(_)) => Value::from("crashed; starting again"),
                Err(_) => Value::from("did not answer within a second"),
            };
            (name, state)
        });
        join_all(asked).await.into_iter().collect()
    }

    /// How many times an actor had to be started again.
    pub fn restarts(&self) -> u64 {
        self.shared.board.restarts()
    }

    /// Makes the actors whose name begins so panic, to test that the engine survives it; how many did.
    #[doc(hidden)]
    pub async fn crash(&self, name: &str) -> usize {
        let mut crashed = 0;
        for (_, actor) in
            self.shared.board.list().into_iter().filter(|(own, _)| own.starts_with(name))
        {
            crashed += usize::from(actor.send(Probe::Crash).await.is_err());
        }
        crashed
    }
}
