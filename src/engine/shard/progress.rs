//! Where a shard stands: what is recorded, what is in flight, what comes next. Pure, so that every way
//! of being cut short can be tested.
//!
//! The shard's stretch is tiled by pages. Up to the cursor all are recorded. Beyond it lie pages in
//! flight, pages recorded out of turn, pages that were cut short and must be gone over again, and
//! stretches not yet read. Of those cut short some are set aside: what they miss waits for a provider
//! that is away, so they are passed over until they are called.

use std::{collections::BTreeMap, sync::Arc};

use crate::domain::{
    campaign::{PageEntry, PageRecord, Position, Shard, Span, tallies},
    device::SendPlatform,
    tally::Tally,
};
use crate::engine::page::{Tries, WaitsFor};

/// A page set aside weighs as much in memory as so many outcomes, besides its own.
const PAGE_WEIGHT: usize = 5;

/// A shard's account of itself.
#[derive(Debug)]
pub struct Progress {
    shard: Shard,
    /// Every page from the cursor on that is begun or recorded: where it ends, and how it stands.
    tiles: BTreeMap<Position, Tile>,
    /// The page that was called last for somebody to ask whether its provider is back.
    asked_with: Option<Position>,
}

#[derive(Debug)]
struct Tile {
    upto: Position,
    state: TileState,
    /// What the shard's tallies hold of it.
    counted: (Tally, Tally),
}

#[derive(Debug)]
enum TileState {
    /// Recorded whole.
    Done,
    /// With a sender.
    InFlight,
    /// Recorded in part: to be gone over again but for these.
    CutShort(Vec<PageEntry>, Option<Aside>),
}

/// Why a page that was cut short is not gone over again at once.
#[derive(Clone, Debug)]
struct Aside {
    /// The providers of the devices that it misses, and their tries.
    waits_for: WaitsFor,
    /// Whether it may be gone over all the same.
    is_called: bool,
}

impl Tile {
    /// Why it is set aside, if it is.
    fn aside(&self) -> Option<&Aside> {
        match &self.state {
            TileState::CutShort(_, aside) => aside.as_ref(),
            _ => None,
        }
    }

    /// Whether it is to be gone over now.
    fn is_ready(&self) -> bool {
        match &self.state {
            TileState::CutShort(_, aside) => aside.as_ref().is_none_or(|aside| aside.is_called),
            _ => false,
        }
    }

    /// Whether it was cut short, and nobody knows what it misses.
    fn is_untried(&self) -> bool {
        matches!(self.state, TileState::CutShort(_, None))
    }
}

impl Progress {
    /// Takes up what the ledger holds, pages in their order. A page that begins within an earlier one is
    /// what a node still wrote whose lease had just ended: the earlier one's stretch is gone over, or was.
    pub fn resume(shard: Shard, mut open: Vec<PageRecord>) -> Self {
        let (mut reach, mut gapless) = (shard.cursor, true);
        open.retain(|page| {
            let begins_anew = page.span.after >= reach;
            if begins_anew {
                gapless &= page.done && page.span.after == reach;
                reach = page.span.upto;
            }
            begins_anew
        });
        // All is recorded but the checkpoint that says so: the last page is recorded once more.
        let again = (gapless && reach >= shard.span.upto).then(|| open.len().saturating_sub(1));
        let tiles = open.into_iter().enumerate().map(|(index, page)| {
            let counted = page.tallies();
            let done = page.done && again != Some(index);
            let state =
                if done { TileState::Done } else { TileState::CutShort(page.entries, None) };
            (page.span.after, Tile { upto: page.span.upto, state, counted })
        });
        let mut progress = Self { tiles: tiles.collect(), shard, asked_with: None };
        progress.move_cursor();
        progress
    }

    /// A page of an earlier generation is on the desk: it is in flight still, unless it lies before
    /// the cursor, where all is recorded. Whether it is.
    pub fn adopt(&mut self, span: Span) -> bool {
        if span.after < self.shard.cursor {
            return false;
        }
        let counted = self.tiles.remove(&span.after).map(|tile| tile.counted).unwrap_or_default();
        let tile = Tile { upto: span.upto, state: TileState::InFlight, counted };
        self.tiles.insert(span.after, tile);
        true
    }

