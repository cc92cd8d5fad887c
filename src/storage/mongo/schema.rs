//! The collections and their indexes, made at start. `docs/mongodb.md` lists the queries that each index
//! serves.

use std::time::Duration;

use mongodb::{
    Database, IndexModel,
    bson::{Document, doc},
    options::{ClusteredIndex, IndexOptions},
};

use super::failure::OrFailed;
use crate::domain::{Error, Result};

pub(super) const DEVICES: &str = "devices";
pub(super) const NOTIFICATIONS: &str = "notifications";
/// Shards and pages together, so that a lease, a page and a checkpoint can be written by one command.
/// `src/cluster/mongo.rs` knows it by the same name.
pub(super) const LEDGER: &str = "ledger";
pub(super) const ROUNDS: &str = "rounds";
pub(super) const EVENTS: &str = "events";
pub(super) const APPS: &str = "apps";
/// Numbers of apps, claimed before the app's own document.
pub(super) const APP_NUMBERS: &str = "app_numbers";
/// Small documents of dialects and of the console.
pub(super) const DOCUMENTS: &str = "documents";
/// Who did what.
pub(super) const AUDIT: &str = "audit";
pub(super) const SEQUENCES: &str = "sequences";
/// Holds the one document that has every changed rate.
pub(super) const RATES: &str = "rates";
/// A document for each app whose labels were changed under quotas, so that changes wait for each other.
pub(super) const LABELS: &str = "labels";
/// Holds the one document that `ping` writes.
pub(super) const HEALTH: &str = "health";

/// Every collection of the store.
pub(super) const ALL: [&str; 13] = [
    DEVICES,
    NOTIFICATIONS,
    LEDGER,
    ROUNDS,
    EVENTS,
    APPS,
    APP_NUMBERS,
    DOCUMENTS,
    AUDIT,
    SEQUENCES,
    RATES,
    LABELS,
    HEALTH,
];

/// Names of indexes that queries ask for by hint.
pub(super) const BY_ATTRIBUTE: &str = "by_attribute";
pub(super) const BY_EXTERNAL_ID: &str = "by_external_id";
pub(super) const BY_TOKEN: &str = "by_token";
pub(super) const BY_NUMBER: &str = "by_number";
pub(super) const BY_TAG: &str = "by_tag";

/// First version with what the store relies on: clustered collections, and updates by pipeline that
/// read the server's clock.
const OLDEST: (i32, i32) = (6, 0);

/// Collections whose documents lie in the order of their `_id`.
const CLUSTERED: [&str; 3] = [DEVICES, LEDGER, EVENTS];

/// Makes what is missing.
pub(super) async fn prepare(database: &Database) -> Result<()> {
    check_version(database).await?;
    let there = database.list_collection_names().await.or_failed("list the collections")?;
    for name in CLUSTERED.into_iter().filter(|name| !there.iter().any(|one| one == name)) {
        let made = database.create_collection(name).clustered_index(ClusteredIndex::default());
        match made.await {
            // Another node, starting at the same time.
            Err(error) if is_there_already(&error) => {}
            made => made.or_failed("make a collection")?,
        }
    }
    for (collection, indexes) in indexes() {
        database
            .collection::<Document>(collection)
            .create_indexes(indexes)
            .await
            .or_failed("make the indexes")?;
    }
    repeat_tags(database).await
}

/// Devices written before tags were counted do not repeat them in `j`; once for a database.
async fn repeat_tags(database: &Database) -> Result<()> {
    const DOING: &str = "repeat the devices' tags for their index";
    let done = doc! { "_id": "tags repeated" };
    let labels = database.collection::<Document>(LABELS);
    if labels.find_one(done.clone()).await.or_failed(DOING)?.is_some() {
        return Ok(());
    }
    let tags = doc! { "$filter": { "input": "$p", "cond": { "$eq": ["$$this.k", "@tag"] } } };
    let tags = doc! { "$map": { "input": tags, "in": "$$this.v" } };
    let missing = doc! { "p.k": "@tag", "j": { "$exists": false } };
    let repeat = vec![doc! { "$set": { "j": tags } }];
    let devices = database.collection::<Document>(DEVICES);
    devices.update_many(missing, repeat).await.or_failed(DOING)?;
    labels
        .update_one(done, doc! { "$set": { "done": true } })
        .upsert(true)
        .await
        .or_failed(DOING)?;
    Ok(())
}

