//! WalletConnect's Push Server, as its clients speak it.

use actix_web::web::ServiceConfig;

use crate::settings::PushServerSettings;

/// Puts its paths on `config`.
pub fn mount(_config: &mut ServiceConfig, _settings: &PushServerSettings) {}