    /// Whether a page was begun here before and was cut short.
    pub fn is_cut_short(&self, span: Span) -> bool {
        let tile = self.tiles.get(&span.after);
        tile.is_some_and(|tile| matches!(tile.state, TileState::CutShort(..)))
    }

    /// Whether a page was begun here that is set aside.
    pub fn is_aside(&self, span: Span) -> bool {
        self.tiles.get(&span.after).is_some_and(|tile| tile.aside().is_some())
    }

    /// The next stretch to read, up to the next page begun or recorded; none when all is begun, or set
    /// aside. What was never gone over counts only if `fresh`.
    pub fn next(&self, fresh: bool) -> Option<Span> {
        let mut at = self.shard.cursor;
        for (after, tile) in &self.tiles {
            if *after > at && fresh {
                return Some(Span { after: at, upto: *after });
            }
            if tile.is_ready() && (fresh || !tile.is_untried()) {
                return Some(Span { after: *after, upto: tile.upto });
            }
            at = tile.upto;
        }
        let rest = Span { after: at, upto: self.shard.span.upto };
        (fresh && !rest.is_empty()).then_some(rest)
    }

    /// A page begins; what an earlier try of its stretch recorded, and the tries of devices that it left.
    /// Where the page reaches less far than that try did, the rest of the stretch and of the record becomes
    /// a page of its own.
    pub fn begin(&mut self, span: Span) -> (Vec<PageEntry>, Arc<[Tries]>) {
        let tile = Tile {
            upto: span.upto,
            state: TileState::InFlight,
            counted: <(Tally, Tally)>::default(),
        };
        let nothing = || (Vec::new(), Arc::default());
        let Some(before) = self.tiles.insert(span.after, tile) else { return nothing() };
        let TileState::CutShort(mut entries, aside) = before.state else { return nothing() };
        let tried = aside.as_ref().map(|aside| Arc::clone(&aside.waits_for.tried));
        let rest = entries.split_off(entries.partition_point(|entry| entry.position <= span.upto));
        if before.upto > span.upto {
            let counted = tallies(&rest);
            let state = TileState::CutShort(rest, aside);
            self.tiles.insert(span.upto, Tile { upto: before.upto, state, counted });
        }
        if let Some(tile) = self.tiles.get_mut(&span.after) {
            tile.counted = tallies(&entries);
        }
        (entries, tried.unwrap_or_default())
    }

    /// The checkpoint to record together with `page`, as it will stand once that is recorded.
    pub fn checkpoint_with(&self, page: &PageRecord) -> Shard {
        let Some(tile) = self.tiles.get(&page.span.after) else { return self.shard.clone() };
        let (tally, again) = self.tallies_with(tile, &page.tallies());
        let mut cursor = self.shard.cursor;
        for (after, tile) in &self.tiles {
            let is_page = *after == page.span.after;
            let done = matches!(tile.state, TileState::Done) || (is_page && page.done);
            if *after != cursor || !done {
                break;
            }
            cursor = tile.upto;
        }
        let done = cursor >= self.shard.span.upto;
        Shard { tally, again, cursor, done, ..self.shard.clone() }
    }

    /// The ledger has this page.
    pub fn recorded(&mut self, page: &PageRecord) {
        let Some(tile) = self.tiles.get(&page.span.after) else { return };
        let counted = page.tallies();
        (self.shard.tally, self.shard.again) = self.tallies_with(tile, &counted);
        if let Some(tile) = self.tiles.get_mut(&page.span.after) {
            tile.counted = counted;
            if page.done {
                tile.state = TileState::Done;
            }
        }
        self.move_cursor();
    }

    /// The ledger has this page, and it is not with a sender any more, though devices of it are left:
    /// that is what they wait for, where they were handed back.
    pub fn left(&mut self, page: PageRecord, waits_for: Option<WaitsFor>) {
        self.recorded(&page);
        let Some(tile) = self.tiles.get_mut(&page.span.after).filter(|_| !page.done) else {
            return;
        };
        let aside = waits_for.map(|waits_for| Aside { waits_for, is_called: false });
        tile.state = TileState::CutShort(page.entries, aside);
    }

    /// Calls the pages set aside of which not all providers are among these.
    pub fn call_but_for(&mut self, away: &[SendPlatform]) {
        for aside in self.set_aside() {
            let mut waits_for = aside.waits_for.providers.iter();
            aside.is_called = !waits_for.all(|provider| away.contains(provider));
        }
    }

