//! What a thousand watchers of the feed cost a campaign: the same campaign with none and with all of
//! them, in turn. The watchers read everything they are sent, on the same cores as server and gateways.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use fanfare::demo::{
    self,
    processes::{Api, Gateways, Server},
};

use crate::{
    Plan,
    campaign::{UNLIMITED, launch_and_wait},
    table::Table,
};

const WATCHERS: usize = 1000;
const DEVICES: usize = 300_000;
const CAMPAIGNS: usize = 6;
/// How often the watchers' sockets are emptied.
const READ_INTERVAL: Duration = Duration::from_millis(100);

/// Runs campaigns with and without watchers and adds their lines.
pub fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let gateways = Gateways::start(&plan.program, directory.path(), &[])?;
    let server = Server::start(&plan.program, directory.path(), &gateways, UNLIMITED)?;
    let api = server.api(&gateways);
    demo::register(&api, DEVICES, |_| {})?;
    let (mut alone, mut watched, mut told) = (vec![], vec![], vec![]);
    // The first run warms up what the others find warm.
    rate(&api)?;
    for _ in 0..plan.runs {
        alone.push(rate(&api)?);
        let watchers = Watchers::join(server.base(), &gateways.secret)?;
        watched.push(rate(&api)?);
        told.push(watchers.leave() as f64 / WATCHERS as f64 / 1024.0);
    }
    let ratio: Vec<f64> =
        watched.iter().zip(&alone).map(|(with, without)| with / without).collect();
    table.add("A campaign nobody watches", &alone, "pushes/s", "");
    table.add(&format!("The same with {WATCHERS} watchers"), &watched, "pushes/s", "");
    table.add("… ratio", &ratio, "", "≥ 0.95");
    table.add("… what each was told", &told, "KiB", "");
    Ok(())
}

/// Runs campaigns one after the other; their pushes a second. One alone is over too soon to tell.
fn rate(api: &Api) -> Result<f64> {
    let (mut pushes, mut secs) = (0, 0.0);
    for _ in 0..CAMPAIGNS {
        let uuid = demo::create(api)?;
        let begun = Instant::now();
        launch_and_wait(api, &uuid)?;
        secs += begun.elapsed().as_secs_f64();
        let shown = api.get(&format!("/notifications/{uuid}"))?;
        let sent = shown["sent"].as_object().context("counts by platform")?.values();
        pushes += sent.filter_map(serde_json::Value::as_u64).sum::<u64>();
    }
    Ok(pushes as f64 / secs)
}

/// Watchers that read and throw away.
struct Watchers {
    stop: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
    reader: std::thread::JoinHandle<Result<()>>,
}

impl Watchers {
    fn join(base: &str, secret: &str) -> Result<Self> {
        let sockets: Result<Vec<_>> = (0..WATCHERS).map(|_| open(base, secret)).collect();
        let (stop, bytes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, heard) = (Arc::clone(&stop), Arc::clone(&bytes));
        let sockets = sockets?;
        let reader = std::thread::spawn(move || read_all(sockets, &told, &heard));
        Ok(Self { stop, bytes, reader })
    }

    /// Ends them; how many bytes they were sent.
    fn leave(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let read = self.reader.join().expect("the reader does not panic");
        read.expect("every watcher is served to the end");
        self.bytes.load(Ordering::Relaxed)
    }
}

/// A websocket whose handshake was answered. What it sends is a handshake alone, so it masks nothing.
fn open(base: &str, secret: &str) -> Result<TcpStream> {
    let address = base.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address)?;
    write!(
        socket,
        "GET /ws/status HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {secret}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )?;
    let mut answer = [0; 12];
    socket.read_exact(&mut answer)?;
    anyhow::ensure!(&answer == b"HTTP/1.1 101", "the websocket is refused");
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn read_all(mut sockets: Vec<TcpStream>, stop: &AtomicBool, bytes: &AtomicU64) -> Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while !stop.load(Ordering::Relaxed) {
        for socket in &mut sockets {
            loop {
                match socket.read(&mut buffer) {
                    Ok(0) => anyhow::bail!("a watcher was closed"),
                    Ok(read) => bytes.fetch_add(read as u64, Ordering::Relaxed),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                };
            }
        }
        std::thread::sleep(READ_INTERVAL);
    }
    Ok(())
}
