//! Moxie Notifications, as its clients speak it.

use actix_web::web::ServiceConfig;

use crate::settings::MoxieSettings;

/// Puts its paths on `config`.
pub fn mount(_config: &mut ServiceConfig, _settings: &MoxieSettings) {}
