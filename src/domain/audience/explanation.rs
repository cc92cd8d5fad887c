//! Why one device satisfies a clause, or does not: the evaluator's answer for each part of it, and the
//! values it saw. For a person who wonders about one device; nothing sends by it.

use super::{Clause, Field, JoinType, Key, Leaf, Number, Test};
use crate::domain::{
    device::{Device, PropertyValue, Scalar},
    timestamp::Timestamp,
};

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
    Leaf(Option<PropertyValue>),
}

impl Clause {
    /// Explains what [`Clause::matches`] answers. `path` is where the clause stands.
    pub fn explain(&self, path: &str, device: &Device, now: Timestamp) -> Explanation {
        let part = match self {
            Self::Leaf(leaf) => Part::Leaf(actual(device, leaf)),
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
fn actual(device: &Device, leaf: &Leaf) -> Option<PropertyValue> {
    let text = |text: &str| PropertyValue::One(Scalar::Text(text.to_owned()));
    match &leaf.key {
        Key::Property(key) => device.properties.get(key).cloned(),
        Key::Field(Field::Tag) if device.tags.is_empty() => None,
        Key::Field(Field::Tag) => {
            Some(PropertyValue::List(device.tags.iter().cloned().map(Scalar::Text).collect()))
        }
        Key::Field(Field::Alias) => device.alias.as_deref().map(text),
        Key::Field(Field::Timezone) => device.timezone.as_deref().map(text),
        Key::Field(Field::Locale) => device.locale.as_deref().map(text),
        Key::Field(Field::Platform) => {
            let number = Scalar::Int(device.device_platform.number().into());
            let by_number = matches!(leaf.test, Test::Compare(_, Number::Int(_)) | Test::IntIn(_));
            Some(if by_number {
                PropertyValue::One(number)
            } else {
                text(device.device_platform.name())
            })
        }
        Key::Field(Field::Id) => Some(PropertyValue::One(Scalar::Int(device.id.0.cast_signed()))),
        Key::Field(Field::LastSeen) => Some(text(&device.last_seen.to_rfc3339())),
        Key::Field(Field::CreatedAt) => Some(text(&device.created_at.to_rfc3339())),
    }
}
