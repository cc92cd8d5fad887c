//! Keys and values by how they begin: a walk along the index's own order, as far as it was asked for.

use std::{
    collections::BTreeMap,
    ops::{Bound, RangeInclusive},
};

use super::{
    AppIndex, Index,
    posting::Posting,
    values::{Values, float_order, float_ordered},
};
use crate::{
    domain::{
        audience::{Key, Number},
        device::{Scalar, ScalarType},
    },
    storage::{
        KnownKey, KnownValue,
        suggestions::{NumberSpan, booleans, by_size, number_spans},
    },
};

impl Index {
    /// The first `limit` property keys of an app that begin with `prefix`.
    pub(in crate::storage::embedded) fn known_keys(
        &self,
        app: u32,
        prefix: &str,
        limit: usize,
    ) -> Vec<KnownKey> {
        let Some(app) = self.apps.get(&app) else { return Vec::new() };
        let known = |(key, values): (&str, &Values)| KnownKey {
            key: key.to_owned(),
            types: values.types().collect(),
            devices: Some(values.exists.len()),
        };
        beginning(&app.properties, prefix).map(known).take(limit).collect()
    }

    /// The first `limit` values of a key that begin with `prefix`.
    pub(in crate::storage::embedded) fn known_values(
        &self,
        app: u32,
        key: &Key,
        prefix: &str,
        limit: usize,
    ) -> Vec<KnownValue> {
        let values = self.apps.get(&app).and_then(|app| app.values_of(key));
        let Some(values) = values else { return Vec::new() };
        let mut found = Vec::new();
        for value in booleans(prefix) {
            let posting = &values.bools[usize::from(value)];
            if !posting.is_empty() {
                found.push(known(Scalar::Bool(value), posting));
            }
        }
        for span in number_spans(prefix) {
            if found.len() >= limit {
                break;
            }
            found.extend(values.numbers(&span, limit));
        }
        let texts = beginning(&values.texts, prefix).take(limit);
        found.extend(texts.map(|(text, posting)| known(Scalar::Text(text.to_owned()), posting)));
        found.truncate(limit);
        found
    }
}

impl AppIndex {
    fn values_of(&self, key: &Key) -> Option<&Values> {
        match key {
            Key::Property(key) => self.properties.get(key.as_str()),
            Key::Field(field) => self.field(*field),
        }
    }
}

impl Values {
    fn types(&self) -> impl Iterator<Item = ScalarType> {
        let held = [
            (ScalarType::Text, !self.texts.is_empty()),
            (ScalarType::Int, !self.ints.is_empty()),
            (ScalarType::Float, !self.floats.is_empty()),
            (ScalarType::Bool, self.bools.iter().any(|posting| !posting.is_empty())),
        ];
        held.into_iter().filter(|(_, held)| *held).map(|(kind, _)| kind)
    }

    /// The first numbers of a stretch, of both types together.
    fn numbers(&self, span: &NumberSpan, limit: usize) -> Vec<KnownValue> {
        let ints = if span.floats_only { None } else { int_range(span) };
        let ints = ints.into_iter().flat_map(|range| self.ints.range(range).take(limit));
        let ints = ints.map(|(value, posting)| known(Scalar::Int(*value), posting));
        let floats = float_range(span).into_iter();
        let floats = floats.flat_map(|range| self.floats.range(range).take(limit));
        let floats =
            floats.map(|(order, posting)| known(Scalar::Float(float_ordered(*order)), posting));
        let mut found: Vec<_> = ints.chain(floats).collect();
        // Of the same size, the integer stays first.
        found.sort_by(|left, right| by_size(&left.value, &right.value));
        found.truncate(limit);
        found
    }
}

fn known(value: Scalar, posting: &Posting) -> KnownValue {
    KnownValue { value, devices: Some(posting.len()) }
}

/// What begins with `prefix`, in order.
fn beginning<'a, T>(
    map: &'a BTreeMap<Box<str>, T>,
    prefix: &str,
) -> impl Iterator<Item = (&'a str, &'a T)> {
    let from = (Bound::Included(prefix), Bound::Unbounded);
    let texts = map.range::<str, _>(from).map(|(text, of)| (&**text, of));
    texts.take_while(move |(text, _)| text.starts_with(prefix))
}

/// The integers of a stretch; none where it holds none. Its ends are floats only beyond 64 bits.
fn int_range(span: &NumberSpan) -> Option<RangeInclusive<i64>> {
    let first = match span.from {
        Bound::Unbounded => i64::MIN,
        Bound::Included(Number::Int(value)) => value,
        Bound::Excluded(Number::Int(value)) => value.checked_add(1)?,
        Bound::Included(Number::Float(value)) | Bound::Excluded(Number::Float(value)) => {
            if value > 0.0 { None } else { Some(i64::MIN) }?
        }
    };
    let last = match span.upto {
        Bound::Unbounded => i64::MAX,
        Bound::Included(Number::Int(value)) => value,
        Bound::Excluded(Number::Int(value)) => value.checked_sub(1)?,
        Bound::Included(Number::Float(value)) | Bound::Excluded(Number::Float(value)) => {
            if value < 0.0 { None } else { Some(i64::MAX) }?
        }
    };
    (first <= last).then_some(first..=last)
}

/// The floats of a stretch, by [`float_order`].
fn float_range(span: &NumberSpan) -> Option<RangeInclusive<i64>> {
    let order = |number| match number {
        Number::Int(value) => float_order(value as f64),
        Number::Float(value) => float_order(value),
    };
    let first = match span.from {
        Bound::Unbounded => i64::MIN,
        Bound::Included(number) => order(number),
        Bound::Excluded(number) => order(number).checked_add(1)?,
    };
    let last = match span.upto {
        Bound::Unbounded => i64::MAX,
        Bound::Included(number) => order(number),
        Bound::Excluded(number) => order(number).checked_sub(1)?,
    };
    (first <= last).then_some(first..=last)
}
