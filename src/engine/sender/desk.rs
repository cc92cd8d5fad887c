//! What a sender keeps where a crash does not reach: the devices waiting to be pushed, those waiting
//! for another try, the breaker and the guard. A push under way holds a [`Ticket`]; dropping that
//! without an answer puts the device back, so no device is ever lost between queue and provider.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::{
    domain::{
        campaign::Target,
        ids::{AppName, NotificationId},
        outcome::{Answer, Outcome, Reason},
    },
    engine::{
        breaker::{Breaker, Pass},
        page::PageWork,
        prune_guard::PruneGuard,
        rate_limit::{self, RateLimiter},
        verdict::{self, Health, Next, RetryPolicy, Token},
    },
    storage::PruneOrder,
    transport::{Rendered, SharedTransport},
};

/// Pushes that may begin in one go: enough to make one lock and one look at the clock cheap, few enough
/// for campaigns to take turns.
pub const CHUNK: usize = 32;
/// How often a provider that refuses the app's credentials is asked again.
const REFUSED_PROBE: Duration = Duration::from_secs(5);
/// A push whose task died this often is given up; it is likely to be what kills them.
const MAX_DEATHS: u32 = 3;

/// One device to be pushed.
pub struct Job {
    page: Arc<PageWork>,
    rendered: Arc<Rendered>,
    index: u32,
    /// Tries so far.
    attempts: u32,
    /// Tries that ended without an answer because their task died.
    deaths: u32,
}

impl Job {
    /// The first try of the device at `index`.
    pub fn new(page: Arc<PageWork>, rendered: Arc<Rendered>, index: u32) -> Self {
        Self { page, rendered, index, attempts: 0, deaths: 0 }
    }

    /// Its device.
    pub fn target(&self) -> &Target {
        &self.page.targets()[self.index as usize]
    }

    /// The message as its provider wants it.
    pub fn rendered(&self) -> &Rendered {
        &self.rendered
    }

    /// Whether it goes to the provider at all.
    pub fn is_dry_run(&self) -> bool {
        self.page.run.notification.message.options.dry_run
    }
}

/// The devices of one campaign, so that campaigns take turns.
struct Lane {
    campaign: NotificationId,
    jobs: VecDeque<Job>,
}

