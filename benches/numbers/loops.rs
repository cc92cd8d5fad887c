//! The cost of a push: the whole engine, against the least that HTTP/2 over TLS can cost (a loop on
//! `h2`, writes not vectored, one shared body) and against what a client library of the usual make costs
//! (a loop on `hyper`, one connection, a request and a JSON body built for every push, as `a2` does).

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
        let local = tokio::task::LocalSet::new();
        let before = own_cpu();
        match kind {
            Kind::Raw => local.run_until(raw_loop(tls)).await?,
            Kind::Library => local.run_until(library_loop(tls, address)).await?,
        }
        let spent = own_cpu().saturating_sub(before);
        Ok(spent.as_secs_f64() * 1e6 / PUSHES as f64)
    })
}

/// A TLS connection that proves itself by certificate.
async fn connect(address: &str, keys: &Path) -> Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(keys.join("ca.pem"))?)?;
    let own = keys.join("apns-cert.pem");
    let chain: Vec<_> = CertificateDer::pem_file_iter(&own)?.collect::<Result<_, _>>()?;
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&own)?)?;
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

async fn raw_loop(tls: TlsStream<TcpStream>) -> Result<()> {
    let (client, connection) = h2::client::handshake(Unvectored(tls)).await?;
    tokio::task::spawn_local(connection);
    let next = Arc::new(AtomicUsize::new(0));
    let workers = (0..WINDOW).map(|_| {
        let (mut client, next) = (client.clone(), Arc::clone(&next));
        tokio::task::spawn_local(async move {
            while let index @ 0..PUSHES = next.fetch_add(1, Ordering::Relaxed) {
                client = client.ready().await?;
                let request =
                    http::Request::post(format!("https://localhost/3/device/{}", token(index)))
                        .header("apns-topic", "com.example.fanfare")
                        .header("apns-push-type", "alert")
                        .header("apns-priority", "10")
                        .body(())?;
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

async fn library_loop(tls: TlsStream<TcpStream>, authority: String) -> Result<()> {
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await?;
    tokio::task::spawn(connection);
    let next = Arc::new(AtomicUsize::new(0));
    let workers = (0..WINDOW).map(|_| {
        let (mut client, next, authority) = (client.clone(), Arc::clone(&next), authority.clone());
        tokio::task::spawn_local(async move {
            while let index @ 0..PUSHES = next.fetch_add(1, Ordering::Relaxed) {
                let alert = Alert {
                    title: "Doors open at eight",
                    body: "Your section is on the left. See you tonight!",
                };
                let payload = Payload { aps: Aps { alert }, deep_link: "fanfare://tonight" };
                let request =
                    http::Request::post(format!("https://{authority}/3/device/{}", token(index)))
                        .header("apns-topic", "com.example.fanfare".to_owned())
                        .header("apns-push-type", "alert".to_owned())
                        .header("apns-priority", "10".to_owned())
                        .header("content-type", "application/json")
                        .body(Full::new(Bytes::from(serde_json::to_vec(&payload)?)))?;
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
