//! `limits`: how fast and how much at once.

use serde::Deserialize;

use super::lenient;

/// Rates are pushes per second, 0 meaning no limit; the rest are counts, seconds and milliseconds as
/// their names say. The defaults are in `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// Over everything.
    #[serde(deserialize_with = "lenient::number")]
    pub global_per_second: u32,
    /// For each app.
    #[serde(deserialize_with = "lenient::number")]
    pub app_per_second: u32,
    /// For each app through APNs.
    #[serde(deserialize_with = "lenient::number")]
    pub apns_per_second: u32,
    /// For each app through FCM; Google's default quota is 600,000 a minute for a project.
    #[serde(deserialize_with = "lenient::number")]
    pub fcm_per_second: u32,
    /// Connections to APNs for each app.
    #[serde(deserialize_with = "lenient::number")]
    pub apns_connections: usize,
    /// Connections to FCM for each app.
    #[serde(deserialize_with = "lenient::number")]
    pub fcm_connections: usize,
    /// Pushes under way on one connection, at most; the provider's own limit holds besides.
    #[serde(deserialize_with = "lenient::number")]
    pub streams_per_connection: usize,
    /// Devices in a page.
    #[serde(deserialize_with = "lenient::number")]
    pub page_size: usize,
    /// Pages in flight in a campaign.
    #[serde(deserialize_with = "lenient::number")]
    pub pages_in_flight: usize,
    /// Tries of one push, the first included.
    #[serde(deserialize_with = "lenient::number")]
    pub max_attempts: u32,
    /// The first wait before another try.
    #[serde(deserialize_with = "lenient::number")]
    pub backoff_base_ms: u64,
    /// The longest wait before another try.
    #[serde(deserialize_with = "lenient::number")]
    pub backoff_max_ms: u64,
    /// Without an answer for this long, a push counts as unanswered.
    #[serde(deserialize_with = "lenient::number")]
    pub request_timeout_ms: u64,
    /// How often a page in flight saves what it has.
    #[serde(deserialize_with = "lenient::number")]
    pub save_interval_ms: u64,
    /// The share of a page's tokens that may come back gone before pruning stops, in percent.
    #[serde(deserialize_with = "lenient::number")]
    pub prune_guard_percent: u32,
    /// Shards of a campaign.
    #[serde(deserialize_with = "lenient::number")]
    pub shards: u16,
    /// Largest request body, in bytes.
    #[serde(deserialize_with = "lenient::number")]
    pub max_body_bytes: usize,
}
