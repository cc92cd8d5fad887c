//! Telling of sessions that end, so that what was admitted by one can end with it. At the node where one
//! ends it is heard at once; among several nodes the store carries the word, and the others hear of it
//! within a second or so, where anybody listens.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::sync::broadcast::{self, error::RecvError};

use super::Session;
use crate::{
    domain::timestamp::Timestamp,
    storage::{Drawer, NewDocument, Stores},
};

/// How often the other nodes' words are looked for.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a word is kept for the others.
const KEPT_FOR: Duration = Duration::from_secs(120);
/// Ends that a listener may be behind before it has to ask.
const BEHIND: usize = 64;
/// Words looked at; whoever listens asks now and then besides.
const MOST: usize = 1000;

const DRAWER: Drawer = Drawer { kind: "ended_session", app: None };

/// Where ends are told and heard.
#[derive(Clone)]
pub(super) struct Endings {
    /// None where there is one node alone.
    shared: Option<Stores>,
    sender: broadcast::Sender<Arc<str>>,
}

impl Endings {
    /// Of a node alone, or with `shared` of one among several, which must then be within a runtime.
    pub(super) fn new(shared: Option<Stores>) -> Self {
        let endings = Self { shared, sender: broadcast::Sender::new(BEHIND) };
        if let Some(stores) = &endings.shared {
            tokio::spawn(keep_hearing(stores.clone(), endings.sender.downgrade()));
        }
        endings
    }

    /// Tells of the end of the session that lies under this name.
    pub(super) async fn tell(&self, name: &str, now: Timestamp) {
        // Nobody to hear it is no trouble.
        let _ = self.sender.send(name.into());
        let Some(stores) = &self.shared else { return };
        let (body, expires_at) = (serde_json::json!({}), Some(now.plus(KEPT_FOR)));
        let word = NewDocument { key: name.to_owned(), body, expires_at };
        if let Err(error) = stores.documents.insert(&DRAWER, word, now).await {
            // It has ended all the same; whoever listens there asks now and then besides.
            tracing::warn!(%error, "failed to tell the other nodes that a session has ended");
        }
    }

    /// Listens for the end of one session.
    pub(super) fn of(&self, session: &Session) -> SessionEnd {
        SessionEnd { name: super::name(session.token()), ends: self.sender.subscribe() }
    }
}

/// Where the end of one session is heard.
pub struct SessionEnd {
    name: String,
    ends: broadcast::Receiver<Arc<str>>,
}

impl SessionEnd {
    /// Returns when the session has ended, or so many at once that it may be among them.
    pub async fn heard(&mut self) {
        loop {
            match self.ends.recv().await {
                Ok(name) if *name == *self.name => return,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

/// Hears of the ends at other nodes for as long as there can be listeners.
async fn keep_hearing(stores: Stores, sender: broadcast::WeakSender<Arc<str>>) {
    let mut known = HashSet::new();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(sender) = sender.upgrade() else { return };
        if sender.receiver_count() == 0 {
            continue;
        }
        match stores.documents.list(&DRAWER, None, MOST, Timestamp::now()).await {
            Ok(words) => {
                let ended: HashSet<String> = words.into_iter().map(|word| word.key).collect();
                ended.difference(&known).for_each(|name| drop(sender.send(name.as_str().into())));
                known = ended;
            }
            // Whoever listens asks now and then besides.
            Err(error) => tracing::debug!(%error, "the ends of sessions cannot be heard"),
        }
    }
}
