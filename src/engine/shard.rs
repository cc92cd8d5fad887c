//! One shard of a round: reads pages of matching devices while it has credits, hands them to the
//! senders, records each page with its own checkpoint, and ends when its stretch is recorded.
//!
//! The actor decides; reading and recording run in spawned tasks whose results come back as messages.
//! What is in flight lies on its [`ShardDesk`], so that its next generation finds it there.

mod aside;
mod progress;

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use actix::prelude::*;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use self::progress::Progress;
use super::{
    backoff::Backoff,
    campaign::{CampaignRun, ShardDesk, Unrecorded},
    coordinator::{CoordinatorActor, ShardEnded},
    page::PageWork,
    sender::Senders,
    supervise::{Guard, Probe, Seat},
};
use crate::{
    domain::{
        ErrorKind, Result,
        campaign::{MAX_PAGE_LEN, PageRecord, Position, Shard, Span, TargetPage},
        timestamp::Timestamp,
    },
    storage::CampaignLedger,
    telemetry::PageTimes,
};

/// Waits between tries of a store that fails.
const STORE_RETRY: Backoff =
    Backoff { base: Duration::from_millis(50), max: Duration::from_secs(5) };

/// The ledger counts as unable to record after so many intervals of saving: a store that cannot be
/// reached may take half a minute to say so.
const RECORD_PATIENCE: u32 = 2;

/// So many stretches as there are.
const ANY: usize = usize::MAX;

/// What every generation of a shard's actor is made from.
#[derive(Clone)]
pub struct ShardParts {
    /// Its campaign.
    pub run: Arc<CampaignRun>,
    /// What is in flight.
    pub desk: Arc<ShardDesk>,
    /// Where pages are read and recorded.
    pub ledger: Arc<dyn CampaignLedger>,
    /// Where pushes go.
    pub senders: Arc<Senders>,
    /// Who is told of the end.
    pub coordinator: Arc<Seat<CoordinatorActor>>,
    /// How often a page in flight is saved.
    pub save_interval: Duration,
}

/// The actor.
pub struct ShardActor {
    parts: ShardParts,
    guard: Guard,
    generation: u64,
    /// None until the ledger has answered.
    progress: Option<Progress>,
    /// Stretches that may be read before the next look though they were never gone over.
    fresh: usize,
    /// Whether a credit or a page is being waited for.
    reading: bool,
    /// Whether the ledger is recording a page.
    recording: bool,
    /// Pages to record, oldest first; a page stands here at most once.
    to_record: VecDeque<Position>,
}

/// The ledger says where the shard stands.
#[derive(Message)]
#[rtype(result = "()")]
struct ProgressLoaded(Progress);

/// A credit is there for the next page.
#[derive(Message)]
#[rtype(result = "()")]
struct CreditGranted(OwnedSemaphorePermit);

/// The ledger has read a page.
#[derive(Message)]
#[rtype(result = "()")]
struct PageRead {
    span: Span,
    page: TargetPage,
    credit: OwnedSemaphorePermit,
    times: Option<PageTimes>,
}

/// No device of the page is with a sender any more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct PageSettled {
    /// Where it begins.
    pub page: Position,
}

/// Only a few devices of the page are left.
#[derive(Message)]
#[rtype(result = "()")]
pub struct PageTrails {
    /// Where it begins.
    pub page: Position,
}

/// The ledger has a page.
#[derive(Message)]
#[rtype(result = "()")]
struct PageRecorded {
    record: PageRecord,
    settled: bool,
}

/// Another node holds the shard's lease.
#[derive(Message)]
#[rtype(result = "()")]
struct LeaseLost;

/// What came of an attempt to record a page.
enum Recorded {
    Stored,
    LeaseLost,
    Superseded,
}

/// Looks whether there is something to do: a gate may have closed, a page may want saving.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Look;

impl ShardActor {
    /// A generation that knows nothing yet.
    pub fn new(parts: ShardParts, guard: Guard) -> Self {
        let generation = parts.desk.generation.fetch_add(1, Ordering::SeqCst) + 1;
        Self {
            parts,
            guard,
            generation,
            progress: None,
            fresh: ANY,
            reading: false,
            recording: false,
            to_record: VecDeque::new(),
        }
    }

