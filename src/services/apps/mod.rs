//! Apps: those of the configuration.

use std::sync::Arc;

use super::keys::StoredKeys;
use crate::{domain::ids::AppName, settings::Settings};

/// The use cases of apps.
#[derive(Clone)]
pub struct Apps {
    configured: Arc<Vec<AppName>>,
    stored_keys: StoredKeys,
}

impl Apps {
    /// The apps of the settings.
    pub fn new(settings: &Settings) -> Self {
        let apps = settings.effective_apps();
        let names = apps.iter().map(|app| AppName::new(&app.name)).collect();
        Self { configured: Arc::new(names), stored_keys: StoredKeys::default() }
    }

    /// The stored keys as this node knows them.
    pub fn stored_keys(&self) -> StoredKeys {
        self.stored_keys.clone()
    }

    /// The names of all apps, in order.
    pub fn names(&self) -> Vec<AppName> {
        let mut names: Vec<_> = self.configured.to_vec();
        names.sort();
        names
    }

    /// Whether there is an app of this name.
    pub fn has(&self, app: &AppName) -> bool {
        self.configured.contains(app)
    }
}
