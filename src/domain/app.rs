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
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Send, Self::Read, Self::Register];

    /// The scope of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

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

/// How a caller proved who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// One of an app's keys.
    Key,
    /// A console session.
    Session,
    /// One of the installation's own keys.
    Internal,
    /// Not at all: the installation is open.
    Open,
}

impl Via {
    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Session => "session",
            Self::Internal => "internal",
            Self::Open => "open",
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
    /// How that was proven.
    pub via: Via,
}

impl Principal {
    /// Whether the key permits `scope`.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|held| *held == scope || *held == Scope::Admin)
    }
}

/// A proven caller of whom it is not yet said which app it acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The app it belongs to; none is an operator of the whole installation.
    pub home: Option<AppName>,
    /// The key's name, for the log.
    pub key_name: String,
    /// What the key permits.
    pub scopes: Vec<Scope>,
    /// Whether it may act on every app.
    pub is_operator: bool,
    /// How that was proven.
    pub via: Via,
}

impl Identity {
    /// Whoever shows a key of an app.
    pub fn of_app(app: AppName, key_name: &str, scopes: Vec<Scope>) -> Self {
        let (key_name, via) = (key_name.to_owned(), Via::Key);
        Self { home: Some(app), key_name, scopes, is_operator: false, via }
    }

    /// Whoever shows a key of the installation.
    pub fn operator(key_name: &str) -> Self {
        let (key_name, scopes) = (key_name.to_owned(), vec![Scope::Admin]);
        Self { home: None, key_name, scopes, is_operator: true, via: Via::Internal }
    }

    /// Whoever calls an installation without keys, whose app this is.
    pub fn open(app: AppName) -> Self {
        let (key_name, scopes) = (String::from("open"), vec![Scope::Admin]);
        Self { home: Some(app), key_name, scopes, is_operator: true, via: Via::Open }
    }

    /// Whether the key permits `scope`.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|held| *held == scope || *held == Scope::Admin)
    }

    /// It, acting on one app.
    pub fn acting_on(&self, app: AppName) -> Principal {
        let (key_name, scopes) = (self.key_name.clone(), self.scopes.clone());
        Principal { app, key_name, scopes, via: self.via }
    }
}
