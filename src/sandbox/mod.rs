//! The sandbox: APNs and FCM on this machine, over real TLS and HTTP/2. Its
//! gateways follow the providers' public protocols strictly, record every push,
//! and make faults on demand.
//!
//! It imports nothing else of this crate, so that it cannot share a misreading
//! of the protocols with the senders that are tried against it.
//!
//! ```text
//! listener ─ wire ─ http2 | http1 ─ gateway ─ apns | fcm     one push
//!                                      └──── journal, counters, faults
//! control  ─ http1 ────────────────────────┘                 tests, the demo
//! ```
//!
//! Everything runs in the runtime of the caller, whichever flavour it is.

mod apns;
pub mod args;
mod control;
mod counters;
mod credentials;
mod faults;
mod fcm;
mod gateway;
mod http1;
mod http2;
mod journal;
mod jwt;
mod listener;
mod packed;
mod provider;
mod run;
#[cfg(test)]
mod tests;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

pub use args::SandboxArgs;
pub use counters::Stats;
pub use credentials::Credentials;
pub use faults::{FaultPlan, FaultRule, Faults, token_fraction};
pub use journal::{NO_ANSWER, Record, Snapshot};
pub use provider::Provider;
pub use run::run;

use apns::Apns;
use control::Control;
use credentials::Secrets;
use fcm::Fcm;
use gateway::ProviderState;
use journal::Journal;
use listener::Front;

/// Where a sandbox lives, and what is wrong with it from the start.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Keys and certificates are written here.
    pub dir: PathBuf,
    pub apns_bind: SocketAddr,
    pub fcm_bind: SocketAddr,
    pub control_bind: SocketAddr,
    pub faults: FaultPlan,
}

