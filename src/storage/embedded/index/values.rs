//! One key's values and who has them: a property, or a text field of the device. Filled by `load` and
//! `apply`, asked by `compile`.

use std::{
    collections::BTreeMap,
    ops::{Bound, RangeBounds},
};

use roaring::RoaringBitmap;

use super::posting::{Posting, Union};
use crate::domain::{device::Scalar, timestamp::Timestamp};

/// The index of one key.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// Everyone who has the key, an empty list included.
    pub(super) exists: RoaringBitmap,
    pub(super) ints: BTreeMap<i64, Posting>,
    /// By [`float_order`].
    pub(super) floats: BTreeMap<i64, Posting>,
    pub(super) bools: [Posting; 2],
    pub(super) texts: BTreeMap<Box<str>, Posting>,
    /// Texts that are times, once more by their moment.
    pub(super) times: BTreeMap<i64, Posting>,
}

impl Values {
    pub(super) fn insert_int(&mut self, value: i64, id: u32) {
        self.ints.entry(value).or_default().insert(id);
    }

    pub(super) fn insert_float(&mut self, value: f64, id: u32) {
        self.floats.entry(float_order(value)).or_default().insert(id);
    }

    pub(super) fn insert_bool(&mut self, value: bool, id: u32) {
        self.bools[usize::from(value)].insert(id);
    }

    pub(super) fn insert_text(&mut self, value: &str, id: u32) {
        if let Some(posting) = self.texts.get_mut(value) {
            posting.insert(id);
        } else {
            let mut posting = Posting::default();
            posting.insert(id);
            self.texts.insert(value.into(), posting);
        }
        if let Some(at) = moment(value) {
            self.times.entry(at.0).or_default().insert(id);
        }
    }

    /// Adds one element.
    pub(super) fn insert(&mut self, scalar: &Scalar, id: u32) {
        match scalar {
            Scalar::Bool(value) => self.insert_bool(*value, id),
            Scalar::Int(value) => self.insert_int(*value, id),
            Scalar::Float(value) => self.insert_float(*value, id),
            Scalar::Text(text) => self.insert_text(text, id),
        }
    }

    /// Takes one element away. All of a device's elements under a key go together, so that two that
    /// fall on one posting do no harm.
    pub(super) fn remove(&mut self, scalar: &Scalar, id: u32) {
        match scalar {
            Scalar::Bool(value) => {
                self.bools[usize::from(*value)].remove(id);
            }
            Scalar::Int(value) => remove(&mut self.ints, value, id),
            Scalar::Float(value) => remove(&mut self.floats, &float_order(*value), id),
            Scalar::Text(text) => {
                remove(&mut self.texts, text.as_str(), id);
                if let Some(at) = moment(text) {
                    remove(&mut self.times, &at.0, id);
                }
            }
        }
    }

    /// Texts that begin with `prefix`, gathered.
    pub(super) fn prefixed<'a>(&'a self, prefix: &str, into: &mut Union<'a>) {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        self.texts
            .range::<str, _>(from)
            .take_while(|(text, _)| text.starts_with(prefix))
            .for_each(|(_, posting)| into.add(posting));
    }

    /// Gives back what was reserved for growth.
    pub(super) fn shrink(&mut self) {
        self.exists.optimize();
        let Self { exists: _, ints, floats, bools, texts, times } = self;
        ints.values_mut().for_each(Posting::shrink);
        floats.values_mut().for_each(Posting::shrink);
        bools.iter_mut().for_each(Posting::shrink);
        texts.values_mut().for_each(Posting::shrink);
        times.values_mut().for_each(Posting::shrink);
    }
}

/// The postings of a range, gathered.
pub(super) fn within<'a>(
    map: &'a BTreeMap<i64, Posting>,
    range: impl RangeBounds<i64>,
    into: &mut Union<'a>,
) {
    map.range(range).for_each(|(_, posting)| into.add(posting));
}

fn remove<K, Q>(map: &mut BTreeMap<K, Posting>, key: &Q, id: u32)
where
    K: Ord + std::borrow::Borrow<Q>,
    Q: Ord + ?Sized,
{
    if let Some(posting) = map.get_mut(key)
        && posting.remove(id)
    {
        map.remove(key);
    }
}

/// A whole number that orders as the float does. Both zeros are one, as they compare equal.
pub(super) fn float_order(value: f64) -> i64 {
    let value = if value == 0.0 { 0.0 } else { value };
    let bits = value.to_bits().cast_signed();
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

/// The float that [`float_order`] gave this order.
pub(super) fn float_ordered(order: i64) -> f64 {
    f64::from_bits((order ^ ((order >> 63).cast_unsigned() >> 1).cast_signed()).cast_unsigned())
}

/// The moment that a text names. Every form of a time begins with a year and a dash; the look at the
/// first bytes spares other texts the parser.
fn moment(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let likely = bytes.len() >= 10 && (bytes[4] == b'-' || bytes[5] == b'-');
    if likely { Timestamp::parse(text) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_order_as_numbers() {
        let ordered = [f64::MIN, -1.5, -5e-324, 0.0, 5e-324, 1.0, 1.5, f64::MAX, f64::INFINITY];
        for pair in ordered.windows(2) {
            assert!(float_order(pair[0]) < float_order(pair[1]), "{pair:?}");
        }
        assert_eq!(float_order(0.0), float_order(-0.0));
        for value in ordered {
            assert_eq!(float_ordered(float_order(value)).to_bits(), value.to_bits());
        }
    }
}
