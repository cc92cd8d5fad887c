//! Takes a gateway's connections: TCP, TLS, and the choice between HTTP/2 and
//! HTTP/1.1. Owns all connections of its gateway; when it ends, they end.
//! Started by `Sandbox::start`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::counters::bump;
use super::gateway::{Gateway, Line, ProviderState};
use super::wire::Wire;
use super::{http1, http2};

const BACKLOG: u32 = 1024;
/// Between tries when the system has no socket or port for us.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// One gateway on one address.
pub(super) struct Front<G: Gateway> {
    pub(super) address: SocketAddr,
    pub(super) tls: TlsAcceptor,
    pub(super) gateway: Arc<G>,
    pub(super) state: Arc<ProviderState>,
}

impl<G: Gateway> Front<G> {
    /// Takes connections until it is aborted.
    pub(super) async fn run(self, first: TcpListener) {
        let (address, state) = (self.address, self.state.clone());
        take_connections(address, first, &state, |tcp, connections| self.spawn(tcp, connections))
            .await;
    }

    fn spawn(&self, tcp: TcpStream, connections: &mut JoinSet<()>) {
        let (tls, gateway, state) = (self.tls.clone(), self.gateway.clone(), self.state.clone());
        connections.spawn(async move {
            if let Err(error) = serve(tcp, tls, gateway, state.clone()).await {
                let provider = state.provider.as_str();
                tracing::debug!(%error, provider, "a sandbox connection ended");
            }
        });
    }
}

/// Takes connections until it is aborted, and none while they are to be refused.
pub(super) async fn take_connections(
    address: SocketAddr,
    first: TcpListener,
    state: &ProviderState,
    spawn: impl Fn(TcpStream, &mut JoinSet<()>),
) {
    let mut listener = first;
    let mut watch = state.faults.watch();
    let mut connections = JoinSet::new();
    loop {
        if watch.now().set.refuse {
            drop(listener);
            connections.shutdown().await;
            let reserved = reserve(address).await;
            while watch.now().set.refuse {
                watch.changed().await;
            }
            listener = listen(reserved, address).await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => spawn(tcp, &mut connections),
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a sandbox connection");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = watch.changed() => {}
        }
    }
}

/// Holds the port without listening, so that connections are refused and nobody
/// else gets it meanwhile.
async fn reserve(address: SocketAddr) -> TcpSocket {
    loop {
        match try_reserve(address) {
            Ok(socket) => return socket,
            Err(error) => {
                tracing::warn!(%error, %address, "failed to reserve a sandbox port");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }
}

fn try_reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of the old listener may still be closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn listen(mut reserved: TcpSocket, address: SocketAddr) -> TcpListener {
    loop {
        match reserved.listen(BACKLOG) {
            Ok(listener) => return listener,
            Err(error) => {
                tracing::warn!(%error, %address, "failed to listen on a sandbox port again");
                tokio::time::sleep(RETRY_PAUSE).await;
                reserved = reserve(address).await;
            }
        }
    }
}

async fn serve<G: Gateway>(
    tcp: TcpStream,
    tls: TlsAcceptor,
    gateway: Arc<G>,
    state: Arc<ProviderState>,
) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let stream = tls.accept(tcp).await?;
    let session = stream.get_ref().1;
    let is_http2 = session.alpn_protocol() == Some(b"h2");
    let has_certificate = session.peer_certificates().is_some();
    if !is_http2 && !G::SPEAKS_HTTP1 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the client did not negotiate h2"));
    }
    let _open = OpenConnection::new(state.clone());
    let watch = state.faults.watch();
    let line = Arc::new(Line::new(gateway, state.clone(), has_certificate));
    let wire = Wire::new(stream, line.cut.clone());
    if is_http2 {
        let served = http2::serve(wire, line, watch).await;
        return served.map_err(io::Error::other);
    }
    http1::serve(wire, line, watch).await
}

/// Counts a connection while it is open, however it ends.
pub(super) struct OpenConnection(Arc<ProviderState>);

impl OpenConnection {
    pub(super) fn new(state: Arc<ProviderState>) -> Self {
        bump(&state.counters.connections);
        bump(&state.counters.connections_open);
        Self(state)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.counters.connections_open.fetch_sub(1, Ordering::Relaxed);
    }
}
