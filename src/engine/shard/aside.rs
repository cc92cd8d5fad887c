//! Pages set aside. While one provider is away its devices would hold all credits of a campaign, and the
//! other providers would stand still. So pages that wait for nothing else give their credit up: they are
//! recorded with what they have, passed over, and gone over again when the provider is back, or when
//! nothing else is left to read.
//!
//! The shard's actor looks at this as often as it saves its pages; each look decides anew from what
//! there is, so that a crash in between loses nothing.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::ShardActor;
use crate::{
    domain::device::SendPlatform,
    engine::{
        campaign::CampaignRun,
        sender::{Senders, Standing},
    },
};

/// Outcomes of pages set aside that a campaign keeps in memory on one node, give or take the pages in
/// flight: 56 bytes each, so 28 MB and the words of failures. Beyond it the campaign waits for the provider
/// that is away.
const MOST_WEIGHT: usize = 500_000;

/// How a campaign's providers stand.
struct Outlook {
    /// Those that are away.
    away: Vec<SendPlatform>,
    /// Those of them that nobody asks whether they are back.
    unasked: Vec<SendPlatform>,
    /// Whether another is there.
    some_here: bool,
}

impl Outlook {
    fn of(senders: &Senders, run: &CampaignRun) -> Self {
        let now = Instant::now();
        let mut outlook = Self { away: Vec::new(), unasked: Vec::new(), some_here: false };
        for provider in run.rendered.keys().copied() {
            let desk = senders.get(run.app(), provider);
            match desk.map_or(Standing::Here, |desk| desk.standing(now)) {
                Standing::Here => outlook.some_here = true,
                Standing::Away { unasked } => {
                    outlook.away.push(provider);
                    outlook.unasked.extend(unasked.then_some(provider));
                }
            }
        }
        outlook
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
        if weight == 0 && !no_credit {
            return;
        }
        let outlook = Outlook::of(&self.parts.senders, run);
        let others_go_on = outlook.some_here && run.has_untried();
        progress.call_but_for(if others_go_on { &outlook.away } else { &[] });
        outlook.unasked.iter().for_each(|provider| progress.call_one_for(*provider));
        if no_credit && others_go_on && run.is_recorded() {
            self.set_pages_aside(&outlook.away);
        }
        self.sweep_aside();
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

    /// Has the devices handed back that still wait of pages set aside: at once, and at every look until
    /// they are settled, should one have been put back meanwhile.
    fn sweep_aside(&self) {
        let mut providers: Vec<SendPlatform> = Vec::new();
        for page in self.parts.desk.pages().values().filter(|page| !page.is_settled()) {
            providers.extend(page.waits_for().iter().flat_map(|waits_for| waits_for.iter()));
        }
        providers.sort_unstable();
        providers.dedup();
        let app = self.parts.run.app();
        let desks =
            providers.into_iter().filter_map(|provider| self.parts.senders.get(app, provider));
        desks.for_each(|desk| desk.sweep());
    }
}
