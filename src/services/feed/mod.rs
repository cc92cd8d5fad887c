//! The feed: the status of an app, at once or as it changes. One computation for each app and tick
//! serves all who watch it, through streams in which the slow skip; while nobody watches, nothing is
//! computed.

mod books;
mod history;
mod neighbours;
mod patch;
mod source;
mod status;
mod stream;
mod topic;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;

pub use stream::Watch;

use self::{neighbours::Neighbours, source::Source, stream::AppFeed};
use crate::{
    domain::{
        Error, Result,
        ids::{AppName, NotificationId},
    },
    engine::EngineHandle,
    storage::Stores,
};

/// How often a status is computed while it is watched.
pub const TICK: Duration = Duration::from_millis(250);

/// When whoever was one watcher too many may try again.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// The use cases of those who look on.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
}

struct Shared {
    stores: Stores,
    engine: EngineHandle,
    neighbours: Neighbours,
    /// The apps that are watched, or were a moment ago.
    apps: Mutex<HashMap<AppName, Arc<AppFeed>>>,
}

impl Feed {
    /// Over these stores and this engine. Among several nodes, this one tells the others of itself when
    /// they ask; must then be called within a runtime.
    pub fn new(stores: Stores, engine: EngineHandle) -> Self {
        let neighbours = Neighbours::new(stores.clone(), engine.clone());
        if neighbours.are_possible() {
            tokio::spawn(neighbours.clone().keep_telling());
        }
        let apps = Mutex::default();
        Self { shared: Arc::new(Shared { stores, engine, neighbours, apps }) }
    }

    /// What this node is called.
    pub fn node(&self) -> &str {
        self.shared.engine.node()
    }

    /// The status of an app, once. While the app is watched, what the watchers share.
    pub async fn status(&self, app: &AppName) -> Result<Value> {
        let watched = self.shared.apps().get(app).cloned();
        if let Some(watched) = watched.filter(|feed| feed.is_watched()) {
            return watched.status().await;
        }
        Ok(self.source(app).look_once().await?.all())
    }

    /// Watches an app, or one notification of it. `resume` is what an earlier watch said of how to come
    /// back; where it is not known any more, the watch begins anew.
    pub async fn watch(
        &self,
        app: &AppName,
        notification: Option<NotificationId>,
        resume: Option<&str>,
    ) -> Result<Watch> {
        if let Some(uuid) = notification {
            let stored = self.shared.stores.notifications.get(Some(app), uuid).await?;
            stored.ok_or_else(|| Error::not_found(format!("there is no notification {uuid}")))?;
        }
        if self.shared.engine.is_stopping() {
            return Err(Error::unavailable("the server is stopping"));
        }
        let mut apps = self.shared.apps();
        let feed = apps.entry(app.clone()).or_insert_with(|| self.begin(app));
        // Under the lock: streams that nobody watches are dropped under it.
        feed.watch(notification, resume).ok_or_else(|| {
            let most = stream::MOST_NOTIFICATIONS;
            let reason =
                format!("{most} notifications of the app are watched already, the most at once");
            Error::limited_because(reason, TRY_AGAIN)
        })
    }

    /// How many watch, over all apps.
    pub fn watchers(&self) -> usize {
        self.shared.apps().values().map(|feed| feed.watchers()).sum()
    }

    /// Begins an app's streams.
    fn begin(&self, app: &AppName) -> Arc<AppFeed> {
        let feed = Arc::new(AppFeed::new(self.source(app)));
        tokio::spawn(stream::run(Arc::clone(&feed), Arc::downgrade(&self.shared), app.clone()));
        feed
    }

    fn source(&self, app: &AppName) -> Source {
        let Shared { stores, engine, neighbours, .. } = &*self.shared;
        Source::new(stores.clone(), engine.clone(), neighbours.clone(), app.clone())
    }
}

impl Shared {
    fn apps(&self) -> MutexGuard<'_, HashMap<AppName, Arc<AppFeed>>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
