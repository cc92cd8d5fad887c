//! What the store says of an app's campaigns: those under way, those that ended lately, and the failures
//! of the last hour. Campaigns that have ended are not read again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    domain::{
        Error, Result,
        audience::{self, Clause},
        campaign::{self, Shard},
        ids::{AppName, NotificationId},
        notification::{Notification, Status},
        tally::{PlatformCounts, Tally},
        timestamp::Timestamp,
    },
    engine::EngineHandle,
    storage::{NotificationField, NotificationQuery, OrderBy, Stores},
};

/// Most campaigns that a status holds.
pub const MOST_CAMPAIGNS: usize = 50;
/// How long a campaign is shown after its end.
const SHOWN_AFTER_END: Duration = Duration::from_secs(10 * 60);
/// How long the failures of a campaign count after its end.
const ERRORS_AFTER_END: Duration = Duration::from_secs(60 * 60);
/// From then on nothing more is recorded of a campaign that was stopped.
const AT_REST_AFTER: Duration = Duration::from_secs(30);

/// One campaign as the store has it.
#[derive(Clone, Debug)]
pub struct Book {
    /// The notification.
    pub notification: Notification,
    /// Its outcomes.
    pub tally: Tally,
    /// How many devices will have an outcome, where that was counted.
    pub expected: Option<u64>,
    /// Shards of the latest round.
    pub shards_total: u64,
    /// Those that are done.
    pub shards_done: u64,
}

impl Book {
    fn of(notification: Notification, shards: &[Shard]) -> Self {
        let round = notification.round;
        let latest = shards.iter().filter(|shard| shard.key.round == round);
        Self {
            tally: campaign::total(shards),
            expected: None,
            shards_total: latest.clone().count() as u64,
            shards_done: latest.filter(|shard| shard.is_done()).count() as u64,
            notification,
        }
    }

    /// Accepted pushes, those that other systems reported included.
    pub fn sent(&self) -> PlatformCounts {
        let mut sent = self.tally.accepted;
        sent.add(&self.notification.reported);
        sent
    }

    /// Whether nothing more will be recorded of it, unless it changes.
    fn is_at_rest(&self, now: Timestamp) -> bool {
        let rests = !self.notification.status.is_active();
        rests && self.notification.modified_at.plus(AT_REST_AFTER) < now
    }
}

/// What the store says at one time.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// The campaigns to be shown.
    pub shown: Vec<Book>,
    /// Those asked for besides, as far as they exist.
    pub besides: Vec<Book>,
    /// Failures by reason.
    pub errors: BTreeMap<String, u64>,
}

/// Reads the books of one app.
pub struct Reader {
    stores: Stores,
    engine: EngineHandle,
    app: AppName,
    /// Campaigns at rest, by the version of their notification.
    at_rest: HashMap<(NotificationId, u64), Book>,
    /// How many devices campaigns under way are for; counted beside the reading, which does not wait.
    expected: Arc<Mutex<HashMap<NotificationId, Option<u64>>>>,
}

impl Reader {
    /// Nothing is read yet.
    pub fn new(stores: Stores, engine: EngineHandle, app: AppName) -> Self {
        Self { stores, engine, app, at_rest: HashMap::new(), expected: Arc::default() }
    }

    /// Reads what there is now. `besides` are campaigns wanted however old they are.
    pub async fn read(
        &mut self,
        besides: &BTreeSet<NotificationId>,
        now: Timestamp,
    ) -> Result<Books> {
        let under_way = [Status::Launched, Status::Paused, Status::Queued];
        let mut listed = self.list(&under_way).await?;
        listed.extend(self.list(&[Status::Error, Status::Sent, Status::Deleted]).await?);
        let mut books = Books::default();
        for notification in listed {
            let ended_for = ended_at(&notification).map(|at| at.until(now));
            let errors_count = ended_for.is_none_or(|since| since <= ERRORS_AFTER_END);
            let stands = notification.status == Status::Error;
            let is_shown = stands || ended_for.is_none_or(|since| since <= SHOWN_AFTER_END);
            if !errors_count && !is_shown {
                continue;
            }
            let book = self.book(notification, now).await?;
            if errors_count {
                for (reason, count) in &book.tally.reasons {
                    *books.errors.entry(reason.clone()).or_default() += count;
                }
            }
            if is_shown && books.shown.len() < MOST_CAMPAIGNS {
                books.shown.push(book);
            }
        }
        for uuid in besides {
            if let Some(stored) = self.stores.notifications.get(Some(&self.app), *uuid).await? {
                books.besides.push(self.book(stored, now).await?);
            }
        }
        self.forget(&books);
        Ok(books)
    }

