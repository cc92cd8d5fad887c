//! A page in flight: its devices, and the outcomes as they come in. Senders settle devices here from
//! plain tasks; the shard's actor hears of the page, not of its devices.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    campaign::{CampaignRun, ShardDesk},
    shard::{PageSettled, PageTrails},
};
use crate::domain::{
    campaign::{PageEntry, PageRecord, Position, Span, Target},
    device::SendPlatform,
    outcome::Outcome,
    timestamp::Timestamp,
};
use crate::telemetry::{PageCounts, PageTimes};

/// The share of a page, one in so many devices, that may be left for it to trail.
const TRAILS_AT: usize = 8;

/// How long what was read of devices holds while nothing of it can be sent: they may be deleted meanwhile,
/// and their tokens may become another's.
const FRESH: Duration = Duration::from_secs(2);

/// A device's tries before it was handed back, by its position.
pub type Tries = (Position, u32);

/// A page in flight.
pub struct PageWork {
    /// Its campaign.
    pub run: Arc<CampaignRun>,
    /// Its shard.
    pub desk: Arc<ShardDesk>,
    /// Its stretch.
    pub span: Span,
    targets: Vec<Target>,
    /// What an earlier try of this stretch recorded before it was cut short.
    carried: Vec<PageEntry>,
    /// The tries that devices had in it, in their order.
    tried_before: Arc<[Tries]>,
    read_at: Instant,
    state: Mutex<State>,
    /// Whether outcomes came in since it was last saved.
    dirty: AtomicBool,
    /// The providers whose devices are handed back instead of sent, a bit for each.
    handed_back: AtomicU32,
    /// When its parts began and ended, where its campaign is traced.
    pub times: Option<PageTimes>,
}

struct State {
    outcomes: Vec<Option<Outcome>>,
    /// Devices that still have a try before them or under way.
    open: usize,
    /// Devices that were handed back after a try.
    tried: Vec<Tries>,
    credit: Option<OwnedSemaphorePermit>,
    told_trailing: bool,
}

impl PageWork {
    /// A page whose devices are all open. It keeps its credit until it trails or is recorded.
    pub fn new(
        run: Arc<CampaignRun>,
        desk: Arc<ShardDesk>,
        span: Span,
        targets: Vec<Target>,
        (carried, tried_before): (Vec<PageEntry>, Arc<[Tries]>),
        credit: OwnedSemaphorePermit,
        times: Option<PageTimes>,
    ) -> Arc<Self> {
        let state = State {
            outcomes: vec![None; targets.len()],
            open: targets.len(),
            tried: Vec::new(),
            credit: Some(credit),
            told_trailing: false,
        };
        let (state, dirty) = (Mutex::new(state), AtomicBool::new(false));
        let handed_back = AtomicU32::new(0);
        let read_at = Instant::now();
        Arc::new(Self {
            run,
            desk,
            span,
            targets,
            carried,
            tried_before,
            read_at,
            state,
            dirty,
            handed_back,
            times,
        })
    }

    /// Whether its pushes through this provider may begin: they are not handed back, the campaign goes on,
    /// and its shard is this node's.
    pub fn is_wanted(&self, provider: SendPlatform) -> bool {
        let handed_back = self.handed_back.load(Ordering::Acquire);
        handed_back & bit(provider) == 0 && self.run.is_open() && self.desk.is_open()
    }

