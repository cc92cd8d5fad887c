//! Which property keys devices have, and which values a key has, by how they begin: what a person is
//! offered while typing. A look must be quick with any number of devices, so each store walks its index
//! from one key or value to the next and never over the devices.

use std::{cmp::Ordering, collections::BTreeSet, ops::Bound};

use async_trait::async_trait;

use crate::domain::{
    Result,
    audience::{Key, Number},
    device::{Scalar, ScalarType},
    ids::AppName,
};

/// A property key that some device has.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownKey {
    /// The key.
    pub key: String,
    /// What its values are; a list counts by its elements. A store may look at a part of them.
    pub types: BTreeSet<ScalarType>,
    /// How many devices have it, where the store can tell without counting them.
    pub devices: Option<u64>,
}

/// A value that some device has under a key; a list counts by its elements.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownValue {
    /// The value.
    pub value: Scalar,
    /// How many devices have it, where the store can tell without counting them.
    pub devices: Option<u64>,
}

/// Keys and values to choose from.
#[async_trait]
pub trait SuggestionStore: Send + Sync {
    /// The first `limit` property keys that begin with `prefix`, in the order of their bytes.
    async fn keys(&self, app: &AppName, prefix: &str, limit: usize) -> Result<Vec<KnownKey>>;

    /// The first `limit` values of a key that begin with `prefix` as they are written: booleans, then
    /// numbers by their size, those with fewer digits before the point first where a prefix is given,
    /// then text in the order of its bytes. A key whose values are not indexed has none. A number that
    /// some devices have as an integer and others as a float may be shown as one of the two.
    async fn values(
        &self,
        app: &AppName,
        key: &Key,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<KnownValue>>;
}

/// The booleans that begin with `prefix`.
pub(super) fn booleans(prefix: &str) -> impl Iterator<Item = bool> {
    [false, true].into_iter().filter(move |value| value.to_string().starts_with(prefix))
}

/// Numbers in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct NumberSpan {
    pub(super) from: Bound<Number>,
    pub(super) upto: Bound<Number>,
    /// Whether whole numbers of the integer type are none of them.
    pub(super) floats_only: bool,
}

/// Most digits of a prefix: no number is written with more before an exponent.
const MAX_DIGITS: usize = 24;
/// Where numbers written without an exponent end.
const END: u128 = 10_u128.pow(19);

