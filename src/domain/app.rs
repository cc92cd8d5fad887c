//! Who may do what.

use serde::{Deserialize, Serialize};

use super::ids::AppName;

/// What a key permits. `Admin` permits everything within its app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everything within the app.
    Admin,
    /// Create, edit, launch, pause, stop and resend notifications.
    Send,
    /// Read devices, notifications and counts.
    Read,
    /// Register devices, set their properties, report their events.
    Register,
}

impl Scope {
    /// Lower-case name, as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Send => "send",
            Self::Read => "read",
            Self::Register => "register",
        }
    }
}

/// A proven caller: one app, and what its key permits there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The app whose data the caller sees.
    pub app: AppName,
    /// The key's name, for the log.
    pub key_name: String,
    /// What the key permits.
    pub scopes: Vec<Scope>,
}

impl Principal {
    /// Whether the key permits `scope`.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|held| *held == scope || *held == Scope::Admin)
    }
}