    /// Whether what was read of its devices is too old to wait on, and some are open.
    pub fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.read_at) > FRESH && !self.is_settled()
    }

    /// Has its devices of these providers handed back. No push of them begins after this: what is under
    /// way ends, the rest is left when the senders are swept, and the page is recorded with what it has
    /// when its other devices are through.
    pub fn hand_back(&self, providers: &[SendPlatform]) {
        let bits = providers.iter().fold(0, |bits, provider| bits | bit(*provider));
        self.handed_back.fetch_or(bits, Ordering::AcqRel);
    }

    /// The providers whose devices are handed back.
    pub fn handed_back(&self) -> impl Iterator<Item = SendPlatform> + use<> {
        let handed_back = self.handed_back.load(Ordering::Acquire);
        SendPlatform::ALL.into_iter().filter(move |provider| handed_back & bit(*provider) != 0)
    }

    /// Hands it back where it holds a credit and every open device of it waits for one of these providers.
    /// Whether it was.
    pub fn set_aside(&self, away: &[SendPlatform]) -> bool {
        let state = self.lock();
        let credit = state.credit.as_ref();
        if !credit.is_some_and(|credit| Arc::ptr_eq(credit.semaphore(), &self.run.credits)) {
            return false;
        }
        let waits_for = self.open_providers(&state);
        drop(state);
        let held_up = |provider: &SendPlatform| {
            away.contains(provider) && self.handed_back().all(|gone| gone != *provider)
        };
        let is_set = !waits_for.is_empty() && waits_for.iter().all(held_up);
        if is_set {
            self.hand_back(&waits_for);
        }
        is_set
    }

    /// What it waits for, where devices of it were handed back.
    pub fn waits_for(&self) -> Option<WaitsFor> {
        self.handed_back().next()?;
        let state = self.lock();
        let mut tried = state.tried.clone();
        tried.sort_unstable();
        Some(WaitsFor { providers: self.open_providers(&state).into(), tried: tried.into() })
    }

    /// The providers of the devices without an outcome.
    fn open_providers(&self, state: &State) -> Vec<SendPlatform> {
        let mut providers = Vec::new();
        for (target, outcome) in self.targets.iter().zip(&state.outcomes) {
            if outcome.is_none() && !providers.contains(&target.provider) {
                providers.push(target.provider);
            }
        }
        providers
    }

    /// The tries that the device at `index` had before its page was read anew.
    pub fn tries_before(&self, index: usize) -> u32 {
        let position = self.targets[index].position;
        let found = self.tried_before.binary_search_by_key(&position, |(at, _)| *at);
        found.map_or(0, |found| self.tried_before[found].1)
    }

    /// How many devices it has, those included that an earlier try recorded.
    pub fn len(&self) -> usize {
        self.targets.len() + self.carried.len()
    }

    /// Its devices.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The device at `index` has its outcome.
    pub fn settle(&self, index: usize, outcome: Outcome) {
        let mut state = self.lock();
        if state.outcomes[index].is_none() {
            state.outcomes[index] = Some(outcome);
            self.dirty.store(true, Ordering::Relaxed);
        }
        self.close_one(state);
    }

    /// The device at `index` is left as it is, after so many tries: the campaign was stopped, or the
    /// device handed back, before it was tried again.
    pub fn leave(&self, index: usize, tries: u32) {
        let mut state = self.lock();
        if tries > 0 {
            state.tried.push((self.targets[index].position, tries));
        }
        self.close_one(state);
    }

    fn close_one(&self, mut state: MutexGuard<'_, State>) {
        state.open -= 1;
        let open = state.open;
        let trails = open > 0 && !state.told_trailing && open * TRAILS_AT <= self.targets.len();
        state.told_trailing |= trails;
        drop(state);
        if open == 0 {
            if let Some(times) = &self.times {
                times.pushed();
            }
            self.desk.seat.tell(PageSettled { page: self.span.after });
        } else if trails {
            self.desk.seat.tell(PageTrails { page: self.span.after });
        }
    }

    /// Whether no device of it is with a sender any more.
    pub fn is_settled(&self) -> bool {
        self.lock().open == 0
    }

    /// Devices still with a sender.
    pub fn open(&self) -> usize {
        self.lock().open
    }

    /// What became of its devices so far, without what an earlier try recorded.
    pub fn counts(&self) -> PageCounts {
        let state = self.lock();
        let settled = || state.outcomes.iter().flatten();
        let accepted = settled().filter(|outcome| outcome.is_accepted()).count();
        let failed = settled().count() - accepted;
        PageCounts {
            devices: self.targets.len() as u64,
            accepted: accepted as u64,
            failed: failed as u64,
        }
    }

    /// Exchanges its credit for a place among the trailing pages, if there is one.
    pub fn trail(&self) {
        let Ok(place) = Arc::clone(&self.run.trailing).try_acquire_owned() else { return };
        let mut state = self.lock();
        if state.credit.is_some() {
            // The old permit is dropped, and so goes back.
            state.credit = Some(place);
        }
    }

    /// Whether it has outcomes that were not taken by [`Self::record`] yet.
    pub fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Relaxed)
    }

    /// What the ledger should keep of it now.
    pub fn record(&self, now: Timestamp) -> PageRecord {
        self.dirty.store(false, Ordering::Relaxed);
        let state = self.lock();
        let settled = self.targets.iter().zip(&state.outcomes).filter_map(|(target, outcome)| {
            outcome.as_ref().map(|outcome| PageEntry {
                device: target.device,
                position: target.position,
                platform: target.platform,
                outcome: outcome.clone(),
                failed_before: target.failed_before.clone(),
            })
        });
        let mut entries: Vec<_> = settled.collect();
        let done = entries.len() == self.targets.len();
        if !self.carried.is_empty() {
            entries.extend_from_slice(&self.carried);
            entries.sort_unstable_by_key(|entry| entry.position);
        }
        PageRecord { shard: self.desk.key, span: self.span, done, entries, at: now }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a page waits for of which devices were handed back.
#[derive(Clone, Debug)]
pub struct WaitsFor {
    /// The providers of its open devices.
    pub providers: Arc<[SendPlatform]>,
    /// The tries that some of those have had, in their order.
    pub tried: Arc<[Tries]>,
}

fn bit(provider: SendPlatform) -> u32 {
    1 << provider.number()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{
        cluster::Lease,
        domain::{
            campaign::{Position, ShardKey},
            device::DevicePlatform,
            ids::{AppName, DeviceId, NotificationId},
            notification::Notification,
        },
        engine::campaign::PageBudget,
    };

    const AWAY: [SendPlatform; 1] = [SendPlatform::Fcm];

    fn target(id: u64, provider: SendPlatform) -> Target {
        Target {
            device: DeviceId(id),
            position: Position(id),
            platform: DevicePlatform::Unknown,
            provider,
            token: "token".into(),
            registered_at: Timestamp(0),
            unreachable: None,
            failed_before: None,
        }
    }

    /// A page of two devices, of the one provider and of the other.
    fn page() -> Arc<PageWork> {
        let id = NotificationId(uuid::Uuid::nil());
        let draft = Notification::draft(&AppName::new("app"), id, Timestamp(0));
        let budget = PageBudget { most: 1, page_size: 2 };
        let run = Arc::new(CampaignRun::new(draft, HashMap::new(), budget, None));
        let shard = ShardKey { notification: id, round: 0, index: 0 };
        let desk = ShardDesk::new(Lease { shard, epoch: 1 }, None);
        let credit = Arc::clone(&run.credits).try_acquire_owned().expect("a credit");
        let span = Span { after: Position(0), upto: Position(2) };
        let targets = vec![target(1, SendPlatform::Apns), target(2, SendPlatform::Fcm)];
        let before = (Vec::new(), [(Position(2), 3)].into());
        PageWork::new(run, desk, span, targets, before, credit, None)
    }

    fn is_wanted(page: &PageWork) -> [bool; 2] {
        [SendPlatform::Apns, SendPlatform::Fcm].map(|provider| page.is_wanted(provider))
    }

    #[test]
    fn a_page_is_set_aside_when_it_waits_for_nothing_but_who_is_away() {
        let page = page();
        assert!(!page.set_aside(&AWAY), "APNs' device is open");
        assert_eq!(is_wanted(&page), [true, true]);
        page.settle(0, Outcome::Accepted);
        assert!(!page.set_aside(&[]) && page.waits_for().is_none());
        assert!(page.set_aside(&AWAY) && !page.set_aside(&AWAY));
        assert_eq!(is_wanted(&page), [true, false]);
        page.leave(1, 0);
        let waits_for = page.waits_for().expect("it was set aside");
        assert_eq!((&*waits_for.providers, &*waits_for.tried), (&AWAY[..], &[][..]));
        let record = page.record(Timestamp(0));
        assert!(page.is_settled() && !record.done && record.entries.len() == 1);
    }

    #[test]
    fn a_page_that_holds_no_credit_or_is_over_is_not_set_aside() {
        let trailing = page();
        trailing.settle(0, Outcome::Accepted);
        trailing.trail();
        assert_eq!(trailing.run.credits.available_permits(), 1);
        assert!(!trailing.set_aside(&AWAY));
        let over = page();
        over.settle(0, Outcome::Accepted);
        over.settle(1, Outcome::Accepted);
        assert!(!over.set_aside(&AWAY));
    }

    #[test]
    fn devices_of_one_provider_are_handed_back_and_the_page_goes_on_with_the_others() {
        let page = page();
        let now = Instant::now();
        assert!(!page.is_old(now) && page.is_old(now + 2 * FRESH));
        page.hand_back(&AWAY);
        assert_eq!(is_wanted(&page), [true, false]);
        assert_eq!((page.tries_before(0), page.tries_before(1)), (0, 3));
        page.leave(1, 4);
        assert!(!page.is_settled());
        page.settle(0, Outcome::Accepted);
        assert!(page.is_settled() && !page.is_old(now + 2 * FRESH));
        let waits_for = page.waits_for().expect("some were handed back");
        let tried = [(Position(2), 4)];
        assert_eq!((&*waits_for.providers, &*waits_for.tried), (&AWAY[..], &tried[..]));
    }
}
