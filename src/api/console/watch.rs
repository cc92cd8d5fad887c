//! `GET /status` and `GET /ws/status`: an app's status, once or as it changes. The websocket is a thin
//! thing: what is told comes from the feed, the same text for every watcher, and a watcher that does not
//! read waits alone.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use actix_ws::{CloseCode, CloseReason, Closed, Message, MessageStream, ProtocolError, Session};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::{
    api::{
        ApiState,
        auth::{self, Standing},
        extract::Params,
        native::{
            answer,
            error::ApiError,
            request::{Caller, Read},
        },
        pace::Turns,
    },
    domain::{
        Error, Result,
        app::Scope,
        ids::{AppName, NotificationId},
    },
    services::feed::{Feed, TICK, Watch},
};

/// How often a watcher is asked whether it is there.
const PING: Duration = Duration::from_secs(15);
/// How long a watcher may be silent, or not read, before it is given up.
const SILENCE: Duration = Duration::from_secs(45);
/// How often it is looked whether the watcher's key still permits it, by what this node knows.
const LOOK: Duration = Duration::from_secs(1);
/// How often the store is asked whether its session has ended, beside hearing of it.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// How often a watcher may look at something else.
const MOST_CHANGES: u32 = 30;
const CHANGES_WITHIN: Duration = Duration::from_secs(10);
/// Longest message that a watcher may send, in bytes.
const LONGEST_HEARD: usize = 4096;

/// What a watcher may say.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum Heard {
    /// Look at one notification, or with none at all of the app.
    Watch { notification: Option<uuid::Uuid> },
    /// Are you there?
    Ping {},
}

/// What a watcher is told besides what the feed tells.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Told<'a> {
    Hello { resume: &'a str, interval_ms: u128, node: &'a str },
    Pong,
    Error { reason: &'a str },
}

/// `GET /status`
pub async fn status(
    caller: Caller<Read>,
    request: HttpRequest,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    Params::read(request.query_string())?.finish()?;
    Ok(answer::success(state.services.feed.status(caller.app()).await?))
}

/// `GET /ws/status`. Who asks is settled by the same extraction as everywhere; that it still may is asked
/// again and again.
pub async fn watch(
    caller: Caller<Read>,
    request: HttpRequest,
    payload: Payload,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    // A browser sends the cookie by itself, and says of every websocket which page asks.
    auth::check_origin(&request, &state.server)?;
    let asked = Asked::read(&request)?;
    let (feed, app) = (state.services.feed.clone(), caller.app().clone());
    let watch = feed.watch(&app, asked.notification, asked.resume.as_deref()).await?;
    let standing = Standing::of(&request, &state).await?;
    let no_websocket = |_| Error::malformed("this is a websocket: ask for it with Upgrade");
    let (response, session, heard) =
        actix_ws::handle(&request, payload).map_err(|error| no_websocket(error.to_string()))?;
    let heard = heard.max_frame_size(LONGEST_HEARD);
    let now = Instant::now();
    let changes = Turns::new(MOST_CHANGES, CHANGES_WITHIN, now.into_std());
    let (heard_at, place) = (now, Place { request, state, standing });
    let watcher = Watcher { place, feed, app, watch, changes, session, heard, heard_at };
    actix_web::rt::spawn(watcher.serve());
    Ok(response)
}

/// What the query asks for.
struct Asked {
    notification: Option<NotificationId>,
    resume: Option<String>,
}

impl Asked {
    fn read(request: &HttpRequest) -> Result<Self> {
        let mut params = Params::read(request.query_string())?;
        // Who may name which app was settled with the caller.
        params.take("app")?;
        let not_a_uuid = |_| Error::invalid("notification", "must be a UUID");
        let notification = params.take("notification")?;
        let notification = notification.map(|text| text.parse().map_err(not_a_uuid)).transpose()?;
        let resume = params.take("resume")?;
        params.finish()?;
        Ok(Self { notification: notification.map(NotificationId), resume })
    }
}

/// By what a watcher is here.
struct Place {
    request: HttpRequest,
    state: Data<ApiState>,
    standing: Standing,
}

impl Place {
    /// Ends a watch whose key has ended since, or permits it no more.
    fn look(&self) -> Result<(), End> {
        match self.standing.permits(Scope::Read, &self.request, &self.state) {
            true => Ok(()),
            false => Err(closing(CloseCode::Policy, "the key is not known any more")),
        }
    }

