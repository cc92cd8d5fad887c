//! What a sender keeps where a crash does not reach: the devices in waiting, the breaker, the guard of
//! the tokens. It decides what may begin next; `conclude` takes in how pushes ended.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{
    expire,
    job::{Job, Ticket},
    meter::Meter,
    queue::{LaneEnd, Queue},
    refusal::Refusal,
};
use crate::{
    domain::{device::Device, ids::AppName, outcome::Reason},
    engine::{
        breaker::{Breaker, Pass},
        direct::{DirectOutcome, Place, Single},
        pace::Pace,
        page::PageWork,
        prune_guard::PruneGuard,
        rate_limit::{self, RateLimiter},
        verdict::RetryPolicy,
    },
    storage::PruneOrder,
    transport::{Rendered, SharedTransport},
};

/// Pushes that may begin in one go: enough to make one lock and one look at the clock cheap, few enough
/// for campaigns to take turns.
const CHUNK: usize = 32;
/// How often it looks whether a ledger that could not record can again.
const UNRECORDED_WAIT: Duration = Duration::from_millis(20);
/// Direct pushes that may wait at once, so that an outage does not pile them up.
const MOST_SINGLE: usize = 10_000;
/// The same while the provider is out of order: what finds out whether it is back.
const SINGLE_PROBES: usize = 4;

/// The desk of one sender: one app through one provider.
pub struct Desk {
    /// The app.
    pub app: AppName,
    /// The way out.
    pub transport: SharedTransport,
    /// Wakes the pump: work, a change of rate, a closed gate.
    pub work: Notify,
    /// Wakes the pump: pushes have ended.
    pub room: Notify,
    /// The paces it goes by.
    pub rates: DeskRates,
    /// Pushes that ended lately.
    pub pace: Arc<Pace>,
    pub(super) policy: RetryPolicy,
    in_flight: AtomicUsize,
    /// Direct pushes here, waiting or under way.
    pub(super) single: Arc<AtomicUsize>,
    /// Whether it was taken down.
    closed: AtomicBool,
    state: Mutex<State>,
}

/// The paces that a desk goes by, besides each campaign's own.
pub struct DeskRates {
    /// This app's through this provider.
    pub provider: Arc<RateLimiter>,
    /// This app's.
    pub app: Arc<RateLimiter>,
    /// The installation's.
    pub global: Arc<RateLimiter>,
}

/// What changes while pushes begin and end.
pub(super) struct State {
    pub(super) queue: Queue,
    pub(super) breaker: Breaker,
    /// How the provider was out of order the last time.
    pub(super) fault: Option<Reason>,
    pub(super) guard: PruneGuard,
    pub(super) meter: Meter,
    pub(super) prunes: Vec<PruneOrder>,
    pub(super) hold_until: Option<Instant>,
    pub(super) refused: Option<Refusal>,
    /// When the log last told that a push was refused for the app's credentials.
    pub(super) refusal_told: Option<Instant>,
}

/// What the pump should do next.
pub enum Step {
    /// Push these.
    Push(Vec<Ticket>),
    /// Nothing before then, unless woken.
    Sleep(Instant),
    /// Nothing until woken.
    Idle,
}

impl Desk {
    /// An empty desk.
    pub fn new(
        app: AppName,
        transport: SharedTransport,
        rates: DeskRates,
        policy: RetryPolicy,
        prune_guard_percent: u32,
        meter: Meter,
    ) -> Self {
        let pace = Arc::clone(&meter.pace);
        let state = State {
            queue: Queue::default(),
            breaker: Breaker::default(),
            fault: None,
            guard: PruneGuard::new(prune_guard_percent),
            meter,
            prunes: Vec::new(),
            hold_until: None,
            refused: None,
            refusal_told: None,
        };
        Self {
            app,
            transport,
            work: Notify::new(),
            room: Notify::new(),
            rates,
            pace,
            policy,
            in_flight: AtomicUsize::new(0),
            single: Arc::default(),
            closed: AtomicBool::new(false),
            state: Mutex::new(state),
        }
    }

