//! Numbers used once: remembered in the store, so that one used on one node is used on all, and after a
//! restart too. Called by dialects whose requests are signed.

use std::time::Duration;

use serde_json::Value;

use crate::{
    domain::{Result, ids::AppName, timestamp::Timestamp},
    storage::{Drawer, NewDocument, Stores},
};

/// The use case of nonces.
#[derive(Clone)]
pub struct Nonces {
    stores: Stores,
}

impl Nonces {
    /// Over these stores.
    pub fn new(stores: Stores) -> Self {
        Self { stores }
    }

    /// Uses up a user's nonce for as long; whether it was unused. Of several at once, one gets it.
    pub async fn use_up(
        &self,
        app: &AppName,
        user: &str,
        nonce: &str,
        kept_for: Duration,
        now: Timestamp,
    ) -> Result<bool> {
        let drawer = Drawer { kind: "nonce", app: Some(app.clone()) };
        // The user's length keeps what follows it apart.
        let named = format!("{}:{user}{nonce}", user.len());
        let key = super::hex_digest(named.as_bytes());
        let new = NewDocument { key, body: Value::Null, expires_at: Some(now.plus(kept_for)) };
        self.stores.documents.insert(&drawer, new, now).await
    }
}
