//! The demo's processes: the gateways and the server, each this same program, ended when the demo ends.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A process that is ended with its owner.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts this program again with other arguments; it answers with one JSON line.
fn start(arguments: &[&str], log: &Path) -> Result<(Owned, Value)> {
    let program = std::env::current_exe().context("failed to find this program")?;
    let log = std::fs::File::create(log).context("failed to make a log file")?;
    let mut child = Command::new(program)
        .args(arguments)
        // Held open as long as this process lives: its end is the child's.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .with_context(|| format!("failed to start `{}`", arguments.join(" ")))?;
    let stdout = child.stdout.take();
    let child = Owned(child);
    let line = first_line(stdout)
        .with_context(|| format!("`{}` did not say where it listens", arguments.join(" ")))?;
    Ok((child, line))
}

fn first_line(stdout: Option<ChildStdout>) -> Result<Value> {
    let mut stdout = BufReader::new(stdout.context("no output")?);
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    // What follows is read and dropped, so that the child never waits for a reader.
    std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    Ok(serde_json::from_str(&line)?)
}

/// The sandbox, running.
pub struct Gateways {
    _process: Owned,
    /// Where APNs is played.
    pub apns_url: String,
    /// Where FCM is played.
    pub fcm_url: String,
    /// Where the sandbox is asked and steered.
    pub control_url: String,
    /// The master secret of the app in `config`.
    pub secret: String,
    config: String,
}

impl Gateways {
    /// Starts the sandbox with these faults.
    pub fn start(directory: &Path, faults: &[String]) -> Result<Self> {
        let keys = directory.join("sandbox");
        let keys = keys.to_str().context("the temporary directory's name is not text")?;
        let mut arguments = vec!["sandbox", "--json", "--parent-pipe", "--dir", keys];
        for fault in faults.iter().filter(|fault| !fault.is_empty()) {
            arguments.extend(["--fail", fault]);
        }
        let (process, line) = start(&arguments, &directory.join("sandbox.log"))?;
        let text = |key: &str| {
            let found = line[key].as_str().map(str::to_owned);
            found.with_context(|| format!("the sandbox does not say its {key}"))
        };
        Ok(Self {
            _process: process,
            apns_url: text("apns_url")?,
            fcm_url: text("fcm_url")?,
            control_url: text("control_url")?,
            secret: text("secret")?,
            config: text("config")?,
        })
    }

    /// The gateways' records, a line each.
    pub fn records(&self) -> Result<impl Read + use<>> {
        let url = format!("{}/records?status=all", self.control_url);
        let response = ureq::get(&url).call().context("failed to ask for the gateways' records")?;
        Ok(response.into_body().into_reader())
    }
}

/// The server, running.
pub struct Server {
    process: Owned,
    base: String,
}

impl Server {
    /// Starts the server on an empty store with the sandbox's credentials.
    pub fn start(directory: &Path, gateways: &Gateways) -> Result<Self> {
        let config = directory.join("fanfare.toml");
        let data = directory.join("data");
        let settings = format!(
            "[server]\nbind = \"127.0.0.1:0\"\n\n[storage]\npath = {data:?}\n\n\
             [limits]\nfcm_per_second = 0\n\n{}",
            gateways.config
        );
        std::fs::write(&config, settings).context("failed to write the server's configuration")?;
        let config = config.to_str().context("the temporary directory's name is not text")?;
        let log = directory.join("server.log");
        let started = start(&["serve", "--announce", "--config", config], &log);
        let (process, line) = started.with_context(|| {
            format!("the server's log: {}", std::fs::read_to_string(&log).unwrap_or_default())
        })?;
        let listening =
            line["listening"].as_str().context("the server does not say its address")?;
        Ok(Self { process, base: format!("http://{listening}") })
    }

    /// Its API, as the sandbox's app.
    pub fn api(&self, gateways: &Gateways) -> Api {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        Api { agent, base: self.base.clone(), secret: gateways.secret.clone() }
    }

    /// The processor time it has spent, where the system tells (Linux, proc(5) `stat`).
    pub fn cpu(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.0.id())).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 =
            fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        // SAFETY: sysconf reads a constant of the system and touches no memory of ours.
        let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok()?;
        Some(Duration::from_secs_f64(ticks as f64 / per_second as f64))
    }

    /// The most memory it has held, in KiB, where the system tells (Linux, proc(5) `status`).
    pub fn peak_rss_kib(&self) -> Option<u64> {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    }
}

/// The server's API.
pub struct Api {
    agent: ureq::Agent,
    /// Its address.
    pub base: String,
    secret: String,
}

impl Api {
    /// Asks for `path` and answers what the envelope holds.
    pub fn get(&self, path: &str) -> Result<Value> {
        let request = self.agent.get(format!("{}{path}", self.base));
        let response = request.header("Authorization", self.bearer()).call();
        open(path, response.with_context(|| format!("failed to ask for {path}"))?)
    }

    /// Sends `body` to `path` and answers what the envelope holds.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let response = request.header("Authorization", self.bearer()).send_json(body);
        open(path, response.with_context(|| format!("failed to send to {path}"))?)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.secret)
    }
}

fn open(path: &str, mut response: ureq::http::Response<ureq::Body>) -> Result<Value> {
    let reader = response.body_mut().with_config().limit(64 << 20);
    let mut envelope: Value = reader.read_json().context("the answer is not JSON")?;
    if envelope["success"] != Value::Bool(true) {
        bail!("{path} answered {}: {}", response.status(), envelope["reason"]);
    }
    Ok(envelope["result"].take())
}
