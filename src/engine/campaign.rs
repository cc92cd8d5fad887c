//! What the actors of one campaign share, and what must outlive a crash of any of them: the gate that
//! stops it, the credits that bound it, the pages in flight.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    time::Instant,
};

use super::{pace::Pace, page::PageWork, rate_limit::RateLimiter, supervise::Seat};
use crate::{
    cluster::Lease,
    domain::{
        campaign::{Position, ShardKey},
        device::SendPlatform,
        ids::{AppName, NotificationId},
        message::LONGEST_TIME_TO_LIVE_SECS,
        notification::Notification,
    },
    telemetry::CampaignTrace,
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
    /// When its time to live has run out, counted from where providers are told to count it: from the
    /// beginning of this run. After that no provider is waited for.
    pub over_at: Instant,
    /// The campaign's own pace.
    pub rate: RateLimiter,
    /// Its devices that got their outcome in the last second, here.
    pub pace: Pace,
    /// What is told of it to a collector of traces, if there is one.
    pub trace: Option<CampaignTrace>,
    /// One for each page being read, sent or recorded.
    pub credits: Arc<Semaphore>,
    /// One for each page that waits for its last few devices.
    pub trailing: Arc<Semaphore>,
    /// One for each shard that this node works on.
    shards: Mutex<Vec<Arc<ShardDesk>>>,
    /// Tells that the run has ended.
    pub ended: Notify,
    /// Records that the ledger does not take now, one for each [`Unrecorded`].
    unrecorded: AtomicUsize,
    closed: AtomicBool,
    /// Whether every shard of it is done, on whatever node.
    complete: AtomicBool,
    /// How many credits there are at the most, and how many were handed in so far.
    pages: PageBudget,
    credits_given: Mutex<usize>,
}

/// How many pages of a campaign may be in flight.
#[derive(Clone, Copy, Debug)]
pub struct PageBudget {
    /// At the most.
    pub most: usize,
    /// Devices in a page, at the most.
    pub page_size: usize,
}

impl PageBudget {
    /// What a campaign holds at a time is what it can send in so many seconds, so that many slow ones do
    /// not hold memory that they cannot use.
    const SECONDS: usize = 5;
    /// Pages of slow campaigns are no smaller than this.
    const LEAST: usize = 100;

    /// Pages for a campaign of this pace; 0 is no limit.
    fn pages_at(self, per_second: u32) -> usize {
        match per_second as usize {
            0 => self.most,
            rate => (2 + rate * Self::SECONDS / self.page_len(per_second)).min(self.most),
        }
    }

    /// Devices in a page of a campaign of this pace.
    fn page_len(self, per_second: u32) -> usize {
        let most = self.page_size.max(1);
        match per_second as usize {
            0 => most,
            rate => (rate * Self::SECONDS).max(Self::LEAST).min(most),
        }
    }
}

impl CampaignRun {
    /// A run with its gate open.
    pub fn new(
        notification: Notification,
        rendered: HashMap<SendPlatform, Arc<Rendered>>,
        pages: PageBudget,
        trace: Option<CampaignTrace>,
    ) -> Self {
        let rate = notification.message.options.rate_limit.unwrap_or(0);
        let credits = pages.pages_at(rate);
        let now = Instant::now();
        let lives_secs = notification.message.options.time_to_live;
        let lives_secs = lives_secs.unwrap_or(LONGEST_TIME_TO_LIVE_SECS);
        Self {
            notification,
            rendered,
            over_at: now + Duration::from_secs(lives_secs.into()),
            rate: RateLimiter::new(rate, now),
            pace: Pace::default(),
            trace,
            credits: Arc::new(Semaphore::new(credits)),
            trailing: Arc::new(Semaphore::new(TRAILING_PAGES)),
            shards: Mutex::default(),
            ended: Notify::new(),
            unrecorded: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            complete: AtomicBool::new(false),
            pages,
            credits_given: Mutex::new(credits),
        }
    }

    /// Changes its pace; a faster one may have more pages in flight.
    pub fn set_rate(&self, per_second: u32) {
        self.rate.set(per_second, Instant::now());
        let mut given = self.credits_given.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = self.pages.pages_at(per_second);
        self.credits.add_permits(wanted.saturating_sub(*given));
        *given = wanted.max(*given);
    }

    /// Every shard of it is done.
    pub fn complete(&self) {
        self.complete.store(true, Ordering::Relaxed);
    }

    /// Devices in the next page.
    pub fn page_len(&self) -> usize {
        self.pages.page_len(self.rate.per_second())
    }

    /// Its notification's name.
    pub fn id(&self) -> NotificationId {
        self.notification.uuid
    }

    /// The desks of the shards that this node works on.
    pub fn shards(&self) -> MutexGuard<'_, Vec<Arc<ShardDesk>>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this node holds of it.
    pub fn leases(&self) -> Vec<Lease> {
        self.shards().iter().map(|desk| desk.lease()).collect()
    }

    /// Whether a shard that this node works on has a stretch that was not gone over yet.
    pub fn has_untried(&self) -> bool {
        let untried = |desk: &Arc<ShardDesk>| desk.has_untried.load(Ordering::Relaxed);
        self.shards().iter().any(|desk| !desk.has_ended() && desk.is_open() && untried(desk))
    }

