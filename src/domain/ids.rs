//! Identifiers, each a type of its own so that one cannot be taken for another.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The name of an app as the configuration gives it; every device and notification belongs to one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppName(Arc<str>);

impl AppName {
    /// Takes the name as it is; the settings have checked it.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A device's sequence number, unique within an installation, counted from 1.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct DeviceId(pub u64);

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A notification's public name, a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NotificationId(pub Uuid);

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The twelve bytes of a BSON ObjectId: the `_id` of a device, in every store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObjectId(pub [u8; 12]);

impl ObjectId {
    /// An ObjectId of the form the BSON specification ("ObjectId") gives: four bytes of seconds,
    /// five of a process-wide random value, three of a counter.
    pub fn from_parts(seconds: u32, random: [u8; 5], counter: u32) -> Self {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&seconds.to_be_bytes());
        bytes[4..9].copy_from_slice(&random);
        bytes[9..].copy_from_slice(&counter.to_be_bytes()[1..]);
        Self(bytes)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The name one push carries to its provider (`apns-id`): derived from notification and device, so
/// that every try of one push bears the same name. A custom UUID (RFC 9562 section 5.8): half of the
/// notification's random bits, then the device's number.
pub fn push_id(notification: NotificationId, device: DeviceId) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&notification.0.as_bytes()[..8]);
    bytes[8..].copy_from_slice(&device.0.to_be_bytes());
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_named_the_same_at_every_try_and_differs_by_device() {
        let notification = NotificationId(Uuid::new_v4());
        let one = push_id(notification, DeviceId(1));
        assert_eq!(one, push_id(notification, DeviceId(1)));
        assert_ne!(one, push_id(notification, DeviceId(2)));
        assert_eq!(one.get_version_num(), 8);
    }
}