struct Later {
    due: Instant,
    job: Job,
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}
impl Eq for Later {}
impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Later {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

struct State {
    lanes: VecDeque<Lane>,
    later: BinaryHeap<Reverse<Later>>,
    breaker: Breaker,
    guard: PruneGuard,
    prunes: Vec<PruneOrder>,
    hold_until: Option<Instant>,
    refused: Option<Refusal>,
}

/// The provider refuses the app's credentials. Every push would be refused, so none is sent but for one
/// now and then; forgotten at the first that is not refused.
struct Refusal {
    reason: Reason,
    next_probe: Instant,
}

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
    /// This app's pace through this provider.
    pub rate: Arc<RateLimiter>,
    /// This app's pace.
    pub app_rate: Arc<RateLimiter>,
    /// The installation's pace.
    pub global_rate: Arc<RateLimiter>,
    policy: RetryPolicy,
    in_flight: AtomicUsize,
    state: Mutex<State>,
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

/// The rates a desk goes by.
pub struct DeskRates {
    /// This app's pace through this provider.
    pub provider: Arc<RateLimiter>,
    /// This app's pace.
    pub app: Arc<RateLimiter>,
    /// The installation's pace.
    pub global: Arc<RateLimiter>,
}

impl Desk {
    /// An empty desk.
    pub fn new(
        app: AppName,
        transport: SharedTransport,
        rates: DeskRates,
        policy: RetryPolicy,
        prune_guard_percent: u32,
    ) -> Self {
        let state = State {
            lanes: VecDeque::new(),
            later: BinaryHeap::new(),
            breaker: Breaker::default(),
            guard: PruneGuard::new(prune_guard_percent),
            prunes: Vec::new(),
            hold_until: None,
            refused: None,
        };
        Self {
            app,
            transport,
            work: Notify::new(),
            room: Notify::new(),
            rate: rates.provider,
            app_rate: rates.app,
            global_rate: rates.global,
            policy,
            in_flight: AtomicUsize::new(0),
            state: Mutex::new(state),
        }
    }

    /// Takes devices in.
    pub fn submit(&self, campaign: NotificationId, jobs: impl Iterator<Item = Job>) {
        let mut state = self.lock();
        let lane = state.lane(campaign);
        lane.extend(jobs);
        let closed = lane.front().is_some_and(|job| !job.page.run.is_open());
        drop(state);
        if closed {
            self.sweep();
        }
        self.work.notify_one();
    }

    /// Hands back every waiting device of campaigns whose gate has closed.
    pub fn sweep(&self) {
        let mut left = Vec::new();
        let mut state = self.lock();
        for lane in &mut state.lanes {
            if lane.jobs.front().is_some_and(|job| !job.page.run.is_open()) {
                left.extend(lane.jobs.drain(..));
            }
        }
        state.lanes.retain(|lane| !lane.jobs.is_empty());
        let later = std::mem::take(&mut state.later);
        for Reverse(later) in later {
            if later.job.page.run.is_open() {
                state.later.push(Reverse(later));
            } else {
                left.push(later.job);
            }
        }
        drop(state);
        left.iter().for_each(|job| job.page.leave());
    }

    /// What to do next. Takes out at most a chunk, from one campaign, as breaker, window and rates allow.
    pub fn step(self: &Arc<Self>, now: Instant) -> Step {
        let free = self.transport.window().saturating_sub(self.in_flight());
        let mut state = self.lock();
        state.wake_due(now);
        if let Some(until) = state.hold_until.filter(|until| *until > now) {
            return Step::Sleep(until);
        }
        state.hold_until = None;
        if state.lanes.is_empty() {
            return state.later.peek().map_or(Step::Idle, |Reverse(next)| Step::Sleep(next.due));
        }
        // Pushes that end wake the pump through `room`.
        if free == 0 {
            return Step::Idle;
        }
        let mut most = free.min(CHUNK);
        if let Some(refused) = &mut state.refused {
            if now < refused.next_probe {
                return Self::fail_refused(state, now);
            }
            refused.next_probe = now + REFUSED_PROBE;
            most = 1;
        }
        let wanted = match state.breaker.pass(now) {
            Pass::Free => most,
            Pass::Probe => 1,
            Pass::Wait(until) => return Step::Sleep(until),
        };
        self.take(&mut state, wanted, now)
    }

    /// Ends some devices as refused without asking the provider.
    fn fail_refused(mut state: MutexGuard<'_, State>, now: Instant) -> Step {
        let (reason, jobs) = state.refuse_chunk();
        drop(state);
        for job in jobs {
            job.page.settle(job.index as usize, Outcome::Failed(reason.clone()));
        }
        Step::Sleep(now)
    }

    /// Takes up to `wanted` devices from the first campaign whose rates allow it.
    fn take(self: &Arc<Self>, state: &mut State, wanted: usize, now: Instant) -> Step {
        let mut earliest: Option<Instant> = None;
        for _ in 0..state.lanes.len() {
            let Some(mut lane) = state.lanes.pop_front() else { break };
            let Some(first) = lane.jobs.front() else { continue };
            let run = Arc::clone(&first.page.run);
            let limits = [&run.rate, &*self.rate, &*self.app_rate, &*self.global_rate];
            let grant = rate_limit::take(&limits, wanted.min(lane.jobs.len()), now);
            let taken: Vec<_> = lane.jobs.drain(..grant.granted).collect();
            if !lane.jobs.is_empty() {
                state.lanes.push_back(lane);
            }
            if !taken.is_empty() {
                return Step::Push(self.tickets(taken));
            }
            let at = now + grant.wait;
            earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
        }
        earliest.map_or(Step::Idle, Step::Sleep)
    }

    fn tickets(self: &Arc<Self>, jobs: Vec<Job>) -> Vec<Ticket> {
        self.in_flight.fetch_add(jobs.len(), Ordering::Relaxed);
        let ticket = |job| Ticket { job: Some(job), desk: Arc::clone(self) };
        jobs.into_iter().map(ticket).collect()
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

    /// Why this sender cannot send now, if it cannot.
    pub fn trouble(&self) -> Option<String> {
        let state = self.lock();
        let provider = self.transport.provider().name();
        if let Some(refused) = &state.refused {
            let reason = refused.reason.as_str();
            return Some(format!("{}: {provider} refuses the credentials: {reason}", self.app));
        }
        let open = state.breaker.is_open();
        open.then(|| format!("{}: {provider} does not answer as it should", self.app))
    }

    /// What the desk holds, for people to look at.
    pub fn observe(&self) -> serde_json::Value {
        let state = self.lock();
        serde_json::json!({
            "waiting": state.lanes.iter().map(|lane| lane.jobs.len()).sum::<usize>(),
            "waiting_for_another_try": state.later.len(),
            "in_flight": self.in_flight(),
            "breaker_open": state.breaker.is_open(),
            "pruning_stopped": state.guard.is_stopped(),
            "credentials_refused": state.refused.as_ref().map(|refused| refused.reason.as_str()),
            "per_second": self.rate.per_second(),
            "transport": self.transport.state(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the next step of a push that ended with `answer`.
    fn conclude(&self, job: Job, answer: Answer) {
        if answer == Answer::Accepted {
            self.accepted(&job);
        } else {
            self.not_accepted(job, answer);
        }
    }

    /// What nearly every push comes to, kept short.
    fn accepted(&self, job: &Job) {
        let mut state = self.lock();
        state.breaker.answered();
        state.refused = None;
        state.guard.count(false);
        drop(state);
        job.page.settle(job.index as usize, Outcome::Accepted);
    }

    fn not_accepted(&self, mut job: Job, answer: Answer) {
        let now = Instant::now();
        job.attempts += 1;
        let registered_at = job.target().registered_at;
        let refused = match &answer {
            Answer::BadCredential { reason } => Some(reason.clone()),
            _ => None,
        };
        let jitter = rand::random();
        let verdict = verdict::judge(answer, job.attempts, registered_at, &self.policy, jitter);
        let mut state = self.lock();
        match verdict.health {
            Health::Answered => {
                state.breaker.answered();
                state.refused = None;
            }
            Health::Failing => {
                if state.breaker.failed(now) {
                    let provider = self.transport.provider().name();
                    tracing::warn!(app = %self.app, provider, "the provider is out of order; pushes wait");
                }
            }
            Health::Refusing => {
                if let Some(reason) = refused {
                    self.refuse(&mut state, reason);
                }
            }
        }
        if let Some(hold) = verdict.hold {
            let until = now + hold;
            state.hold_until = Some(state.hold_until.map_or(until, |held| held.max(until)));
        }
        state.guard.count(verdict.token != Token::Good);
        if verdict.token == Token::Gone
            && let Next::Settle(Outcome::Failed(reason)) = &verdict.next
        {
            let (device, token) = (job.target().device, job.target().token.clone());
            state.prunes.push(PruneOrder { device, token, reason: reason.clone() });
        }
        match verdict.next {
            Next::Settle(outcome) => {
                drop(state);
                job.page.settle(job.index as usize, outcome);
            }
            Next::Retry(_) if !job.page.run.is_open() => {
                drop(state);
                job.page.leave();
            }
            Next::Retry(wait) => {
                state.later.push(Reverse(Later { due: now + wait, job }));
                drop(state);
                self.work.notify_one();
            }
        }
    }

    fn refuse(&self, state: &mut State, reason: Reason) {
        if state.refused.is_none() {
            let (provider, word) = (self.transport.provider().name(), reason.as_str());
            tracing::error!(app = %self.app, provider, reason = word, "the provider refuses the app's credentials");
        }
        state.refused = Some(Refusal { reason, next_probe: Instant::now() + REFUSED_PROBE });
    }
}

impl State {
    /// The jobs of this campaign, in a lane made where there is none.
    fn lane(&mut self, campaign: NotificationId) -> &mut VecDeque<Job> {
        let at = self.lanes.iter().position(|lane| lane.campaign == campaign);
        let at = at.unwrap_or_else(|| {
            self.lanes.push_back(Lane { campaign, jobs: VecDeque::new() });
            self.lanes.len() - 1
        });
        &mut self.lanes[at].jobs
    }

    /// Takes out a good many devices to fail without asking the provider.
    fn refuse_chunk(&mut self) -> (Reason, Vec<Job>) {
        let reason = self.refused.as_ref().map(|refused| refused.reason.clone());
        let Some(mut lane) = self.lanes.pop_front() else { return (Reason::new(""), Vec::new()) };
        let jobs = lane.jobs.drain(..lane.jobs.len().min(16 * CHUNK)).collect();
        if !lane.jobs.is_empty() {
            self.lanes.push_back(lane);
        }
        (reason.unwrap_or_else(|| Reason::new("bad_credential")), jobs)
    }

    /// Moves what is due for another try to the head of its lane.
    fn wake_due(&mut self, now: Instant) {
        while self.later.peek().is_some_and(|Reverse(next)| next.due <= now) {
            if let Some(Reverse(next)) = self.later.pop() {
                self.lane(next.job.page.run.id()).push_front(next.job);
            }
        }
    }
}

/// A push under way.
pub struct Ticket {
    job: Option<Job>,
    desk: Arc<Desk>,
}

impl Ticket {
    /// What is pushed; none once it is concluded.
    pub fn job(&self) -> Option<&Job> {
        self.job.as_ref().filter(|job| job.page.run.is_open())
    }

    /// The provider has answered.
    pub fn conclude(mut self, answer: Answer) {
        if let Some(job) = self.job.take() {
            self.desk.conclude(job, answer);
        }
    }
}

impl Drop for Ticket {
    /// Ends the push. Without an answer the device goes back to the queue, or back to its page when the
    /// campaign was stopped.
    fn drop(&mut self) {
        let before = self.desk.in_flight.fetch_sub(1, Ordering::Relaxed);
        // Waking the pump for every single push would cost more than the push's own bookkeeping.
        if before.is_multiple_of(CHUNK / 4) || before < CHUNK {
            self.desk.room.notify_one();
        }
        let Some(mut job) = self.job.take() else { return };
        if !job.page.run.is_open() {
            return job.page.leave();
        }
        job.deaths += 1;
        if job.deaths >= MAX_DEATHS {
            let reason = Reason::new("internal_error");
            return job.page.settle(job.index as usize, Outcome::Failed(reason));
        }
        self.desk.lock().lane(job.page.run.id()).push_front(job);
        self.desk.work.notify_one();
    }
}
