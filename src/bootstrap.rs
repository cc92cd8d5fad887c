//! The composition root: the one place that names concrete backends. From settings to a running
//! server: stores, transports, engine, HTTP.
//!
//! `cli` calls it. Nothing else knows which store or which provider's code is used.

use std::{io::Write, net::SocketAddr};

use actix_web::{App, HttpServer, dev::Server, web::Data};
use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    api::{self, ApiState},
    engine::EngineHandle,
    services::Services,
    settings::{Problem, Settings, StorageKind},
    storage::Stores,
    transport::SharedTransport,
};

/// How long requests under way may take to finish at shutdown.
const SHUTDOWN_SECS: u64 = 30;

/// Serves until SIGTERM or SIGINT. With `announce`, the address is written to standard output as one
/// line of JSON once it is known, for whoever started this process with port 0.
pub async fn serve(settings: Settings, announce: bool) -> anyhow::Result<()> {
    settings.validate()?;
    let stop = StopSignals::install()?;
    let stores = open_stores(&settings).await.context("failed to open the store")?;
    let transports = open_transports(&settings)?;
    let engine = start_engine(&settings, stores.clone(), transports).await?;
    let services = Services::new(stores, engine, &settings.limits);
    let state = ApiState::new(services, &settings);
    warn_when_open(&settings);
    let (server, address) = http_server(state, &settings)?;
    tracing::info!(%address, "listening");
    if announce {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{}", serde_json::json!({ "listening": address.to_string() }))?;
        stdout.flush()?;
    }
    run_until_stopped(server, stop).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Serves until a first signal, then lets requests under way finish; a second signal does not wait.
async fn run_until_stopped(server: Server, mut stop: StopSignals) -> anyhow::Result<()> {
    let handle = server.handle();
    let mut serving = actix_web::rt::spawn(server);
    tokio::select! {
        ended = &mut serving => return ended?.context("the HTTP server ended unexpectedly"),
        () = stop.next() => {}
    }
    tracing::info!("stopping; requests under way are finished first");
    tokio::select! {
        () = handle.stop(true) => {}
        () = stop.next() => handle.stop(false).await,
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

/// Opens the store that the settings choose.
async fn open_stores(settings: &Settings) -> anyhow::Result<Stores> {
    match settings.storage.kind {
        StorageKind::Embedded => anyhow::bail!("the embedded store is not in this build yet"),
        StorageKind::Mongodb => anyhow::bail!("mongodb is not in this build yet"),
    }
}

/// Makes the transports of every app that has credentials.
fn open_transports(_settings: &Settings) -> anyhow::Result<Vec<(String, SharedTransport)>> {
    Ok(Vec::new())
}

/// Starts the engine over the store and the transports.
async fn start_engine(
    _settings: &Settings,
    _stores: Stores,
    _transports: Vec<(String, SharedTransport)>,
) -> anyhow::Result<EngineHandle> {
    anyhow::bail!("the engine is not in this build yet")
}

/// What only the providers' own code can find wrong with the credentials; `check-config` shows it
/// after what the settings find themselves.
pub fn check_credentials(_settings: &Settings) -> Vec<Problem> {
    Vec::new()
}

/// Binds the HTTP server; it serves while it is awaited, until its handle stops it.
pub fn http_server(state: ApiState, settings: &Settings) -> anyhow::Result<(Server, SocketAddr)> {
    let state = Data::new(state);
    let bind = &settings.server.bind;
    let mut server = HttpServer::new(move || {
        let state = state.clone();
        App::new().configure(move |config| api::mount(config, &state))
    })
    .disable_signals()
    .shutdown_timeout(SHUTDOWN_SECS)
    .keep_alive(std::time::Duration::from_secs(75));
    if settings.server.workers > 0 {
        server = server.workers(settings.server.workers);
    }
    let server = server.bind(bind).with_context(|| format!("failed to listen on {bind}"))?;
    let address = *server.addrs().first().context("the server listens nowhere")?;
    Ok((server.run(), address))
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
