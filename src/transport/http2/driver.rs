//! Keeps one connection going: moves its bytes, watches its limit and GOAWAY, and pings a silent peer.
//!
//! Runs as one task per connection, begun by the pool's opener; ends with the connection.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep};

use super::{PoolConfig, Shared, connect::Connection, lane::Lane, wire::LastHeard};

/// The task of one connection.
pub(super) struct Driver {
    shared: Weak<Shared>,
    lane: Weak<Lane>,
    lane_id: u64,
    connection: Connection,
    keepalive: KeepAlive,
    peer_limit: usize,
    retired: bool,
    /// Nobody holds the connection any more; it ends at the next tick if the peer lets it linger.
    orphaned: bool,
}

/// When to ping, and when to give up.
struct KeepAlive {
    config: PoolConfig,
    heard: LastHeard,
    ping: PingPong,
    tick: Pin<Box<Sleep>>,
    /// When the unanswered ping was sent.
    pinged: Option<Instant>,
}

impl Driver {
    pub(super) fn new(
        shared: &Arc<Shared>,
        lane: &Arc<Lane>,
        mut connection: Connection,
        heard: LastHeard,
        config: PoolConfig,
    ) -> Self {
        let ping = connection.ping_pong().expect("a connection's pings are taken only once");
        let tick = Box::pin(sleep(config.silence));
        Self {
            shared: Arc::downgrade(shared),
            lane: Arc::downgrade(lane),
            lane_id: lane.id,
            peer_limit: connection.max_concurrent_send_streams(),
            connection,
            keepalive: KeepAlive { config, heard, ping, tick, pinged: None },
            retired: false,
            orphaned: false,
        }
    }

    /// Tells the pool of a changed limit, and of a peer that wants no more streams.
    fn report(&mut self, cx: &mut Context<'_>) {
        if self.retired {
            return;
        }
        let (Some(shared), Some(lane)) = (self.shared.upgrade(), self.lane.upgrade()) else {
            return;
        };
        let limit = self.connection.max_concurrent_send_streams();
        if limit != self.peer_limit {
            self.peer_limit = limit;
            shared.change(|slots| slots.limit_changed(&lane, limit));
        }
        // `h2` tells of a GOAWAY only to those who ask for a stream.
        if let Poll::Ready(Err(_)) = lane.sender.clone().poll_ready(cx) {
            self.retire(false);
        }
    }

    fn retire(&mut self, lost: bool) {
        if !self.retired
            && let Some(shared) = self.shared.upgrade()
        {
            shared.retire(self.lane_id, lost);
        }
        self.retired = true;
    }

    /// Whether the connection is dead by its silence.
    fn is_dead(&mut self, cx: &mut Context<'_>) -> bool {
        while self.keepalive.tick.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let Some(lane) = self.lane.upgrade() else {
                if self.orphaned {
                    return true;
                }
                self.orphaned = true;
                self.keepalive.sleep_until(now + self.keepalive.config.silence);
                continue;
            };
            if self.keepalive.ticked(now, lane.in_flight() > 0) {
                return true;
            }
        }
        self.keepalive.poll_pong(cx);
        false
    }
}

impl KeepAlive {
    /// Decides at a tick: ping, wait, or (true) give up.
    fn ticked(&mut self, now: Instant, busy: bool) -> bool {
        let heard = self.heard.at();
        if let Some(pinged) = self.pinged {
            // Bytes since the ping show as much life as its pong would.
            let deadline = pinged.max(heard) + self.config.pong_timeout;
            if now >= deadline {
                return true;
            }
            self.sleep_until(deadline);
            return false;
        }
        let allowed = if busy { self.config.silence } else { self.config.idle };
        if now.saturating_duration_since(heard) >= allowed
            && self.ping.send_ping(Ping::opaque()).is_ok()
        {
            self.pinged = Some(now);
            self.sleep_until(now + self.config.pong_timeout);
        } else {
            self.sleep_until(now + self.config.silence);
        }
        false
    }

    fn poll_pong(&mut self, cx: &mut Context<'_>) {
        if self.pinged.is_some() && self.ping.poll_pong(cx).is_ready() {
            self.pinged = None;
        }
    }

    fn sleep_until(&mut self, at: Instant) {
        self.tick.as_mut().reset(at);
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if let Poll::Ready(end) = Pin::new(&mut this.connection).poll(cx) {
            if let Err(error) = &end {
                tracing::debug!(%error, "connection to the provider ended");
            }
            this.retire(end.is_err());
            return Poll::Ready(());
        }
        this.report(cx);
        if this.is_dead(cx) {
            tracing::debug!("connection to the provider went silent");
            this.retire(true);
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The runtime may end before the connection does.
        self.retire(true);
    }
}
