//! `limits`: how fast and how much at once.

use serde::Deserialize;

/// Rates are pushes per second, 0 meaning no limit; the rest are counts, seconds and milliseconds as
/// their names say. The defaults are in `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// Over everything.
    pub global_per_second: u32,
    /// For each app.
    pub app_per_second: u32,
    /// For each app through APNs.
    pub apns_per_second: u32,
    /// For each app through FCM; Google's default quota is 600,000 a minute for a project.
    pub fcm_per_second: u32,
    /// Connections to APNs for each app.
    pub apns_connections: usize,
    /// Connections to FCM for each app.
    pub fcm_connections: usize,
    /// Pushes under way on one connection, at most; the provider's own limit holds besides.
    pub streams_per_connection: usize,
    /// Devices in a page.
    pub page_size: usize,
    /// Pages in flight in a campaign.
    pub pages_in_flight: usize,
    /// Tries of one push, the first included.
    pub max_attempts: u32,
    /// The first wait before another try.
    pub backoff_base_ms: u64,
    /// The longest wait before another try.
    pub backoff_max_ms: u64,
    /// Without an answer for this long, a push counts as unanswered.
    pub request_timeout_ms: u64,
    /// How often a page in flight saves what it has.
    pub save_interval_ms: u64,
    /// The share of a page's tokens that may come back gone before pruning stops, in percent.
    pub prune_guard_percent: u32,
    /// Shards of a campaign.
    pub shards: u16,
    /// Largest request body, in bytes.
    pub max_body_bytes: usize,
}
