//! Every order of events that a shard can see: pages begun, saved, finished, set aside and called, and
//! crashes in between. At the end each device is counted once, and was settled once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::domain::{
    campaign::ShardKey,
    device::DevicePlatform,
    ids::{DeviceId, NotificationId},
    outcome::Outcome,
    timestamp::Timestamp,
};

const DEVICES: u64 = 40;
const AWAY: [SendPlatform; 1] = [SendPlatform::Fcm];

fn waits_for_fcm() -> WaitsFor {
    WaitsFor { providers: AWAY.into(), tried: [].into() }
}

/// What happens next. Numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The next stretch is read, in a page of so many devices at the most.
    Begin(u64),
    /// So many devices of a page in flight get their outcome.
    Settle(usize, usize),
    /// A page in flight is saved.
    Save(usize),
    /// A page in flight is set aside.
    SetAside(usize),
    /// The provider is found away.
    Away,
    /// The provider is found back, or nothing else is left.
    Back,
    /// Somebody asks.
    Ask,
    /// The actor dies, and its pages with it.
    Crash,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (1..8_u64).prop_map(Event::Begin),
        6 => (0..8_usize, 1..8_usize).prop_map(|(page, many)| Event::Settle(page, many)),
        2 => (0..8_usize).prop_map(Event::Save),
        3 => (0..8_usize).prop_map(Event::SetAside),
        1 => Just(Event::Away),
        1 => Just(Event::Back),
        1 => Just(Event::Ask),
        1 => Just(Event::Crash),
    ]
}

/// A shard's account, the ledger's, and the pages in flight.
struct World {
    progress: Progress,
    stored: Shard,
    ledger: BTreeMap<Position, PageRecord>,
    in_flight: Vec<(Span, BTreeSet<u64>)>,
}

impl World {
    fn new() -> Self {
        let key = ShardKey { notification: NotificationId(uuid::Uuid::nil()), round: 0, index: 0 };
        let span = Span { after: Position(0), upto: Position(DEVICES) };
        let (tally, again) = <(Tally, Tally)>::default();
        let stored = Shard { key, span, cursor: Position(0), tally, again, done: false, epoch: 0 };
        let progress = Progress::resume(stored.clone(), vec![]);
        Self { progress, stored, ledger: BTreeMap::new(), in_flight: Vec::new() }
    }

    fn begin(&mut self, most: u64) {
        let Some(span) = self.progress.next(true) else { return };
        // What was cut short is read whole.
        let whole = self.progress.is_cut_short(span);
        let upto = if whole { span.upto.0 } else { span.upto.0.min(span.after.0 + most) };
        let span = Span { upto: Position(upto), ..span };
        let (carried, _) = self.progress.begin(span);
        let settled: BTreeSet<u64> = carried.iter().map(|entry| entry.position.0).collect();
        assert!(settled.iter().all(|at| (span.after.0 + 1..=upto).contains(at)));
        self.in_flight.push((span, settled));
    }

    fn settle(&mut self, page: usize, many: usize) {
        let Some((span, settled)) = self.in_flight.get_mut(page) else { return };
        let open = (span.after.0 + 1..=span.upto.0).filter(|at| !settled.contains(at));
        let now: Vec<u64> = open.take(many).collect();
        settled.extend(now);
        if settled.len() as u64 == span.upto.0 - span.after.0 {
            self.record(page, true, None);
        }
    }

    /// The ledger takes a page and its checkpoint, which is what the account then says of itself.
    fn record(&mut self, page: usize, over: bool, waits_for: Option<WaitsFor>) {
        let Some((span, settled)) = self.in_flight.get(page) else { return };
        let (span, many) = (*span, settled.len() as u64);
        let entries = settled.iter().map(|at| PageEntry {
            device: DeviceId(*at),
            position: Position(*at),
            platform: DevicePlatform::Ios,
            outcome: Outcome::Accepted,
            failed_before: None,
        });
        let record = PageRecord {
            shard: self.stored.key,
            span,
            done: many == span.upto.0 - span.after.0,
            entries: entries.collect(),
            at: Timestamp(0),
        };
        self.stored = self.progress.checkpoint_with(&record);
        self.ledger.insert(span.after, record.clone());
        if over {
            self.in_flight.remove(page);
            self.progress.left(record, waits_for);
        } else {
            self.progress.recorded(&record);
        }
        assert_eq!(self.progress.shard, self.stored);
    }

    fn crash(&mut self) {
        let open = self.ledger.range(self.stored.cursor..).map(|(_, page)| page.clone());
        self.progress = Progress::resume(self.stored.clone(), open.collect());
        self.in_flight.clear();
        assert_eq!(self.progress.pages_aside(), 0, "each is gone over again");
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Begin(most) => self.begin(most),
            Event::Settle(page, many) => self.settle(page, many),
            Event::Save(page) => self.record(page, false, None),
            Event::SetAside(page) => self.record(page, true, Some(waits_for_fcm())),
            Event::Away => self.progress.call_but_for(&AWAY),
            Event::Back => self.progress.call_but_for(&[]),
            Event::Ask => _ = self.progress.call_one_for(SendPlatform::Fcm),
            Event::Crash => self.crash(),
        }
    }

    /// The provider is back: everything is gone over.
    fn finish(&mut self) {
        while !self.progress.is_done() {
            self.progress.call_but_for(&[]);
            let before = self.in_flight.len();
            self.begin(DEVICES);
            assert!(
                before > 0 || !self.in_flight.is_empty(),
                "nothing is left, yet it is not done"
            );
            self.settle(0, DEVICES as usize);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_device_is_counted_once(events in prop::collection::vec(event(), 0..120)) {
        let mut world = World::new();
        for event in events {
            world.happen(event);
            let handed_out = world.progress.next(true).is_some();
            prop_assert!(handed_out || !world.progress.has_untried());
        }
        world.finish();
        prop_assert_eq!(world.stored.tally.accepted.ios, DEVICES);
        prop_assert!(world.stored.done);
        let devices = world.ledger.values().flat_map(|page| &page.entries);
        let devices: Vec<u64> = devices.map(|entry| entry.device.0).collect();
        prop_assert_eq!(devices, (1..=DEVICES).collect::<Vec<_>>());
    }
}