    /// Calls one page that waits for this provider, so that somebody asks whether it is back; another than
    /// the last, where there is one. Whether there is a page to call.
    pub fn call_one_for(&mut self, provider: SendPlatform) -> bool {
        let last = self.asked_with;
        let waits = |tile: &Tile| {
            tile.aside().is_some_and(|aside| aside.waits_for.providers.contains(&provider))
        };
        let waiting = || self.tiles.iter().filter(|(_, tile)| waits(tile)).map(|(after, _)| *after);
        let Some(next) = waiting().find(|after| Some(*after) > last).or_else(|| waiting().next())
        else {
            return false;
        };
        self.asked_with = Some(next);
        if let Some(TileState::CutShort(_, Some(aside))) =
            self.tiles.get_mut(&next).map(|tile| &mut tile.state)
        {
            aside.is_called = true;
        }
        true
    }

    /// How many pages are set aside, the called ones among them.
    pub fn pages_aside(&self) -> usize {
        self.tiles.values().filter(|tile| tile.aside().is_some()).count()
    }

    /// What the pages set aside weigh in memory, in outcomes.
    pub fn weight_aside(&self) -> usize {
        let weight = |tile: &Tile| match &tile.state {
            TileState::CutShort(entries, Some(_)) => entries.len() + PAGE_WEIGHT,
            _ => 0,
        };
        self.tiles.values().map(weight).sum()
    }

    /// Whether some stretch was not gone over since this account began: another device may be found in
    /// it, of a provider that is there.
    pub fn has_untried(&self) -> bool {
        let mut at = self.shard.cursor;
        for (after, tile) in &self.tiles {
            if *after > at || tile.is_untried() {
                return true;
            }
            at = tile.upto;
        }
        at < self.shard.span.upto
    }

    /// Whether everything is recorded.
    pub fn is_done(&self) -> bool {
        self.shard.done
    }

    /// Every page up to here is recorded.
    pub fn cursor(&self) -> Position {
        self.shard.cursor
    }

    /// The shard's tallies when this page counts so.
    fn tallies_with(&self, tile: &Tile, counted: &(Tally, Tally)) -> (Tally, Tally) {
        let (mut tally, mut again) = (self.shard.tally.clone(), self.shard.again.clone());
        tally.subtract(&tile.counted.0);
        again.subtract(&tile.counted.1);
        tally.add(&counted.0);
        again.add(&counted.1);
        (tally, again)
    }

    fn set_aside(&mut self) -> impl Iterator<Item = &mut Aside> {
        self.tiles.values_mut().filter_map(|tile| match &mut tile.state {
            TileState::CutShort(_, aside) => aside.as_mut(),
            _ => None,
        })
    }

    fn move_cursor(&mut self) {
        while let Some(first) = self.tiles.first_entry() {
            let done = matches!(first.get().state, TileState::Done);
            if *first.key() != self.shard.cursor || !done {
                break;
            }
            self.shard.cursor = first.remove().upto;
        }
        self.shard.done = self.shard.cursor >= self.shard.span.upto;
    }
}

