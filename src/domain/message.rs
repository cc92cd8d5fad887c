//! What a push says, and the options it travels with. Providers' payloads are rendered elsewhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The content of a notification, the same for every device and platform.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Message {
    /// Headline.
    pub title: String,
    /// Text.
    pub body: String,
    /// A picture shown with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// A small icon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon_url: Option<String>,
    /// What opens on a tap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deep_link: Option<String>,
    /// How it travels.
    #[serde(default)]
    pub options: Options,
}

/// How urgent a push is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// The provider may wait for a good moment.
    Normal,
    /// At once; the default for what a person should see.
    #[default]
    High,
}

/// The longest time to live that FCM takes, and the one it assumes where none is given: four weeks.
pub const LONGEST_TIME_TO_LIVE_SECS: u32 = 28 * 24 * 3600;

/// Options of a notification.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// How long the provider keeps trying to reach a sleeping device, and how long a campaign waits for a
    /// provider that is out of order, in seconds.
    pub time_to_live: Option<u32>,
    /// Urgency.
    pub priority: Priority,
    /// Replaces an earlier push of the same id on the device; the notification's uuid by default.
    pub collapse_id: Option<String>,
    /// Sound to play.
    pub sound: Option<String>,
    /// Number on the app's icon.
    pub badge: Option<u32>,
    /// The app's own data.
    pub data: BTreeMap<String, String>,
    /// More of it, whole numbers; text where a provider's data is text alone.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub numbers: BTreeMap<String, i64>,
    /// The app completes the message before it is shown, from its data (which may be encrypted). Apple
    /// shows title and body where the app does not; to Android only the data goes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mutable: bool,
    /// Goes through everything but the provider.
    pub dry_run: bool,
    /// Pushes per second at most, over the whole campaign.
    pub rate_limit: Option<u32>,
}
