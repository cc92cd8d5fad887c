//! Where an app's status comes from: this node's engine at every look, the store and the other nodes no
//! more often than they can bear. One for each app; all its watchers share a look.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use super::{
    TICK,
    books::{Book, Books, Reader},
    history::History,
    neighbours::{self, Accounts, Neighbours},
    status::{Parts, Status},
};
use crate::{
    domain::{
        Result,
        ids::{AppName, NotificationId},
        timestamp::Timestamp,
    },
    engine::{EngineHandle, report::ActorStates},
    storage::Stores,
};

/// The store is asked again after so many times what the last asking took: it costs it little.
const REST: u32 = 25;
/// But no later than this.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Where one app's status comes from.
pub struct Source {
    app: AppName,
    engine: EngineHandle,
    neighbours: Neighbours,
    reader: Reader,
    books: Option<Books>,
    /// For which campaigns besides those shown.
    besides: BTreeSet<NotificationId>,
    read_again_at: Instant,
    others: Accounts,
    others_again_at: Instant,
}

/// An app at one moment.
pub struct Picture {
    status: Status,
    history: History,
    besides: BTreeSet<NotificationId>,
}

impl Picture {
    /// All of the app.
    pub fn all(&self) -> Value {
        let mut status = self.status.clone();
        status.campaigns.retain(|id, _| !self.besides.contains(id));
        status.to_value()
    }

    /// The rates of all that it shows.
    pub fn history(&self) -> History {
        let mut history = self.history.clone();
        history.campaigns.retain(|id, _| self.shows(id));
        history
    }

    /// The rates of the app, and of one of its campaigns alone.
    pub fn history_of(&self, notification: NotificationId) -> History {
        let mut history = self.history.clone();
        history.campaigns.retain(|id, _| *id == notification);
        history
    }

    fn shows(&self, id: &NotificationId) -> bool {
        self.status.campaigns.contains_key(id) && !self.besides.contains(id)
    }

    /// The app with one of its campaigns alone, and what the actors do for it.
    pub fn of(&self, notification: NotificationId, actors: ActorStates) -> Value {
        let mut status = self.status.clone();
        status.campaigns.retain(|id, _| *id == notification);
        status.actors = Some(actors);
        status.to_value()
    }
}

impl Source {
    /// Nothing was looked at yet.
    pub fn new(stores: Stores, engine: EngineHandle, neighbours: Neighbours, app: AppName) -> Self {
        let now = Instant::now();
        Self {
            reader: Reader::new(stores, engine.clone(), app.clone()),
            app,
            engine,
            neighbours,
            books: None,
            besides: BTreeSet::new(),
            read_again_at: now,
            others: Accounts::new(),
            others_again_at: now,
        }
    }

    /// Looks, for those who watch: the other nodes are asked to tell of themselves, and not waited for.
    pub async fn look(&mut self, besides: &BTreeSet<NotificationId>) -> Result<Picture> {
        if self.neighbours.are_possible() && Instant::now() >= self.others_again_at {
            self.others_again_at = Instant::now() + neighbours::INTERVAL;
            match self.hear_others().await {
                Ok(others) => self.others = others,
                Err(error) => tracing::debug!(%error, "the other nodes cannot be heard"),
            }
        }
        self.picture(besides).await
    }

    /// Looks, for one who asks once: with what every living node tells.
    pub async fn look_once(&mut self) -> Result<Picture> {
        if self.neighbours.are_possible() {
            self.others = self.neighbours.others_once(&self.app).await?;
        }
        self.picture(&BTreeSet::new()).await
    }

    /// What this node's actors do for one notification.
    pub async fn actors_of(&self, notification: NotificationId) -> ActorStates {
        self.engine.actors_of(&self.app, notification).await
    }

    async fn hear_others(&self) -> Result<Accounts> {
        let now = self.neighbours.now().await?;
        self.neighbours.want(&self.app, now).await?;
        self.neighbours.others(&self.app, now).await
    }

    async fn picture(&mut self, besides: &BTreeSet<NotificationId>) -> Result<Picture> {
        let now = Timestamp::now();
        self.read_books(besides, now).await?;
        let mut nodes = self.others.clone();
        nodes.insert(self.engine.node().to_owned(), self.neighbours.own(&self.app, now));
        let nothing = Books::default();
        let books = self.books.as_ref().unwrap_or(&nothing);
        let shown: Vec<Book> = books.shown.iter().chain(&books.besides).cloned().collect();
        let status = Status::of(&Parts {
            app: &self.app,
            at: now,
            here: self.engine.node(),
            nodes: &nodes,
            limits: self.engine.rates(&self.app),
            books: &shown,
            errors: &books.errors,
        });
        let uuid = |book: &Book| book.notification.uuid;
        let seen: BTreeSet<_> = books.shown.iter().map(uuid).collect();
        let besides = books.besides.iter().map(uuid).filter(|id| !seen.contains(id)).collect();
        Ok(Picture { status, history: History::of(&nodes, now), besides })
    }

    /// A store that does not answer leaves what it said before, where it has said anything.
    async fn read_books(
        &mut self,
        besides: &BTreeSet<NotificationId>,
        now: Timestamp,
    ) -> Result<()> {
        let begun = Instant::now();
        if self.books.is_some() && *besides == self.besides && begun < self.read_again_at {
            return Ok(());
        }
        let read = self.reader.read(besides, now).await;
        // Several nodes share their store with everybody.
        let rest = match self.neighbours.are_possible() {
            true => LONGEST_REST,
            false => (begun.elapsed() * REST).clamp(TICK, LONGEST_REST),
        };
        // A little sooner than the tick that is to read.
        self.read_again_at = begun + rest - TICK / 5;
        match (read, &self.books) {
            (Ok(books), _) => {
                self.books = Some(books);
                self.besides.clone_from(besides);
            }
            (Err(error), None) => return Err(error),
            (Err(error), Some(_)) => tracing::debug!(%error, "the books cannot be read"),
        }
        Ok(())
    }
}