    /// What the pages that this node has set aside weigh in memory, in outcomes.
    pub fn weight_aside(&self) -> usize {
        self.shards().iter().map(|desk| desk.weight_aside.load(Ordering::Relaxed)).sum()
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

    /// Whether the ledger takes what happens. While it does not, nothing more is read and no push
    /// begins: it would be repeated after a crash.
    pub fn is_recorded(&self) -> bool {
        self.unrecorded.load(Ordering::SeqCst) == 0
    }
}

/// A record that the ledger does not take, for as long as this lives.
pub struct Unrecorded(Arc<CampaignRun>);

impl Unrecorded {
    /// Holds the campaign back.
    pub fn of(run: &Arc<CampaignRun>) -> Self {
        run.unrecorded.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(run))
    }
}

impl Drop for Unrecorded {
    fn drop(&mut self) {
        self.0.unrecorded.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a shard's actor keeps where a crash does not reach: its lease, and its pages in flight.
pub struct ShardDesk {
    /// The shard.
    pub key: ShardKey,
    /// What the ledger's writes carry: under a later lease there is another desk.
    pub epoch: u64,
    /// Who works on it.
    pub seat: Arc<Seat<super::shard::ShardActor>>,
    /// Its pages in flight, by where they begin.
    pages: Mutex<BTreeMap<Position, Arc<PageWork>>>,
    /// Counts the actors that have sat here.
    pub generation: AtomicU64,
    /// Whether its actor has ended its work: done, halted, or the lease lost.
    pub ended: AtomicBool,
    /// Whether some stretch of it was not gone over yet, as its actor last told.
    pub has_untried: AtomicBool,
    /// What its pages set aside weigh in memory, as its actor last told.
    pub weight_aside: AtomicUsize,
    closed: AtomicBool,
    seated: AtomicBool,
    /// Until when the lease is ours without being renewed: milliseconds of [`clock_ms`].
    held_until_ms: AtomicU64,
}

impl ShardDesk {
    /// A desk with nothing on it, for a shard held until then; none is for ever.
    pub fn new(lease: Lease, held_until: Option<Instant>) -> Arc<Self> {
        Arc::new(Self {
            key: lease.shard,
            epoch: lease.epoch,
            seat: Seat::empty(),
            pages: Mutex::default(),
            generation: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            has_untried: AtomicBool::new(true),
            weight_aside: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            seated: AtomicBool::new(false),
            held_until_ms: AtomicU64::new(held_until.map_or(u64::MAX, clock_ms)),
        })
    }

    /// Its lease.
    pub fn lease(&self) -> Lease {
        Lease { shard: self.key, epoch: self.epoch }
    }

    /// Its pages in flight.
    pub fn pages(&self) -> MutexGuard<'_, BTreeMap<Position, Arc<PageWork>>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease was renewed and is ours until then; none is for ever. One that was found over stays so.
    pub fn hold_until(&self, until: Option<Instant>) {
        self.held_until_ms.store(until.map_or(u64::MAX, clock_ms), Ordering::SeqCst);
    }

    /// Whether nobody was seated here before; from now on somebody is.
    pub fn take_seat(&self) -> bool {
        !self.seated.swap(true, Ordering::SeqCst)
    }

    /// Stops work on this shard here: no push of it begins after this.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Whether pushes may begin. A process that was stopped for longer than its lease finds it over by
    /// its own clock, before it asks anybody. Once over is over: devices have been handed back by then
    /// that only another desk, under a new lease, reads again.
    pub fn is_open(&self) -> bool {
        let held_until = self.held_until_ms.load(Ordering::SeqCst);
        if held_until != u64::MAX && clock_ms(Instant::now()) >= held_until {
            self.close();
        }
        !self.closed.load(Ordering::SeqCst)
    }

    /// Whether its actor has ended its work.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}

/// A moment as milliseconds since the first one asked for.
fn clock_ms(at: Instant) -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(at.saturating_duration_since(*START).as_millis()).unwrap_or(u64::MAX)
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
            if let Some(trace) = &run.trace {
                // A server that stops just then has not stopped it.
                trace.end(!run.is_open() && !run.complete.load(Ordering::Relaxed));
            }
            run.ended.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NotificationId, Arc<CampaignRun>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_campaigns_hold_little() {
        let budget = PageBudget { most: 16, page_size: 2000 };
        let held = |rate| (budget.pages_at(rate), budget.page_len(rate));
        assert_eq!((held(0), held(100_000)), ((16, 2000), (16, 2000)));
        assert_eq!((held(1), held(200), held(2000)), ((2, 100), (3, 1000), (7, 2000)));
    }

    #[test]
    fn a_lease_found_over_stays_over() {
        let shard =
            ShardKey { notification: NotificationId(uuid::Uuid::nil()), round: 0, index: 0 };
        let hour = Duration::from_secs(3600);
        let desk = ShardDesk::new(Lease { shard, epoch: 1 }, Some(Instant::now() + hour));
        assert!(desk.is_open());
        desk.hold_until(Some(Instant::now()));
        assert!(!desk.is_open());
        desk.hold_until(Some(Instant::now() + hour));
        assert!(!desk.is_open(), "its devices were handed back");
    }
}
