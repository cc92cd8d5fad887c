//! The composition root: the one place that names concrete backends. From settings to a running
//! server: stores, transports, engine, HTTP.
//!
//! `cli` calls it. Nothing else knows which store or which provider's code is used.

use std::{io::Write, net::SocketAddr, sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web::Data};
use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    api::{self, ApiState},
    cluster::{
        Cluster, Ways,
        alone::Alone,
        mongo::{MongoCluster, MongoClusterOptions},
    },
    domain::{self, ids::AppName, timestamp::Timestamp},
    engine::{self, AppTransports, EngineHandle},
    services::{self, Services, TakenUp},
    settings::{AppSettings, LimitSettings, Problem, Settings, StorageKind},
    storage::{
        Stores,
        embedded::{Embedded, EmbeddedOptions},
        mongo::{Mongo, MongoOptions},
    },
    telemetry::Traces,
    transport::{
        CredentialError, Opener, SharedTransport,
        apns::{self, ApnsTransport},
        fcm::{self, FcmTransport},
        mail::{self, MailTransport},
    },
};

/// How long requests under way may take to finish at shutdown.
const HTTP_SHUTDOWN_SECS: u64 = 15;
/// How long pushes under way may take to be recorded at shutdown, in parallel with the requests.
const ENGINE_SHUTDOWN: Duration = Duration::from_secs(20);

