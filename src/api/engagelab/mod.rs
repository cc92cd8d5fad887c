//! EngageLab's API of tags, aliases and pushes, as its clients speak it.

use actix_web::web::ServiceConfig;

use crate::settings::EngageLabSettings;

/// Puts its paths on `config`.
pub fn mount(_config: &mut ServiceConfig, _settings: &EngageLabSettings) {}
