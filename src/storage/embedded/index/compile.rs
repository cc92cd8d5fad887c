//! From a clause to the bitmap of the devices that satisfy it: exactly those that the evaluator in
//! `domain::audience` says. Asked by reader threads, under the index's read lock.

use std::{borrow::Cow, ops::Bound};

use roaring::{MultiOps, RoaringBitmap};

use super::{
    AppIndex, Index,
    posting::Union,
    values::{Values, float_order, within},
};
use crate::domain::{
    audience::{Clause, Comparison, Field, JoinType, Key, Leaf, Number, Test},
    device::{DevicePlatform, Scalar},
    timestamp::Timestamp,
};

/// The moments that RFC 3339 can write, in milliseconds: years 0 to 9999. The evaluator compares
/// times as texts show them, so a moment beyond these satisfies no test.
const WRITABLE_MS: (i64, i64) = (-62_167_219_200_000, 253_402_300_799_999);

/// A set of an app's devices, or all but a set. Keeping "all but" unresolved lets an AND subtract it.
struct Set<'a> {
    bitmap: Cow<'a, RoaringBitmap>,
    complement: bool,
}

impl<'a> Set<'a> {
    fn of(bitmap: Cow<'a, RoaringBitmap>) -> Self {
        Self { bitmap, complement: false }
    }

    fn resolve(self, all: &RoaringBitmap) -> Cow<'a, RoaringBitmap> {
        if self.complement { Cow::Owned(all - self.bitmap.as_ref()) } else { self.bitmap }
    }
}

impl Index {
    /// The devices of an app that satisfy `clause` at `now`; every device for no clause.
    pub(in crate::storage::embedded) fn matching(
        &self,
        app: u32,
        clause: Option<&Clause>,
        now: Timestamp,
    ) -> Cow<'_, RoaringBitmap> {
        let Some(app) = self.apps.get(&app) else { return Cow::default() };
        let Some(clause) = clause else { return Cow::Borrowed(&app.all) };
        Question { index: self, app, now }.clause(clause).resolve(&app.all)
    }
}

/// One clause being compiled.
struct Question<'a> {
    index: &'a Index,
    app: &'a AppIndex,
    now: Timestamp,
}

impl<'a> Question<'a> {
    fn clause(&self, clause: &Clause) -> Set<'a> {
        match clause {
            Clause::Leaf(leaf) => Set { bitmap: self.leaf(leaf), complement: leaf.negated },
            Clause::Branch(JoinType::And, children) => Set::of(self.all_of(children)),
            Clause::Branch(JoinType::Or, children) => Set::of(self.any_of(children)),
            Clause::Branch(JoinType::Not, children) => {
                Set { bitmap: self.any_of(children), complement: true }
            }
        }
    }

    fn all_of(&self, children: &[Clause]) -> Cow<'a, RoaringBitmap> {
        let sets = children.iter().map(|child| self.clause(child));
        let (without, mut with): (Vec<_>, Vec<_>) = sets.partition(|set| set.complement);
        with.sort_by_key(|set| set.bitmap.len());
        let mut with = with.into_iter().map(|set| set.bitmap);
        let mut held = with.next().unwrap_or(Cow::Borrowed(&self.app.all));
        for set in with {
            if held.is_empty() {
                return held;
            }
            held = Cow::Owned(match held {
                Cow::Borrowed(held) => held & set.as_ref(),
                Cow::Owned(held) => held & set.as_ref(),
            });
        }
        for set in without {
            held = Cow::Owned(match held {
                Cow::Borrowed(held) => held - set.bitmap.as_ref(),
                Cow::Owned(held) => held - set.bitmap.as_ref(),
            });
        }
        held
    }

    fn any_of(&self, children: &[Clause]) -> Cow<'a, RoaringBitmap> {
        let resolve = |child| self.clause(child).resolve(&self.app.all);
        let mut sets: Vec<_> = children.iter().map(resolve).collect();
        match sets.len() {
            0 => Cow::default(),
            1 => sets.remove(0),
            _ => Cow::Owned(sets.iter().map(Cow::as_ref).union()),
        }
    }

    /// Who satisfies a leaf, its negation apart.
    fn leaf(&self, leaf: &Leaf) -> Cow<'a, RoaringBitmap> {
        match &leaf.key {
            Key::Property(key) => self
                .app
                .properties
                .get(key.as_str())
                .map_or_else(Cow::default, |values| values.satisfying(&leaf.test, self.now)),
            Key::Field(Field::Platform) => self.platforms(&leaf.test),
            Key::Field(Field::Id) => self.numbers(&leaf.test),
            Key::Field(Field::LastSeen) => self.moments(&self.index.last_seen, &leaf.test),
            Key::Field(Field::CreatedAt) => self.moments(&self.index.created_at, &leaf.test),
            Key::Field(field) => self
                .app
                .field(*field)
                .map_or_else(Cow::default, |values| values.satisfying(&leaf.test, self.now)),
        }
    }

    fn platforms(&self, test: &Test) -> Cow<'a, RoaringBitmap> {
        let mut union = Union::default();
        for (platform, bitmap) in DevicePlatform::ALL.into_iter().zip(&self.app.platforms) {
            let number = Scalar::Int(platform.number().into());
            let name = Scalar::Text(platform.name().to_owned());
            if test.holds(&number, self.now) || test.holds(&name, self.now) {
                union.add_bitmap(bitmap);
            }
        }
        union.finish()
    }

    /// Who has a number that satisfies the test.
    fn numbers(&self, test: &Test) -> Cow<'a, RoaringBitmap> {
        let all = &self.app.all;
        let named = |numbers: &[i64]| -> RoaringBitmap {
            numbers.iter().filter_map(|number| u32::try_from(*number).ok()).collect()
        };
        match test {
            Test::Exists => Cow::Borrowed(all),
            Test::Compare(Comparison::Eq, Number::Int(wanted)) => {
                Cow::Owned(named(&[*wanted]) & all)
            }
            Test::Compare(comparison, Number::Int(wanted)) => {
                let holds = |id: &u32| comparison.holds(&i64::from(*id), wanted);
                Cow::Owned(all.iter().filter(holds).collect())
            }
            Test::IntIn(wanted) => Cow::Owned(named(wanted) & all),
            _ => Cow::default(),
        }
    }

    /// Who has a moment that satisfies the test.
    fn moments(&self, times: &[i64], test: &Test) -> Cow<'a, RoaringBitmap> {
        if matches!(test, Test::Exists) {
            return Cow::Borrowed(&self.app.all);
        }
        let Some((from, upto)) = span(test, self.now) else {
            return Cow::Owned(self.moments_as_text(times, test));
        };
        let (from, upto) = (from.max(WRITABLE_MS.0), upto.min(WRITABLE_MS.1));
        let mut bits = vec![0_u8; times.len().div_ceil(8)];
        for (byte, eight) in bits.iter_mut().zip(times.chunks(8)) {
            for (bit, at) in eight.iter().enumerate() {
                *byte |= u8::from(from <= *at && *at <= upto) << bit;
            }
        }
        Cow::Owned(RoaringBitmap::from_lsb0_bytes(0, &bits) & &self.app.all)
    }

    /// A test that is not about times sees the text; the parser lets none through, so it may be slow.
    fn moments_as_text(&self, times: &[i64], test: &Test) -> RoaringBitmap {
        let holds = |id: &u32| {
            let at = times.get(*id as usize).copied().unwrap_or_default();
            test.holds(&Scalar::Text(Timestamp(at).to_rfc3339()), self.now)
        };
        self.app.all.iter().filter(holds).collect()
    }
}

