//! A real server process on a free port, with a directory of its own, ended with its handle.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long a server may take to listen, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The `fanfare` command with none of this process's settings.
pub fn fanfare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FANFARE__") {
            command.env_remove(name);
        }
    }
    command
}

/// A running server; killed when dropped.
pub struct Server {
    process: Child,
    address: String,
    agent: ureq::Agent,
    _directory: tempfile::TempDir,
}

/// An answer, its body read as JSON where it is.
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

impl Server {
    /// Starts a server with these settings (`SERVER__BIND` for `FANFARE__SERVER__BIND`), on a free
    /// port and an empty store unless they say otherwise.
    pub fn start(settings: &BTreeMap<String, String>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut command = fanfare();
        command
            .args(["serve", "--announce"])
            .env("FANFARE__SERVER__BIND", "127.0.0.1:0")
            .env("FANFARE__SERVER__WORKERS", "1")
            .env("FANFARE__STORAGE__PATH", directory.path().join("data"))
            .env("FANFARE__LOG__LEVEL", "error")
            .envs(settings.iter().map(|(key, value)| (format!("FANFARE__{key}"), value)))
            .stdout(Stdio::piped());
        let mut process = command.spawn().expect("the binary runs");
        let address = announced(&mut process);
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        Self { process, address, agent: config.into(), _directory: directory }
    }

    /// Sends a request; the path may hold anything that a request line may.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &BTreeMap<String, String>,
        body: Option<Vec<u8>>,
    ) -> Answer {
        let uri = format!("http://{}{path}", self.address);
        let mut request = ureq::http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = match body {
            Some(body) => self.agent.run(request.body(body).expect("a good request")),
            None => self.agent.run(request.body(()).expect("a good request")),
        };
        let mut answer = answer.expect("the server answers");
        let text = answer.body_mut().read_to_string().expect("the body is text");
        let pairs = answer.headers().iter();
        let headers = pairs.map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        Answer {
            status: answer.status().as_u16(),
            headers: headers.collect(),
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }

    /// The status of what is there, whatever its body is.
    pub fn head(&self, path: &str) -> u16 {
        let answer = self.agent.head(format!("http://{}{path}", self.address)).call();
        answer.expect("the server answers").status().as_u16()
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks the server to end as a supervisor would, and waits until it has.
    pub fn terminate(mut self) -> ExitStatus {
        let pid = i32::try_from(self.process.id()).expect("a pid is positive and small");
        // SAFETY: `kill` takes plain numbers; the process is our own child and not yet waited for.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().expect("our own child") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; either way nothing is left behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The address from the first line that the process writes.
fn announced(process: &mut Child) -> String {
    let stdout = process.stdout.take().expect("standard output is piped");
    let (sender, receiver) = mpsc::sync_channel(1024);
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        // The receiver is gone when the test gave up waiting.
        let _ = sender.send(read.map(|_| line));
    });
    let line = receiver.recv_timeout(PATIENCE).expect("the server announces itself in time");
    let line = line.expect("standard output is text");
    let announcement: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
        panic!("the server did not start; it announced {line:?}");
    });
    announcement["listening"].as_str().expect("an address").to_owned()
}
