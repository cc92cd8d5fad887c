//! The pooled HTTP/2 client that the providers' transports share: requests in, responses or typed
//! failures out.
//!
//! Owns connections, windows of streams, pings, GOAWAY and reconnecting. Knows no provider: paths,
//! headers and the meaning of a status belong to `apns` and `fcm`. `h2` rather than a client above it,
//! since it costs half as much CPU a push.

mod connect;
mod driver;
mod exchange;
mod failure;
mod lane;
mod slots;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use rustls::ClientConfig;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep_until, timeout},
};

pub use connect::{ClientCertificate, Origin, OriginError, TlsError, tls_config};
pub use exchange::{Call, Response};
pub use failure::{Failure, FailureKind};

use self::{driver::Driver, lane::Slot, slots::Slots};

/// Times a request that was certainly not processed is sent again at once.
const IMMEDIATE_RETRIES: u32 = 2;
/// Times a request that never left, because its connection was closing, is given another one.
const RELOCATIONS: u32 = 8;

/// How a pool behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolConfig {
    /// Connections at most.
    pub connections: usize,
    /// Streams on one connection at most; the peer's SETTINGS hold besides.
    pub streams_per_connection: usize,
    /// From sending a request to the end of its response.
    pub request_timeout: Duration,
    /// From looking up the name to the peer's SETTINGS.
    pub connect_timeout: Duration,
    /// An idle connection is pinged after this much silence.
    pub idle: Duration,
    /// A connection with open streams is pinged after this much silence.
    pub silence: Duration,
    /// A ping is answered within this time, or the connection is dropped.
    pub pong_timeout: Duration,
    /// The first wait between attempts to connect, at most.
    pub backoff_base: Duration,
    /// The longest wait between attempts to connect, at most.
    pub backoff_max: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            connections: 1,
            streams_per_connection: 500,
            request_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            idle: Duration::from_secs(30),
            silence: Duration::from_secs(5),
            pong_timeout: Duration::from_secs(5),
            backoff_base: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
        }
    }
}

/// What a pool is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// Open connections that take new streams.
    pub connections: usize,
    /// Streams in flight.
    pub in_flight: usize,
    /// The last trouble with connections, until one answers again.
    pub trouble: Option<FailureKind>,
}

/// Connections to one origin. Dropping it closes them once their last stream has ended.
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    origin: Origin,
    tls: Arc<ClientConfig>,
    config: PoolConfig,
    slots: Mutex<Slots>,
}

impl Pool {
    /// A pool without connections: the first request opens one.
    pub fn new(origin: Origin, tls: Arc<ClientConfig>, config: PoolConfig) -> Self {
        let slots = Mutex::new(Slots::new(config));
        Self { shared: Arc::new(Shared { origin, tls, config, slots }) }
    }

    /// Sends a request and collects its response, on the least loaded connection. Waits for a free
    /// stream, first come first served; never longer than the configured times. Requests that were
    /// certainly not processed are sent again at once, up to twice.
    ///
    /// Must be called within a tokio runtime: connections live on the one that first needed them.
    pub async fn send(&self, call: &Call<'_>) -> Result<Response, Failure> {
        let (mut retries, mut relocations) = (0, 0);
        loop {
            let mut slot = self.shared.acquire().await?;
            let failure = match exchange::exchange(&self.shared, &mut slot, call).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            let tries = if failure.unsent { &mut relocations } else { &mut retries };
            let allowed = if failure.unsent { RELOCATIONS } else { IMMEDIATE_RETRIES };
            if !failure.retry_at_once || *tries >= allowed {
                return Err(failure);
            }
            *tries += 1;
        }
    }

    /// Streams worth having under way at once now.
    pub fn window(&self) -> usize {
        self.shared.read(Slots::window)
    }

    /// What it is doing.
    pub fn state(&self) -> PoolState {
        self.shared.read(|slots| PoolState {
            connections: slots.connections(),
            in_flight: slots.in_flight(),
            trouble: slots.trouble(),
        })
    }
}

impl Shared {
    /// Changes the bookkeeping, settles the queue, and begins the connections that it asks for. The
    /// tasks begin outside the lock: a runtime that is ending drops them on the spot.
    fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut Slots) -> T) -> T {
        let (value, openings) = {
            let mut slots = self.lock();
            let value = change(&mut slots);
            (value, slots.settle(self))
        };
        for _ in 0..openings {
            let opening = Opening { shared: Arc::downgrade(self) };
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(open(opening));
            }
        }
        value
    }

    fn read<T>(&self, read: impl FnOnce(&Slots) -> T) -> T {
        read(&self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Slots> {
        self.slots.lock().expect("nothing panics while the slots are locked")
    }

    async fn acquire(self: &Arc<Self>) -> Result<Slot, Failure> {
        let taken = self.lock().take(self);
        if let Some(slot) = taken {
            return Ok(slot);
        }
        let grant = self.change(Slots::wait);
        let bound = self.config.request_timeout.max(self.config.connect_timeout);
        match timeout(bound, grant).await {
            Ok(Ok(grant)) => grant,
            Ok(Err(_)) => Err(Failure::unsent(FailureKind::ConnectionLost)),
            Err(_) => Err(Failure::unsent(FailureKind::Timeout)),
        }
    }

    fn retire(self: &Arc<Self>, lane: u64, lost: bool) {
        self.change(|slots| slots.retire(lane, lost, Instant::now()));
    }
}

/// An attempt to connect that is under way; should its task end half-way, the pool is told.
struct Opening {
    shared: Weak<Shared>,
}

impl Opening {
    /// Ends the attempt in an orderly way: the caller reports instead.
    fn done(mut self) -> Option<Arc<Shared>> {
        std::mem::take(&mut self.shared).upgrade()
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.lock().open_abandoned(Instant::now());
        }
    }
}

/// Opens a connection, once the backoff allows, and then drives it to its end.
async fn open(opening: Opening) {
    let Some(shared) = opening.shared.upgrade() else { return };
    let (origin, tls, config) = (shared.origin.clone(), shared.tls.clone(), shared.config);
    let not_before = shared.read(Slots::not_before);
    // Not held while waiting: a pool that is dropped meanwhile ends the attempt.
    drop(shared);
    if let Some(at) = not_before {
        sleep_until(at).await;
    }
    let connected = timeout(config.connect_timeout, connect::connect(&origin, &tls)).await;
    let Some(shared) = opening.done() else { return };
    match connected.unwrap_or(Err(Failure::unsent(FailureKind::Timeout))) {
        Err(failure) => {
            tracing::debug!(reason = failure.kind.word(), "failed to connect to the provider");
            shared.change(|slots| slots.open_failed(failure, Instant::now()));
        }
        Ok((sender, connection, heard)) => {
            let lane = shared.change(|slots| slots.opened(sender));
            let driver = Driver::new(&shared, &lane, connection, heard, config);
            // The driver must not keep alive what tells it by its end that it may end.
            drop((shared, lane));
            driver.await;
        }
    }
}
