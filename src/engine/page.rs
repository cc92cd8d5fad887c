//! A page in flight: its devices, and the outcomes as they come in. Senders settle devices here from
//! plain tasks; the shard's actor hears of the page, not of its devices.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::OwnedSemaphorePermit;

use super::{
    campaign::{CampaignRun, ShardDesk},
    shard::{PageSettled, PageTrails},
};
use crate::domain::{
    campaign::{PageEntry, PageRecord, Span, Target},
    device::SendPlatform,
    outcome::Outcome,
    timestamp::Timestamp,
};
use crate::telemetry::{PageCounts, PageTimes};

/// The share of a page, one in so many devices, that may be left for it to trail.
const TRAILS_AT: usize = 8;

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
    state: Mutex<State>,
    /// Whether outcomes came in since it was last saved.
    dirty: AtomicBool,
    /// Once it is set aside: the providers that its open devices wait for.
    aside: OnceLock<Arc<[SendPlatform]>>,
    /// When its parts began and ended, where its campaign is traced.
    pub times: Option<PageTimes>,
}

struct State {
    outcomes: Vec<Option<Outcome>>,
    /// Devices that still have a try before them or under way.
    open: usize,
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
        carried: Vec<PageEntry>,
        credit: OwnedSemaphorePermit,
        times: Option<PageTimes>,
    ) -> Arc<Self> {
        let state = State {
            outcomes: vec![None; targets.len()],
            open: targets.len(),
            credit: Some(credit),
            told_trailing: false,
        };
        let (state, dirty) = (Mutex::new(state), AtomicBool::new(false));
        let aside = OnceLock::new();
        Arc::new(Self { run, desk, span, targets, carried, state, dirty, aside, times })
    }

    /// Whether its pushes may begin: it is not set aside, the campaign goes on, and its shard is this
    /// node's.
    pub fn is_wanted(&self) -> bool {
        self.aside.get().is_none() && self.run.is_open() && self.desk.is_open()
    }

    /// Sets it aside where it holds a credit and every open device of it waits for one of these
    /// providers. No push of it begins after this: what is under way ends, the rest is handed back when
    /// the senders are swept, and it is recorded with what it has. Whether it was.
    pub fn set_aside(&self, away: &[SendPlatform]) -> bool {
        let state = self.lock();
        let credit = state.credit.as_ref();
        if !credit.is_some_and(|credit| Arc::ptr_eq(credit.semaphore(), &self.run.credits)) {
            return false;
        }
        let open = self.targets.iter().zip(&state.outcomes);
        let open = open.filter(|(_, outcome)| outcome.is_none()).map(|(target, _)| target.provider);
        let mut waits_for = Vec::new();
        for provider in open {
            if !away.contains(&provider) {
                return false;
            }
            if !waits_for.contains(&provider) {
                waits_for.push(provider);
            }
        }
        !waits_for.is_empty() && self.aside.set(waits_for.into()).is_ok()
    }

    /// The providers that its open devices wait for, where it is set aside.
    pub fn waits_for(&self) -> Option<Arc<[SendPlatform]>> {
        self.aside.get().cloned()
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

    /// A device is left as it is: the campaign was stopped, or the page set aside, before it was tried
    /// again.
    pub fn leave(&self) {
        self.close_one(self.lock());
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
        PageWork::new(run, desk, span, targets, Vec::new(), credit, None)
    }

    #[test]
    fn a_page_is_set_aside_when_it_waits_for_nothing_but_who_is_away() {
        let page = page();
        assert!(!page.set_aside(&AWAY) && page.is_wanted(), "APNs' device is open");
        page.settle(0, Outcome::Accepted);
        assert!(!page.set_aside(&[]));
        assert!(page.set_aside(&AWAY) && !page.is_wanted());
        assert_eq!(page.waits_for().as_deref(), Some(&AWAY[..]));
        page.leave();
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
}
