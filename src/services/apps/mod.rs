//! Apps: those of the configuration, and those that are made, given credentials and keys, and removed
//! through the API while the installation runs.
//!
//! What is stored lies in documents (`record`). Every node follows them (`follow`) and answers from what
//! it has read (`directory`). `keys` and `providers` change them, `removal` removes them; this file makes and
//! shows apps.

mod directory;
mod follow;
mod keys;
mod providers;
mod record;
mod removal;

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

pub use follow::{TakenUp, at_start};
pub use keys::{KeyView, NewKey};
pub use providers::{ApnsGiven, CredentialState, ProviderView};
pub use removal::refuse_removed_names;

use self::{
    directory::{Directory, StoredApp},
    record::{APPS, AppRecord},
};
use super::{
    Audit, Notifications,
    credentials::{Credentials, Sealer},
    keys::{StoredKeys, new_app_key},
};
use crate::{
    domain::{Error, Result, app::Scope, device::SendPlatform, ids::AppName, timestamp::Timestamp},
    engine::EngineHandle,
    settings::{AppSettings, Settings},
    storage::{DeviceQuery, NewDocument, NotificationQuery, Stores},
};

const MAX_NAME_CHARS: usize = 64;
/// The name of the key that an app is made with.
const FIRST_KEY: &str = "master";
/// Tries of a change that others change in between.
const TRIES: usize = 10;

/// The use cases of apps.
#[derive(Clone)]
pub struct Apps {
    stores: Stores,
    engine: EngineHandle,
    notifications: Notifications,
    audit: Audit,
    configured: Arc<Vec<AppSettings>>,
    /// The app whose devices are reached by e-mail, if any are.
    mail_app: Option<AppName>,
    /// None where no secret is configured: stored apps are given no credentials then.
    sealer: Option<Arc<Sealer>>,
    /// An app whose servers stored apps reach the providers at.
    model: Arc<AppSettings>,
    directory: Arc<ArcSwap<Directory>>,
    stored_keys: StoredKeys,
    taken_up: Arc<Mutex<TakenUp>>,
    /// What this node's last questions to the providers came to.
    checks: providers::Checks,
    clearing: removal::Clearing,
}

/// An app as its administrators see it.
pub struct AppView {
    /// Its name.
    pub name: AppName,
    /// Whether it is of the configuration.
    pub is_configured: bool,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Its key, the user name of Basic authentication.
    pub key: Option<String>,
    /// Its ways out.
    pub providers: Vec<ProviderView>,
    /// Its keys.
    pub keys: Vec<KeyView>,
}

/// An app that was just made.
pub struct NewApp {
    /// It.
    pub app: AppView,
    /// Its key, the user name of Basic authentication.
    pub key: String,
    /// The secret of its first key, which is shown this once.
    pub secret: String,
}

impl Apps {
    /// Over these stores and this engine, which has been given the apps of `taken_up`.
    pub fn new(
        stores: Stores,
        engine: EngineHandle,
        notifications: Notifications,
        audit: Audit,
        taken_up: TakenUp,
        settings: &Settings,
    ) -> Self {
        let configured = settings.effective_apps();
        let by_mail = configured.iter().find(|app| settings.mail_of(&app.name).is_some());
        Self {
            stores,
            engine,
            notifications,
            audit,
            mail_app: by_mail.map(|app| AppName::new(&app.name)),
            configured: Arc::new(configured),
            sealer: follow::sealer(settings).map(Arc::new),
            model: Arc::new(settings.dialect_app()),
            directory: Arc::default(),
            stored_keys: StoredKeys::default(),
            taken_up: Arc::new(Mutex::new(taken_up)),
            checks: Arc::new(std::sync::Mutex::new(HashMap::new())),
            clearing: removal::Clearing::default(),
        }
    }

    /// The stored keys as this node knows them.
    pub fn stored_keys(&self) -> StoredKeys {
        self.stored_keys.clone()
    }

