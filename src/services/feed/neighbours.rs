//! What nodes that share a store tell each other of an app, so that any of them can show all. A node
//! with watchers leaves word that accounts of the app are wanted; while that word holds, every node
//! writes its own once a second: with the rates of two minutes, at most a kilobyte for each provider and
//! campaign under way. A node alone writes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    domain::{Result, ids::AppName, timestamp::Timestamp},
    engine::EngineHandle,
    services::feed::status::NodeAccount,
    storage::{Drawer, NewDocument, Stores},
};

/// How often accounts are written and read.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// How long the word holds that accounts are wanted.
const WANTED_FOR: Duration = Duration::from_secs(6);
/// How often it is given again.
const WANTED_AGAIN: Duration = Duration::from_secs(2);
/// How long an account holds: a node that died is not shown for longer.
const ACCOUNT_FOR: Duration = Duration::from_secs(5);
/// How long one who asks once waits for the others' accounts.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it looks for them meanwhile.
const LOOK: Duration = Duration::from_millis(200);
/// Most nodes, and most apps, that are looked at.
const MOST: usize = 1000;

/// The nodes of this installation, as one of them sees them.
#[derive(Clone)]
pub struct Neighbours {
    stores: Stores,
    engine: EngineHandle,
    name: String,
}

/// The accounts of an app's nodes.
pub type Accounts = BTreeMap<String, NodeAccount>;

impl Neighbours {
    /// Around this node.
    pub fn new(stores: Stores, engine: EngineHandle) -> Self {
        let name = host_name().unwrap_or_else(|| engine.node().chars().take(8).collect());
        Self { stores, engine, name }
    }

    /// Whether there can be others.
    pub fn are_possible(&self) -> bool {
        self.engine.node_lifetime().is_some()
    }

    /// The time of day that all nodes go by.
    pub async fn now(&self) -> Result<Timestamp> {
        self.engine.now().await
    }

    /// This node's own account.
    pub fn own(&self, app: &AppName, at: Timestamp) -> NodeAccount {
        let providers = self.engine.provider_reports(Some(app)).into_iter();
        let campaigns = self.engine.campaign_reports(Some(app)).into_iter();
        NodeAccount {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at,
            restarts: self.engine.restarts(),
            providers: providers.map(|report| (report.provider, report.into())).collect(),
            campaigns: campaigns.map(|report| (report.notification, report.into())).collect(),
        }
    }

    /// The other nodes' accounts, as they last wrote them.
    pub async fn others(&self, app: &AppName, now: Timestamp) -> Result<Accounts> {
        let documents = self.stores.documents.list(&accounts_of(app), None, MOST, now).await?;
        // An account that a newer program wrote in words of its own is passed over.
        let read = documents.into_iter().filter_map(|document| {
            Some((document.key, serde_json::from_value(document.body).ok()?))
        });
        Ok(read.filter(|(node, _)| node != self.engine.node()).collect())
    }

    /// The other nodes' accounts for one who asks once: waits until every living node has told.
    pub async fn others_once(&self, app: &AppName) -> Result<Accounts> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        self.want(app, self.now().await?).await?;
        loop {
            let others = self.others(app, self.now().await?).await?;
            let mut living = self.engine.nodes().await?.into_iter();
            let all = living.all(|node| node == self.engine.node() || others.contains_key(&node));
            if all || tokio::time::Instant::now() >= deadline {
                return Ok(others);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Leaves word that accounts of an app are wanted, where the last word is old.
    pub async fn want(&self, app: &AppName, now: Timestamp) -> Result<()> {
        let (key, end) = (app.as_str(), now.plus(WANTED_FOR));
        let word =
            NewDocument { key: key.to_owned(), body: serde_json::json!({}), expires_at: Some(end) };
        let documents = &self.stores.documents;
        match documents.get(&wanted(), key, now).await? {
            Some(held)
                if held.expires_at.is_some_and(|at| now.plus(WANTED_FOR - WANTED_AGAIN) < at) => {}
            // Another node may be quicker; then its word holds.
            Some(held) => drop(documents.replace(&wanted(), held.version, word).await?),
            None => drop(documents.insert(&wanted(), word, now).await?),
        }
        Ok(())
    }

    /// Writes this node's accounts for as long as it runs, whenever any are wanted.
    pub async fn keep_telling(self) {
        let mut failing = false;
        while !self.engine.is_stopping() {
            tokio::time::sleep(INTERVAL).await;
            let told = self.tell().await;
            if let (Err(error), false) = (&told, failing) {
                tracing::warn!(%error, "failed to tell the other nodes of this one's work");
            }
            failing = told.is_err();
        }
    }

    async fn tell(&self) -> Result<()> {
        let now = self.now().await?;
        let words = self.stores.documents.list(&wanted(), None, MOST, now).await?;
        let apps: BTreeSet<_> = words.iter().map(|word| AppName::new(&word.key)).collect();
        for app in apps {
            self.write(&app, now).await?;
        }
        Ok(())
    }

    async fn write(&self, app: &AppName, now: Timestamp) -> Result<()> {
        let (drawer, key) = (accounts_of(app), self.engine.node());
        let body = serde_json::to_value(self.own(app, now))
            .map_err(|error| crate::domain::Error::internal("write an account", error))?;
        let account =
            NewDocument { key: key.to_owned(), body, expires_at: Some(now.plus(ACCOUNT_FOR)) };
        let documents = &self.stores.documents;
        let held = documents.get(&drawer, key, now).await?;
        // Nobody else writes under this node's name.
        match held {
            Some(held) => documents.replace(&drawer, held.version, account).await?,
            None => documents.insert(&drawer, account, now).await?,
        };
        Ok(())
    }
}

fn wanted() -> Drawer {
    Drawer { kind: "feed_wanted", app: None }
}

fn accounts_of(app: &AppName) -> Drawer {
    Drawer { kind: "feed_node", app: Some(app.clone()) }
}

/// What the machine is called, where the system tells.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
