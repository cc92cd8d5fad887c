//! Typed configuration: `config/default.toml`, then a file, then the environment.
//!
//! Plain data with names that are binding; it imports nothing of ours, and those who need a value are
//! handed it.

mod apps;
mod limits;

pub use apps::{ApiKeySettings, ApnsEnvironment, ApnsSettings, AppSettings, FcmSettings};
pub use limits::LimitSettings;