    /// The names of all apps, in order.
    pub fn names(&self) -> Vec<AppName> {
        let stored = self.directory.load();
        let configured = self.configured.iter().map(|app| AppName::new(&app.name));
        let mut names: Vec<_> = configured.chain(stored.apps.keys().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether there is an app of this name.
    pub fn has(&self, app: &AppName) -> bool {
        self.is_configured(app) || self.directory.load().apps.contains_key(app)
    }

    /// An app.
    pub fn get(&self, app: &AppName) -> Result<AppView> {
        let stored = self.directory.load();
        let (key, created_at, providers) = match (self.configured(app), stored.apps.get(app)) {
            (Some(configured), _) => (configured.key.clone(), None, self.ways_of(configured)),
            (None, Some(StoredApp { record, .. })) => {
                let providers = self.stored_ways(app, &record.credentials);
                (Some(record.key.clone()), Some(record.created_at), providers)
            }
            (None, None) => return Err(unknown(app)),
        };
        let (name, is_configured) = (app.clone(), self.is_configured(app));
        Ok(AppView { name, is_configured, created_at, key, providers, keys: self.keys(app) })
    }

    /// Makes an app, with a key that may do everything within it.
    pub async fn create(&self, name: &str, now: Timestamp) -> Result<NewApp> {
        check_name(name)?;
        let app = AppName::new(name);
        if self.is_configured(&app) {
            return Err(Error::conflict("there is an app of this name in the configuration"));
        }
        self.refuse_remains(&app, now).await?;
        let key = new_app_key();
        let credentials = Credentials::default();
        let record = AppRecord {
            created_at: now,
            removed_at: None,
            removal: None,
            cleared_at: None,
            key: key.clone(),
            credentials,
        };
        let new = document(name, &record)?;
        if !self.stores.documents.insert(&APPS, new, now).await? {
            return Err(self.name_is_taken(name, now).await?);
        }
        let first = self.keep_key(&app, FIRST_KEY, vec![Scope::Admin], now).await?;
        self.follow().await?;
        Ok(NewApp { app: self.get(&app)?, key, secret: first.secret })
    }

    /// Whether credentials can be given to it: they are kept sealed, and the settings say with what.
    pub fn can_seal(&self) -> bool {
        self.sealer.is_some()
    }

    /// An app that was taken from the configuration leaves its keys and its data: they are nobody else's.
    async fn refuse_remains(&self, app: &AppName, now: Timestamp) -> Result<()> {
        let Stores { devices, notifications, documents, .. } = &self.stores;
        if documents.get(&APPS, app.as_str(), now).await?.is_some() {
            // Told apart by whoever finds it there.
            return Ok(());
        }
        let keys = Directory::read(&**documents, now).await?.keys_of(app).next().is_some();
        let one = DeviceQuery { size: 1, now, ..DeviceQuery::default() };
        let devices = devices.search(app, &one).await?.total > 0;
        let one = NotificationQuery { size: 1, ..NotificationQuery::default() };
        let notifications = notifications.list(app, &one).await?.total > 0;
        if keys || devices || notifications {
            let reason =
                "an app of this name has left keys, devices or notifications; take another";
            return Err(Error::conflict(reason));
        }
        Ok(())
    }

    async fn name_is_taken(&self, name: &str, now: Timestamp) -> Result<Error> {
        let there = self.stores.documents.get(&APPS, name, now).await?;
        let there = there.map(|document| record::read::<AppRecord>(&document)).transpose()?;
        Ok(Error::conflict(match there.is_some_and(|app| app.removed_at.is_some()) {
            true => "there was an app of this name, and what it sent is kept; take another",
            false => "there is an app of this name already",
        }))
    }

    /// Changes the record of a stored app.
    async fn change(
        &self,
        app: &AppName,
        now: Timestamp,
        change: impl Fn(&mut AppRecord) -> Result<()>,
    ) -> Result<()> {
        self.change_record(app, now, |record| match record.removed_at {
            Some(_) => Err(unknown(app)),
            None => change(record),
        })
        .await
    }

    /// Changes the record of a stored app, be it of one that was removed.
    async fn change_record(
        &self,
        app: &AppName,
        now: Timestamp,
        change: impl Fn(&mut AppRecord) -> Result<()>,
    ) -> Result<()> {
        self.refuse_configured_app(app)?;
        for _ in 0..TRIES {
            let found = self.stores.documents.get(&APPS, app.as_str(), now).await?;
            let document_found = found.ok_or_else(|| unknown(app))?;
            let mut record: AppRecord = record::read(&document_found)?;
            change(&mut record)?;
            let new = document(app.as_str(), &record)?;
            if self.stores.documents.replace(&APPS, document_found.version, new).await? {
                return Ok(());
            }
        }
        Err(Error::conflict("the app is being changed by others; try again"))
    }

    fn refuse_configured_app(&self, app: &AppName) -> Result<()> {
        if self.is_configured(app) {
            let reason = "the app is of the configuration, and is changed there";
            return Err(Error::conflict(reason));
        }
        Ok(())
    }

    fn is_configured(&self, app: &AppName) -> bool {
        self.configured(app).is_some()
    }

    fn configured(&self, app: &AppName) -> Option<&AppSettings> {
        self.configured.iter().find(|configured| configured.name == app.as_str())
    }

    fn has_mail(&self, app: &str) -> bool {
        self.mail_app.as_ref().is_some_and(|own| own.as_str() == app)
    }

    fn ways_of(&self, app: &AppSettings) -> Vec<ProviderView> {
        let name = AppName::new(&app.name);
        let apns = app.apns.as_ref().map(|apns| {
            let place = (Some(apns.topic.clone()), Some(apns.environment));
            self.way(&name, SendPlatform::Apns, place)
        });
        let fcm = app.fcm.as_ref().map(|_| self.way(&name, SendPlatform::Fcm, (None, None)));
        let mail =
            self.has_mail(&app.name).then(|| self.way(&name, SendPlatform::Email, (None, None)));
        [apns, fcm, mail].into_iter().flatten().collect()
    }
}

fn document(name: &str, record: &AppRecord) -> Result<NewDocument> {
    Ok(NewDocument { key: name.to_owned(), body: record::written(record)?, expires_at: None })
}

/// The same as the configuration's: it stands in paths and headers.
fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let fits = (1..=MAX_NAME_CHARS).contains(&name.len()) && name.chars().all(plain);
    if fits && name.chars().any(|c| c != '.') {
        return Ok(());
    }
    let what = format!("must be 1 to {MAX_NAME_CHARS} letters, digits, `-`, `_` or `.`");
    Err(Error::invalid("name", what))
}

fn unknown(app: &AppName) -> Error {
    let shown: String = app.as_str().chars().take(80).collect();
    Error::not_found(format!("there is no app `{shown}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_a_path_and_a_header() {
        for good in ["a", "Shop_1.eu-west", ".a", &"x".repeat(64)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "ä", "tenant:x", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