/// Serves until SIGTERM or SIGINT. With `announce`, the address is written to standard output as one
/// line of JSON once it is known, for whoever started this process with port 0.
pub async fn serve(settings: Settings, announce: bool) -> anyhow::Result<()> {
    settings.validate()?;
    let stop = StopSignals::install()?;
    let (stores, engine, taken_up) = assemble(&settings).await?;
    let services = Services::new(stores, engine.clone(), taken_up, &settings);
    let followed = services.apps.follow().await.map_err(told_once);
    followed.context("failed to read the stored apps and keys")?;
    tokio::spawn(services.apps.clone().keep_following());
    let kept = keep_recipients(&services, &settings).await.map_err(told_once);
    kept.context("failed to register the e-mail recipients")?;
    let state = ApiState::new(services, &settings);
    warn_when_open(&settings);
    warn_when_unsigned(&settings);
    let (server, address) = http_server(state, &settings)?;
    tracing::info!(%address, console = %format_args!("http://{address}/console/"), "listening");
    if announce {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{}", serde_json::json!({ "listening": address.to_string() }))?;
        stdout.flush()?;
    }
    run_until_stopped(server, stop, &engine).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Serves until a first signal, then lets requests under way finish; a second signal does not wait.
/// The engine stops sending at the signal, however long a request takes.
async fn run_until_stopped(
    server: Server,
    mut stop: StopSignals,
    engine: &EngineHandle,
) -> anyhow::Result<()> {
    let handle = server.handle();
    let mut serving = actix_web::rt::spawn(server);
    tokio::select! {
        ended = &mut serving => return ended?.context("the HTTP server ended unexpectedly"),
        () = stop.next() => {}
    }
    tracing::info!("stopping; requests under way are finished first");
    let stop_serving = async {
        tokio::select! {
            () = handle.stop(true) => {}
            () = stop.next() => handle.stop(false).await,
        }
    };
    let ((), recorded) = tokio::join!(stop_serving, engine.shut_down(ENGINE_SHUTDOWN));
    if !recorded {
        tracing::warn!(
            "not all that was under way could be recorded; the next start may repeat it"
        );
    }
    serving.await?.context("the HTTP server did not end well")
}

/// SIGTERM and SIGINT, caught from the moment they are installed.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn install() -> anyhow::Result<Self> {
        let caught = |kind| signal(kind).context("failed to catch signals");
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        Ok(Self { terminate: caught(terminate)?, interrupt: caught(interrupt)? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Opens the store and starts the engine over it. Must be called within an actix system.
/// The stored apps that the engine was given are answered too.
pub async fn assemble(settings: &Settings) -> anyhow::Result<(Stores, EngineHandle, TakenUp)> {
    let stores = open_stores(settings).await.map_err(told_once);
    let stores = stores.context("failed to open the store")?;
    services::apps::refuse_removed_names(&stores, settings).await.map_err(told_once)?;
    // Before the engine starts: it goes on at once with the campaigns that it finds.
    let stored = services::apps::at_start(&stores, settings).await.map_err(told_once);
    let (stored, taken_up) = stored.context("failed to read the stored apps")?;
    let mut transports = open_transports(settings)?;
    transports.extend(stored.iter().map(|app| open_stored(app, &settings.limits)));
    let cluster = join_cluster(settings, ways(&transports)).await.map_err(told_once);
    let cluster = cluster.context("failed to join the nodes of the store")?;
    let (limits, retention) = (settings.effective_limits(), retention(settings));
    let open_later = limits.clone();
    let opener: Opener = Arc::new(move |app: &AppSettings| open(app, &open_later));
    let traces = Traces::start(&settings.telemetry, cluster.node())?;
    let engine =
        engine::start(stores.clone(), cluster, transports, opener, &limits, retention, traces);
    // Before anybody asks for them.
    let followed = engine.follow_rates().await.map_err(told_once);
    followed.context("failed to read the changed rates")?;
    Ok((stores, engine, taken_up))
}

/// Opens the store that the settings choose.
async fn open_stores(settings: &Settings) -> Result<Stores, domain::Error> {
    match settings.storage.kind {
        StorageKind::Embedded => {
            let path = &settings.storage.path;
            Ok(Embedded::open(path, EmbeddedOptions::default()).await?.stores())
        }
        StorageKind::Mongodb => {
            Ok(Mongo::connect(mongo_uri(settings)?, MongoOptions::default()).await?.stores())
        }
    }
}

/// It may hold a password, so no message repeats it.
fn mongo_uri(settings: &Settings) -> Result<&str, domain::Error> {
    let missing = || domain::Error::invalid("storage.uri", "is missing");
    Ok(settings.storage.uri.as_ref().ok_or_else(missing)?.expose())
}

/// With a shared store, joins its nodes.
async fn join_cluster(settings: &Settings, ways: Ways) -> Result<Arc<dyn Cluster>, domain::Error> {
    match settings.storage.kind {
        StorageKind::Embedded => Ok(Arc::new(Alone)),
        StorageKind::Mongodb => {
            let uri = mongo_uri(settings)?;
            // A node that starts again is another one: its earlier leases run out by themselves.
            let node = uuid::Uuid::new_v4().to_string();
            tracing::info!(node, "joining the nodes of this store");
            let mut options = MongoClusterOptions::new(node);
            options.lease_time = Duration::from_secs(settings.cluster.lease_seconds);
            options.ways = ways;
            Ok(Arc::new(MongoCluster::join(uri, options).await?))
        }
    }
}

/// The ways out that this node has.
fn ways(apps: &[AppTransports]) -> Ways {
    let of = |one: &AppTransports| {
        let (app, transports) = (one.app.clone(), one.transports.clone());
        transports.into_iter().map(move |transport| (app.clone(), transport.provider()))
    };
    apps.iter().flat_map(of).collect()
}

/// Makes the transports of a stored app. What is wrong with its credentials keeps nothing else from
/// starting.
fn open_stored(app: &AppSettings, limits: &LimitSettings) -> AppTransports {
    let transports = open(app, limits).unwrap_or_else(|error| {
        tracing::error!(app = app.name, %error, "failed to use the credentials of a stored app");
        Vec::new()
    });
    AppTransports { app: AppName::new(&app.name), transports }
}

/// A store's error for the operator. It tells its causes itself, so they are not kept behind it to be
/// told again; "internal error" is for callers of the API.
fn told_once(error: domain::Error) -> anyhow::Error {
    match error.kind() {
        domain::ErrorKind::Internal => anyhow::Error::msg(error.causes()),
        _ => anyhow::Error::msg(error.to_string()),
    }
}

/// Makes the transports of every app, from the credentials it has.
fn open_transports(settings: &Settings) -> anyhow::Result<Vec<AppTransports>> {
    let mut opened = Vec::new();
    for app in settings.effective_apps() {
        let transports = open(&app, &settings.limits);
        let mut transports = transports.with_context(|| format!("app {}", app.name))?;
        if let Some(mail) = settings.mail_of(&app.name) {
            let transport = MailTransport::new(mail, &settings.limits);
            transports.push(Arc::new(transport.context("dialects.moxie.mail")?));
        }
        opened.push(AppTransports { app: AppName::new(&app.name), transports });
    }
    Ok(opened)
}

/// Makes the transports of one app.
fn open(
    app: &AppSettings,
    limits: &LimitSettings,
) -> Result<Vec<SharedTransport>, CredentialError> {
    let mut transports: Vec<SharedTransport> = Vec::new();
    if let Some(apns) = &app.apns {
        transports.push(Arc::new(ApnsTransport::new(apns, limits)?));
    }
    if let Some(fcm) = &app.fcm {
        transports.push(Arc::new(FcmTransport::new(fcm, limits)?));
    }
    Ok(transports)
}

/// What only the providers' own code can find wrong with the credentials; `check-config` shows it
/// after what the settings find themselves.
pub fn check_credentials(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, app) in settings.effective_apps().iter().enumerate() {
        let checks = [
            app.apns.as_ref().map(apns::credentials::check),
            app.fcm.as_ref().map(fcm::credentials::check),
        ];
        for error in checks.into_iter().flatten().filter_map(Result::err) {
            let key = format!("apps[{index}].{}", error.key);
            problems.push(Problem { key, what: error.problem });
        }
    }
    if let Some(Err(error)) = settings.dialects.moxie.mail.as_ref().map(mail::credentials::check) {
        let key = format!("dialects.moxie.mail.{}", error.key);
        problems.push(Problem { key, what: error.problem });
    }
    problems
}

/// Makes the configured e-mail recipients devices, and those that no longer are no devices.
async fn keep_recipients(services: &Services, settings: &Settings) -> Result<(), domain::Error> {
    let name = settings.default_app();
    let addresses = settings.mail_of(name).map_or(&[][..], |mail| &mail.send_to);
    let (app, now) = (AppName::new(name), Timestamp::now());
    services.announcements.keep_recipients(&app, addresses, now).await
}

/// Binds the HTTP server; it serves while it is awaited, until its handle stops it.
pub fn http_server(state: ApiState, settings: &Settings) -> anyhow::Result<(Server, SocketAddr)> {
    let state = Data::new(state);
    let bind = &settings.server.bind;
    let mut server = HttpServer::new(move || {
        let state = state.clone();
        App::new()
            .wrap(from_fn(api::headers))
            .wrap(from_fn(api::observe))
            .configure(move |config| api::mount(config, &state))
    })
    .on_connect(api::give_up_unread)
    .disable_signals()
    .shutdown_timeout(HTTP_SHUTDOWN_SECS)
    .keep_alive(std::time::Duration::from_secs(75));
    if settings.server.workers > 0 {
        server = server.workers(settings.server.workers);
    }
    let server = server.bind(bind).with_context(|| format!("failed to listen on {bind}"))?;
    let address = *server.addrs().first().context("the server listens nowhere")?;
    Ok((server.run(), address))
}

/// How long delivery logs are kept; none is for ever.
fn retention(settings: &Settings) -> Option<Duration> {
    let days = settings.storage.retention_days;
    (days > 0).then(|| Duration::from_secs(u64::from(days) * 86_400))
}

fn warn_when_open(settings: &Settings) {
    if let Some(app) = settings.open_app() {
        tracing::warn!(
            app,
            "OPEN: no key is configured, so anybody on this machine may register devices and send; \
             give the app a secret before anything real"
        );
    }
}

fn warn_when_unsigned(settings: &Settings) {
    let spoken = &settings.dialects.push_server;
    let strangers = settings.server.address().is_some_and(|address| !address.ip().is_loopback());
    if spoken.enabled && spoken.relay_public_key.is_none() && strangers {
        tracing::warn!(
            "whoever reaches this server may push to the Push Server's clients: give \
             dialects.push_server.relay_public_key, or switch that dialect off"
        );
    }
}
