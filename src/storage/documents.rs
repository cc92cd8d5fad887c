//! Small JSON documents, for what belongs to an API's dialect or to the console and is no device,
//! notification or outcome: tenants, announcements, nonces, sessions. Each has a kind, an owner and a
//! key; what it says is its service's own affair.

use async_trait::async_trait;
use serde_json::Value;

use crate::domain::{Result, ids::AppName, timestamp::Timestamp};

/// Whose documents of what kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Drawer {
    /// What they are, such as `tenant`.
    pub kind: &'static str,
    /// The app they belong to; none for the installation's own.
    pub app: Option<AppName>,
}

/// A document as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its name within its drawer.
    pub key: String,
    /// Counts its changes; another after each.
    pub version: u64,
    /// What it says.
    pub body: Value,
    /// From then on it is as if it were not there; none is never.
    pub expires_at: Option<Timestamp>,
}

/// What to write.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDocument {
    /// Its name within its drawer.
    pub key: String,
    /// What it says.
    pub body: Value,
    /// From then on it is as if it were not there; none is never.
    pub expires_at: Option<Timestamp>,
}

/// The first key that comes after `after`, or the first of all.
pub(super) fn first_after(after: Option<&str>) -> String {
    after.map_or_else(String::new, |after| format!("{after}\0"))
}

/// Small documents. Every write is durable when it returns.
#[async_trait]
pub trait DocumentStore: Send + Sync {
    /// One document.
    async fn get(&self, drawer: &Drawer, key: &str, now: Timestamp) -> Result<Option<Document>>;

    /// Up to `limit` documents in the order of their keys' bytes, those after `after`.
    async fn list(
        &self,
        drawer: &Drawer,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Document>>;

    /// Keeps a document where there is none of its key; whether there was none. Of several at once one
    /// is kept.
    async fn insert(&self, drawer: &Drawer, new: NewDocument, now: Timestamp) -> Result<bool>;

    /// Replaces a document if its stored version is still `version`; whether it was.
    async fn replace(&self, drawer: &Drawer, version: u64, new: NewDocument) -> Result<bool>;

    /// Removes a document; whether there was one.
    async fn delete(&self, drawer: &Drawer, key: &str) -> Result<bool>;
}