impl Values {
    /// Who has an element that satisfies the test.
    fn satisfying(&self, test: &Test, now: Timestamp) -> Cow<'_, RoaringBitmap> {
        let mut union = Union::default();
        match test {
            Test::Exists => union.add_bitmap(&self.exists),
            Test::Compare(comparison, Number::Int(wanted)) => {
                within(&self.ints, bounds(*comparison, *wanted), &mut union);
            }
            Test::Compare(_, Number::Float(wanted)) if wanted.is_nan() => {}
            Test::Compare(comparison, Number::Float(wanted)) => {
                within(&self.floats, bounds(*comparison, float_order(*wanted)), &mut union);
            }
            Test::IntIn(wanted) => {
                wanted.iter().filter_map(|value| self.ints.get(value)).for_each(|p| union.add(p));
            }
            Test::FloatIn(wanted) => wanted
                .iter()
                .filter(|value| !value.is_nan())
                .filter_map(|value| self.floats.get(&float_order(*value)))
                .for_each(|posting| union.add(posting)),
            Test::TextEq(wanted) => {
                self.texts.get(wanted.as_str()).into_iter().for_each(|p| union.add(p));
            }
            Test::TextIn(wanted) => wanted
                .iter()
                .filter_map(|text| self.texts.get(text.as_str()))
                .for_each(|posting| union.add(posting)),
            Test::TextPrefix(prefix) => self.prefixed(prefix, &mut union),
            Test::TextContains(part) => self
                .texts
                .iter()
                .filter(|(text, _)| text.contains(part.as_str()))
                .for_each(|(_, posting)| union.add(posting)),
            Test::Bool(wanted) => union.add(&self.bools[usize::from(*wanted)]),
            Test::TimeBefore(_) | Test::TimeAfter(_) | Test::TimeWithin(_) => {
                if let Some((from, upto)) = span(test, now).filter(|(from, upto)| from <= upto) {
                    within(&self.times, from..=upto, &mut union);
                }
            }
        }
        union.finish()
    }
}

fn bounds(comparison: Comparison, wanted: i64) -> (Bound<i64>, Bound<i64>) {
    match comparison {
        Comparison::Eq => (Bound::Included(wanted), Bound::Included(wanted)),
        Comparison::Gt => (Bound::Excluded(wanted), Bound::Unbounded),
        Comparison::Gte => (Bound::Included(wanted), Bound::Unbounded),
        Comparison::Lt => (Bound::Unbounded, Bound::Excluded(wanted)),
        Comparison::Lte => (Bound::Unbounded, Bound::Included(wanted)),
    }
}

/// First and last moment, in milliseconds, that satisfy a test on times; first after last for none.
/// None where the test is not about times.
fn span(test: &Test, now: Timestamp) -> Option<(i64, i64)> {
    const EMPTY: (i64, i64) = (1, 0);
    match test {
        Test::TimeBefore(wanted) => {
            Some(wanted.0.checked_sub(1).map_or(EMPTY, |last| (i64::MIN, last)))
        }
        Test::TimeAfter(wanted) => {
            Some(wanted.0.checked_add(1).map_or(EMPTY, |first| (first, i64::MAX)))
        }
        Test::TimeWithin(span) => Some((now.minus(*span).0, now.0)),
        _ => None,
    }
}
