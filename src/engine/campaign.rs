//! What the actors of one campaign share, and what must outlive a crash of any of them: the gate that
//! stops it, the credits that bound it, the pages in flight.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, Semaphore};

use super::{page::PageWork, rate_limit::RateLimiter, supervise::Seat};
use crate::{
    domain::{
        campaign::{Position, ShardKey},
        device::SendPlatform,
        ids::{AppName, NotificationId},
        notification::Notification,
    },
    transport::Rendered,
};

/// Pages whose last few devices wait for another try; they hold no credit, so that a handful of slow
/// pushes does not stop the reading, but there are only so many.
const TRAILING_PAGES: usize = 512;

/// One campaign under way on this node.
pub struct CampaignRun {
    /// The notification as it was when the run began.
    pub notification: Notification,
    /// The message, rendered once for each provider that the app has.
    pub rendered: HashMap<SendPlatform, Arc<Rendered>>,
    /// The campaign's own pace.
    pub rate: RateLimiter,
    /// One for each page being read, sent or recorded.
    pub credits: Arc<Semaphore>,
    /// One for each page that waits for its last few devices.
    pub trailing: Arc<Semaphore>,
    /// One for each shard of the round that is not done.
    shards: Mutex<Vec<Arc<ShardDesk>>>,
    /// Tells that the run has ended.
    pub ended: Notify,
    closed: AtomicBool,
}

impl CampaignRun {
    /// A run with its gate open.
    pub fn new(
        notification: Notification,
        rendered: HashMap<SendPlatform, Arc<Rendered>>,
        pages_in_flight: usize,
    ) -> Self {
        let rate = notification.message.options.rate_limit.unwrap_or(0);
        Self {
            notification,
            rendered,
            rate: RateLimiter::new(rate, tokio::time::Instant::now()),
            credits: Arc::new(Semaphore::new(pages_in_flight)),
            trailing: Arc::new(Semaphore::new(TRAILING_PAGES)),
            shards: Mutex::default(),
            ended: Notify::new(),
            closed: AtomicBool::new(false),
        }
    }

    /// Its notification's name.
    pub fn id(&self) -> NotificationId {
        self.notification.uuid
    }

    /// The desks of its shards; empty until the round is planned.
    pub fn shards(&self) -> MutexGuard<'_, Vec<Arc<ShardDesk>>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its app.
    pub fn app(&self) -> &AppName {
        &self.notification.app
    }

    /// Stops it: no push of it begins after this.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Whether pushes may begin.
    pub fn is_open(&self) -> bool {
        !self.closed.load(Ordering::SeqCst)
    }
}

/// What a shard's actor keeps where a crash does not reach: its pages in flight.
pub struct ShardDesk {
    /// The shard.
    pub key: ShardKey,
    /// Who works on it.
    pub seat: Arc<Seat<super::shard::ShardActor>>,
    /// Its pages in flight, by where they begin.
    pub pages: Mutex<BTreeMap<Position, Arc<PageWork>>>,
    /// Counts the actors that have sat here.
    pub generation: AtomicU64,
    /// Whether its actor has ended its work, done or halted.
    pub ended: AtomicBool,
}

impl ShardDesk {
    /// A desk with nothing on it.
    pub fn new(key: ShardKey) -> Arc<Self> {
        Arc::new(Self {
            key,
            seat: Seat::empty(),
            pages: Mutex::default(),
            generation: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        })
    }

    /// Its pages in flight.
    pub fn pages(&self) -> MutexGuard<'_, BTreeMap<Position, Arc<PageWork>>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The campaigns under way on this node.
#[derive(Default)]
pub struct Campaigns {
    runs: Mutex<HashMap<NotificationId, Arc<CampaignRun>>>,
}

impl Campaigns {
    /// The run of this notification, if it has one.
    pub fn get(&self, id: NotificationId) -> Option<Arc<CampaignRun>> {
        self.lock().get(&id).cloned()
    }

    /// Every run.
    pub fn all(&self) -> Vec<Arc<CampaignRun>> {
        self.lock().values().cloned().collect()
    }

    /// Adds a run.
    pub fn put(&self, run: Arc<CampaignRun>) {
        self.lock().insert(run.id(), run);
    }

    /// Takes a run out and tells those who wait for its end.
    pub fn end(&self, id: NotificationId) {
        if let Some(run) = self.lock().remove(&id) {
            run.ended.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NotificationId, Arc<CampaignRun>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