    /// The next stretch to read, if there is one to read now.
    fn next(&self) -> Option<Span> {
        self.progress.as_ref().and_then(|progress| progress.next(self.fresh > 0))
    }

    /// Asks for a credit, and with it the next page, where there is more to read.
    fn read_on(&mut self, ctx: &mut Context<Self>) {
        let wanted = self.is_wanted() && self.parts.run.is_recorded();
        if self.reading || !wanted || self.next().is_none() {
            return;
        }
        self.reading = true;
        let (credits, me) = (Arc::clone(&self.parts.run.credits), ctx.address());
        actix::spawn(async move {
            // The semaphore is never closed.
            if let Ok(credit) = credits.acquire_owned().await {
                let _ = me.send(CreditGranted(credit)).await;
            }
        });
    }

    /// Records the next page in the queue. One at a time: each checkpoint includes the one before.
    fn record_on(&mut self, ctx: &mut Context<Self>) {
        let Some(progress) = self.progress.as_mut().filter(|_| !self.recording) else { return };
        let Some(at) = self.to_record.pop_front() else { return };
        let Some(page) = self.parts.desk.pages().get(&at).cloned() else { return };
        // Asked before the outcomes are taken: a page that settles in between is recorded again.
        let settled = page.is_settled();
        if let Some(times) = page.times.as_ref().filter(|_| settled) {
            times.recording();
        }
        let record = page.record(Timestamp::now());
        let checkpoint = progress.checkpoint_with(&record);
        self.recording = true;
        let (ledger, me) = (Arc::clone(&self.parts.ledger), ctx.address());
        let (desk, generation) = (Arc::clone(&self.parts.desk), self.generation);
        let (run, patience) =
            (Arc::clone(&self.parts.run), RECORD_PATIENCE * self.parts.save_interval);
        actix::spawn(async move {
            let mut unrecorded = None;
            let ask = async || {
                // A later generation counts anew: this one's checkpoint must not come after its.
                if desk.generation.load(Ordering::SeqCst) != generation {
                    return Ok(Recorded::Superseded);
                }
                let answer = ledger.record(record.clone(), checkpoint.clone());
                let mut hold = || _ = unrecorded.get_or_insert_with(|| Unrecorded::of(&run));
                match noting_delay(patience, answer, &mut hold).await {
                    Ok(()) => Ok(Recorded::Stored),
                    Err(error) if *error.kind() == ErrorKind::LeaseLost => Ok(Recorded::LeaseLost),
                    Err(error) => {
                        hold();
                        Err(error)
                    }
                }
            };
            let recorded = until_stored("record a page", ask).await;
            drop(unrecorded);
            let _ = match recorded {
                Recorded::Stored => me.send(PageRecorded { record, settled }).await,
                Recorded::LeaseLost => me.send(LeaseLost).await,
                Recorded::Superseded => Ok(()),
            };
        });
    }

    fn queue_record(&mut self, page: Position) {
        if !self.to_record.contains(&page) {
            self.to_record.push_back(page);
        }
    }

    /// Ends when all is recorded, or when the gate is closed and nothing is in flight.
    fn end_if_over(&mut self, ctx: &mut Context<Self>) {
        let Some(progress) = &self.progress else { return };
        let idle = !self.recording && self.parts.desk.pages().is_empty();
        let halted = !self.is_wanted() && !self.reading;
        if idle && (progress.is_done() || halted) {
            self.parts.desk.ended.store(true, Ordering::SeqCst);
            self.parts.coordinator.tell(ShardEnded);
            self.guard.finish();
            ctx.stop();
        }
    }

    /// A page is over: tells of it where somebody collects traces.
    fn trace(&self, page: Option<&PageWork>) {
        let Some(page) = page else { return };
        if let (Some(trace), Some(times)) = (&self.parts.run.trace, &page.times) {
            trace.page(self.parts.desk.key.index, times, page.counts());
        }
    }

