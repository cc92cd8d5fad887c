//! The use cases, without HTTP: what a caller may ask for, checked and carried out.
//!
//! Every dialect of the API calls these and nothing below them. They know the stores' roles and the
//! engine's handle; who the caller is was settled before, and the clock's reading is passed in.

pub mod announcements;
pub mod apps;
pub mod audience;
pub mod audit;
pub mod credentials;
pub mod devices;
pub mod direct;
pub mod feed;
pub mod figures;
pub mod keys;
pub mod nonces;
pub mod notifications;
pub mod sessions;
pub mod status;
pub mod tags;
pub mod tenants;
pub mod tokens;

use crate::{
    domain::{ids::AppName, labels::Quotas},
    engine::EngineHandle,
    settings::{AppSettings, Settings},
    storage::Stores,
};

/// The engine's words for what became of a push that somebody waited for, and for what one looks like.
pub use crate::engine::{DirectOutcome, Preview};

/// The engine's account of itself.
pub use crate::engine::report;

/// The stores' words that callers of the use cases speak too: what they ask for and what is found.
pub use crate::storage::{
    AudienceCount, AuditQuery, EventField, EventKind, EventQuery, Found, KnownKey, KnownValue,
    NotificationField, NotificationQuery, OrderBy, StoreTimes,
};
pub use announcements::Announcements;
pub use apps::{Apps, TakenUp};
pub use audience::Audience;
pub use audit::Audit;
pub use devices::{DeviceSearch, Devices};
pub use direct::DirectMessages;
pub use feed::Feed;
pub use figures::Figures;
pub use nonces::Nonces;
pub use notifications::Notifications;
pub use sessions::Sessions;
pub use status::StatusReport;
pub use tags::Tags;
pub use tenants::Tenants;
pub use tokens::Tokens;

/// Most elements that one listing answers.
pub const MAX_LIST: usize = 1000;

/// All use cases; cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// Devices: registering, reading, counting, history.
    pub devices: Devices,
    /// Notifications: writing, launching, stopping, reporting.
    pub notifications: Notifications,
    /// Audiences in the making.
    pub audience: Audience,
    /// Apps: those of the configuration and those that are stored, their keys and credentials.
    pub apps: Apps,
    /// Who did what.
    pub audit: Audit,
    /// Announcements: writing, following up, pushing.
    pub announcements: Announcements,
    /// Numbers used once.
    pub nonces: Nonces,
    /// Messages to single devices.
    pub direct: DirectMessages,
    /// Apps made while the installation runs.
    pub tenants: Tenants,
    /// Tags and aliases under quotas.
    pub tags: Tags,
    /// Devices that come with a token alone.
    pub tokens: Tokens,
    /// Console sessions.
    pub sessions: Sessions,
    /// The status of an app, at once and as it changes.
    pub feed: Feed,
    /// Health, rates and the engine's state.
    pub status: StatusReport,
}

impl Services {
    /// Over these stores and this engine.
    /// `taken_up` are the stored apps that the engine was given at its start.
    pub fn new(
        stores: Stores,
        engine: EngineHandle,
        taken_up: TakenUp,
        settings: &Settings,
    ) -> Self {
        let secret = settings.dialects.push_server.tenant_secret.as_ref();
        let model = settings.dialect_app();
        if settings.dialects.push_server.enabled {
            reach_apple_sandbox(&engine, &model);
        }
        let devices = Devices::new(stores.clone(), engine.clone());
        let notifications = Notifications::new(stores.clone(), engine.clone(), settings.shards());
        let audit = Audit::new(stores.clone(), settings);
        Self {
            apps: Apps::new(
                stores.clone(),
                engine.clone(),
                notifications.clone(),
                audit.clone(),
                taken_up,
                settings,
            ),
            audit,
            announcements: Announcements::new(
                stores.clone(),
                devices.clone(),
                notifications.clone(),
            ),
            audience: Audience::new(stores.clone(), devices.clone()),
            devices,
            notifications,
            nonces: Nonces::new(stores.clone()),
            direct: DirectMessages::new(stores.clone(), engine.clone()),
            tenants: Tenants::new(stores.clone(), engine.clone(), secret, model),
            tags: Tags::new(stores.clone(), Quotas::default()),
            tokens: Tokens::new(stores.clone()),
            sessions: match engine.node_lifetime() {
                Some(_) => Sessions::among_nodes(stores.clone()),
                None => Sessions::new(stores.clone()),
            },
            feed: Feed::new(stores.clone(), engine.clone()),
            status: StatusReport::new(stores, engine),
        }
    }
}

/// SHA-256 in lower-case hexadecimal digits.
fn hex_digest(bytes: &[u8]) -> String {
    keys::hex(&keys::digest_of(bytes))
}

/// Clients of the Push Server say which of Apple's environments their token is of.
fn reach_apple_sandbox(engine: &EngineHandle, app: &AppSettings) {
    // The same credentials were read a moment ago.
    if let Err(error) = tenants::put_sandbox(engine, &AppName::new(&app.name), app) {
        tracing::warn!(app = app.name, %error, "Apple's sandbox cannot be reached");
    }
}