/// The numbers whose decimal digits begin with `prefix`, as few stretches: those that begin with 3 are 3,
/// 30 to 39, 300 to 399 and so on, with what comes after their points.
pub(super) fn number_spans(prefix: &str) -> Vec<NumberSpan> {
    let all = NumberSpan { from: Bound::Unbounded, upto: Bound::Unbounded, floats_only: false };
    if prefix.is_empty() {
        return vec![all];
    }
    let (negative, digits) = match prefix.strip_prefix('-') {
        Some("") => return vec![NumberSpan { upto: Bound::Excluded(Number::Int(0)), ..all }],
        Some(digits) => (true, digits),
        None => (false, prefix),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let leads = whole == "0" || !whole.starts_with('0');
    let fits = digits.len() <= MAX_DIGITS && is_digits(whole) && is_digits(fraction.unwrap_or(""));
    if whole.is_empty() || !leads || !fits {
        return Vec::new();
    }
    match fraction {
        Some(fraction) => fraction_span(whole, fraction, negative).into_iter().collect(),
        None => whole_spans(whole, negative),
    }
}

fn whole_spans(whole: &str, negative: bool) -> Vec<NumberSpan> {
    let Ok(first) = whole.parse::<u128>() else { return Vec::new() };
    let mut spans = Vec::new();
    let mut scale = 1;
    while first * scale < END {
        let (low, high) = (first * scale, (first + 1) * scale);
        spans.push(span(integer(low), integer(high), negative, false));
        scale *= 10;
        if first == 0 {
            break;
        }
    }
    spans
}

/// From the digits up to those that are greater by one in the last place.
fn fraction_span(whole: &str, fraction: &str, negative: bool) -> Option<NumberSpan> {
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let written = |digits: u128| -> Option<Number> {
        format!("{digits}e-{}", fraction.len()).parse().ok().map(Number::Float)
    };
    Some(span(written(digits)?, written(digits + 1)?, negative, true))
}

/// From `low`, included, to `high`; or the same below zero.
fn span(low: Number, high: Number, negative: bool, floats_only: bool) -> NumberSpan {
    if !negative {
        return NumberSpan { from: Bound::Included(low), upto: Bound::Excluded(high), floats_only };
    }
    let minus = |number| match number {
        Number::Int(value) => Number::Int(-value),
        Number::Float(value) => Number::Float(-value),
    };
    // Nothing is written `-0` but what has a fraction.
    let is_zero = matches!(low, Number::Int(0));
    let upto = if is_zero { Bound::Excluded(low) } else { Bound::Included(minus(low)) };
    NumberSpan { from: Bound::Excluded(minus(high)), upto, floats_only }
}

/// As an integer where it is one of 64 bits.
fn integer(value: u128) -> Number {
    i64::try_from(value).map_or(Number::Float(value as f64), Number::Int)
}

/// The order of numbers by their size, whatever their type, and of texts by their bytes.
pub(super) fn by_size(left: &Scalar, right: &Scalar) -> Ordering {
    match (left, right) {
        (Scalar::Int(left), Scalar::Int(right)) => left.cmp(right),
        // None is NaN: values are checked at the edge.
        (Scalar::Float(left), Scalar::Float(right)) => {
            left.partial_cmp(right).unwrap_or(Ordering::Equal)
        }
        (Scalar::Int(left), Scalar::Float(right)) => mixed(*left, *right),
        (Scalar::Float(left), Scalar::Int(right)) => mixed(*right, *left).reverse(),
        (Scalar::Text(left), Scalar::Text(right)) => left.cmp(right),
        _ => left.kind().cmp(&right.kind()),
    }
}

fn mixed(left: i64, right: f64) -> Ordering {
    // Exact: a float's whole part has no more digits than 128 bits hold, or is beyond every integer.
    let fraction = if right.fract() == 0.0 { Ordering::Equal } else { Ordering::Less };
    i128::from(left).cmp(&(right.floor() as i128)).then(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(span: &NumberSpan, value: f64) -> bool {
        let of = |number: Number| match number {
            Number::Int(value) => value as f64,
            Number::Float(value) => value,
        };
        let from = match span.from {
            Bound::Included(from) => value >= of(from),
            Bound::Excluded(from) => value > of(from),
            Bound::Unbounded => true,
        };
        from && match span.upto {
            Bound::Included(upto) => value <= of(upto),
            Bound::Excluded(upto) => value < of(upto),
            Bound::Unbounded => true,
        }
    }

    #[test]
    fn a_number_is_found_by_each_beginning_of_how_it_is_written() {
        let values = [3.0, 39.0, 30.5, 0.5, 0.25, -3.0, -39.25, -0.5, 123_456_789.0, 0.1, 1e15];
        for value in values {
            let text = format!("{value}");
            for end in 0..=text.len() {
                let spans = number_spans(&text[..end]);
                assert!(spans.iter().any(|span| holds(span, value)), "{value} by {}", &text[..end]);
            }
            for other in ["7", "-7", "0.7", "-0.7", "31", "-4"] {
                let spans = number_spans(other);
                assert!(!spans.iter().any(|span| holds(span, value)), "{value} by {other}");
            }
        }
    }

    #[test]
    fn what_no_number_begins_with_finds_none() {
        for prefix in ["a", "00", "01", "1e", "1.2.3", ".5", "--", "+1", " 1", "-.", "1,0"] {
            assert!(number_spans(prefix).is_empty(), "{prefix}");
        }
        assert!(number_spans(&"9".repeat(25)).is_empty());
        assert!(number_spans("3.").iter().all(|span| span.floats_only));
    }

    #[test]
    fn numbers_of_both_types_have_one_order() {
        let ordered = [
            Scalar::Float(f64::MIN),
            Scalar::Int(i64::MIN),
            Scalar::Float(-1.5),
            Scalar::Int(-1),
            Scalar::Int(1),
            Scalar::Float(1.5),
            Scalar::Int((1 << 53) + 1),
            Scalar::Int(i64::MAX),
            Scalar::Float(9.3e18),
        ];
        for (place, left) in ordered.iter().enumerate() {
            for (other, right) in ordered.iter().enumerate() {
                assert_eq!(by_size(left, right), place.cmp(&other), "{left:?} {right:?}");
            }
        }
        assert_eq!(by_size(&Scalar::Int(1), &Scalar::Float(1.0)), Ordering::Equal);
    }
}
