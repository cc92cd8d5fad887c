//! The cost of a push: the whole engine, against the least that HTTP/2 over TLS can cost (a loop on
//! `h2`, writes not vectored, header values and body shared) and against what a client library of the
//! usual make costs (a loop on `hyper`, one connection, the headers written and the body made into JSON
//! for every push, as `a2` does). All three send the same headers to the same kind of gateway.

use std::{
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as TaskContext, Poll},
};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use fanfare::demo::processes::Gateways;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use serde::Serialize;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Plan, clock::own_cpu, table::Table};

/// Pushes of one loop.
const PUSHES: usize = 200_000;
/// Pushes under way on the one connection.
const WINDOW: usize = 500;
/// Devices of the campaign that is measured beside the loops.
const CAMPAIGN: &str = "300000";

/// Runs loops and campaigns in turn and adds their lines.
pub fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    let (mut raw, mut library, mut engine, mut rate) = (vec![], vec![], vec![], vec![]);
    for _ in 0..plan.runs {
        raw.push(one_loop(plan, Kind::Raw)?);
        library.push(one_loop(plan, Kind::Library)?);
        let report = crate::campaign::demo(plan, &["--devices", CAMPAIGN])?;
        engine.push(report["engine_cpu_us_per_push"].as_f64().context("no CPU figure here")?);
        rate.push(report["pushes_per_second"].as_f64().context("no rate")?);
    }
    let ratio =
        |over: &[f64]| -> Vec<f64> { engine.iter().zip(over).map(|(a, b)| a / b).collect() };
    table.add("`h2` loop, unvectored: CPU a push", &raw, "µs", "");
    table.add("`hyper` loop, one connection: CPU a push", &library, "µs", "");
    table.add("Fanfare, match + send + record: CPU a push", &engine, "µs", "");
    table.add("Fanfare / `h2` loop", &ratio(&raw), "", "≤ 3");
    table.add("Fanfare / `hyper` loop", &ratio(&library), "", "≤ 1");
    table.add("Fanfare, gateways on the same cores", &rate, "pushes/s", "");
    Ok(())
}

#[derive(Clone, Copy)]
enum Kind {
    Raw,
    Library,
}

/// One loop against a gateway of its own; CPU µs a push.
fn one_loop(plan: &Plan, kind: Kind) -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let gateways = Gateways::start(&plan.program, directory.path(), &[])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let keys = directory.path().join("sandbox");
        let address = gateways.apns_url.trim_start_matches("https://").to_owned();
        let tls = connect(&address, &keys).await?;
        let jwt = provider_token(&keys, &gateways)?;
        let local = tokio::task::LocalSet::new();
        let before = own_cpu();
        match kind {
            Kind::Raw => local.run_until(raw_loop(tls, &jwt)).await?,
            Kind::Library => local.run_until(library_loop(tls, address, jwt)).await?,
        }
        let spent = own_cpu().saturating_sub(before);
        Ok(spent.as_secs_f64() * 1e6 / PUSHES as f64)
    })
}

/// A provider token (Apple: Establishing a token-based connection to APNs).
fn provider_token(keys: &Path, gateways: &Gateways) -> Result<String> {
    let key = PrivateKeyDer::from_pem_file(keys.join("apns.p8"))?;
    let random = ring::rand::SystemRandom::new();
    let algorithm = &ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let key = ring::signature::EcdsaKeyPair::from_pkcs8(algorithm, key.secret_der(), &random)
        .map_err(|error| anyhow::anyhow!("the sandbox's key: {error}"))?;
    let setting = |name: &str| {
        let line = gateways.config.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split('"').nth(1)).with_context(|| format!("no {name}"))
    };
    let issued = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let header = serde_json::json!({"alg": "ES256", "kid": setting("key_id")?});
    let claims = serde_json::json!({"iss": setting("team_id")?, "iat": issued});
    let encode = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = key
        .sign(&random, signed.as_bytes())
        .map_err(|error| anyhow::anyhow!("failed to sign: {error}"))?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// A TLS connection to the gateway.
async fn connect(address: &str, keys: &Path) -> Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(keys.join("ca.pem"))?)?;
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from("localhost")?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, tcp).await?)
}

fn token(index: usize) -> String {
    format!("{index:064x}")
}

const BODY: &str = r#"{"aps":{"alert":{"title":"Doors open at eight","body":"Your section is on the left. See you tonight!"}},"deep_link":"fanfare://tonight"}"#;

