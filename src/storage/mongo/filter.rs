//! From a clause to a filter that finds exactly the devices the evaluator in `domain::audience` says,
//! and the choice of the index to find them by.
//!
//! A key and its values are data throughout: `{p: {$elemMatch: {k: KEY, v: TEST}}}`. The server compares
//! numbers across types, so tests on numbers carry a `$type`. Two bounds stand in one `$elemMatch`, so
//! that one element must satisfy both.

use mongodb::bson::{Bson, Document, Regex, doc};

use crate::domain::{
    Error, Result,
    audience::{Clause, Comparison, Field, JoinType, Key, Leaf, Number, Test},
    device::{DevicePlatform, MAX_TEXT_BYTES, Scalar},
    timestamp::Timestamp,
};

/// The moments that RFC 3339 can write, in milliseconds: years 0 to 9999. The evaluator compares
/// times as texts show them, so a moment beyond these satisfies no test.
const WRITABLE_MS: (i64, i64) = (-62_167_219_200_000, 253_402_300_799_999);

/// The filter of a clause at `now`.
pub(super) fn compile(clause: &Clause, now: Timestamp) -> Result<Document> {
    let all = |children: &[Clause]| {
        children.iter().map(|child| compile(child, now)).collect::<Result<Vec<_>>>()
    };
    Ok(match clause {
        Clause::Leaf(leaf) if leaf.negated => doc! { "$nor": [positive(leaf, now)?] },
        Clause::Leaf(leaf) => positive(leaf, now)?,
        Clause::Branch(JoinType::Or, children) if children.is_empty() => nobody(),
        Clause::Branch(_, children) if children.is_empty() => Document::new(),
        Clause::Branch(JoinType::And, children) => doc! { "$and": all(children)? },
        Clause::Branch(JoinType::Or, children) => doc! { "$or": all(children)? },
        Clause::Branch(JoinType::Not, children) => doc! { "$nor": all(children)? },
    })
}

/// The part of a clause that an index over attributes answers by itself: one comparison for equality
/// that everyone who matches must satisfy.
pub(super) fn narrowest(clause: &Clause, now: Timestamp) -> Vec<Document> {
    match clause {
        Clause::Leaf(leaf) if is_equality(leaf) => positive(leaf, now).into_iter().collect(),
        Clause::Branch(JoinType::And, children) => {
            children.iter().flat_map(|child| narrowest(child, now)).collect()
        }
        Clause::Branch(JoinType::Or, children) if children.len() == 1 => {
            narrowest(&children[0], now)
        }
        _ => Vec::new(),
    }
}

fn is_equality(leaf: &Leaf) -> bool {
    let own = matches!(
        leaf.key,
        Key::Field(Field::Platform | Field::LastSeen | Field::CreatedAt | Field::Id)
    );
    let equality = matches!(
        leaf.test,
        Test::TextEq(_)
            | Test::TextIn(_)
            | Test::IntIn(_)
            | Test::FloatIn(_)
            | Test::Bool(_)
            | Test::Exists
            | Test::Compare(Comparison::Eq, _)
    );
    !own && equality && !leaf.negated
}

/// Whether everyone who matches is named by number, so that the index over numbers finds them.
pub(super) fn names_numbers(clause: &Clause) -> bool {
    match clause {
        Clause::Leaf(leaf) => {
            let named =
                matches!(leaf.test, Test::IntIn(_) | Test::Compare(Comparison::Eq, Number::Int(_)));
            leaf.key == Key::Field(Field::Id) && named && !leaf.negated
        }
        Clause::Branch(JoinType::And, children) => children.iter().any(names_numbers),
        Clause::Branch(JoinType::Or, children) => {
            !children.is_empty() && children.iter().all(names_numbers)
        }
        Clause::Branch(JoinType::Not, _) => false,
    }
}

fn nobody() -> Document {
    doc! { "_id": { "$in": [] } }
}

/// Who satisfies a leaf, its negation apart.
fn positive(leaf: &Leaf, now: Timestamp) -> Result<Document> {
    match &leaf.key {
        Key::Property(key) => Ok(attribute(key, &leaf.test, now)),
        Key::Field(Field::Platform) => Ok(platforms(&leaf.test, now)),
        Key::Field(Field::Id) => Ok(numbers(&leaf.test)),
        Key::Field(Field::LastSeen) => moments("l", &leaf.test, now),
        Key::Field(Field::CreatedAt) => moments("c", &leaf.test, now),
        Key::Field(field) => Ok(attribute(field.key(), &leaf.test, now)),
    }
}

fn attribute(key: &str, test: &Test, now: Timestamp) -> Document {
    if matches!(test, Test::Exists) {
        return doc! { "p.k": { "$eq": key } };
    }
    let mut entry = doc! { "k": { "$eq": key } };
    match values(test) {
        Some(Values::Some(test)) => entry.insert("v", test),
        Some(Values::Nobody) => return nobody(),
        None => {
            let (from, upto) = span(test, now);
            if from > upto {
                return nobody();
            }
            entry.insert("m", doc! { "$gte": from, "$lte": upto })
        }
    };
    doc! { "p": { "$elemMatch": entry } }
}

enum Values {
    Some(Document),
    Nobody,
}

