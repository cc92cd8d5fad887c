//! Opens one connection: name, TCP, TLS, HTTP/2, and the peer's first SETTINGS.
//!
//! Called by the pool's openers; knows nothing of slots or of what is sent.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use bytes::Bytes;
use http::uri::{Authority, Parts, Scheme, Uri};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    failure::{Failure, FailureKind},
    wire::Wire,
};

/// What `h2` reports before the peer's SETTINGS arrived; they can never say this number.
const SETTINGS_PENDING: usize = usize::MAX - 1;
/// Room for the answers of a full connection.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Allowance for answers in tiny frames, which FCM's are, before `h2` calls them an attack.
const SMALL_FRAME_BUDGET: usize = 16 << 20;

pub(super) type Sender = h2::client::SendRequest<Bytes>;
pub(super) type Connection = h2::client::Connection<Wire<TlsStream<TcpStream>>, Bytes>;

/// A server: `https`, a host and a port.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    host: String,
    port: u16,
    authority: Authority,
}

/// Why an address names no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OriginError(&'static str);

impl Origin {
    /// Reads `https://host[:port]`; a path other than `/` is an error.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let (origin, path) = Self::parse_with_path(text)?;
        if path != "/" {
            return Err(OriginError("must be https://host:port without a path"));
        }
        Ok(origin)
    }

    /// Reads `https://host[:port]/path?query`, and gives the path with the query apart.
    pub fn parse_with_path(text: &str) -> Result<(Self, String), OriginError> {
        let uri: Uri = text.parse().map_err(|_| OriginError("is not a URL"))?;
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(OriginError("must begin with https://"));
        }
        let authority = uri.authority().ok_or(OriginError("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(OriginError("must not hold a user name"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(443);
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok((Self { host, port, authority: authority.clone() }, path))
    }

    /// The parts of a URI on this server, its path left for the caller to set.
    pub(super) fn uri_parts(&self) -> Parts {
        let mut parts = Parts::default();
        parts.scheme = Some(Scheme::HTTPS);
        parts.authority = Some(self.authority.clone());
        parts
    }
}

/// A client certificate chain with its private key.
pub struct ClientCertificate {
    /// The chain, the client's own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
}

/// Why the TLS configuration cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The roots' PEM text holds no usable certificate.
    #[error("holds no usable certificate")]
    Roots,
    /// The client certificate and its key are refused.
    #[error("certificate and private key do not fit: {0}")]
    Client(rustls::Error),
}

/// The TLS side of a pool's connections: trusts the public roots or only those of the PEM text given,
/// offers `h2`, and shows the client certificate if there is one.
pub fn tls_config(
    roots_pem: Option<&[u8]>,
    client: Option<ClientCertificate>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    match roots_pem {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| TlsError::Roots)?;
                roots.add(certificate).map_err(|_| TlsError::Roots)?;
            }
        }
    }
    if roots.is_empty() {
        return Err(TlsError::Roots);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots);
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            builder.with_client_auth_cert(client.chain, client.key).map_err(TlsError::Client)?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// Opens a connection to the origin, up to and including the peer's SETTINGS. The caller bounds the time.
pub(super) async fn connect(
    origin: &Origin,
    tls: &Arc<ClientConfig>,
) -> Result<(Sender, Connection, super::wire::LastHeard), Failure> {
    let tcp = connect_tcp(&origin.host, origin.port).await?;
    let name =
        ServerName::try_from(origin.host.clone()).map_err(|_| Failure::unsent(FailureKind::Dns))?;
    let stream = TlsConnector::from(tls.clone())
        .connect(name, tcp)
        .await
        .map_err(|error| Failure::of_connect(&error))?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(Failure::unsent(FailureKind::Tls));
    }
    let wire = Wire::new(stream);
    let heard = wire.heard();
    let (sender, mut connection) = h2::client::Builder::new()
        .enable_push(false)
        .initial_max_send_streams(SETTINGS_PENDING)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .data_frame_budget(SMALL_FRAME_BUDGET)
        .handshake(wire)
        .await
        .map_err(|error| of_handshake(&error))?;
    await_settings(&mut connection).await?;
    Ok((sender, connection, heard))
}

async fn connect_tcp(host: &str, port: u16) -> Result<TcpStream, Failure> {
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|_| Failure::unsent(FailureKind::Dns))?;
    let mut failure = Failure::unsent(FailureKind::Dns);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(tcp) => {
                // Nagle's algorithm would hold small bursts back for a round trip.
                tcp.set_nodelay(true).map_err(|error| Failure::of_connect(&error))?;
                return Ok(tcp);
            }
            Err(error) => failure = Failure::of_connect(&error),
        }
    }
    Err(failure)
}

/// RFC 9113 section 3.4: SETTINGS are the first frame a server sends. Waiting for them means that no
/// request is sent beyond the peer's limit, and that a server which closes at once (a refused client
/// certificate in TLS 1.3, say) counts as a failed attempt.
async fn await_settings(connection: &mut Connection) -> Result<(), Failure> {
    poll_fn(|cx| match Pin::new(&mut *connection).poll(cx) {
        Poll::Ready(Ok(())) => Poll::Ready(Err(Failure::unsent(FailureKind::ConnectionLost))),
        Poll::Ready(Err(error)) => Poll::Ready(Err(of_handshake(&error))),
        Poll::Pending if connection.max_concurrent_send_streams() == SETTINGS_PENDING => {
            Poll::Pending
        }
        Poll::Pending => Poll::Ready(Ok(())),
    })
    .await
}

fn of_handshake(error: &h2::Error) -> Failure {
    match error.get_io() {
        Some(error) => Failure::of_connect(error),
        None if error.is_go_away() && error.is_remote() => Failure::unsent(FailureKind::GoAway),
        None => Failure::unsent(FailureKind::ConnectionLost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_https_host_and_port() {
        assert!(Origin::parse("https://127.0.0.1:8443").is_ok());
        assert!(Origin::parse("https://[::1]:8443/").is_ok());
        assert!(Origin::parse("http://a.example").is_err());
        assert!(Origin::parse("https://a.example/b").is_err());
        assert!(Origin::parse("https://user@a.example").is_err());
        let (origin, path) = Origin::parse_with_path("https://a.example/token?x=1").unwrap();
        assert_eq!((origin.port, path.as_str()), (443, "/token?x=1"));
    }

    #[test]
    fn roots_must_hold_a_certificate() {
        assert!(matches!(tls_config(Some(b"none"), None), Err(TlsError::Roots)));
        assert!(tls_config(None, None).is_ok());
    }
}
