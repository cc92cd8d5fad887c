//! `PUT /devices`, durable, against an endpoint of actix-web that reads the same JSON and answers.

use std::{
    io::BufRead,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use fanfare::demo::{
    audience,
    processes::{Gateways, Server},
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Plan, table::Table};

/// Requests of one run.
const REQUESTS: usize = 100_000;
/// Connections that ask at once.
const CONNECTIONS: usize = 256;

#[derive(Serialize, Deserialize)]
struct Device {
    external_id: String,
    push_token: String,
    send_platform: u8,
    device_platform: u8,
}

/// Serves the bare endpoint until the parent ends it.
pub fn serve_bare() -> Result<()> {
    actix_web::rt::System::new().block_on(async {
        let put = |device: web::Json<Device>| async move { HttpResponse::Ok().json(&*device) };
        let server = HttpServer::new(move || App::new().route("/devices", web::put().to(put)));
        let server = server.bind(("127.0.0.1", 0))?;
        println!("{}", server.addrs()[0]);
        server.run().await
    })?;
    Ok(())
}

/// Runs both in turn.
pub fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    let (mut bare, mut ours) = (vec![], vec![]);
    for _ in 0..plan.runs {
        bare.push(bare_rate()?);
        ours.push(our_rate(plan)?);
    }
    let ratio: Vec<f64> = ours.iter().zip(&bare).map(|(ours, bare)| ours / bare).collect();
    table.add("Bare JSON endpoint", &bare, "requests/s", "");
    table.add("`PUT /devices`, durable", &ours, "requests/s", "");
    table.add("… ratio", &ratio, "", "≥ 0.25");
    Ok(())
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bare_rate() -> Result<f64> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("--bare-endpoint")
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().context("no output")?;
    let _child = Ended(child);
    let mut address = String::new();
    std::io::BufReader::new(stdout).read_line(&mut address)?;
    rate(address.trim(), "")
}

fn our_rate(plan: &Plan) -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let gateways = Gateways::start(&plan.program, directory.path(), &[])?;
    let server = Server::start(&plan.program, directory.path(), &gateways, "")?;
    let base = server.api(&gateways).base;
    rate(base.trim_start_matches("http://"), &gateways.secret)
}

/// Requests a second over many connections, each waiting for its answer.
fn rate(address: &str, secret: &str) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let next = Arc::new(AtomicUsize::new(0));
        let started = Instant::now();
        let clients = (0..CONNECTIONS).map(|_| {
            let (address, secret, next) =
                (address.to_owned(), secret.to_owned(), Arc::clone(&next));
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(&address).await?;
                stream.set_nodelay(true)?;
                let mut buffer = Vec::with_capacity(4096);
                while let index @ 0..REQUESTS = next.fetch_add(1, Ordering::Relaxed) {
                    stream.write_all(&request(index, &secret)?).await?;
                    read_answer(&mut stream, &mut buffer).await?;
                }
                anyhow::Ok(())
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await??;
        }
        Ok(REQUESTS as f64 / started.elapsed().as_secs_f64())
    })
}

fn request(index: usize, secret: &str) -> Result<Vec<u8>> {
    let device = audience::registration(index);
    let body = serde_json::to_vec(&Device {
        external_id: format!("bench-{index}"),
        push_token: device["push_token"].as_str().context("a token")?.to_owned(),
        send_platform: 1,
        device_platform: 1,
    })?;
    let mut request = format!(
        "PUT /devices HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(body);
    Ok(request)
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.clear();
    loop {
        anyhow::ensure!(stream.read_buf(buffer).await? > 0, "the server closed the connection");
        let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
        anyhow::ensure!(text.starts_with("http/1.1 200"), "the server answered {text}");
        let length = text.split("content-length: ").nth(1).context("no content-length")?;
        let length: usize = length.split("\r\n").next().context("no content-length")?.parse()?;
        if buffer.len() >= head + 4 + length {
            return Ok(());
        }
    }
}
