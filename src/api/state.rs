//! What every request handler may reach: the use cases and the keys. Made once by `bootstrap`, shared
//! by every worker.

use super::{
    auth::Keyring, observe::HttpFigures, openapi::Written, pace::Pace, push_server::PushServer,
};
use crate::{
    domain::ids::AppName,
    services::Services,
    settings::{DialectSettings, ServerSettings, Settings, StorageKind},
};

/// Shared by all requests.
pub struct ApiState {
    /// The use cases.
    pub services: Services,
    /// Who may call.
    pub keyring: Keyring,
    /// Which store.
    pub storage: StorageKind,
    /// Largest request body, in bytes.
    pub max_body_bytes: usize,
    /// How callers reach the server.
    pub server: ServerSettings,
    /// The app of dialects whose callers name none.
    pub default_app: AppName,
    /// How the other systems' APIs are spoken.
    pub dialects: DialectSettings,
    /// What the Push Server's requests share.
    pub push_server: PushServer,
    /// How often an address may register with Moxie.
    pub moxie_registrations: Pace,
    /// How often an address may try to begin a console session.
    pub sign_ins: Pace,
    /// What was answered, for the metrics.
    pub http: HttpFigures,
    /// The OpenAPI document.
    pub openapi: Written,
}

impl ApiState {
    /// For these use cases, with the keys and limits of the settings.
    pub fn new(services: Services, settings: &Settings) -> Self {
        Self {
            keyring: Keyring::new(settings, services.apps.stored_keys()),
            services,
            storage: settings.storage.kind,
            max_body_bytes: settings.limits.max_body_bytes,
            server: settings.server.clone(),
            default_app: AppName::new(settings.default_app()),
            dialects: settings.dialects.clone(),
            push_server: PushServer::new(&settings.dialects.push_server),
            moxie_registrations: Pace::of_registrations(),
            sign_ins: Pace::of_sign_ins(),
            http: HttpFigures::default(),
            openapi: Written::default(),
        }
    }
}
