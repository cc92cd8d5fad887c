//! The audience index: which devices have which value, in memory.
//!
//! A cache of what is stored: rebuilt at start (`load`), changed by the writer thread after each
//! commit (`apply`), asked by reader threads (`compile`, `count`). Device ids are dense within an
//! installation, so compressed bitmaps over them are small and quick. The lock is held for memory
//! work alone, never during I/O.

mod apply;
mod compile;
mod count;
mod labels;
mod load;
mod merge;
mod posting;
mod suggest;
mod values;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use roaring::RoaringBitmap;

use crate::domain::{audience::Field, device::SendPlatform, timestamp::Timestamp};

pub(super) use apply::{Change, same_to_the_index};
pub(super) use load::load;
use values::Values;

/// The index behind its lock.
#[derive(Default)]
pub(super) struct SharedIndex(RwLock<Index>);

impl SharedIndex {
    /// Wraps a loaded index.
    pub(super) fn new(index: Index) -> Self {
        Self(RwLock::new(index))
    }

    /// For a question. A panic while it was held for writing cannot have left a device half-way
    /// worse than a wrong count until restart, which beats refusing every question.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes committed changes visible, in their order.
    pub(super) fn publish(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let mut index = self.write();
        changes.into_iter().for_each(|change| index.apply(change));
    }
}

/// Every app's devices.
#[derive(Debug, Default)]
pub(super) struct Index {
    apps: HashMap<u32, AppIndex>,
    /// By device id, over all apps; where no device is, whatever was there before.
    created_at: Vec<i64>,
    last_seen: Vec<i64>,
}

impl Index {
    /// The largest device id ever indexed; 0 for none.
    pub(super) fn max_id(&self) -> u32 {
        u32::try_from(self.created_at.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Every device of an app.
    pub(super) fn all(&self, app: u32) -> Option<&RoaringBitmap> {
        self.apps.get(&app).map(|index| &index.all)
    }

    fn set_created(&mut self, id: u32, at: Timestamp) {
        set(&mut self.created_at, id, at);
    }

    fn set_seen(&mut self, id: u32, at: Timestamp) {
        set(&mut self.last_seen, id, at);
    }
}

fn set(times: &mut Vec<i64>, id: u32, at: Timestamp) {
    let place = id as usize;
    if times.len() <= place {
        times.resize(place + 1, 0);
    }
    times[place] = at.0;
}

/// One app's devices.
#[derive(Debug, Default)]
struct AppIndex {
    all: RoaringBitmap,
    /// Those that have a token.
    token: RoaringBitmap,
    /// Those whose token was given up.
    pruned: RoaringBitmap,
    /// By the number of the provider.
    providers: [RoaringBitmap; SendPlatform::ALL.len()],
    /// By the number of the platform.
    platforms: [RoaringBitmap; 4],
    tags: Values,
    alias: Values,
    timezone: Values,
    locale: Values,
    /// In the order of their keys, so that those that begin alike lie together.
    properties: BTreeMap<Box<str>, Values>,
}

impl AppIndex {
    /// The values of a text field of the device; none for fields that are kept otherwise.
    fn field(&self, field: Field) -> Option<&Values> {
        match field {
            Field::Tag => Some(&self.tags),
            Field::Alias => Some(&self.alias),
            Field::Timezone => Some(&self.timezone),
            Field::Locale => Some(&self.locale),
            Field::Platform | Field::LastSeen | Field::CreatedAt | Field::Id => None,
        }
    }

    fn property(&mut self, key: &str) -> &mut Values {
        if !self.properties.contains_key(key) {
            self.properties.insert(key.into(), Values::default());
        }
        self.properties.get_mut(key).expect("it was inserted where it was missing")
    }
}
