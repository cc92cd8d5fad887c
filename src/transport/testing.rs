//! A small HTTP/2 server over TLS for the transport's own tests, told per request how to answer.
//!
//! Lives for one test; independent of the sandbox, whose strict gateways the integration tests use.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    path::PathBuf,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::{Reason, server::SendResponse};
use http::{HeaderMap, Request, Response, StatusCode};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// A request as the server saw it.
pub(crate) struct Received {
    /// Counted from 0 over all connections.
    pub(crate) number: usize,
    /// Counted from 0.
    pub(crate) connection: usize,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What the server does with a request.
pub(crate) enum Reply {
    /// Status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Answers once [`TestServer::release`] is called.
    Hold,
    /// Resets the stream.
    Reset(Reason),
    /// Answers 200 and begins to close the connection.
    LastOne,
}

impl Reply {
    pub(crate) fn ok() -> Self {
        Self::Answer(200, Vec::new(), String::new())
    }
}

type Handler = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

#[derive(Default)]
struct Counters {
    requests: AtomicUsize,
    connections: AtomicUsize,
    active: AtomicUsize,
    peak: AtomicUsize,
    dead: AtomicBool,
    death: Notify,
    released: AtomicBool,
    release: Notify,
}

/// A running server; dropping it closes everything.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    authority: Authority,
    counters: Arc<Counters>,
    handler: Handler,
    max_streams: u32,
    task: tokio::task::JoinHandle<()>,
}

/// A certificate authority and the server certificate it signed.
#[derive(Clone)]
pub(crate) struct Authority {
    pub(crate) ca_pem: String,
    tls: Arc<ServerConfig>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = rcgen::CertifiedIssuer::self_signed(params, key).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let leaf = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], private)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        Self { ca_pem: ca.pem(), tls: Arc::new(tls) }
    }
}

impl TestServer {
    pub(crate) async fn start(
        max_streams: u32,
        handler: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(listener, Authority::new(), max_streams, Arc::new(handler))
    }

    fn start_on(
        listener: TcpListener,
        authority: Authority,
        max_streams: u32,
        handler: Handler,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        let address = listener.local_addr().unwrap();
        let tls = TlsAcceptor::from(authority.tls.clone());
        let task =
            tokio::spawn(accept(listener, tls, max_streams, handler.clone(), counters.clone()));
        Self { address, authority, counters, handler, max_streams, task }
    }

    /// Stops listening and drops every connection.
    pub(crate) async fn stop(mut self) -> Stopped {
        self.task.abort();
        (&mut self.task).await.ok();
        Stopped {
            address: self.address,
            authority: self.authority.clone(),
            max_streams: self.max_streams,
            handler: self.handler.clone(),
        }
    }

    pub(crate) fn ca_pem(&self) -> &str {
        &self.authority.ca_pem
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) fn requests(&self) -> usize {
        self.counters.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.counters.connections.load(Ordering::SeqCst)
    }

    /// Most requests of one connection that were open at once... over all connections.
    pub(crate) fn peak(&self) -> usize {
        self.counters.peak.load(Ordering::SeqCst)
    }

    /// Answers every request on hold, and those to come.
    pub(crate) fn release(&self) {
        self.counters.released.store(true, Ordering::SeqCst);
        self.counters.release.notify_waiters();
    }