/// The test on an attribute's value; none where it is on its moment.
fn values(test: &Test) -> Option<Values> {
    Some(Values::Some(match test {
        Test::Compare(comparison, number) => {
            let (value, kind) = match number {
                Number::Int(value) => (Bson::Int64(*value), "long"),
                Number::Float(value) if value.is_nan() => return Some(Values::Nobody),
                Number::Float(value) => (Bson::Double(*value), "double"),
            };
            doc! { operator(*comparison): value, "$type": kind }
        }
        Test::IntIn(wanted) => doc! { "$in": wanted.clone(), "$type": "long" },
        Test::FloatIn(wanted) => {
            let wanted: Vec<f64> = wanted.iter().copied().filter(|value| !value.is_nan()).collect();
            doc! { "$in": wanted, "$type": "double" }
        }
        Test::TextEq(wanted) => doc! { "$eq": wanted },
        Test::TextIn(wanted) => doc! { "$in": wanted },
        Test::TextPrefix(prefix) => match after_prefix(prefix) {
            Some(after) => doc! { "$gte": prefix, "$lt": after },
            None => doc! { "$gte": prefix, "$type": "string" },
        },
        // Nothing that is stored is longer, and the server refuses long patterns.
        Test::TextContains(part) if part.len() > MAX_TEXT_BYTES => return Some(Values::Nobody),
        Test::TextContains(part) => doc! { "$regex": Bson::RegularExpression(literal(part, "")?) },
        Test::Bool(wanted) => doc! { "$eq": *wanted },
        Test::Exists | Test::TimeBefore(_) | Test::TimeAfter(_) | Test::TimeWithin(_) => {
            return None;
        }
    }))
}

fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Eq => "$eq",
        Comparison::Gt => "$gt",
        Comparison::Gte => "$gte",
        Comparison::Lt => "$lt",
        Comparison::Lte => "$lte",
    }
}

/// The first text after all that begin with `prefix`, in the order of UTF-8 bytes, which is that of
/// characters; none where there is no such text.
pub(super) fn after_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let next = u32::from(last) + 1;
        // The surrogates are no characters.
        let next = if next == 0xd800 { 0xe000 } else { next };
        if let Some(next) = char::from_u32(next) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// A pattern that matches this text and nothing else, with these options. A pattern cannot hold a NUL
/// byte itself.
pub(super) fn literal(text: &str, options: &str) -> Option<Regex> {
    let mut pattern = String::with_capacity(text.len() * 2);
    for character in text.chars() {
        match character {
            '\0' => pattern.push_str("\\x{0}"),
            special if special.is_ascii_punctuation() => pattern.extend(['\\', special]),
            plain => pattern.push(plain),
        }
    }
    Some(Regex { pattern: pattern.try_into().ok()?, options: options.to_owned().try_into().ok()? })
}

fn platforms(test: &Test, now: Timestamp) -> Document {
    let holds = |platform: &DevicePlatform| {
        let number = Scalar::Int(platform.number().into());
        let name = Scalar::Text(platform.name().to_owned());
        test.holds(&number, now) || test.holds(&name, now)
    };
    let wanted: Vec<i32> = DevicePlatform::ALL
        .iter()
        .filter(|platform| holds(platform))
        .map(|p| p.number().into())
        .collect();
    doc! { "d": { "$in": wanted } }
}

fn numbers(test: &Test) -> Document {
    match test {
        Test::Exists => Document::new(),
        Test::Compare(comparison, Number::Int(wanted)) => {
            doc! { "n": { operator(*comparison): *wanted } }
        }
        Test::IntIn(wanted) => doc! { "n": { "$in": wanted.clone() } },
        _ => nobody(),
    }
}

/// A test on one of the device's own moments.
fn moments(field: &str, test: &Test, now: Timestamp) -> Result<Document> {
    let exactly = |texts: &[String]| {
        let written = |text: &&String| {
            Timestamp::parse(text).filter(|at| at.to_rfc3339() == **text).map(|at| at.0)
        };
        let moments: Vec<i64> = texts.iter().filter_map(|text| written(&text)).collect();
        doc! { field: { "$in": moments } }
    };
    match test {
        Test::Exists => Ok(Document::new()),
        Test::TimeBefore(_) | Test::TimeAfter(_) | Test::TimeWithin(_) => {
            let (from, upto) = span(test, now);
            let (from, upto) = (from.max(WRITABLE_MS.0), upto.min(WRITABLE_MS.1));
            Ok(if from > upto {
                nobody()
            } else {
                doc! { field: { "$gte": from, "$lte": upto } }
            })
        }
        Test::TextEq(text) => Ok(exactly(std::slice::from_ref(text))),
        Test::TextIn(texts) => Ok(exactly(texts)),
        // The parser lets none through.
        Test::TextPrefix(_) | Test::TextContains(_) => {
            Err(Error::malformed("a moment cannot be searched as text"))
        }
        Test::Compare(..) | Test::IntIn(_) | Test::FloatIn(_) | Test::Bool(_) => Ok(nobody()),
    }
}

/// First and last moment, in milliseconds, that satisfy a test on times; first after last for none.
fn span(test: &Test, now: Timestamp) -> (i64, i64) {
    const EMPTY: (i64, i64) = (1, 0);
    match test {
        Test::TimeBefore(wanted) => wanted.0.checked_sub(1).map_or(EMPTY, |last| (i64::MIN, last)),
        Test::TimeAfter(wanted) => wanted.0.checked_add(1).map_or(EMPTY, |first| (first, i64::MAX)),
        Test::TimeWithin(span) => (now.minus(*span).0, now.0),
        _ => EMPTY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_text() {
        assert_eq!(after_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(after_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{10ffff}"), None);
        assert_eq!(after_prefix(""), None);
    }

    #[test]
    fn keys_are_data() {
        let leaf = Leaf {
            key: Key::Property("a.$where".into()),
            test: Test::TextEq("$gt".into()),
            negated: true,
        };
        let filter = compile(&Clause::Leaf(leaf), Timestamp(0)).expect("compiled");
        let expected = doc! { "$nor": [{ "p": { "$elemMatch": {
        "k": { "$eq": "a.$where" }, "v": { "$eq": "$gt" } } } }] };
        assert_eq!(filter, expected);
    }
}
