//! The use cases, without HTTP: what a caller may ask for, checked and carried out.
//!
//! Every dialect of the API calls these and nothing below them. They know the stores' roles and the
//! engine's handle; who the caller is was settled before, and the clock's reading is passed in.

pub mod devices;
pub mod notifications;
pub mod status;
pub mod tags;
pub mod tokens;

use crate::{domain::labels::Quotas, engine::EngineHandle, storage::Stores};

/// The stores' words that callers of the use cases speak too: what they ask for and what is found.
pub use crate::storage::{
    AudienceCount, EventField, EventKind, EventQuery, Found, NotificationField, NotificationQuery,
    OrderBy,
};
pub use devices::Devices;
pub use notifications::Notifications;
pub use status::StatusReport;
pub use tags::Tags;
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
    /// Tags and aliases under quotas.
    pub tags: Tags,
    /// Devices that come with a token alone.
    pub tokens: Tokens,
    /// Health, rates and the engine's state.
    pub status: StatusReport,
}

impl Services {
    /// Over these stores and this engine; `shards` is how many a round is cut into.
    pub fn new(stores: Stores, engine: EngineHandle, shards: u16) -> Self {
        Self {
            devices: Devices::new(stores.clone(), engine.clone()),
            notifications: Notifications::new(stores.clone(), engine.clone(), shards),
            tags: Tags::new(stores.clone(), Quotas::default()),
            tokens: Tokens::new(stores.clone()),
            status: StatusReport::new(stores, engine),
        }
    }
}