const COLLAPSE_ID: &str = "7d1b0a52-5a3c-4b0e-9c70-0d7d5a0a3f10";
const EXPIRATION: u32 = 4_000_000_000;

fn push_id(index: usize) -> uuid::Uuid {
    uuid::Uuid::from_u64_pair(0x7d1b_0a52_5a3c_8b0e, 0x9c70_0000_0000_0000 + index as u64)
}

/// The headers that every push of the `h2` loop shares.
fn shared_headers(jwt: &str) -> Result<http::HeaderMap> {
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", format!("bearer {jwt}").parse()?);
    headers.insert("apns-topic", "com.example.fanfare".parse()?);
    headers.insert("apns-push-type", "alert".parse()?);
    headers.insert("apns-priority", "10".parse()?);
    headers.insert("apns-expiration", EXPIRATION.into());
    headers.insert("apns-collapse-id", COLLAPSE_ID.parse()?);
    Ok(headers)
}

async fn raw_loop(tls: TlsStream<TcpStream>, jwt: &str) -> Result<()> {
    let headers = shared_headers(jwt)?;
    let (client, connection) = h2::client::handshake(Unvectored(tls)).await?;
    tokio::task::spawn_local(connection);
    let next = Arc::new(AtomicUsize::new(0));
    let workers = (0..WINDOW).map(|_| {
        let (mut client, next, headers) = (client.clone(), Arc::clone(&next), headers.clone());
        tokio::task::spawn_local(async move {
            while let index @ 0..PUSHES = next.fetch_add(1, Ordering::Relaxed) {
                client = client.ready().await?;
                let uri = format!("https://localhost/3/device/{}", token(index));
                let mut request = http::Request::post(uri).body(())?;
                *request.headers_mut() = headers.clone();
                let id = push_id(index).to_string();
                request.headers_mut().insert("apns-id", id.try_into()?);
                let (response, mut stream) = client.send_request(request, false)?;
                stream.send_data(Bytes::from_static(BODY.as_bytes()), true)?;
                let response = response.await?;
                anyhow::ensure!(
                    response.status() == 200,
                    "the gateway answered {}",
                    response.status()
                );
            }
            anyhow::Ok(())
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await??;
    }
    Ok(())
}

#[derive(Serialize)]
struct Payload<'a> {
    aps: Aps<'a>,
    deep_link: &'a str,
}

#[derive(Serialize)]
struct Aps<'a> {
    alert: Alert<'a>,
}

#[derive(Serialize)]
struct Alert<'a> {
    title: &'a str,
    body: &'a str,
}

async fn library_loop(tls: TlsStream<TcpStream>, authority: String, jwt: String) -> Result<()> {
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await?;
    tokio::task::spawn(connection);
    let next = Arc::new(AtomicUsize::new(0));
    let workers = (0..WINDOW).map(|_| {
        let (mut client, next) = (client.clone(), Arc::clone(&next));
        let (authority, jwt) = (authority.clone(), jwt.clone());
        tokio::task::spawn_local(async move {
            while let index @ 0..PUSHES = next.fetch_add(1, Ordering::Relaxed) {
                let alert = Alert {
                    title: "Doors open at eight",
                    body: "Your section is on the left. See you tonight!",
                };
                let payload = Payload { aps: Aps { alert }, deep_link: "fanfare://tonight" };
                let body = serde_json::to_string(&payload)?;
                let uri = format!("https://{authority}/3/device/{}", token(index));
                let request = http::Request::post(uri)
                    .header("apns-priority", "10".to_owned())
                    .header("apns-id", push_id(index).to_string())
                    .header("apns-push-type", "alert".to_owned())
                    .header("apns-expiration", EXPIRATION.to_string())
                    .header("apns-collapse-id", COLLAPSE_ID.to_owned())
                    .header("apns-topic", "com.example.fanfare".to_owned())
                    .header("authorization", format!("bearer {jwt}"))
                    .header("content-type", "application/json")
                    .header("content-length", body.len().to_string())
                    .body(Full::new(Bytes::from(body)))?;
                client.ready().await?;
                let response = client.send_request(request).await?;
                let status = response.status();
                response.into_body().collect().await?;
                anyhow::ensure!(status == 200, "the gateway answered {status}");
            }
            anyhow::Ok(())
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await??;
    }
    Ok(())
}

/// A stream that takes one buffer a write, so that TLS makes few large records.
struct Unvectored(TlsStream<TcpStream>);

impl AsyncRead for Unvectored {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Unvectored {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