    fn is_wanted(&self) -> bool {
        self.parts.run.is_open() && self.parts.desk.is_open()
    }

    /// Another node works on the shard now: what is in flight here will be its to find out.
    fn give_up(&mut self, ctx: &mut Context<Self>) {
        self.parts.desk.close();
        self.parts.desk.pages().clear();
        self.to_record.clear();
        self.recording = false;
        self.parts.senders.sweep();
        self.end_if_over(ctx);
    }

    fn go_on(&mut self, ctx: &mut Context<Self>) {
        self.record_on(ctx);
        self.read_on(ctx);
        self.end_if_over(ctx);
    }
}

impl Actor for ShardActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (ledger, desk, me) =
            (Arc::clone(&self.parts.ledger), Arc::clone(&self.parts.desk), ctx.address());
        actix::spawn(async move {
            let shard =
                until_stored("read a shard", async || own_shard(&*ledger, &desk).await).await;
            let open =
                until_stored("read open pages", async || ledger.open_pages(desk.key).await).await;
            let _ = me.send(ProgressLoaded(Progress::resume(shard, open))).await;
        });
        ctx.run_interval(self.parts.save_interval, |_, ctx| ctx.notify(Look));
    }
}

/// Waits for an answer; calls `late` when it takes longer than `patience`.
async fn noting_delay<T>(
    patience: Duration,
    answer: impl Future<Output = T>,
    late: impl FnOnce(),
) -> T {
    let mut answer = std::pin::pin!(answer);
    if let Ok(answer) = tokio::time::timeout(patience, &mut answer).await {
        return answer;
    }
    late();
    answer.await
}

async fn own_shard(ledger: &dyn CampaignLedger, desk: &ShardDesk) -> Result<Shard> {
    let shards = ledger.shards(desk.key.notification).await?;
    let own = shards.into_iter().find(|shard| shard.key == desk.key);
    let own = own.map(|shard| Shard { epoch: desk.epoch, ..shard });
    own.ok_or_else(|| crate::domain::Error::bug("find a planned shard in the ledger"))
}

/// Asks a store until it answers.
async fn until_stored<T>(doing: &str, mut ask: impl AsyncFnMut() -> Result<T>) -> T {
    let mut attempt = 0;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => {
                attempt += 1;
                tracing::error!(%error, attempt, "failed to {doing}; trying again");
                tokio::time::sleep(STORE_RETRY.wait(attempt, rand::random())).await;
            }
        }
    }
}

impl Handler<ProgressLoaded> for ShardActor {
    type Result = ();
    fn handle(&mut self, ProgressLoaded(mut progress): ProgressLoaded, ctx: &mut Context<Self>) {
        // An earlier generation's pages are still being sent: this one records them.
        let pages: Vec<_> = self.parts.desk.pages().values().cloned().collect();
        for page in pages {
            if !progress.adopt(page.span) {
                self.parts.desk.pages().remove(&page.span.after);
            } else if page.is_settled() {
                self.queue_record(page.span.after);
            }
        }
        self.progress = Some(progress);
        self.look_aside();
        self.go_on(ctx);
    }
}

impl Handler<CreditGranted> for ShardActor {
    type Result = ();
    fn handle(&mut self, CreditGranted(credit): CreditGranted, ctx: &mut Context<Self>) {
        let Some(span) = self.next().filter(|_| self.is_wanted()) else {
            self.reading = false;
            return self.go_on(ctx);
        };
        let (ledger, me, key) =
            (Arc::clone(&self.parts.ledger), ctx.address(), self.parts.desk.key);
        // A page that was cut short is gone over whole, so that its record is replaced by one page.
        let progress = self.progress.as_ref();
        let cut_short = progress.is_some_and(|progress| progress.is_cut_short(span));
        let is_aside = progress.is_some_and(|progress| progress.is_aside(span));
        if !is_aside && self.fresh != ANY {
            self.fresh -= 1;
        }
        let limit = if cut_short { MAX_PAGE_LEN } else { self.parts.run.page_len() };
        let began = self.parts.run.trace.as_ref().map(|_| SystemTime::now());
        actix::spawn(async move {
            let page =
                until_stored("read a page", async || ledger.read_page(key, span, limit).await)
                    .await;
            let times = began.map(PageTimes::read_since);
            let _ = me.send(PageRead { span, page, credit, times }).await;
        });
    }
}

