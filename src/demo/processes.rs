//! The house as processes: the gateways and the server, each the program itself, ended with their
//! owner. The demo, the benchmarks and the tests all start them here.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A process that is ended with its owner.
#[derive(Debug)]
pub struct Owned(Child);

impl Owned {
    /// Takes a process over.
    pub fn new(child: Child) -> Self {
        Self(child)
    }

    /// The processor time it has spent, where the system tells.
    pub fn cpu(&self) -> Option<Duration> {
        cpu_of(self.0.id())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The processor time that a process has spent, where the system tells (Linux, proc(5) `stat`).
pub fn cpu_of(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    // SAFETY: sysconf reads a constant of the system and touches no memory of ours.
    let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok()?;
    Some(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// Starts `program` with these arguments; it answers with one JSON line.
fn start(program: &Path, arguments: &[&str], log: &Path) -> Result<(Owned, Value)> {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(log)
        .context("failed to make a log file")?;
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
#[derive(Debug)]
pub struct Gateways {
    _process: Owned,
    /// Where APNs is played.
    pub apns_url: String,
    /// Where FCM is played.
    pub fcm_url: String,
    /// The mail server.
    pub smtp_url: String,
    /// Where the sandbox is asked and steered.
    pub control_url: String,
    /// The master secret of the app in `config`.
    pub secret: String,
    /// The settings (TOML) of an app with credentials for these gateways.
    pub config: String,
}

impl Gateways {
    /// Starts the sandbox in `directory`, with these arguments besides (`--fail`, `--latency-ms`, …).
    pub fn start(program: &Path, directory: &Path, besides: &[&str]) -> Result<Self> {
        let keys = directory.join("sandbox");
        let keys = keys.to_str().context("the directory's name is not text")?;
        let mut arguments = vec!["sandbox", "--json", "--parent-pipe", "--dir", keys];
        arguments.extend(besides);
        let (process, line) = start(program, &arguments, &directory.join("sandbox.log"))?;
        let text = |key: &str| {
            let found = line[key].as_str().map(str::to_owned);
            found.with_context(|| format!("the sandbox does not say its {key}"))
        };
        Ok(Self {
            _process: process,
            apns_url: text("apns_url")?,
            fcm_url: text("fcm_url")?,
            smtp_url: text("smtp_url")?,
            control_url: text("control_url")?,
            secret: text("app_secret")?,
            config: text("config_toml")?,
        })
    }

    /// What the gateways have counted, by provider.
    pub fn stats(&self) -> Result<Value> {
        let url = format!("{}/stats", self.control_url);
        let mut response =
            ureq::get(&url).call().context("failed to ask for the gateways' stats")?;
        Ok(response.body_mut().read_json()?)
    }

    /// Puts these faults in the place of those in force.
    pub fn set_faults(&self, faults: &Value) -> Result<()> {
        let url = format!("{}/faults", self.control_url);
        ureq::put(&url).send_json(faults).context("failed to set the gateways' faults")?;
        Ok(())
    }

    /// The gateways' records, a line each.
    pub fn records(&self) -> Result<impl Read + use<>> {
        let url = format!("{}/records?status=all", self.control_url);
        let response = ureq::get(&url).call().context("failed to ask for the gateways' records")?;
        Ok(response.into_body().into_reader())
    }
}

/// The server, running.
#[derive(Debug)]
pub struct Server {
    process: Owned,
    base: String,
}

impl Server {
    /// Starts the server on the store in `directory`, with the sandbox's app and these settings (TOML)
    /// besides.
    pub fn start(
        program: &Path,
        directory: &Path,
        gateways: &Gateways,
        besides: &str,
    ) -> Result<Self> {
        let settings = format!("{besides}\n[storage]\npath = {:?}\n", directory.join("data"));
        Self::start_with(program, directory, gateways, "fanfare", &settings)
    }

    /// Starts a node of the store in a MongoDB; several nodes in one directory have different names.
    pub fn start_node(
        program: &Path,
        directory: &Path,
        gateways: &Gateways,
        (name, uri): (&str, &str),
        besides: &str,
    ) -> Result<Self> {
        let settings = format!("{besides}\n[storage]\nkind = \"mongodb\"\nuri = {uri:?}\n");
        Self::start_with(program, directory, gateways, name, &settings)
    }

    fn start_with(
        program: &Path,
        directory: &Path,
        gateways: &Gateways,
        name: &str,
        settings: &str,
    ) -> Result<Self> {
        let config = directory.join(format!("{name}.toml"));
        let server = "[server]\nbind = \"127.0.0.1:0\"\n";
        std::fs::write(&config, format!("{settings}\n{server}\n{}", gateways.config))
            .context("failed to write the server's configuration")?;
        let config = config.to_str().context("the directory's name is not text")?;
        let log =
            directory.join(format!("{}.log", if name == "fanfare" { "server" } else { name }));
        let started = start(program, &["serve", "--announce", "--config", config], &log);
        let (process, line) = started.with_context(|| {
            format!("the server's log: {}", std::fs::read_to_string(&log).unwrap_or_default())
        })?;
        let listening =
            line["listening"].as_str().context("the server does not say its address")?;
        Ok(Self { process, base: format!("http://{listening}") })
    }

    /// Where it is reached: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Sends it a signal (`libc::SIGSTOP`, say).
    pub fn signal(&self, signal: i32) -> Result<()> {
        let pid = i32::try_from(self.process.0.id())?;
        // SAFETY: sends a signal to a child that is not yet waited for; touches no memory.
        if unsafe { libc::kill(pid, signal) } != 0 {
            bail!("failed to send a signal: {}", std::io::Error::last_os_error());
        }
        Ok(())
    }

    /// Ends it as a loss of power would.
    pub fn kill(mut self) -> Result<()> {
        self.process.0.kill()?;
        self.process.0.wait()?;
        Ok(())
    }

    /// Asks it to end, and waits until it has; its exit code.
    pub fn terminate(mut self) -> Result<Option<i32>> {
        self.signal(libc::SIGTERM)?;
        Ok(self.process.0.wait()?.code())
    }

    /// The memory it holds now, in KiB, where the system tells (Linux, proc(5) `status`).
    pub fn rss_kib(&self) -> Option<u64> {
        self.status_kib("VmRSS:")
    }

    /// Where it listens, `http://IP:PORT`.
    pub fn base(&self) -> &str {
        &self.base
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

    /// The processor time it has spent, where the system tells.
    pub fn cpu(&self) -> Option<Duration> {
        self.process.cpu()
    }

    /// The most memory it has held, in KiB, where the system tells (Linux, proc(5) `status`).
    pub fn peak_rss_kib(&self) -> Option<u64> {
        self.status_kib("VmHWM:")
    }

    /// Has [`peak_rss_kib`](Self::peak_rss_kib) count from now on, where the system can (Linux, proc(5)
    /// `clear_refs`).
    pub fn forget_peak(&self) -> std::io::Result<()> {
        std::fs::write(format!("/proc/{}/clear_refs", self.process.0.id()), "5")
    }

    fn status_kib(&self, field: &str) -> Option<u64> {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.split_whitespace().next()?.parse().ok()
    }
}

/// The server's API.
#[derive(Clone, Debug)]
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

    /// Puts `body` to `path` and answers what the envelope holds.
    pub fn put(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.agent.put(format!("{}{path}", self.base));
        let response = request.header("Authorization", self.bearer()).send_json(body);
        open(path, response.with_context(|| format!("failed to put to {path}"))?)
    }

    /// What the engine's actors hold, by a key of `/internal`.
    pub fn internal_state(&self, key: &str) -> Result<Value> {
        let path = "/internal/state";
        let request = self.agent.get(format!("{}{path}", self.base));
        let response = request.header("X-Server-Key", key).call();
        open(path, response.with_context(|| format!("failed to ask for {path}"))?)
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
