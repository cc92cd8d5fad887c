//! Who did what: entries of the audit log.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{app::Via, ids::AppName, timestamp::Timestamp};

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal,)*) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Action {
            $($(#[$doc])* #[serde(rename = $name)] $action,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$action,)*];

            /// Its name: what it was done to, and what.
            pub fn name(self) -> &'static str {
                match self { $(Self::$action => $name,)* }
            }
        }
    };
}

actions! {
    /// Launched, at once or for later.
    NotificationLaunched = "notification.launched",
    /// Stopped, to be resumed.
    NotificationPaused = "notification.paused",
    /// Resumed after a pause or an error.
    NotificationResumed = "notification.resumed",
    /// Taken back from its schedule.
    NotificationUnscheduled = "notification.unscheduled",
    /// Withdrawn.
    NotificationDeleted = "notification.deleted",
    /// Sent again to those that failed.
    NotificationResent = "notification.resent",
    /// Given another pace.
    NotificationRateChanged = "notification.rate_changed",
    /// Sent to a few devices to look at.
    NotificationTested = "notification.tested",
    /// An app's or the installation's pace was changed.
    LimitsChanged = "limits.changed",
    /// An app was made.
    AppCreated = "app.created",
    /// An app was removed.
    AppDeleted = "app.deleted",
    /// An app was given credentials.
    ProviderChanged = "provider.changed",
    /// Credentials were taken from an app.
    ProviderRemoved = "provider.removed",
    /// A key was made.
    KeyCreated = "key.created",
    /// A key was given another secret.
    KeyRotated = "key.rotated",
    /// A key was revoked.
    KeyDeleted = "key.deleted",
    /// Somebody signed in to the console.
    SessionBegun = "session.begun",
    /// Somebody tried to.
    SessionRefused = "session.refused",
    /// Somebody signed out.
    SessionEnded = "session.ended",
    /// A pruned device was restored.
    DeviceRestored = "device.restored",
    /// A device was removed.
    DeviceDeleted = "device.deleted",
}

impl Action {
    /// The action of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The key's name.
    pub name: String,
    /// How it was proven.
    pub via: Via,
}

/// Who did it, and from which address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doer {
    /// Who.
    pub actor: Actor,
    /// From which address.
    pub address: Option<String>,
}

/// What was done, by whom, to what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deed {
    /// The app it was done to; none is the installation.
    pub app: Option<AppName>,
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// To what: a notification's UUID, a device's external id, a key's id.
    pub target: Option<String>,
    /// What else there is to know, without secrets.
    pub details: Value,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its name; later entries have later names in the order of bytes.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// What was done.
    #[serde(flatten)]
    pub deed: Deed,
    /// From which address.
    pub address: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_has_one_name() {
        for action in Action::ALL {
            assert_eq!(Action::from_name(action.name()), Some(*action));
            assert_eq!(serde_json::to_value(action).expect("written"), action.name());
        }
        assert_eq!(Action::from_name("notification"), None);
    }
}
