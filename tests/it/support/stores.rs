//! Stores to test, and the things tests put in them. A backend is a place that can be opened, closed
//! by dropping what was opened, and opened again.

use std::collections::BTreeSet;

use async_trait::async_trait;
use fanfare::{
    domain::{
        audience::{Clause, ClauseSpec, parse},
        device::{DeviceEdit, DevicePlatform, PropertyValue, Registration, Scalar, SendPlatform},
        ids::{AppName, NotificationId},
        message::Message,
        notification::{Notification, Status},
        timestamp::Timestamp,
    },
    storage::{
        Stores,
        embedded::{Embedded, EmbeddedOptions},
        mongo::{Mongo, MongoOptions},
    },
};

use super::mongod::Mongod;

/// The moment at which tests happen.
pub const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A place for a store.
#[async_trait]
pub trait Backend: Sized + Send + Sync {
    /// A new, empty place.
    async fn fresh() -> Self;
    /// Opens what is there. What was opened before must have been dropped.
    async fn open(&self) -> Stores;
    /// Opens it a second time, for another node; none where a store has one node.
    async fn another_node(&self) -> Option<Stores> {
        None
    }
}

/// The embedded store in a temporary directory.
pub struct EmbeddedBackend {
    directory: tempfile::TempDir,
}

impl EmbeddedBackend {
    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        self.directory.path()
    }
}

#[async_trait]
impl Backend for EmbeddedBackend {
    async fn fresh() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    async fn open(&self) -> Stores {
        let store = Embedded::open(self.path(), EmbeddedOptions::default()).await;
        store.expect("the store opens").stores()
    }
}

/// A database of its own on a mongod that tests share.
pub struct MongoBackend {
    mongod: std::sync::Arc<Mongod>,
    database: String,
}

impl MongoBackend {
    /// Where it is.
    pub fn uri(&self) -> String {
        self.mongod.uri(&self.database)
    }

    /// The database itself, to look at what is in it.
    pub async fn database(&self) -> mongodb::Database {
        let client = mongodb::Client::with_uri_str(self.uri()).await.expect("a client");
        client.database(&self.database)
    }
}

#[async_trait]
impl Backend for MongoBackend {
    async fn fresh() -> Self {
        let database = format!("test-{}", uuid::Uuid::new_v4().simple());
        Self { mongod: Mongod::shared().await, database }
    }

    async fn open(&self) -> Stores {
        let store = Mongo::connect(&self.uri(), MongoOptions::default()).await;
        store.expect("the store opens").stores()
    }

    async fn another_node(&self) -> Option<Stores> {
        Some(self.open().await)
    }
}

/// The app most tests use.
pub fn app() -> AppName {
    AppName::new("app")
}

/// A device on APNs with a token of its own.
pub fn ios(external_id: &str) -> Registration {
    Registration {
        external_id: external_id.to_owned(),
        push_token: format!("token-{external_id}"),
        send_platform: Some(SendPlatform::Apns),
        device_platform: Some(DevicePlatform::Ios),
        edit: DeviceEdit::default(),
    }
}

/// A device on FCM with a token of its own.
pub fn android(external_id: &str) -> Registration {
    Registration {
        send_platform: Some(SendPlatform::Fcm),
        device_platform: Some(DevicePlatform::Android),
        ..ios(external_id)
    }
}

/// The registration with a property more.
pub fn with_property(
    mut registration: Registration,
    key: &str,
    value: PropertyValue,
) -> Registration {
    registration.edit.properties.push((key.to_owned(), Some(value)));
    registration
}

/// The registration with these tags.
pub fn with_tags(mut registration: Registration, tags: &[&str]) -> Registration {
    let tags: BTreeSet<_> = tags.iter().map(|tag| (*tag).to_owned()).collect();
    registration.edit.tags = Some(tags);
    registration
}

/// An integer.
pub fn int(value: i64) -> PropertyValue {
    PropertyValue::One(Scalar::Int(value))
}

/// A text.
pub fn text(value: &str) -> PropertyValue {
    PropertyValue::One(Scalar::Text(value.to_owned()))
}

/// A checked leaf.
pub fn leaf(key: &str, operator: &str, value: impl Into<serde_json::Value>) -> Clause {
    parse(&ClauseSpec::leaf(key, operator, value), "conditions").expect("a good leaf")
}

/// A launched notification of an app.
pub fn notification(app: &AppName, conditions: Option<ClauseSpec>) -> Notification {
    let message = Message { title: "title".into(), body: "body".into(), ..Message::default() };
    let draft = Notification::draft(app, NotificationId(uuid::Uuid::new_v4()), NOW);
    let launched_at = Some(NOW);
    Notification { message, conditions, status: Status::Launched, launched_at, ..draft }
}
