//! The smaller sections: `server`, `storage`, `cluster`, `internal`, `log`, `telemetry`.

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;

use super::{Secret, lenient};

/// `server`: where the HTTP API listens.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// `IP:PORT`; port 0 takes any free one.
    #[serde(deserialize_with = "lenient::string")]
    pub bind: String,
    /// What callers reach the server by.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub public_url: Option<String>,
    /// Addresses of proxies whose `X-Forwarded-*` headers are believed.
    #[serde(default, deserialize_with = "lenient::words")]
    pub trusted_proxies: Vec<String>,
    /// Threads of the HTTP API; 0 is one for each core.
    #[serde(deserialize_with = "lenient::number")]
    pub workers: usize,
}

impl ServerSettings {
    /// The address to listen on, where `bind` is one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.bind.parse().ok()
    }
}

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    /// In one directory, for one node.
    Embedded,
    /// One MongoDB for several nodes.
    Mongodb,
}

impl StorageKind {
    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Mongodb => "mongodb",
        }
    }
}

/// `storage`: where data is kept, and for how long.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageSettings {
    /// Which store.
    pub kind: StorageKind,
    /// The embedded store's directory.
    #[serde(deserialize_with = "lenient::path")]
    pub path: PathBuf,
    /// MongoDB's connection string; it may hold a password.
    #[serde(default, deserialize_with = "lenient::optional_secret")]
    pub uri: Option<Secret>,
    /// Delivery records older than this are dropped.
    #[serde(deserialize_with = "lenient::number")]
    pub retention_days: u32,
}

/// `cluster`: the nodes that share a store.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSettings {
    /// A dead node's part of a campaign is taken over after this.
    #[serde(deserialize_with = "lenient::number")]
    pub lease_seconds: u64,
}

/// `internal`: who may call `/internal` and act on every app, and what seals credentials.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InternalSettings {
    /// Values of `X-Server-Key` that are accepted; with none, nobody is.
    #[serde(default, deserialize_with = "lenient::secrets")]
    pub keys: Vec<Secret>,
    /// Seals the credentials of stored apps.
    #[serde(default, deserialize_with = "lenient::optional_secret")]
    pub sealing_secret: Option<Secret>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `log`: what is written to standard error.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// Text or JSON.
    pub format: LogFormat,
    /// A level, or levels by part: `info,fanfare::engine=debug`.
    #[serde(deserialize_with = "lenient::string")]
    pub level: String,
}

/// `telemetry`: what is told to other systems unasked.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// The collector that traces of campaigns go to, by OTLP over HTTP; without one none are made.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub otlp_endpoint: Option<String>,
}
