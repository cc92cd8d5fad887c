//! Following the store: every node reads the stored apps and keys once a second, and at once what it has
//! changed itself. The engine is given the apps whose record has changed, so that any node may work on
//! any campaign.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Apps,
    directory::{Directory, StoredApp},
    removal::Unfinished,
};
use crate::{
    domain::{Result, ids::AppName, timestamp::Timestamp},
    services::credentials::Sealer,
    settings::{AppSettings, Settings},
    storage::Stores,
};

/// How often a node looks by itself.
const INTERVAL: Duration = Duration::from_secs(1);

/// Which stored apps the engine has been given, each as its record was in this version.
#[derive(Default)]
pub struct TakenUp(pub(super) HashMap<AppName, u64>);

/// The stored apps with their credentials, for an engine that is about to start.
pub async fn at_start(stores: &Stores, settings: &Settings) -> Result<(Vec<AppSettings>, TakenUp)> {
    let found = Directory::read(&*stores.documents, Timestamp::now()).await?;
    let (sealer, model) = (sealer(settings), settings.dialect_app());
    let configured = settings.effective_apps();
    let is_own = |name: &AppName| configured.iter().all(|app| app.name != name.as_str());
    let own = found.apps.iter().filter(|(name, _)| is_own(name));
    let (mut apps, mut taken_up) = (Vec::new(), TakenUp::default());
    for (name, app) in own {
        apps.push(opened(name, app, sealer.as_ref(), &model));
        taken_up.0.insert(name.clone(), app.version);
    }
    Ok((apps, taken_up))
}

/// What seals credentials, where the settings say.
pub(super) fn sealer(settings: &Settings) -> Option<Sealer> {
    settings.internal.sealing_secret.as_ref().map(|secret| Sealer::new(secret.expose()))
}

/// The settings of a stored app; without credentials where they cannot be opened.
fn opened(
    name: &AppName,
    app: &StoredApp,
    sealer: Option<&Sealer>,
    model: &AppSettings,
) -> AppSettings {
    let credentials = &app.record.credentials;
    if credentials.providers().is_empty() {
        return AppSettings::named(name.as_str());
    }
    let Some(sealer) = sealer else {
        tracing::error!(app = %name, "its credentials are sealed, and internal.sealing_secret is missing");
        return AppSettings::named(name.as_str());
    };
    credentials.open(name, sealer, model).unwrap_or_else(|error| {
        tracing::error!(app = %name, %error, "failed to open the credentials of a stored app");
        AppSettings::named(name.as_str())
    })
}

impl Apps {
    /// Reads what is stored, and gives the engine what has changed.
    pub async fn follow(&self) -> Result<()> {
        // One at a time: what was read earlier must not be put over what was read later.
        let mut taken_up = self.taken_up.lock().await;
        let found = Directory::read(&*self.stores.documents, Timestamp::now()).await?;
        let found = Arc::new(found);
        self.directory.store(Arc::clone(&found));
        self.stored_keys.store(Arc::new(found.known_keys(|app| self.user_of(&found, app))));
        self.take_down(&found, &mut taken_up).await;
        for (name, app) in found.apps.iter().filter(|(name, _)| !self.is_configured(name)) {
            if taken_up.0.get(name) != Some(&app.version) {
                self.take_up(name, app).await;
                taken_up.0.insert(name.clone(), app.version);
            }
        }
        Ok(())
    }

    /// Follows the store for as long as the server runs, and goes on with removals that nobody is at.
    pub async fn keep_following(self) {
        let (mut is_away, mut unfinished) = (false, Unfinished::at_start());
        loop {
            for app in unfinished.due(&self.directory.load().unfinished, Instant::now()) {
                tokio::spawn(self.clone().finish_removal(app));
            }
            tokio::time::sleep(INTERVAL).await;
            match self.follow().await {
                Ok(()) => is_away = false,
                // Said once: what was read last stays in force until the store answers.
                Err(error) if !is_away => {
                    tracing::warn!(%error, "failed to read the stored apps and keys");
                    is_away = true;
                }
                Err(_) => {}
            }
        }
    }

    async fn take_up(&self, name: &AppName, app: &StoredApp) {
        let settings = opened(name, app, self.sealer.as_deref(), &self.model);
        // Stopped first: what waits with the old credentials must not end as without any.
        self.engine.begin_anew(name);
        let put = self.engine.put_app(name, &settings);
        self.engine.begin_anew(name);
        if let Err(error) = put {
            tracing::error!(app = %name, %error, "failed to use the credentials of a stored app");
            self.engine.remove_app(name);
        }
        self.offer(name).await;
    }

    async fn take_down(&self, found: &Directory, taken_up: &mut TakenUp) {
        let gone = taken_up.0.keys().filter(|name| !found.apps.contains_key(name)).cloned();
        for name in gone.collect::<Vec<_>>() {
            self.engine.remove_app(&name);
            self.offer(&name).await;
            taken_up.0.remove(&name);
        }
    }

    /// Tells the other nodes what this one can send for an app, now that it can.
    async fn offer(&self, name: &AppName) {
        if let Err(error) = self.engine.offer(name).await {
            tracing::warn!(app = %name, %error, "failed to tell the other nodes of an app; the next heartbeat does");
        }
    }

    /// The key of an app that there is; the inner none is an app without one.
    fn user_of(&self, found: &Directory, app: &AppName) -> Option<Option<String>> {
        match self.configured(app) {
            Some(configured) => Some(configured.key.clone()),
            None => found.apps.get(app).map(|app| Some(app.record.key.clone())),
        }
    }
}