    /// Ends a watch whose session has ended since.
    async fn ask(&self) -> Result<(), End> {
        match self.standing.lasts(&self.state).await {
            Ok(false) => Err(closing(CloseCode::Policy, "the session has ended")),
            // A store that is away says nothing about the caller.
            Ok(true) | Err(_) => Ok(()),
        }
    }
}

/// One websocket.
struct Watcher {
    place: Place,
    feed: Feed,
    app: AppName,
    watch: Watch,
    changes: Turns,
    session: Session,
    heard: MessageStream,
    heard_at: Instant,
}

/// Why a websocket ends: with a word for the other side, or without.
struct End(Option<CloseReason>);

impl From<Closed> for End {
    fn from(_: Closed) -> Self {
        Self(None)
    }
}

impl Watcher {
    async fn serve(mut self) {
        let End(reason) = match self.talk().await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        // Where it is gone already, there is nobody to tell.
        let _ = tokio::time::timeout(PING, self.session.close(reason)).await;
    }

    async fn talk(&mut self) -> Result<std::convert::Infallible, End> {
        self.greet().await?;
        let (mut pings, mut looks, mut doubts) = (every(PING), every(LOOK), every(ASK_AGAIN));
        loop {
            tokio::select! {
                told = self.watch.next() => match told {
                    Some(text) => self.tell(text.to_string()).await?,
                    None => return Err(closing(CloseCode::Away, "the server is stopping")),
                },
                heard = self.heard.next() => self.hear(heard).await?,
                _ = pings.tick() => {
                    if self.heard_at.elapsed() > SILENCE {
                        return Err(closing(CloseCode::Policy, "silent for too long"));
                    }
                    self.session.ping(b"").await?;
                }
                _ = looks.tick() => self.place.look()?,
                () = self.place.standing.may_have_ended() => self.place.ask().await?,
                _ = doubts.tick() => self.place.ask().await?,
            }
        }
    }

    async fn greet(&mut self) -> Result<(), End> {
        let (resume, node) = (self.watch.resume().to_owned(), self.feed.node().to_owned());
        let interval_ms = TICK.as_millis();
        self.say(&Told::Hello { resume: &resume, interval_ms, node: &node }).await
    }

    async fn hear(&mut self, heard: Option<Result<Message, ProtocolError>>) -> Result<(), End> {
        let Some(heard) = heard else { return Err(End(None)) };
        let heard = heard.map_err(|_| closing(CloseCode::Protocol, "the frame does not read"))?;
        self.heard_at = Instant::now();
        match heard {
            Message::Text(text) => self.answer(&text).await,
            Message::Ping(bytes) => Ok(self.session.pong(&bytes).await?),
            Message::Pong(_) | Message::Nop => Ok(()),
            Message::Close(reason) => Err(End(reason)),
            Message::Binary(_) | Message::Continuation(_) => {
                Err(closing(CloseCode::Unsupported, "messages are whole texts"))
            }
        }
    }

    async fn answer(&mut self, text: &str) -> Result<(), End> {
        match serde_json::from_str(text) {
            Ok(Heard::Ping {}) => self.say(&Told::Pong).await,
            Ok(Heard::Watch { .. }) if !self.changes.take(std::time::Instant::now()) => {
                let secs = CHANGES_WITHIN.as_secs();
                let reason =
                    format!("more than {MOST_CHANGES} `watch` messages within {secs} seconds");
                self.complain(&reason).await
            }
            Ok(Heard::Watch { notification }) => {
                let notification = notification.map(NotificationId);
                match self.feed.watch(&self.app, notification, None).await {
                    Ok(watch) => {
                        self.watch = watch;
                        // Another stream, and another way back to it.
                        self.greet().await
                    }
                    Err(error) => self.complain(&error.public_message()).await,
                }
            }
            Err(error) => self.complain(&format!("the message does not read: {error}")).await,
        }
    }

    async fn complain(&mut self, reason: &str) -> Result<(), End> {
        self.say(&Told::Error { reason }).await
    }

    async fn say(&mut self, told: &Told<'_>) -> Result<(), End> {
        // Plain members only: this cannot fail.
        self.tell(serde_json::to_string(told).unwrap_or_default()).await
    }

    /// Waits for as long as a silence may be: what is told meanwhile, the feed lets it skip.
    async fn tell(&mut self, text: String) -> Result<(), End> {
        let told = tokio::time::timeout(SILENCE, self.session.text(text)).await;
        let unread = |_| closing(CloseCode::Policy, "nothing was read for too long");
        Ok(told.map_err(unread)??)
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn closing(code: CloseCode, description: &str) -> End {
    End(Some(CloseReason { code, description: Some(description.to_owned()) }))
}
