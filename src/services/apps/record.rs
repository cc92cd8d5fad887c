//! Stored apps and keys as their documents say them.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    domain::{Error, Result, app::Scope, audit::AuditEntry, ids::AppName, timestamp::Timestamp},
    services::credentials::Credentials,
    storage::{Document, Drawer},
};

/// Stored apps, by name.
pub const APPS: Drawer = Drawer { kind: "app", app: None };
/// Stored keys of all apps, by [`KeyRecord::place`].
pub const KEYS: Drawer = Drawer { kind: "key", app: None };

/// A stored app. One that was removed stays as a name that is taken, since what it sent is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppRecord {
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Timestamp>,
    /// What the audit log is to say of its removal: who removed it is known to whoever finishes that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal: Option<AuditEntry>,
    /// When nothing was left of it but its name and what it sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared_at: Option<Timestamp>,
    /// Its key, the user name of Basic authentication.
    pub key: String,
    /// How it proves itself to the providers.
    #[serde(flatten)]
    pub credentials: Credentials,
}

/// A stored key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Whose it is.
    pub app: AppName,
    /// Names it among the app's.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it permits.
    pub scopes: Vec<Scope>,
    /// SHA-256 of its secret, in hexadecimal digits.
    pub digest: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The secret that it had before it was rotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
}

/// A secret that is being replaced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Previous {
    /// As [`KeyRecord::digest`].
    pub digest: String,
    /// Until when it is valid.
    pub valid_until: Timestamp,
}

impl KeyRecord {
    /// Under which name it lies.
    pub fn place(&self) -> String {
        place(&self.app, &self.id)
    }
}

/// Under which name a key lies.
pub fn place(app: &AppName, id: &str) -> String {
    format!("{app}/{id}")
}

/// What a document says.
pub fn read<T: DeserializeOwned>(document: &Document) -> Result<T> {
    let body = document.body.clone();
    serde_json::from_value(body).map_err(|error| Error::internal("read an app or a key", error))
}

/// What a document is to say.
pub fn written(record: &impl Serialize) -> Result<Value> {
    serde_json::to_value(record).map_err(|error| Error::internal("write an app or a key", error))
}
