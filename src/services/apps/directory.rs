//! The stored apps and keys as a node has last read them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::record::{self, APPS, AppRecord, KEYS, KeyRecord};
use crate::{
    domain::{Result, app::Identity, ids::AppName, timestamp::Timestamp},
    services::keys::{Digest, KeyRef, KnownKey, digest_of, read_digest},
    storage::{Document, DocumentStore, Drawer},
};

/// Documents read at a time.
const READ_AT_ONCE: usize = 500;

/// All of them.
#[derive(Default)]
pub struct Directory {
    /// Apps, those that were removed apart.
    pub apps: BTreeMap<AppName, StoredApp>,
    /// Apps that were removed, and of which more is left than their name and what they sent.
    pub unfinished: BTreeSet<AppName>,
    /// Keys, in the order of their apps and ids.
    pub keys: Vec<KeyRecord>,
}

/// A stored app.
pub struct StoredApp {
    /// What its document says.
    pub record: AppRecord,
    /// The document's version.
    pub version: u64,
}

impl Directory {
    /// As the store has it.
    pub async fn read(documents: &dyn DocumentStore, now: Timestamp) -> Result<Self> {
        // Keys first: an app that is removed in between takes its keys with it.
        let keys = all(documents, &KEYS, now).await?;
        let keys = keys.iter().map(record::read).collect::<Result<_>>()?;
        let (mut apps, mut unfinished) = (BTreeMap::new(), BTreeSet::new());
        for document in all(documents, &APPS, now).await? {
            let record: AppRecord = record::read(&document)?;
            if record.removed_at.is_none() {
                let app = StoredApp { record, version: document.version };
                apps.insert(AppName::new(&document.key), app);
            } else if record.cleared_at.is_none() {
                unfinished.insert(AppName::new(&document.key));
            }
        }
        Ok(Self { apps, unfinished, keys })
    }

    /// The keys of one app.
    pub fn keys_of(&self, app: &AppName) -> impl Iterator<Item = &KeyRecord> {
        self.keys.iter().filter(move |key| key.app == *app)
    }

    /// The keys as callers' are compared with them; `user` is the key of an app. Those of apps that are
    /// no more are left out.
    pub fn known_keys(&self, user: impl Fn(&AppName) -> Option<Option<String>>) -> Vec<KnownKey> {
        let known = |key: &KeyRecord| {
            let user = user(&key.app)?.map(|user| digest_of(user.as_bytes()));
            Some(known(key, user))
        };
        self.keys.iter().filter_map(known).flatten().collect()
    }
}

/// A key with its secret, and with the one before while that is valid too.
fn known(key: &KeyRecord, user: Option<Digest>) -> Vec<KnownKey> {
    let identity = Identity::of_app(key.app.clone(), &key.name, key.scopes.clone());
    let identity = Arc::new(identity);
    let of = |digest: &str, until| {
        let digest = read_digest(digest)?;
        let key = KeyRef { app: Some(key.app.clone()), id: key.id.clone() };
        Some(KnownKey { key, digest, user, until, identity: identity.clone() })
    };
    let previous = key.previous.as_ref();
    let previous = previous.and_then(|one| of(&one.digest, Some(one.valid_until)));
    of(&key.digest, None).into_iter().chain(previous).collect()
}

async fn all(
    documents: &dyn DocumentStore,
    drawer: &Drawer,
    now: Timestamp,
) -> Result<Vec<Document>> {
    let mut found: Vec<Document> = Vec::new();
    loop {
        let after = found.last().map(|last| last.key.clone());
        let next = documents.list(drawer, after.as_deref(), READ_AT_ONCE, now).await?;
        let is_last = next.len() < READ_AT_ONCE;
        found.extend(next);
        if is_last {
            return Ok(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::app::Scope,
        services::{
            apps::record::Previous,
            keys::{self, digest_text},
        },
    };

    fn key(app: &str, secret: &str, previous: Option<(&str, i64)>) -> KeyRecord {
        let digest = |secret: &str| digest_text(&digest_of(secret.as_bytes()));
        KeyRecord {
            app: AppName::new(app),
            id: "k".to_owned(),
            name: "name".to_owned(),
            scopes: vec![Scope::Read],
            digest: digest(secret),
            created_at: Timestamp(0),
            previous: previous.map(|(secret, until)| Previous {
                digest: digest(secret),
                valid_until: Timestamp(until),
            }),
        }
    }

    #[test]
    fn a_rotated_key_has_two_secrets_for_a_while() {
        let keys = vec![key("shop", "new", Some(("old", 10))), key("gone", "orphan", None)];
        let directory = Directory { keys, ..Directory::default() };
        let known =
            directory.known_keys(|app| (app.as_str() == "shop").then(|| Some("user".to_owned())));
        let found = |secret: &str, now| {
            let digest = digest_of(secret.as_bytes());
            let user = digest_of(b"user");
            keys::find(&known, &digest, Some(&user), Timestamp(now)).is_some()
        };
        assert!(found("new", 0) && found("old", 9) && found("new", 99));
        assert!(!found("old", 10), "its time is over");
        assert!(!found("orphan", 0), "its app is no more");
    }
}
