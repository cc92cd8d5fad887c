//! A mongod of one's own, on a free port and in a directory that is given. The demo's cluster and the
//! benchmarks run on it.

use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::processes::Owned;

/// How long a mongod may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A mongod, running.
#[derive(Debug)]
pub struct Mongod {
    process: Owned,
    port: u16,
}

/// The mongod that the environment names, or the one on the PATH.
pub fn program() -> PathBuf {
    let named = std::env::var_os("FANFARE_MONGOD").or(std::env::var_os("FANFARE_TEST_MONGOD"));
    named.map_or_else(|| PathBuf::from("mongod"), PathBuf::from)
}

impl Mongod {
    /// Starts `program` with its files below `directory`.
    pub fn start(program: &Path, directory: &Path) -> Result<Self> {
        let data = directory.join("mongod");
        std::fs::create_dir_all(&data).context("failed to make mongod's directory")?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = directory.join("mongod.log");
        let mut command = Command::new(program);
        command.args(["--bind_ip", "127.0.0.1", "--wiredTigerCacheSizeGB", "1", "--port"]);
        command.arg(port.to_string()).arg("--dbpath").arg(&data).arg("--logpath").arg(&log);
        let child = command.stdout(Stdio::null()).spawn().with_context(|| {
            let name = program.display();
            format!(
                "failed to start {name}: a cluster needs a MongoDB 6.0 or newer; put mongod on the \
                 PATH, name it in FANFARE_MONGOD, or give the --uri of one that runs"
            )
        })?;
        let mongod = Self { process: Owned::new(child), port };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                bail!("mongod does not listen; its log is {}", log.display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(mongod)
    }

    /// The connection string of a database.
    pub fn uri(&self, database: &str) -> String {
        format!("mongodb://127.0.0.1:{}/{database}?directConnection=true", self.port)
    }

    /// The processor time it has spent, where the system tells.
    pub fn cpu(&self) -> Option<Duration> {
        self.process.cpu()
    }
}
