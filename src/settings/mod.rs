//! Typed configuration: `config/default.toml`, then a file, then the environment.
//!
//! Plain data with names that are binding; it imports nothing of ours, and those who need a value are
//! handed it. `load` reads, `validate` says everything that is wrong at once. What only a provider's
//! own code can tell of a credential (whether a key parses, say) is left to the transports.

mod apps;
mod collect;
mod dialects;
mod lenient;
mod limits;
mod load;
mod problems;
mod secret;
mod sections;
mod validate;

use serde::Deserialize;

pub use apps::{ApiKeySettings, ApnsEnvironment, ApnsSettings, AppSettings, FcmSettings};
pub use dialects::{
    DialectSettings, EngageLabSettings, MailSettings, MoxieSettings, PushServerSettings,
    StatusWord, TAKEN_SEGMENTS,
};
pub use limits::LimitSettings;
pub use load::lookalikes;
pub use problems::{Problem, SettingsErrors};
pub use secret::Secret;
pub use sections::{
    ClusterSettings, InternalSettings, LogFormat, LogSettings, ServerSettings, StorageKind,
    StorageSettings, TelemetrySettings,
};

/// `config/default.toml`: every key with its default, and the manual of the configuration.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The app that there is when none is configured.
pub const DEFAULT_APP: &str = "default";

/// Fewer shards than this could not be divided evenly among nodes.
const MIN_SHARED_SHARDS: u16 = 64;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the HTTP API listens.
    pub server: ServerSettings,
    /// Where data is kept.
    pub storage: StorageSettings,
    /// The nodes that share a store.
    pub cluster: ClusterSettings,
    /// The apps as written; [`Settings::effective_apps`] are those to serve.
    #[serde(default, deserialize_with = "lenient::sections")]
    pub apps: Vec<AppSettings>,
    /// Who may call `/internal`.
    #[serde(default)]
    pub internal: InternalSettings,
    /// How fast and how much at once, as written; [`Settings::effective_limits`] are those to go by.
    pub limits: LimitSettings,
    /// The APIs of other systems.
    pub dialects: DialectSettings,
    /// What is logged.
    pub log: LogSettings,
    /// What is told to other systems.
    #[serde(default)]
    pub telemetry: TelemetrySettings,
}

impl Settings {
    /// The apps to serve: those configured, or `default` alone.
    pub fn effective_apps(&self) -> Vec<AppSettings> {
        if self.apps.is_empty() { vec![AppSettings::named(DEFAULT_APP)] } else { self.apps.clone() }
    }

    /// All that is configured of the app of dialects whose callers name none.
    pub fn dialect_app(&self) -> AppSettings {
        let mut apps = self.effective_apps().into_iter();
        let default = apps.find(|app| app.name == self.default_app());
        default.unwrap_or_else(|| AppSettings::named(DEFAULT_APP))
    }

    /// Shards of a campaign: where nodes share a store, at least so many that each gets its fair part.
    pub fn shards(&self) -> u16 {
        match self.storage.kind {
            StorageKind::Embedded => self.limits.shards,
            StorageKind::Mongodb => self.limits.shards.max(MIN_SHARED_SHARDS),
        }
    }

    /// The limits to go by, with the shards that this store needs.
    pub fn effective_limits(&self) -> LimitSettings {
        LimitSettings { shards: self.shards(), ..self.limits.clone() }
    }

    /// The app of dialects whose callers name none: `default`, or where there is no such app the first.
    pub fn default_app(&self) -> &str {
        let named = self.apps.iter().find(|app| app.name == DEFAULT_APP);
        named.or(self.apps.first()).map_or(DEFAULT_APP, |app| &app.name)
    }

    /// Where and to whom this app's e-mail goes, if any does.
    pub fn mail_of(&self, app: &str) -> Option<&MailSettings> {
        let moxie = &self.dialects.moxie;
        moxie.mail.as_ref().filter(|_| moxie.enabled && app == self.default_app())
    }

    /// The app whose calls need no key: the only app, where it has none. The server then listens on
    /// loopback alone.
    pub fn open_app(&self) -> Option<&str> {
        match self.apps.as_slice() {
            [] => Some(DEFAULT_APP),
            [only] if !only.has_keys() => Some(&only.name),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(kind: &str, shards: &str) -> u16 {
        let environment = [("STORAGE__KIND", kind), ("LIMITS__SHARDS", shards)];
        let environment = environment.map(|(k, v)| (format!("FANFARE__{k}"), v.to_owned()));
        Settings::load_with(None, environment.into_iter()).expect("good").effective_limits().shards
    }

    #[test]
    fn a_dialect_serves_the_default_app_or_the_first() {
        let app = |names: &[&str]| {
            let name = |(index, name): (usize, &&str)| {
                (format!("FANFARE__APPS__{index}__NAME"), (*name).to_owned())
            };
            let environment = names.iter().enumerate().map(name);
            Settings::load_with(None, environment).expect("good").dialect_app().name
        };
        assert_eq!(app(&[]), "default");
        assert_eq!(app(&["shop"]), "shop");
        assert_eq!(app(&["shop", "default"]), "default");
        assert_eq!(app(&["shop", "news"]), "shop");
    }

    #[test]
    fn a_shared_store_has_shards_enough_to_divide() {
        assert_eq!((shards("embedded", "4"), shards("mongodb", "4")), (4, 64));
        assert_eq!((shards("embedded", "100"), shards("mongodb", "100")), (100, 100));
    }
}