#[cfg(test)]
mod any_order;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        campaign::ShardKey,
        device::DevicePlatform,
        ids::{DeviceId, NotificationId},
        outcome::Outcome,
        timestamp::Timestamp,
    };

    fn shard(upto: u64) -> Shard {
        let key = ShardKey { notification: NotificationId(uuid::Uuid::nil()), round: 0, index: 0 };
        let span = Span { after: Position(0), upto: Position(upto) };
        let (tally, again) = <(Tally, Tally)>::default();
        Shard { key, span, cursor: Position(0), tally, again, done: false, epoch: 0 }
    }

    fn span(after: u64, upto: u64) -> Span {
        Span { after: Position(after), upto: Position(upto) }
    }

    fn page(after: u64, upto: u64, devices: &[u64], done: bool) -> PageRecord {
        let entries = devices.iter().map(|id| PageEntry {
            device: DeviceId(*id),
            position: Position(*id),
            platform: DevicePlatform::Ios,
            outcome: Outcome::Accepted,
            failed_before: None,
        });
        let (entries, span) = (entries.collect(), span(after, upto));
        PageRecord { shard: shard(0).key, span, done, entries, at: Timestamp(0) }
    }

    #[test]
    fn pages_recorded_out_of_turn_move_the_cursor_when_the_gap_closes() {
        let mut progress = Progress::resume(shard(30), vec![]);
        assert_eq!(progress.next(true), Some(span(0, 30)));
        progress.begin(span(0, 10));
        progress.begin(span(10, 20));
        assert_eq!(progress.next(true), Some(span(20, 30)));
        progress.recorded(&page(10, 20, &[15], true));
        assert_eq!((progress.cursor(), progress.is_done()), (Position(0), false));
        progress.recorded(&page(0, 10, &[5, 6], true));
        assert_eq!(progress.cursor(), Position(20));
        progress.begin(span(20, 30));
        let last = page(20, 30, &[], true);
        let checkpoint = progress.checkpoint_with(&last);
        assert!(checkpoint.done && !progress.is_done());
        progress.recorded(&last);
        assert!(progress.is_done());
        assert_eq!(checkpoint.tally.accepted.ios, 3);
    }

    #[test]
    fn saving_a_page_in_flight_again_counts_it_once() {
        let mut progress = Progress::resume(shard(10), vec![]);
        progress.begin(span(0, 10));
        progress.recorded(&page(0, 10, &[1], false));
        progress.recorded(&page(0, 10, &[1, 2], false));
        let checkpoint = progress.checkpoint_with(&page(0, 10, &[1, 2, 3], true));
        assert_eq!(checkpoint.tally.accepted.ios, 3);
    }

    #[test]
    fn a_crash_resumes_cut_short_pages_and_skips_finished_ones() {
        let mut stored = shard(30);
        stored.tally.accepted.ios = 3;
        let open = vec![page(0, 10, &[1, 2], false), page(20, 30, &[25], true)];
        let mut progress = Progress::resume(stored, open);
        assert_eq!(progress.next(true), Some(span(0, 10)));
        let carried = progress.begin(span(0, 10));
        assert_eq!(carried.0.len(), 2);
        assert_eq!(progress.next(true), Some(span(10, 20)));
        progress.begin(span(10, 20));
        assert_eq!(progress.next(true), None);
        progress.recorded(&page(10, 20, &[], true));
        progress.recorded(&page(0, 10, &[1, 2, 3], true));
        assert!(progress.is_done());
        assert_eq!(progress.shard.tally.accepted.ios, 4);
    }

    #[test]
    fn a_last_page_whose_checkpoint_was_lost_is_recorded_again() {
        let open = vec![page(0, 4, &[1], true), page(4, 10, &[5, 6], true)];
        let mut progress = Progress::resume(shard(10), open);
        assert!(!progress.is_done(), "only a record ends a shard in the ledger");
        assert_eq!((progress.cursor(), progress.next(true)), (Position(4), Some(span(4, 10))));
        assert_eq!(progress.begin(span(4, 10)).0.len(), 2, "nobody in it is sent to again");
        assert!(progress.checkpoint_with(&page(4, 10, &[5, 6], true)).done);
    }

    #[test]
    fn a_page_written_after_its_lease_does_not_hold_the_shard_up() {
        let mut stored = shard(30);
        stored.cursor = Position(10);
        // One begins before the cursor, one within another's stretch.
        let stale = [page(5, 12, &[11], true), page(15, 25, &[16, 21], true)];
        let [before, within] = stale;
        let open = vec![before, page(10, 20, &[16], true), within];
        let mut progress = Progress::resume(stored, open);
        assert_eq!((progress.cursor(), progress.next(true)), (Position(20), Some(span(20, 30))));
        progress.begin(span(20, 30));
        progress.recorded(&page(20, 30, &[21], true));
        assert!(progress.is_done());
    }

    #[test]
    fn a_cut_short_page_read_in_smaller_pages_keeps_every_record() {
        let mut stored = shard(10);
        stored.tally.accepted.ios = 2;
        let mut progress = Progress::resume(stored, vec![page(0, 10, &[2, 8], false)]);
        assert_eq!(progress.begin(span(0, 5)).0.len(), 1);
        assert_eq!(progress.next(true), Some(span(5, 10)));
        assert_eq!(progress.begin(span(5, 10)).0.len(), 1);
        progress.recorded(&page(0, 5, &[1, 2], true));
        progress.recorded(&page(5, 10, &[8, 9], true));
        assert_eq!(progress.shard.tally.accepted.ios, 4);
        assert!(progress.is_done());
    }

    const AWAY: [SendPlatform; 1] = [SendPlatform::Fcm];

    fn fcm() -> Option<WaitsFor> {
        Some(WaitsFor { providers: AWAY.into(), tried: [(Position(3), 2)].into() })
    }

    #[test]
    fn what_is_kept_of_pages_set_aside_is_as_small_as_is_said() {
        let entry = size_of::<PageEntry>();
        assert!(entry <= 56, "{entry}");
        let tile = size_of::<Position>() + size_of::<Tile>();
        assert!(tile <= PAGE_WEIGHT * entry, "{tile}");
    }

    #[test]
    fn a_page_set_aside_is_passed_over_until_it_is_called() {
        let mut progress = Progress::resume(shard(20), vec![]);
        progress.begin(span(0, 10));
        progress.left(page(0, 10, &[2], false), fcm());
        assert_eq!((progress.next(true), progress.has_untried()), (Some(span(10, 20)), true));
        progress.begin(span(10, 20));
        progress.recorded(&page(10, 20, &[15], true));
        assert_eq!((progress.next(true), progress.has_untried()), (None, false));
        assert!(!progress.is_done());
        assert_eq!((progress.pages_aside(), progress.weight_aside()), (1, 1 + PAGE_WEIGHT));
        progress.call_but_for(&AWAY);
        assert_eq!(progress.next(true), None);
        progress.call_but_for(&[]);
        assert_eq!(progress.next(true), Some(span(0, 10)));
        assert_eq!(progress.begin(span(0, 10)).0.len(), 1, "what it had is kept");
        progress.recorded(&page(0, 10, &[2, 3], true));
        assert!(progress.is_done());
        assert_eq!(progress.shard.tally.accepted.ios, 3);
    }

    #[test]
    fn one_page_alone_is_called_to_ask_whether_a_provider_is_back() {
        let mut progress = Progress::resume(shard(20), vec![]);
        for after in [0, 10] {
            progress.begin(span(after, after + 10));
            progress.left(page(after, after + 10, &[], false), fcm());
        }
        assert!(!progress.call_one_for(SendPlatform::Apns), "none waits for that one");
        assert_eq!(progress.next(true), None);
        for after in [0, 10, 0] {
            assert!(progress.call_one_for(SendPlatform::Fcm));
            let span = span(after, after + 10);
            assert_eq!(progress.next(false), Some(span));
            let (_, tried) = progress.begin(span);
            assert_eq!(&*tried, &[(Position(3), 2)], "no try is forgotten");
            assert_eq!(progress.next(true), None);
            progress.left(page(after, after + 10, &[], false), fcm());
        }
    }

    #[test]
    fn what_was_never_gone_over_is_passed_over_while_nothing_can_be_sent() {
        let mut progress = Progress::resume(shard(30), vec![page(5, 10, &[7], false)]);
        progress.begin(span(10, 20));
        progress.left(page(10, 20, &[], false), fcm());
        assert_eq!((progress.next(false), progress.next(true)), (None, Some(span(0, 5))));
        progress.call_but_for(&[]);
        assert_eq!(progress.next(false), Some(span(10, 20)));
    }

    #[test]
    fn a_page_that_waits_for_two_is_called_when_one_of_them_is_back() {
        let mut progress = Progress::resume(shard(10), vec![]);
        progress.begin(span(0, 10));
        let both = [SendPlatform::Fcm, SendPlatform::Email];
        let waits_for = WaitsFor { providers: both.into(), tried: [].into() };
        progress.left(page(0, 10, &[], false), Some(waits_for));
        progress.call_but_for(&both);
        assert_eq!(progress.next(true), None);
        progress.call_but_for(&AWAY);
        assert_eq!(progress.next(true), Some(span(0, 10)));
    }

    #[test]
    fn a_page_left_for_no_provider_is_gone_over_again_at_once() {
        let mut progress = Progress::resume(shard(10), vec![]);
        progress.begin(span(0, 10));
        progress.left(page(0, 10, &[1], false), None);
        assert_eq!((progress.next(true), progress.has_untried()), (Some(span(0, 10)), true));
    }
}