    async fn list(&self, statuses: &[Status]) -> Result<Vec<Notification>> {
        let newest = OrderBy { field: NotificationField::ModifiedAt, descending: true };
        let query = NotificationQuery {
            statuses: statuses.to_vec(),
            order_by: vec![newest],
            size: MOST_CAMPAIGNS,
            ..NotificationQuery::default()
        };
        Ok(self.stores.notifications.list(&self.app, &query).await?.items)
    }

    async fn book(&mut self, notification: Notification, now: Timestamp) -> Result<Book> {
        let key = (notification.uuid, notification.version);
        if let Some(known) = self.at_rest.get(&key) {
            // Reports come in without a new version.
            return Ok(Book { notification, ..known.clone() });
        }
        let shards = match notification.launched_at {
            Some(_) => self.stores.ledger.shards(notification.uuid).await?,
            None => Vec::new(),
        };
        let mut book = Book::of(notification, &shards);
        book.expected = self.expected(&book);
        let is_counted = book.expected.is_some() || book.notification.launched_at.is_none();
        if book.is_at_rest(now) && is_counted {
            self.at_rest.insert(key, book.clone());
        }
        Ok(book)
    }

    /// How many devices will have an outcome. What was sent to all is known; what is under way is
    /// counted once, beside.
    fn expected(&self, book: &Book) -> Option<u64> {
        let notification = &book.notification;
        if notification.status == Status::Sent {
            return Some(book.tally.settled());
        }
        let launched_at = notification.launched_at?;
        let mut counts = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = counts.get(&notification.uuid) {
            return *known;
        }
        counts.insert(notification.uuid, None);
        let (stores, engine) = (self.stores.clone(), self.engine.clone());
        let (expected, notification) = (Arc::clone(&self.expected), notification.clone());
        tokio::spawn(async move {
            let counted = count(&stores, &engine, &notification, launched_at).await;
            match counted {
                Ok(devices) => {
                    let mut counts = expected.lock().unwrap_or_else(PoisonError::into_inner);
                    counts.insert(notification.uuid, Some(devices));
                }
                // It stays unknown: asking again and again would only add to the store's trouble.
                Err(error) => {
                    tracing::warn!(notification = %notification.uuid, %error, "failed to count an audience");
                }
            }
        });
        None
    }

    /// Forgets what was kept of campaigns that are not shown any more.
    fn forget(&mut self, books: &Books) {
        let all = || books.shown.iter().chain(&books.besides);
        let shown: BTreeSet<_> = all().map(|book| book.notification.uuid).collect();
        let mut counts = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|id, _| shown.contains(id));
        if self.at_rest.len() > 4 * MOST_CAMPAIGNS {
            self.at_rest.retain(|(id, _), _| shown.contains(id));
        }
    }
}

/// When it ended; none where it has not.
fn ended_at(notification: &Notification) -> Option<Timestamp> {
    match notification.status {
        Status::Sent => Some(notification.finished_at.unwrap_or(notification.modified_at)),
        Status::Error | Status::Deleted => Some(notification.modified_at),
        Status::Draft | Status::Launched | Status::Queued | Status::Paused => None,
    }
}

async fn count(
    stores: &Stores,
    engine: &EngineHandle,
    notification: &Notification,
    launched_at: Timestamp,
) -> Result<u64, Error> {
    let spec = notification.conditions.as_ref();
    let clause: Option<Clause> =
        spec.map(|spec| audience::parse(spec, "conditions")).transpose()?;
    let providers = engine.providers(&notification.app);
    let app = &notification.app;
    let counted = stores.devices.count(app, clause.as_ref(), &providers, launched_at).await?;
    Ok(counted.platforms.total())
}
