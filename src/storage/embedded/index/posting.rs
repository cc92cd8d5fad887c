//! The devices that share one value: from one id inline to a compressed bitmap, sixteen bytes plus
//! what it holds. Most values of a unique property have a single device, so the small forms decide
//! the index's size.

use std::borrow::Cow;

use roaring::{MultiOps, RoaringBitmap};

/// How many ids are kept inline.
const INLINE: usize = 3;
/// From how many ids a bitmap is the better form.
const BITMAP_FROM: usize = 256;

/// A set of device ids.
#[derive(Clone, Debug)]
pub(super) enum Posting {
    /// The first `len` of `ids`, ascending.
    Inline { len: u8, ids: [u32; INLINE] },
    /// Ascending.
    #[expect(clippy::box_collection, reason = "a bare Vec would double every posting's size")]
    Few(Box<Vec<u32>>),
    /// Any number.
    Many(Box<RoaringBitmap>),
}

impl Default for Posting {
    fn default() -> Self {
        Self::Inline { len: 0, ids: [0; INLINE] }
    }
}

impl Posting {
    /// Adds a device; adding it again changes nothing.
    pub(super) fn insert(&mut self, id: u32) {
        match self {
            Self::Many(bitmap) => {
                bitmap.insert(id);
            }
            Self::Few(ids) => {
                let Err(place) = find(ids, id) else { return };
                if ids.len() < BITMAP_FROM {
                    ids.insert(place, id);
                    return;
                }
                let mut bitmap: RoaringBitmap = ids.iter().copied().collect();
                bitmap.insert(id);
                *self = Self::Many(Box::new(bitmap));
            }
            Self::Inline { len, ids } => {
                let held = usize::from(*len);
                let Err(place) = find(&ids[..held], id) else { return };
                if held < INLINE {
                    ids.copy_within(place..held, place + 1);
                    ids[place] = id;
                    *len += 1;
                    return;
                }
                let mut more = Vec::with_capacity(2 * INLINE);
                more.extend_from_slice(&ids[..held]);
                more.insert(place, id);
                *self = Self::Few(Box::new(more));
            }
        }
    }

    /// Adds the devices of another posting, all of whose ids are greater.
    pub(super) fn append(&mut self, next: Self) {
        match (&mut *self, next) {
            (Self::Many(own), Self::Many(next)) => **own |= *next,
            (_, Self::Many(next)) => {
                let own = std::mem::replace(self, Self::Many(next));
                own.each(|id| self.insert(id));
            }
            (_, next) => next.each(|id| self.insert(id)),
        }
    }

    fn each(&self, add: impl FnMut(u32)) {
        match self {
            Self::Inline { len, ids } => ids[..usize::from(*len)].iter().copied().for_each(add),
            Self::Few(ids) => ids.iter().copied().for_each(add),
            Self::Many(bitmap) => bitmap.iter().for_each(add),
        }
    }

    /// Takes a device away; whether none is left.
    pub(super) fn remove(&mut self, id: u32) -> bool {
        match self {
            Self::Many(bitmap) => {
                bitmap.remove(id);
                // Back to the small form only well below the threshold, so as not to flap.
                if bitmap.len() < (BITMAP_FROM / 4) as u64 {
                    *self = Self::Few(Box::new(bitmap.iter().collect()));
                }
            }
            Self::Few(ids) => {
                if let Ok(place) = ids.binary_search(&id) {
                    ids.remove(place);
                }
            }
            Self::Inline { len, ids } => {
                let held = usize::from(*len);
                if let Ok(place) = ids[..held].binary_search(&id) {
                    ids.copy_within(place + 1..held, place);
                    *len -= 1;
                }
            }
        }
        self.is_empty()
    }

    /// How many are in it.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Inline { len, .. } => u64::from(*len),
            Self::Few(ids) => ids.len() as u64,
            Self::Many(bitmap) => bitmap.len(),
        }
    }

    /// Whether none is in it.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Inline { len, .. } => *len == 0,
            Self::Few(ids) => ids.is_empty(),
            Self::Many(bitmap) => bitmap.is_empty(),
        }
    }

    /// Gives back what was reserved for growth, after the index was built.
    pub(super) fn shrink(&mut self) {
        match self {
            Self::Inline { .. } => {}
            Self::Few(ids) => ids.shrink_to_fit(),
            Self::Many(bitmap) => {
                bitmap.optimize();
            }
        }
    }
}

