//! Joining two parts of the index, the second of which has the greater ids. Used by `load`.

use std::collections::{BTreeMap, btree_map::Entry};

use super::{AppIndex, Index, Values, posting::Posting};

impl Index {
    /// This part, and the one that follows it.
    pub(super) fn join(mut self, next: Self) -> Self {
        // The times are by id: the next part's begin where this part's end.
        let known = self.created_at.len();
        self.created_at.extend(next.created_at.into_iter().skip(known));
        self.last_seen.extend(next.last_seen.into_iter().skip(known));
        for (app, index) in next.apps {
            self.apps.entry(app).or_default().absorb(index);
        }
        self
    }
}

impl AppIndex {
    fn absorb(&mut self, next: Self) {
        self.all |= next.all;
        self.token |= next.token;
        self.pruned |= next.pruned;
        self.providers.iter_mut().zip(next.providers).for_each(|(own, next)| *own |= next);
        self.platforms.iter_mut().zip(next.platforms).for_each(|(own, next)| *own |= next);
        self.tags.absorb(next.tags);
        self.alias.absorb(next.alias);
        self.timezone.absorb(next.timezone);
        self.locale.absorb(next.locale);
        for (key, values) in next.properties {
            self.properties.entry(key).or_default().absorb(values);
        }
    }

    /// Gives back what was reserved for growth.
    pub(super) fn shrink(&mut self) {
        let Self { all, token, pruned, providers, platforms, .. } = self;
        for bitmap in [all, token, pruned].into_iter().chain(providers).chain(platforms) {
            bitmap.optimize();
        }
        for values in [&mut self.tags, &mut self.alias, &mut self.timezone, &mut self.locale] {
            values.shrink();
        }
        self.properties.values_mut().for_each(Values::shrink);
    }
}

impl Values {
    fn absorb(&mut self, next: Self) {
        self.exists |= next.exists;
        absorb(&mut self.ints, next.ints);
        absorb(&mut self.floats, next.floats);
        self.bools.iter_mut().zip(next.bools).for_each(|(own, next)| own.append(next));
        absorb(&mut self.texts, next.texts);
        absorb(&mut self.times, next.times);
    }
}

fn absorb<K: Ord>(own: &mut BTreeMap<K, Posting>, next: BTreeMap<K, Posting>) {
    if own.is_empty() {
        *own = next;
        return;
    }
    for (key, posting) in next {
        match own.entry(key) {
            Entry::Vacant(free) => {
                free.insert(posting);
            }
            Entry::Occupied(mut held) => held.get_mut().append(posting),
        }
    }
}