impl SandboxOptions {
    /// Healthy providers on free ports of 127.0.0.1.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            dir: dir.into(),
            apns_bind: any_port,
            fcm_bind: any_port,
            control_bind: any_port,
            faults: FaultPlan::default(),
        }
    }
}

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("failed to listen on {address}")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("failed to write {}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("failed to make a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("failed to set up TLS")]
    Tls(#[from] rustls::Error),
    #[error("failed to verify client certificates")]
    ClientVerifier(#[from] rustls::server::VerifierBuilderError),
    #[error("failed to read the service account's key")]
    ServiceAccountKey,
    #[error("failed to accept the faults: {0}")]
    Faults(String),
    #[error("failed to say where the sandbox is")]
    Announce(#[source] io::Error),
}

/// A running sandbox. It ends with [`Sandbox::stop`], or when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    apns: SocketAddr,
    fcm: SocketAddr,
    control: SocketAddr,
    credentials: Credentials,
    state: Control,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Writes the credentials, and listens; when it returns, clients can connect.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        options.faults.validate()?;
        let (apns_listener, apns_address) = bind(options.apns_bind).await?;
        let (fcm_listener, fcm_address) = bind(options.fcm_bind).await?;
        let (control_listener, control_address) = bind(options.control_bind).await?;
        let token_uri = format!("https://{fcm_address}{}", fcm::TOKEN_PATH);
        let (credentials, secrets) = credentials::create(&options.dir, &token_uri)?;

        let journal = Arc::new(Journal::new(&credentials.project_id));
        let state = |provider, faults| {
            let journal = journal.clone();
            Arc::new(ProviderState::new(provider, faults, journal))
        };
        let apns_state = state(Provider::Apns, options.faults.apns);
        let fcm_state = state(Provider::Fcm, options.faults.fcm);
        let control = Control {
            apns: apns_state.clone(),
            fcm: fcm_state.clone(),
            journal,
        };
        let apns = Front {
            address: apns_address,
            tls: apns_tls(&secrets)?,
            gateway: Arc::new(Apns::new(secrets.apns, credentials.apns_topic.clone())),
            state: apns_state,
        };
        let fcm_tls = fcm_tls(secrets.server_certificate, secrets.server_key)?;
        let project_id = credentials.project_id.clone();
        let fcm = Front {
            address: fcm_address,
            tls: fcm_tls,
            gateway: Arc::new(Fcm::new(project_id, secrets.fcm, fcm_state.clone())),
            state: fcm_state,
        };
        let tasks = vec![
            tokio::spawn(apns.run(apns_listener)),
            tokio::spawn(fcm.run(fcm_listener)),
            tokio::spawn(control.clone().run(control_listener)),
        ];
        Ok(Self {
            apns: apns_address,
            fcm: fcm_address,
            control: control_address,
            credentials,
            state: control,
            tasks,
        })
    }

    /// The files and names that clients need.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The APNs gateway, in place of `https://api.push.apple.com`.
    pub fn apns_url(&self) -> String {
        format!("https://{}", self.apns)
    }

    /// The FCM gateway, in place of `https://fcm.googleapis.com`.
    pub fn fcm_url(&self) -> String {
        format!("https://{}", self.fcm)
    }

    /// The token endpoint, in place of `https://oauth2.googleapis.com/token`.
    pub fn token_uri(&self) -> String {
        format!("https://{}{}", self.fcm, fcm::TOKEN_PATH)
    }

    /// The control interface; see `control.rs` for what it offers.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// The pushes recorded so far, oldest first.
    pub fn records(&self) -> Snapshot {
        self.state.journal.snapshot()
    }

    /// Forgets the pushes recorded so far.
    pub fn clear_records(&self) {
        self.state.journal.clear();
    }

    /// One provider's counters.
    pub fn stats(&self, provider: Provider) -> Stats {
        match provider {
            Provider::Apns => self.state.apns.counters.stats(),
            Provider::Fcm => self.state.fcm.counters.stats(),
        }
    }

    /// The faults in force.
    pub fn faults(&self) -> FaultPlan {
        self.state.faults()
    }

    /// Replaces the faults of both providers.
    pub fn set_faults(&self, plan: FaultPlan) -> Result<(), SandboxError> {
        plan.validate()?;
        self.state.set_faults(plan);
        Ok(())
    }

    /// The configuration of Fanfare that sends to this sandbox.
    pub fn config_toml(&self) -> String {
        let credentials = &self.credentials;
        let ca_file = toml_path(&credentials.ca_file);
        format!(
            r#"[[apps]]
name = "sandbox"
key = "{key}"
secret = "{secret}"

[apps.apns]
key_file = {key_file}
key_id = "{key_id}"
team_id = "{team_id}"
topic = "{topic}"
environment = "sandbox"
endpoint = "{apns_url}"
ca_file = {ca_file}

[apps.fcm]
service_account_file = {service_account_file}
project_id = "{project_id}"
endpoint = "{fcm_url}"
token_uri = "{token_uri}"
ca_file = {ca_file}
"#,
            key = credentials.app_key,
            secret = credentials.app_secret,
            key_file = toml_path(&credentials.apns_key_file),
            key_id = credentials.apns_key_id,
            team_id = credentials.apns_team_id,
            topic = credentials.apns_topic,
            apns_url = self.apns_url(),
            service_account_file = toml_path(&credentials.service_account_file),
            project_id = credentials.project_id,
            fcm_url = self.fcm_url(),
            token_uri = self.token_uri(),
        )
    }

    /// Ends all connections and listeners, and waits until they are gone.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // An error is what the abort makes of the task.
            let _ = task.await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), SandboxError> {
    let failed = |source| SandboxError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Apple: HTTP/2 only; a client certificate is taken, not asked for in vain.
fn apns_tls(secrets: &Secrets) -> Result<TlsAcceptor, SandboxError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(secrets.authority.clone())?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
        .allow_unauthenticated()
        .build()?;
    let certificates = vec![secrets.server_certificate.clone()];
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates, secrets.server_key.clone_key())?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config).into())
}

fn fcm_tls(
    certificate: rustls::pki_types::CertificateDer<'static>,
    key: rustls::pki_types::PrivateKeyDer<'static>,
) -> Result<TlsAcceptor, SandboxError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config).into())
}

/// A TOML basic string; JSON's escapes are among TOML's.
fn toml_path(path: &std::path::Path) -> String {
    serde_json::Value::from(path.display().to_string()).to_string()
}
