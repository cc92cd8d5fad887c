//! What a sandbox is started with, and why it may not start.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::faults::FaultPlan;

/// Where a sandbox lives, and what is wrong with it from the start.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Keys and certificates are written here.
    pub dir: PathBuf,
    pub apns_bind: SocketAddr,
    pub fcm_bind: SocketAddr,
    pub smtp_bind: SocketAddr,
    pub control_bind: SocketAddr,
    /// What clients on other machines call this one: it stands in the certificate and in the URLs.
    pub host: Option<String>,
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
            smtp_bind: any_port,
            control_bind: any_port,
            host: None,
            faults: FaultPlan::default(),
        }
    }
}

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("failed to listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
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
