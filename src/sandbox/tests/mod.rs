//! The sandbox as a client sees it: over TLS, with an HTTP/2 client of its own.
//! One file per part; this one holds the client.

mod apns;
mod control;
mod faults;
mod fcm;
mod journal;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;

/// Nothing in these tests takes longer, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(20);

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens soon")
}

/// A sandbox and the directory it lives in.
struct Site {
    sandbox: Sandbox,
    _dir: tempfile::TempDir,
}

impl std::ops::Deref for Site {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

async fn site() -> Site {
    site_with(FaultPlan::default()).await
}

async fn site_with(faults: FaultPlan) -> Site {
    site_of(|options| options.faults = faults).await
}

async fn site_of(change: impl FnOnce(&mut SandboxOptions)) -> Site {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut options = SandboxOptions::new(dir.path());
    change(&mut options);
    let sandbox = Sandbox::start(options).await.expect("the sandbox starts");
    Site { sandbox, _dir: dir }
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// The reason APNs gives.
    fn reason(&self) -> (u16, String) {
        let reason = self.json()["reason"].as_str().unwrap_or_default().to_owned();
        (self.status, reason)
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// One HTTP/2 connection.
struct Client {
    send: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
    base: String,
}

impl Client {
    async fn apns(site: &Site) -> Self {
        let tls = connect(site, site.sandbox.apns, b"h2", false).await;
        Self::over(tls.expect("TLS"), site.apns_url()).await
    }

    async fn apns_with_certificate(site: &Site) -> Self {
        let tls = connect(site, site.sandbox.apns, b"h2", true).await;
        Self::over(tls.expect("TLS"), site.apns_url()).await
    }

    async fn fcm(site: &Site) -> Self {
        let tls = connect(site, site.sandbox.fcm, b"h2", false).await;
        Self::over(tls.expect("TLS"), site.fcm_url()).await
    }

    async fn over(tls: TlsStream<TcpStream>, base: String) -> Self {
        let (send, connection) = h2::client::handshake(tls).await.expect("HTTP/2");
        let connection = tokio::spawn(connection);
        Self { send, connection, base }
    }

    /// Sends a request without waiting for its answer.
    async fn start(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<ResponseFuture, h2::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a well-formed request");
        let mut send = self.send.clone().ready().await?;
        let (answer, mut stream) = send.send_request(request, false)?;
        stream.send_data(Bytes::copy_from_slice(body), true)?;
        Ok(answer)
    }

    async fn try_send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, h2::Error> {
        let answer = self.start(method, path, headers, body).await?;
        soon(finish(answer)).await
    }

    async fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let sent = self.try_send("POST", path, headers, body).await;
        sent.expect("an answer")
    }
}

async fn finish(answer: ResponseFuture) -> Result<Answer, h2::Error> {
    let (head, mut stream) = answer.await?.into_parts();
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        body.extend_from_slice(&data?);
    }
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: body.into() })
}

async fn connect(
    site: &Site,
    address: SocketAddr,
    protocol: &[u8],
    with_certificate: bool,
) -> std::io::Result<TlsStream<TcpStream>> {
    connect_to("127.0.0.1", site, address, protocol, with_certificate).await
}

/// Connects, and expects a certificate for this name.
async fn connect_to(
    name: &'static str,
    site: &Site,
    address: SocketAddr,
    protocol: &[u8],
    with_certificate: bool,
) -> std::io::Result<TlsStream<TcpStream>> {
    let credentials = site.credentials();
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(&credentials.ca_file).expect("the CA's PEM");
    roots.add(ca).expect("a CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots);
    let file = &credentials.apns_cert_file;
    let mut config = match with_certificate {
        true => {
            let certificate = CertificateDer::from_pem_file(file).expect("a certificate");
            let key = PrivateKeyDer::from_pem_file(file).expect("a key");
            let config = config.with_client_auth_cert(vec![certificate], key);
            config.expect("a key pair")
        }
        false => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}

fn now_secs() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// An APNs `authorization`, signed with the key file of the sandbox.
fn provider_token(site: &Site, header: &Value, claims: &Value) -> String {
    let file = &site.credentials().apns_key_file;
    let key = PrivatePkcs8KeyDer::from_pem_file(file).expect("a p8 file");
    let random = SystemRandom::new();
    let der = key.secret_pkcs8_der();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random);
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = pair.expect("a P-256 key").sign(&random, signed.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(signature.expect("a signature"));
    format!("bearer {signed}.{signature}")
}

fn bearer_at(site: &Site, issued_at: u64) -> String {
    let credentials = site.credentials();
    let header = json!({ "alg": "ES256", "kid": credentials.apns_key_id });
    let claims = json!({ "iss": credentials.apns_team_id, "iat": issued_at });
    provider_token(site, &header, &claims)
}

fn bearer(site: &Site) -> String {
    bearer_at(site, now_secs())
}

/// A service account's assertion, signed with the key in its file.
fn assertion(site: &Site, change: impl FnOnce(&mut Value)) -> String {
    let file = std::fs::read(&site.credentials().service_account_file).expect("a file");
    let account: Value = serde_json::from_slice(&file).expect("JSON");
    let mut claims = json!({
        "iss": account["client_email"],
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": account["token_uri"],
        "iat": now_secs(),
        "exp": now_secs() + 3600,
    });
    change(&mut claims);
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": account["private_key_id"] });
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let pem = account["private_key"].as_str().expect("a key");
    let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).expect("PKCS#8");
    let pair = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).expect("an RSA key");
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .expect("a signature");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A plain HTTP/1.1 exchange on a fresh connection: status and body.
async fn control(site: &Site, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut tcp = TcpStream::connect(site.sandbox.control).await.expect("TCP");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    tcp.write_all(request.as_bytes()).await.expect("sent");
    let mut text = String::new();
    soon(tcp.read_to_string(&mut text)).await.expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let body = match head.contains("chunked") {
        true => unchunk(body),
        false => body.to_owned(),
    };
    (status.expect("a status"), body)
}

fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        body.push_str(&more[..size]);
        rest = &more[size + 2..];
        if size == 0 {
            break;
        }
    }
    body
}