impl Handler<PageRead> for ShardActor {
    type Result = ();
    fn handle(&mut self, read: PageRead, ctx: &mut Context<Self>) {
        self.reading = false;
        if !self.is_wanted() {
            return self.go_on(ctx);
        }
        let Some(progress) = &mut self.progress else { return };
        let span = Span { after: read.span.after, upto: read.page.upto };
        let (carried, tried) = progress.begin(span);
        let mut targets = read.page.targets;
        targets.retain(|target| {
            carried.binary_search_by_key(&target.position, |entry| entry.position).is_err()
        });
        let (run, desk) = (Arc::clone(&self.parts.run), Arc::clone(&self.parts.desk));
        let before = (carried, tried);
        let page = PageWork::new(run, desk, span, targets, before, read.credit, read.times);
        self.parts.desk.pages().insert(span.after, Arc::clone(&page));
        if page.is_settled() {
            self.queue_record(span.after);
        }
        self.parts.senders.send(&page);
        self.go_on(ctx);
    }
}

impl Handler<PageSettled> for ShardActor {
    type Result = ();
    fn handle(&mut self, settled: PageSettled, ctx: &mut Context<Self>) {
        self.queue_record(settled.page);
        self.go_on(ctx);
    }
}

impl Handler<PageTrails> for ShardActor {
    type Result = ();
    fn handle(&mut self, trails: PageTrails, _: &mut Context<Self>) {
        if !self.parts.run.is_recorded() {
            return;
        }
        if let Some(page) = self.parts.desk.pages().get(&trails.page) {
            page.trail();
        }
    }
}

impl Handler<PageRecorded> for ShardActor {
    type Result = ();
    fn handle(&mut self, recorded: PageRecorded, ctx: &mut Context<Self>) {
        self.recording = false;
        let after = recorded.record.span.after;
        let over = recorded.settled.then(|| self.parts.desk.pages().remove(&after)).flatten();
        if let Some(progress) = &mut self.progress {
            match &over {
                Some(page) => progress.left(recorded.record, page.waits_for()),
                None => progress.recorded(&recorded.record),
            }
        }
        self.trace(over.as_deref());
        self.go_on(ctx);
    }
}

impl Handler<LeaseLost> for ShardActor {
    type Result = ();
    fn handle(&mut self, _: LeaseLost, ctx: &mut Context<Self>) {
        tracing::warn!(shard = ?self.parts.desk.key, "the shard went to another node");
        self.give_up(ctx);
    }
}

impl Handler<Look> for ShardActor {
    type Result = ();
    fn handle(&mut self, _: Look, ctx: &mut Context<Self>) {
        let pages: Vec<_> = self.parts.desk.pages().values().cloned().collect();
        for page in pages.iter().filter(|page| page.is_dirty() || page.is_settled()) {
            self.queue_record(page.span.after);
        }
        self.look_aside();
        self.go_on(ctx);
    }
}

impl Handler<Probe> for ShardActor {
    type Result = MessageResult<Probe>;
    fn handle(&mut self, probe: Probe, _: &mut Context<Self>) -> Self::Result {
        assert!(matches!(probe, Probe::Inspect), "asked to crash");
        let pages: Vec<_> = self.parts.desk.pages().values().map(|page| page.open()).collect();
        MessageResult(json!({
            "loaded": self.progress.is_some(),
            "cursor": self.progress.as_ref().map(Progress::cursor),
            "pages_in_flight": pages.len(),
            "devices_in_flight": pages.iter().sum::<usize>(),
            "pages_aside": self.progress.as_ref().map(Progress::pages_aside),
            "reading": self.reading,
            "recording": self.recording,
            "to_record": self.to_record.len(),
        }))
    }
}