    /// Takes devices of one page in.
    pub fn submit(&self, page: &PageWork, mut jobs: Vec<Job>) {
        let mut state = self.lock();
        // The first of them asks whether the provider is back, and it may be back for all but that one:
        // each time the page is read another is the first.
        if state.breaker.is_open() && !jobs.is_empty() {
            let first = rand::random_range(..jobs.len());
            jobs.rotate_left(first);
        }
        if let Some(refused) = &mut state.refused {
            refused.ask_for((page.run.id(), page.desk.key.round));
        }
        state.queue.extend(page.run.id(), jobs.into_iter());
        drop(state);
        // Asked after they are in: whoever closed a gate before has swept without seeing them.
        if !page.is_wanted(self.transport.provider()) {
            self.sweep();
        }
        if self.is_closed() {
            self.close();
        }
        self.work.notify_one();
    }

    /// Takes in a push of no campaign, and says where its outcome is heard; none where too many wait
    /// already, or where the device has no token.
    pub fn submit_single(
        &self,
        device: &Device,
        rendered: Arc<Rendered>,
    ) -> Option<oneshot::Receiver<DirectOutcome>> {
        let mut state = self.lock();
        let most = if state.breaker.is_open() { SINGLE_PROBES } else { MOST_SINGLE };
        let place = Place::take(&self.single, most)?;
        let (single, heard) = Single::new(device, place)?;
        let job = Job::single(single, rendered);
        // Asked under the lock, as in `close`.
        if self.is_closed() {
            return None;
        }
        state.queue.extend(job.campaign(), std::iter::once(job));
        drop(state);
        self.work.notify_one();
        Some(heard)
    }