/// Where `id` is (`Ok`), or belongs (`Err`). Ids mostly come ascending.
fn find(ids: &[u32], id: u32) -> Result<usize, usize> {
    match ids.last() {
        Some(last) if *last < id => Err(ids.len()),
        _ => ids.binary_search(&id),
    }
}

/// Gathers postings into their union. Small ones are gathered as ids, and turned into a bitmap at
/// once by way of a plain bitset where there are many of them.
#[derive(Default)]
pub(super) struct Union<'a> {
    ids: Vec<u32>,
    bitmaps: Vec<&'a RoaringBitmap>,
}

impl<'a> Union<'a> {
    /// Adds one posting.
    pub(super) fn add(&mut self, posting: &'a Posting) {
        match posting {
            Posting::Inline { len, ids } => self.ids.extend_from_slice(&ids[..usize::from(*len)]),
            Posting::Few(ids) => self.ids.extend_from_slice(ids),
            Posting::Many(bitmap) => self.bitmaps.push(bitmap),
        }
    }

    /// Adds a bitmap.
    pub(super) fn add_bitmap(&mut self, bitmap: &'a RoaringBitmap) {
        self.bitmaps.push(bitmap);
    }

    /// The union; borrowed where it is a single bitmap.
    pub(super) fn finish(self) -> Cow<'a, RoaringBitmap> {
        let small = bitmap_of(self.ids);
        match (self.bitmaps.as_slice(), small.is_empty()) {
            ([], _) => Cow::Owned(small),
            ([only], true) => Cow::Borrowed(only),
            (many, _) => Cow::Owned(many.iter().copied().union() | small),
        }
    }
}

/// The bitmap of ids in any order, repeats included.
fn bitmap_of(mut ids: Vec<u32>) -> RoaringBitmap {
    let most = ids.iter().copied().max().unwrap_or(0);
    if ids.len() < most as usize / 128 {
        ids.sort_unstable();
        return ids.into_iter().collect();
    }
    let mut bits = vec![0_u8; most as usize / 8 + 1];
    for id in ids {
        bits[id as usize / 8] |= 1 << (id % 8);
    }
    RoaringBitmap::from_lsb0_bytes(0, &bits)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ids(posting: &Posting) -> Vec<u32> {
        let mut union = Union::default();
        union.add(posting);
        union.finish().iter().collect()
    }

    #[test]
    fn a_posting_takes_sixteen_bytes() {
        assert_eq!(size_of::<Posting>(), 16);
    }

    #[test]
    fn it_holds_what_a_set_would_through_every_form() {
        let mut posting = Posting::default();
        let mut set = BTreeSet::new();
        // A fixed pseudo-random walk (Knuth's multiplier) that grows through every form and back.
        let walk = |step: u32| step.wrapping_mul(2_654_435_761) >> 20;
        for step in 0..2000 {
            posting.insert(walk(step));
            set.insert(walk(step));
            assert_eq!(posting.is_empty(), set.is_empty());
        }
        assert!(matches!(posting, Posting::Many(_)));
        assert_eq!(ids(&posting), set.iter().copied().collect::<Vec<_>>());
        posting.shrink();
        for step in 0..2000 {
            set.remove(&walk(step));
            assert_eq!(posting.remove(walk(step)), set.is_empty());
            if step % 100 == 0 {
                assert_eq!(ids(&posting), set.iter().copied().collect::<Vec<_>>());
            }
        }
        assert!(posting.is_empty());
    }

    #[test]
    fn appended_postings_hold_both_whatever_their_forms() {
        for (own, next) in [(0, 2), (2, 2), (3, 100), (100, 300), (300, 3), (300, 300), (2, 300)] {
            let fill = |range: std::ops::Range<u32>| {
                let mut posting = Posting::default();
                range.for_each(|id| posting.insert(id));
                posting
            };
            let mut joined = fill(0..own);
            joined.append(fill(1000..1000 + next));
            let expected: Vec<u32> = (0..own).chain(1000..1000 + next).collect();
            assert_eq!(ids(&joined), expected);
        }
    }

    #[test]
    fn unions_agree_however_many_ids_are_small() {
        for count in [0, 1, 3, 10, 5000] {
            let ids: Vec<u32> = (0..count).map(|id| id * 7 % 10_007).rev().collect();
            let expected: RoaringBitmap = ids.iter().copied().collect();
            assert_eq!(bitmap_of(ids), expected);
        }
    }
}