fn is_there_already(error: &mongodb::error::Error) -> bool {
    const NAMESPACE_EXISTS: i32 = 48;
    matches!(&*error.kind, mongodb::error::ErrorKind::Command(command) if command.code == NAMESPACE_EXISTS)
}

async fn check_version(database: &Database) -> Result<()> {
    let info = database.run_command(doc! { "buildInfo": 1 }).await;
    let info = info.or_failed("ask the database for its version")?;
    let version = info.get_str("version").unwrap_or_default();
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found < OLDEST {
        return Err(Error::conflict(format!(
            "the server runs MongoDB {version}; {}.{} is the oldest that serves",
            OLDEST.0, OLDEST.1
        )));
    }
    Ok(())
}

fn indexes() -> [(&'static str, Vec<IndexModel>); 6] {
    // Numbers are unique by how they are drawn; checking it again would cost a search for each device.
    let devices = vec![
        unique(BY_EXTERNAL_ID, doc! { "a": 1, "x": 1 }, None),
        unique(BY_TOKEN, doc! { "a": 1, "t": 1 }, Some(doc! { "t": { "$exists": true } })),
        plain(BY_NUMBER, doc! { "a": 1, "n": 1 }),
        plain(BY_ATTRIBUTE, doc! { "a": 1, "p.k": 1, "p.v": 1, "_id": 1 }),
        partial(BY_TAG, doc! { "a": 1, "j": 1, "d": 1 }, doc! { "j": { "$exists": true } }),
    ];
    let notifications = vec![
        unique("by_number", doc! { "n": 1 }, None),
        plain("by_app", doc! { "a": 1, "status": 1, "n": 1 }),
        plain("by_status", doc! { "status": 1 }),
        unique(
            "by_key",
            doc! { "a": 1, "keys.k": 1 },
            Some(doc! { "keys.k": { "$exists": true } }),
        ),
        plain("by_end", doc! { "kept": 1, "finished": 1 }),
    ];
    let rounds = vec![plain("by_app", doc! { "a": 1 })];
    let events =
        vec![plain("by_device", doc! { "a": 1, "n": 1 }), plain("by_campaign", doc! { "c": 1 })];
    let documents = vec![ending()];
    let audit = vec![
        plain("by_app", doc! { "a": 1, "_id": 1 }),
        plain("by_target", doc! { "t": 1, "_id": 1 }),
        plain("by_actor", doc! { "w": 1, "_id": 1 }),
        ending(),
    ];
    [
        (DEVICES, devices),
        (NOTIFICATIONS, notifications),
        (ROUNDS, rounds),
        (EVENTS, events),
        (DOCUMENTS, documents),
        (AUDIT, audit),
    ]
}

/// The server removes what is over.
fn ending() -> IndexModel {
    let end =
        IndexOptions::builder().name("by_end".to_owned()).expire_after(Duration::ZERO).build();
    IndexModel::builder().keys(doc! { "x": 1 }).options(end).build()
}

fn plain(name: &str, keys: Document) -> IndexModel {
    let options = IndexOptions::builder().name(name.to_owned()).build();
    IndexModel::builder().keys(keys).options(options).build()
}

fn partial(name: &str, keys: Document, of: Document) -> IndexModel {
    let options =
        IndexOptions::builder().name(name.to_owned()).partial_filter_expression(of).build();
    IndexModel::builder().keys(keys).options(options).build()
}

fn unique(name: &str, keys: Document, partial: Option<Document>) -> IndexModel {
    let options = IndexOptions::builder()
        .name(name.to_owned())
        .unique(true)
        .partial_filter_expression(partial)
        .build();
    IndexModel::builder().keys(keys).options(options).build()
}