    /// Connections go silent: nothing is read or written any more, nothing is closed.
    pub(crate) fn black_hole(&self, on: bool) {
        self.counters.dead.store(on, Ordering::SeqCst);
        self.counters.death.notify_waiters();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A server that can come back at its old address.
pub(crate) struct Stopped {
    address: SocketAddr,
    authority: Authority,
    max_streams: u32,
    handler: Handler,
}

impl Stopped {
    pub(crate) async fn restart(self) -> TestServer {
        let listener = TcpListener::bind(self.address).await.unwrap();
        TestServer::start_on(listener, self.authority, self.max_streams, self.handler)
    }
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    max_streams: u32,
    handler: Handler,
    counters: Arc<Counters>,
) {
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        let number = counters.connections.fetch_add(1, Ordering::SeqCst);
        let (tls, handler, counters) = (tls.clone(), handler.clone(), counters.clone());
        connections.spawn(async move {
            serve(tcp, tls, max_streams, number, handler, counters).await;
        });
    }
}

async fn serve(
    tcp: TcpStream,
    tls: TlsAcceptor,
    max_streams: u32,
    number: usize,
    handler: Handler,
    counters: Arc<Counters>,
) {
    let Ok(stream) = tls.accept(tcp).await else { return };
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(max_streams);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    let mut requests = JoinSet::new();
    let last = Arc::new(Notify::new());
    loop {
        let death = counters.death.notified();
        if counters.dead.load(Ordering::SeqCst) {
            // The socket stays open: `connection` is still held.
            death.await;
            continue;
        }
        tokio::select! {
            () = death => {}
            () = last.notified() => connection.graceful_shutdown(),
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { break };
                let (handler, counters) = (handler.clone(), counters.clone());
                let last = last.clone();
                requests.spawn(async move {
                    answer(request, respond, number, handler, counters, last).await;
                });
            }
        }
    }
    while requests.join_next().await.is_some() {}
}

async fn answer(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    connection: usize,
    handler: Handler,
    counters: Arc<Counters>,
    last: Arc<Notify>,
) {
    let active = counters.active.fetch_add(1, Ordering::SeqCst) + 1;
    counters.peak.fetch_max(active, Ordering::SeqCst);
    let (head, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(Ok(chunk)) = stream.data().await {
        stream.flow_control().release_capacity(chunk.len()).ok();
        body.extend_from_slice(&chunk);
    }
    let received = Received {
        number: counters.requests.fetch_add(1, Ordering::SeqCst),
        connection,
        path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: head.headers,
        body: body.into(),
    };
    let reply = handler(&received);
    let (status, headers, body) = match reply {
        Reply::Answer(status, headers, body) => (status, headers, body),
        Reply::Hold => {
            let release = counters.release.notified();
            if !counters.released.load(Ordering::SeqCst) {
                let gone = poll_fn(|cx| respond.poll_reset(cx));
                tokio::select! { () = release => {} _ = gone => {} }
            }
            (200, Vec::new(), String::new())
        }
        Reply::Reset(reason) => {
            counters.active.fetch_sub(1, Ordering::SeqCst);
            respond.send_reset(reason);
            return;
        }
        Reply::LastOne => {
            last.notify_one();
            (200, Vec::new(), String::new())
        }
    };
    counters.active.fetch_sub(1, Ordering::SeqCst);
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    let Ok(mut stream) = respond.send_response(response, body.is_empty()) else { return };
    if !body.is_empty() {
        stream.send_data(body.into(), true).ok();
    }
}

/// Waits for a condition, for 10 s at most.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect(what);
}

/// Runs a future, for 20 s at most.
pub(crate) async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), pin!(future))
        .await
        .expect("the test ends in time")
}

/// Files that a test writes, gone when dropped.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// Values that handlers leave for the test to look at.
pub(crate) type Seen<T> = Arc<Mutex<Vec<T>>>;

/// Limits as the defaults have them, with few connections.
pub(crate) fn limits() -> crate::settings::LimitSettings {
    crate::settings::LimitSettings {
        global_per_second: 0,
        app_per_second: 0,
        apns_per_second: 0,
        fcm_per_second: 0,
        apns_connections: 1,
        fcm_connections: 2,
        streams_per_connection: 500,
        page_size: 500,
        pages_in_flight: 16,
        max_attempts: 5,
        backoff_base_ms: 500,
        backoff_max_ms: 60_000,
        request_timeout_ms: 5_000,
        save_interval_ms: 250,
        prune_guard_percent: 5,
        shards: 16,
        max_body_bytes: 1 << 20,
    }
}