    /// Takes the desk down: what waits here ends as without credentials, and nothing more begins. What is
    /// of campaigns that were stopped is handed back instead: they go on by another desk.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let all = self.lock().queue.take_all();
        let (wanted, left): (Vec<_>, Vec<_>) = all.into_iter().partition(Job::is_wanted);
        wanted.into_iter().for_each(Job::forsake);
        left.into_iter().for_each(Job::leave);
    }

    /// Whether it was taken down.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Takes a device in again that was not concluded.
    pub(super) fn put_back(&self, job: Job) {
        let mut state = self.lock();
        state.queue.put_first(job);
        // It may have been the one that was out to ask.
        if let Some(refused) = &mut state.refused {
            refused.probing_until = None;
        }
        drop(state);
        if self.is_closed() {
            self.close();
        }
        self.work.notify_one();
    }

    /// Drops direct pushes that nobody waits for any more.
    pub fn sweep_single(&self) {
        if self.single.load(Ordering::Relaxed) > 0 {
            self.sweep();
        }
    }

    /// Hands back every waiting device of campaigns whose gate has closed, and those of pages handed back.
    pub fn sweep(&self) {
        let unwanted = self.lock().queue.take_unwanted();
        unwanted.into_iter().for_each(Job::leave);
    }

    /// What to do next. Takes out at most a chunk, from one campaign, as breaker, window and rates allow.
    pub fn step(self: &Arc<Self>, now: Instant) -> Step {
        let under_way = self.in_flight();
        let mut free = self.transport.window().saturating_sub(under_way);
        let mut state = self.lock();
        // While the provider is out of order the devices take turns to ask: it may be back for all but the
        // one that asked last.
        let end = if state.breaker.is_open() { LaneEnd::Tail } else { LaneEnd::Head };
        state.queue.wake_due(now, end);
        let over = expire::take(&mut state, now);
        if !over.is_empty() {
            return self.fail_unasked(state, over, &expire::reason(), now);
        }
        if let Some(until) = state.hold_until.filter(|until| *until > now) {
            return Step::Sleep(until);
        }
        state.hold_until = None;
        if state.queue.is_empty() {
            return state.queue.next_due().map_or(Step::Idle, Step::Sleep);
        }
        if let Some(more) = self.doubt(&mut state, under_way) {
            free = free.min(more);
        }
        // Pushes that end wake the pump through `room`.
        if free == 0 {
            return Step::Idle;
        }
        if let Some(refused) = state.refused.as_ref().filter(|refused| refused.is_certain()) {
            if now < refused.next_probe {
                let reason = refused.reason.clone();
                return self.fail_refused(state, &reason, now);
            }
            if let Some(until) = refused.probing_until.filter(|until| now < *until) {
                return Step::Sleep(until);
            }
            let step = self.take(&mut state.queue, 1, now);
            if let (Step::Push(_), Some(refused)) = (&step, &mut state.refused) {
                refused.probe(now);
            }
            return step;
        }
        match state.breaker.pass(now) {
            Pass::Free => self.take(&mut state.queue, free.min(CHUNK), now),
            Pass::Wait(until) => Step::Sleep(until),
            Pass::Probe => {
                let step = self.take(&mut state.queue, 1, now);
                if let Step::Push(_) = step {
                    state.breaker.probe(now);
                }
                step
            }
        }
    }

    /// How many pushes may begin while it is in doubt whether the provider refuses them all.
    fn doubt(&self, state: &mut State, under_way: usize) -> Option<usize> {
        let refused = state.refused.as_mut()?;
        let (more, is_new) = refused.doubt(under_way);
        if is_new {
            let (provider, reason) = (self.transport.provider().name(), refused.reason.as_str());
            tracing::error!(app = %self.app, provider, reason, "the provider refuses the app's credentials");
        }
        more
    }

    /// Ends some devices as refused without asking the provider.
    fn fail_refused(
        &self,
        mut state: MutexGuard<'_, State>,
        reason: &Reason,
        now: Instant,
    ) -> Step {
        let jobs = state.queue.take_turn(|_, waiting| waiting.min(16 * CHUNK));
        self.fail_unasked(state, jobs, reason, now)
    }

    /// Ends these devices without asking the provider.
    fn fail_unasked(
        &self,
        mut state: MutexGuard<'_, State>,
        jobs: Vec<Job>,
        reason: &Reason,
        now: Instant,
    ) -> Step {
        state.meter.failed(reason, jobs.len() as u64);
        drop(state);
        jobs.iter().for_each(|job| self.count_pace(job, now));
        jobs.into_iter().for_each(|job| job.refuse(reason.clone()));
        Step::Sleep(now)
    }

    /// Takes up to `most` devices from the first campaign whose rates allow it.
    fn take(self: &Arc<Self>, queue: &mut Queue, most: usize, now: Instant) -> Step {
        let mut earliest: Option<Instant> = None;
        for _ in 0..queue.lanes() {
            let mut wait = Duration::ZERO;
            let jobs = queue.take_turn(|job, waiting| {
                if !job.is_recorded() {
                    wait = UNRECORDED_WAIT;
                    return 0;
                }
                let rates: [&RateLimiter; 3] =
                    [&self.rates.provider, &self.rates.app, &self.rates.global];
                let grant = rate_limit::take(job.own_rate(), &rates, most.min(waiting), now);
                wait = grant.wait;
                grant.granted
            });
            if !jobs.is_empty() {
                self.in_flight.fetch_add(jobs.len(), Ordering::Relaxed);
                let ticket = |job| Ticket::new(job, Arc::clone(self), now);
                return Step::Push(jobs.into_iter().map(ticket).collect());
            }
            let at = now + wait;
            earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
        }
        earliest.map_or(Step::Idle, Step::Sleep)
    }

    /// A push has ended, one way or the other.
    pub(super) fn landed(&self) {
        let before = self.in_flight.fetch_sub(1, Ordering::Relaxed);
        // Waking the pump for every single push would cost more than the push's own bookkeeping.
        if before.is_multiple_of(CHUNK / 4) || before < CHUNK {
            self.room.notify_one();
        }
    }

    /// Pushes under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The tokens to give up since the last call, where the guard allows it, and whether the guard has
    /// just changed its mind.
    pub fn prunes(&self) -> (Vec<PruneOrder>, Option<bool>) {
        let mut state = self.lock();
        let (allowed, changed) = state.guard.decide();
        let orders = std::mem::take(&mut state.prunes);
        (if allowed { orders } else { Vec::new() }, changed.then_some(allowed))
    }

    /// The provider takes the credentials after all: what waits need not wait for a probe.
    pub fn forgive(&self) {
        self.not_refused(&mut self.lock());
    }

    /// A push was not refused: what waited for that goes on.
    pub(super) fn not_refused(&self, state: &mut State) {
        if state.refused.take().is_some() {
            self.work.notify_one();
        }
    }

    /// The provider's word for refusing the app's credentials, if it does.
    pub fn refusal(&self) -> Option<String> {
        let state = self.lock();
        let refused = self.known_refusal(&state);
        refused.map(|refused| refused.reason.as_str().to_owned())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
