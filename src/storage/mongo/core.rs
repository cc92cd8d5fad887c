//! What every operation of the store shares: the collections, the sequences, and the caches. Made once
//! by `connect`.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use mongodb::{
    Collection, Database,
    bson::{Document, RawDocumentBuf},
};

use super::{
    apps::Apps, audiences::Rounds, records::OpenCounts, schema, sequences::Sequence,
    targets::Streams,
};
use crate::domain::{campaign::ShardKey, ids::NotificationId};

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
