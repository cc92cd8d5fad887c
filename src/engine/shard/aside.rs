//! Pages set aside. While one provider is away its devices would hold all credits of a campaign, and the
//! other providers would stand still. And they would grow old in memory: a device may be deleted
//! meanwhile, and its token become somebody else's. So what waits for who is away is handed back after a
//! moment, and at once where a page waits for nothing else and its credit is wanted: the page is recorded
//! with what it has, passed over, and read anew when the provider is back. One alone is called now and
//! then, for somebody to ask whether it is; while no provider is there nothing else is read.
//!
//! The shard's actor looks at this as often as it saves its pages; each look decides anew from what
//! there is, so that a crash in between loses nothing.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::{ANY, ShardActor};
use crate::{
    domain::device::SendPlatform,
    engine::{
        campaign::CampaignRun,
        sender::{Senders, Standing},
    },
};

/// Outcomes of pages set aside that a campaign keeps in memory on one node, give or take the pages in
/// flight: 56 bytes each, so 28 MB and the words of failures. Beyond it nothing more is gone over until
/// the provider that is away is back.
const MOST_WEIGHT: usize = 500_000;

/// How a campaign's providers stand.
struct Outlook {
    /// Those that are away.
    away: Vec<SendPlatform>,
    /// Those of them that nobody asks whether they are back.
    unasked: Vec<SendPlatform>,
    /// Whether one is there.
    some_here: bool,
}

impl Outlook {
    fn of(senders: &Senders, run: &CampaignRun) -> Self {
        let now = Instant::now();
        let mut outlook = Self { away: Vec::new(), unasked: Vec::new(), some_here: false };
        if run.notification.message.options.dry_run {
            // Nobody is asked anything.
            return outlook;
        }
        for provider in run.rendered.keys().copied() {
            let desk = senders.get(run.app(), provider);
            match desk.map_or(Standing::Here, |desk| desk.standing(run.over_at, now)) {
                Standing::Here => outlook.some_here = true,
                Standing::Away { unasked } => {
                    outlook.away.push(provider);
                    outlook.unasked.extend(unasked.then_some(provider));
                }
            }
        }
        outlook
    }

    /// Whether something may be sent of devices that were never gone over, as far as memory goes for those
    /// that cannot be.
    fn lets_read(&self, run: &CampaignRun) -> bool {
        self.away.is_empty() || (self.some_here && run.weight_aside() < MOST_WEIGHT)
    }
}

impl ShardActor {
    /// Calls pages that were set aside, and sets others aside, as the providers stand.
    pub(super) fn look_aside(&mut self) {
        let Some(progress) = &mut self.progress else { return };
        let (run, desk) = (&self.parts.run, &self.parts.desk);
        let weight = progress.weight_aside();
        desk.weight_aside.store(weight, Ordering::Relaxed);
        desk.has_untried.store(progress.has_untried(), Ordering::Relaxed);
        let no_credit = run.credits.available_permits() == 0;
        let now = Instant::now();
        let old = desk.pages().values().any(|page| page.is_old(now));
        if weight == 0 && !no_credit && !old && self.fresh == ANY {
            return;
        }
        let outlook = Outlook::of(&self.parts.senders, run);
        let others_go_on = outlook.some_here && run.has_untried();
        let is_recorded = run.is_recorded();
        progress.call_but_for(&outlook.away);
        self.fresh = if outlook.lets_read(run) { ANY } else { 0 };
        for provider in &outlook.unasked {
            if !progress.call_one_for(*provider) {
                self.fresh = self.fresh.max(1);
            }
        }
        if is_recorded {
            self.hand_back_old(&outlook.away, now);
        } else {
            self.hand_back_old(&SendPlatform::ALL, now);
        }
        if no_credit && others_go_on && is_recorded {
            self.set_pages_aside(&outlook.away);
        }
        self.sweep_aside();
    }

    /// Hands back what waits in old pages for these providers.
    fn hand_back_old(&self, providers: &[SendPlatform], now: Instant) {
        if !providers.is_empty() {
            let pages = self.parts.desk.pages();
            pages
                .values()
                .filter(|page| page.is_old(now))
                .for_each(|page| page.hand_back(providers));
        }
    }

    /// Sets aside the pages that wait for nothing but these providers.
    fn set_pages_aside(&self, away: &[SendPlatform]) {
        let mut weight = self.parts.run.weight_aside();
        for page in self.parts.desk.pages().values() {
            if weight + page.len() > MOST_WEIGHT {
                return;
            }
            if page.set_aside(away) {
                weight += page.len();
            }
        }
    }

    /// Has the devices left that still wait though they are handed back: at once, and at every look until
    /// they are settled, should one have been put back meanwhile.
    fn sweep_aside(&self) {
        let mut providers: Vec<SendPlatform> = Vec::new();
        for page in self.parts.desk.pages().values().filter(|page| !page.is_settled()) {
            providers.extend(page.handed_back());
        }
        providers.sort_unstable();
        providers.dedup();
        let app = self.parts.run.app();
        let desks =
            providers.into_iter().filter_map(|provider| self.parts.senders.get(app, provider));
        desks.for_each(|desk| desk.sweep());
    }
}
