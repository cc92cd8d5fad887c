//! The sandbox: APNs and FCM on this machine, over real TLS and HTTP/2, and a
//! mail server over SMTP. Its gateways follow the public protocols strictly,
//! record every push, and make faults on demand.
//!
//! It imports nothing else of this crate, so that it cannot share a misreading
//! of the protocols with the senders that are tried against it.
//!
//! ```text
//! listener ─ wire ─ http2 | http1 ─ gateway ─ apns | fcm     one push
//!                                      ├──── journal, counters, faults
//! smtp ────────────────────────────────┤                     one mail
//! control  ─ http1 ────────────────────────┘                 tests, the demo
//! ```
//!
//! Everything runs in the runtime of the caller, whichever flavour it is.

mod active;
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
mod options;
mod packed;
mod provider;
mod run;
mod smtp;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use args::SandboxArgs;
pub use counters::Stats;
pub use credentials::Credentials;
pub use faults::{FaultPlan, FaultRule, Faults, token_fraction};
pub use journal::{NO_ANSWER, Record, Snapshot};
pub use options::{SandboxError, SandboxOptions};
pub use provider::Provider;
pub use run::run;
pub use smtp::Mail;

use apns::Apns;
use control::Control;
use fcm::Fcm;
use listener::Front;
use smtp::SmtpFront;

/// A running sandbox. It ends with [`Sandbox::stop`], or when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    apns: SocketAddr,
    fcm: SocketAddr,
    smtp: SocketAddr,
    control: SocketAddr,
    host: Option<String>,
    credentials: Credentials,
    state: Control,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Writes the credentials, and listens; when it returns, clients can connect.
    /// To be called in a tokio runtime with I/O and time, of either flavour.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        options.faults.validate()?;
        let (apns_listener, apns_address) = bind(options.apns_bind).await?;
        let (fcm_listener, fcm_address) = bind(options.fcm_bind).await?;
        let (smtp_listener, smtp_address) = bind(options.smtp_bind).await?;
        let (control_listener, control_address) = bind(options.control_bind).await?;
        let host = options.host;
        let token_uri = format!("https://{}{}", called(&host, fcm_address), fcm::TOKEN_PATH);
        let (credentials, secrets) =
            credentials::create(&options.dir, &token_uri, host.as_deref())?;

        let state = Control::new(&credentials.project_id, options.faults);
        let (apns_tls, fcm_tls) = (tls::apns(&secrets)?, tls::fcm(&secrets)?);
        let apns = Front {
            address: apns_address,
            tls: apns_tls,
            gateway: Arc::new(Apns::new(secrets.apns, credentials.apns_topic.clone())),
            state: state.apns.clone(),
        };
        let project_id = credentials.project_id.clone();
        let fcm = Front {
            address: fcm_address,
            tls: fcm_tls,
            gateway: Arc::new(Fcm::new(project_id, secrets.fcm, state.fcm.clone())),
            state: state.fcm.clone(),
        };
        let smtp = SmtpFront {
            address: smtp_address,
            state: state.mail.clone(),
            mailbox: state.mailbox.clone(),
        };
        let tasks = vec![
            tokio::spawn(apns.run(apns_listener)),
            tokio::spawn(fcm.run(fcm_listener)),
            tokio::spawn(smtp.run(smtp_listener)),
            tokio::spawn(state.clone().run(control_listener)),
        ];
        Ok(Self {
            apns: apns_address,
            fcm: fcm_address,
            smtp: smtp_address,
            control: control_address,
            host,
            credentials,
            state,
            tasks,
        })
    }

    /// The files and names that clients need.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The APNs gateway, in place of `https://api.push.apple.com`.
    pub fn apns_url(&self) -> String {
        format!("https://{}", called(&self.host, self.apns))
    }

    /// The FCM gateway, in place of `https://fcm.googleapis.com`.
    pub fn fcm_url(&self) -> String {
        format!("https://{}", called(&self.host, self.fcm))
    }

    /// The mail server.
    pub fn smtp_url(&self) -> String {
        format!("smtp://{}", called(&self.host, self.smtp))
    }

    /// The token endpoint, in place of `https://oauth2.googleapis.com/token`.
    pub fn token_uri(&self) -> String {
        format!("{}{}", self.fcm_url(), fcm::TOKEN_PATH)
    }

    /// The control interface; see `control.rs` for what it offers.
    pub fn control_url(&self) -> String {
        format!("http://{}", called(&self.host, self.control))
    }

    /// The pushes recorded so far, oldest first.
    pub fn records(&self) -> Snapshot {
        self.state.journal.snapshot()
    }

    /// The last mails delivered, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.state.mailbox.list()
    }

    /// Forgets the pushes recorded so far, and the mails.
    pub fn clear_records(&self) {
        self.state.forget();
    }

    /// One provider's counters.
    pub fn stats(&self, provider: Provider) -> Stats {
        match provider {
            Provider::Apns => self.state.apns.counters.stats(),
            Provider::Fcm => self.state.fcm.counters.stats(),
            Provider::Mail => self.state.mail.counters.stats(),
        }
    }

    /// The faults in force.
    pub fn faults(&self) -> FaultPlan {
        self.state.faults()
    }

    /// Replaces the faults of every provider.
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

/// An address as clients write it.
fn called(host: &Option<String>, address: SocketAddr) -> String {
    match host {
        Some(host) => format!("{host}:{}", address.port()),
        None => address.to_string(),
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), SandboxError> {
    let failed = |source| SandboxError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// A TOML basic string; JSON's escapes are among TOML's.
fn toml_path(path: &Path) -> String {
    serde_json::Value::from(path.display().to_string()).to_string()
}
