//! What every operation of the store shares: the collections, the sequences, and the caches. Made once
//! by `connect`.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use mongodb::{
    Collection, Database,
    bson::{Document, RawDocumentBuf, doc},
};

use super::{
    apps::Apps, audiences::Rounds, failure::OrFailed, records::OpenCounts, schema,
    sequences::Sequence, targets::Streams,
};
use crate::domain::{Result, campaign::ShardKey, ids::NotificationId};

/// Apps of notifications kept, for events that come in singly.
const KEPT_APPS: usize = 10_000;

pub(super) struct Core {
    pub(super) database: Database,
    pub(super) apps: Apps,
    pub(super) rounds: Rounds,
    pub(super) streams: Streams,
    pub(super) device_ids: Sequence,
    pub(super) notification_ids: Sequence,
    /// Of pages and single events.
    pub(super) entry_ids: Sequence,
    /// What was counted in the pages beyond each shard's cursor, for shards that this node records.
    pub(super) open: Mutex<HashMap<ShardKey, OpenCounts>>,
    /// Held by the one change of labels under quotas that this node makes now.
    pub(super) label_turn: tokio::sync::Mutex<()>,
    transactions: tokio::sync::OnceCell<bool>,
    notification_apps: Mutex<HashMap<NotificationId, i32>>,
    collections: HashMap<&'static str, (Collection<Document>, Collection<RawDocumentBuf>)>,
}

impl Core {
    pub(super) fn new(database: Database) -> Self {
        let sequence =
            |name, block| Sequence::new(database.collection(schema::SEQUENCES), name, block);
        Self {
            apps: Apps::default(),
            rounds: Rounds::default(),
            streams: Streams::default(),
            device_ids: sequence("device", 1000),
            // Rare, and shown to people: no gaps.
            notification_ids: sequence("notification", 1),
            entry_ids: sequence("entry", 1000),
            open: Mutex::default(),
            label_turn: tokio::sync::Mutex::default(),
            transactions: tokio::sync::OnceCell::default(),
            notification_apps: Mutex::default(),
            collections: schema::ALL
                .into_iter()
                .map(|name| (name, (database.collection(name), database.collection(name))))
                .collect(),
            database,
        }
    }

    /// A collection whose documents are read into maps.
    pub(super) fn documents(&self, name: &'static str) -> &Collection<Document> {
        &self.both(name).0
    }

    /// A collection whose documents are read as they come.
    pub(super) fn raw(&self, name: &'static str) -> &Collection<RawDocumentBuf> {
        &self.both(name).1
    }

    /// Whether the database has transactions: a standalone server has none.
    pub(super) async fn has_transactions(&self) -> Result<bool> {
        let ask = async || {
            let hello = self.database.run_command(doc! { "hello": 1 }).await;
            let hello = hello.or_failed("ask the database what it is")?;
            Ok(hello.contains_key("setName")
                || hello.get_str("msg").is_ok_and(|what| what == "isdbgrid"))
        };
        self.transactions.get_or_try_init(ask).await.copied()
    }

    fn both(&self, name: &'static str) -> &(Collection<Document>, Collection<RawDocumentBuf>) {
        self.collections.get(name).expect("every collection's name stands in `schema::ALL`")
    }

    pub(super) fn known_app(&self, notification: NotificationId) -> Option<i32> {
        let apps = self.notification_apps.lock().unwrap_or_else(PoisonError::into_inner);
        apps.get(&notification).copied()
    }

    pub(super) fn remember_app(&self, notification: NotificationId, app: i32) {
        let mut apps = self.notification_apps.lock().unwrap_or_else(PoisonError::into_inner);
        if apps.len() >= KEPT_APPS {
            apps.clear();
        }
        apps.insert(notification, app);
    }
}
