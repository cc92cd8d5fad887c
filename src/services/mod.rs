//! The use cases, without HTTP: what a caller may ask for, checked and carried out.
//!
//! Every dialect of the API calls these and nothing below them. They know the stores' roles and the
//! engine's handle; who the caller is was settled before, and the clock's reading is passed in.

pub mod announcements;
pub mod devices;
pub mod nonces;
pub mod notifications;
pub mod status;

use ring::digest;

use crate::{engine::EngineHandle, storage::Stores};

/// The stores' words that callers of the use cases speak too: what they ask for and what is found.
pub use crate::storage::{
    AudienceCount, EventField, EventKind, EventQuery, Found, NotificationField, NotificationQuery,
    OrderBy,
};
pub use announcements::Announcements;
pub use devices::{DeviceSearch, Devices};
pub use nonces::Nonces;
pub use notifications::Notifications;
pub use status::StatusReport;

/// Most elements that one listing answers.
pub const MAX_LIST: usize = 1000;

/// All use cases; cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// Devices: registering, reading, counting, history.
    pub devices: Devices,
    /// Notifications: writing, launching, stopping, reporting.
    pub notifications: Notifications,
    /// Announcements: writing, following up, pushing.
    pub announcements: Announcements,
    /// Numbers used once.
    pub nonces: Nonces,
    /// Health, rates and the engine's state.
    pub status: StatusReport,
}

impl Services {
    /// Over these stores and this engine; `shards` is how many a round is cut into.
    pub fn new(stores: Stores, engine: EngineHandle, shards: u16) -> Self {
        let devices = Devices::new(stores.clone(), engine.clone());
        let notifications = Notifications::new(stores.clone(), engine.clone(), shards);
        Self {
            announcements: Announcements::new(
                stores.clone(),
                devices.clone(),
                notifications.clone(),
            ),
            devices,
            notifications,
            nonces: Nonces::new(stores.clone()),
            status: StatusReport::new(stores, engine),
        }
    }
}

/// SHA-256 in lower-case hexadecimal digits.
fn hex_digest(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
