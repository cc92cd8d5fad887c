//! Why one device satisfies a clause, or does not: the evaluator's answer for each part of it, and the
//! values it saw. For a person who wonders about one device; nothing sends by it.
//!
//! Each comparison repeats what the device has under its key, so that is cut short: a clause of many
//! comparisons on one long list would else be answered with many times its size.

use super::{Clause, Field, JoinType, Key, Leaf, Number, Test};
use crate::domain::{
    device::{Device, PropertyValue, Scalar},
    timestamp::Timestamp,
};

/// Most characters shown of a text.
pub const MAX_SHOWN_CHARS: usize = 200;
/// Most elements shown of a list.
pub const MAX_SHOWN_ELEMENTS: usize = 5;

/// What the evaluator says of one part of a clause.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Where the part stands, as refusals name it: `conditions.conditions[0]`.
    pub path: String,
    /// Whether the device satisfies it.
    pub matches: bool,
    /// What it is.
    pub part: Part,
}

/// A part of a clause.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A join, and what is said of each child, those after the decision included.
    Branch(JoinType, Vec<Explanation>),
    /// A comparison, and what the device has under its key; none where it has nothing.
    Leaf(Option<Seen>),
}

/// What a device has under a key, cut to what a person reads: of a list its first elements, of a text its
/// first characters and `…`.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// As much of it as is shown. Of a longer list, the elements that the comparison holds for come first.
    pub value: PropertyValue,
    /// How many elements of a list are not shown.
    pub more: usize,
}

impl Clause {
    /// Explains what [`Clause::matches`] answers. `path` is where the clause stands.
    pub fn explain(&self, path: &str, device: &Device, now: Timestamp) -> Explanation {
        let part = match self {
            Self::Leaf(leaf) => Part::Leaf(seen(device, leaf, now)),
            Self::Branch(join, children) => {
                let child = |(index, child): (usize, &Self)| {
                    child.explain(&format!("{path}.conditions[{index}]"), device, now)
                };
                Part::Branch(*join, children.iter().enumerate().map(child).collect())
            }
        };
        Explanation { path: path.to_owned(), matches: self.matches(device, now), part }
    }
}

/// The device's value under a leaf's key, as the API shows it; a platform as the test looks at it.
fn seen(device: &Device, leaf: &Leaf, now: Timestamp) -> Option<Seen> {
    let one = |scalar: Scalar| Some(Seen { value: PropertyValue::One(short(scalar)), more: 0 });
    let text = |text: &str| one(Scalar::Text(text.to_owned()));
    match &leaf.key {
        Key::Property(key) => match device.properties.get(key)? {
            PropertyValue::One(scalar) => one(scalar.clone()),
            PropertyValue::List(list) => Some(first(list, leaf, now)),
        },
        Key::Field(Field::Tag) if device.tags.is_empty() => None,
        Key::Field(Field::Tag) => {
            let tags: Vec<_> = device.tags.iter().cloned().map(Scalar::Text).collect();
            Some(first(&tags, leaf, now))
        }
        Key::Field(Field::Alias) => device.alias.as_deref().and_then(text),
        Key::Field(Field::Timezone) => device.timezone.as_deref().and_then(text),
        Key::Field(Field::Locale) => device.locale.as_deref().and_then(text),
        Key::Field(Field::Platform) => {
            let by_number = matches!(leaf.test, Test::Compare(_, Number::Int(_)) | Test::IntIn(_));
            match by_number {
                true => one(Scalar::Int(device.device_platform.number().into())),
                false => text(device.device_platform.name()),
            }
        }
        Key::Field(Field::Id) => one(Scalar::Int(device.id.0.cast_signed())),
        Key::Field(Field::LastSeen) => text(&device.last_seen.to_rfc3339()),
        Key::Field(Field::CreatedAt) => text(&device.created_at.to_rfc3339()),
    }
}

/// The beginning of a list. One that is cut shows first what the comparison holds for.
fn first(list: &[Scalar], leaf: &Leaf, now: Timestamp) -> Seen {
    let more = list.len().saturating_sub(MAX_SHOWN_ELEMENTS);
    let mut shown: Vec<&Scalar> = list.iter().collect();
    if more > 0 {
        shown.sort_by_cached_key(|scalar| !leaf.test.holds(scalar, now));
        shown.truncate(MAX_SHOWN_ELEMENTS);
    }
    let shown = shown.into_iter().cloned().map(short);
    Seen { value: PropertyValue::List(shown.collect()), more }
}

fn short(scalar: Scalar) -> Scalar {
    match scalar {
        Scalar::Text(mut text) => {
            if let Some((end, _)) = text.char_indices().nth(MAX_SHOWN_CHARS) {
                text.truncate(end);
                text.push('…');
            }
            Scalar::Text(text)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::domain::{
        audience::{ClauseSpec, MAX_LEAVES, parse},
        device::{MAX_LIST_LEN, MAX_TEXT_BYTES},
        ids::ObjectId,
    };

    fn device(key: &str, value: PropertyValue) -> Device {
        let blank = Device::blank(ObjectId([0; 12]), 1, "a".into(), Timestamp(0));
        Device { properties: BTreeMap::from([(key.to_owned(), value)]), ..blank }
    }

    fn explained(device: &Device, conditions: serde_json::Value) -> Explanation {
        let spec: ClauseSpec = serde_json::from_value(conditions).expect("conditions");
        let clause = parse(&spec, "conditions").expect("they parse");
        clause.explain("conditions", device, Timestamp(0))
    }

    #[test]
    fn many_comparisons_on_a_long_list_repeat_little_of_it() {
        let text = "ä".repeat(MAX_TEXT_BYTES / 2);
        let list = PropertyValue::List(vec![Scalar::Text(text); MAX_LIST_LEN]);
        let leaf = json!({ "key": "k", "operator": "exists" });
        let clause = json!({ "join_type": "AND", "conditions": vec![leaf; MAX_LEAVES] });
        let Part::Branch(_, leaves) = explained(&device("k", list), clause).part else {
            panic!("a join was asked about");
        };
        assert_eq!(leaves.len(), MAX_LEAVES);
        for leaf in leaves {
            let Part::Leaf(Some(seen)) = leaf.part else { panic!("the device has it") };
            assert_eq!(seen.value.scalars().len(), MAX_SHOWN_ELEMENTS);
            assert_eq!(seen.more, MAX_LIST_LEN - MAX_SHOWN_ELEMENTS);
            let cut = format!("{}…", "ä".repeat(MAX_SHOWN_CHARS));
            assert!(seen.value.scalars().iter().all(|one| *one == Scalar::Text(cut.clone())));
        }
    }

    #[test]
    fn what_is_short_is_shown_as_it_is() {
        let text = Scalar::Text("ä".repeat(MAX_SHOWN_CHARS));
        let mut list = vec![Scalar::Int(1); MAX_SHOWN_ELEMENTS - 1];
        list.push(text.clone());
        for value in [PropertyValue::One(text), PropertyValue::List(list)] {
            let device = device("k", value.clone());
            let said = explained(&device, json!({ "key": "k", "operator": "exists" }));
            assert_eq!(said.part, Part::Leaf(Some(Seen { value, more: 0 })));
        }
    }
}
