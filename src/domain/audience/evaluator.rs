//! The evaluator: whether one device satisfies a clause. It is the definition that both stores'
//! compiled forms are tested against; it is not fast, and nothing sends by it.

use std::borrow::Cow;

use super::{Clause, Field, JoinType, Key, Leaf, Number, Test};
use crate::domain::{
    device::{Device, PropertyValue, Scalar},
    timestamp::Timestamp,
};

impl Clause {
    /// Whether `device` satisfies this clause at `now`.
    pub fn matches(&self, device: &Device, now: Timestamp) -> bool {
        match self {
            Self::Branch(JoinType::And, children) => {
                children.iter().all(|child| child.matches(device, now))
            }
            Self::Branch(JoinType::Or, children) => {
                children.iter().any(|child| child.matches(device, now))
            }
            Self::Branch(JoinType::Not, children) => {
                !children.iter().any(|child| child.matches(device, now))
            }
            Self::Leaf(leaf) => leaf.matches(device, now),
        }
    }
}

impl Leaf {
    fn matches(&self, device: &Device, now: Timestamp) -> bool {
        let seen = look(device, &self.key);
        let holds = match (&seen, &self.test) {
            (None, _) => false,
            (Some(_), Test::Exists) => true,
            (Some(scalars), test) => scalars.iter().any(|scalar| test.holds(scalar, now)),
        };
        holds != self.negated
    }
}

impl Test {
    /// Whether one element satisfies the test. Times are RFC 3339 strings; text that is not a time
    /// satisfies no test on times.
    pub fn holds(&self, scalar: &Scalar, now: Timestamp) -> bool {
        match (self, scalar) {
            (Self::Exists, _) => true,
            (Self::Compare(comparison, Number::Int(wanted)), Scalar::Int(value)) => {
                comparison.holds(value, wanted)
            }
            (Self::Compare(comparison, Number::Float(wanted)), Scalar::Float(value)) => {
                comparison.holds(value, wanted)
            }
            (Self::IntIn(wanted), Scalar::Int(value)) => wanted.contains(value),
            (Self::FloatIn(wanted), Scalar::Float(value)) => wanted.contains(value),
            (Self::TextEq(wanted), Scalar::Text(value)) => value == wanted,
            (Self::TextIn(wanted), Scalar::Text(value)) => wanted.contains(value),
            (Self::TextPrefix(wanted), Scalar::Text(value)) => value.starts_with(wanted.as_str()),
            (Self::TextContains(wanted), Scalar::Text(value)) => value.contains(wanted.as_str()),
            (Self::Bool(wanted), Scalar::Bool(value)) => value == wanted,
            (
                Self::TimeBefore(_) | Self::TimeAfter(_) | Self::TimeWithin(_),
                Scalar::Text(value),
            ) => Timestamp::parse(value).is_some_and(|at| self.holds_at(at, now)),
            _ => false,
        }
    }

    /// Whether a moment satisfies a test on times; any other test does not hold.
    pub fn holds_at(&self, at: Timestamp, now: Timestamp) -> bool {
        match self {
            Self::TimeBefore(wanted) => at < *wanted,
            Self::TimeAfter(wanted) => at > *wanted,
            Self::TimeWithin(span) => at <= now && at >= now.minus(*span),
            _ => false,
        }
    }
}

/// The elements that a key shows on a device, or none where the key is missing.
fn look<'a>(device: &'a Device, key: &Key) -> Option<Cow<'a, [Scalar]>> {
    let text = |text: &str| Cow::Owned(vec![Scalar::Text(text.to_owned())]);
    match key {
        Key::Property(name) => {
            device.properties.get(name).map(|value: &PropertyValue| value.scalars().into())
        }
        Key::Field(Field::Tag) if device.tags.is_empty() => None,
        Key::Field(Field::Tag) => {
            Some(device.tags.iter().map(|tag| Scalar::Text(tag.clone())).collect())
        }
        Key::Field(Field::Alias) => device.alias.as_deref().map(text),
        Key::Field(Field::Timezone) => device.timezone.as_deref().map(text),
        Key::Field(Field::Locale) => device.locale.as_deref().map(text),
        Key::Field(Field::Platform) => Some(Cow::Owned(vec![
            Scalar::Int(device.device_platform.number().into()),
            Scalar::Text(device.device_platform.name().to_owned()),
        ])),
        Key::Field(Field::Id) => Some(Cow::Owned(vec![Scalar::Int(device.id.0.cast_signed())])),
        Key::Field(Field::LastSeen) => Some(text(&device.last_seen.to_rfc3339())),
        Key::Field(Field::CreatedAt) => Some(text(&device.created_at.to_rfc3339())),
    }
}
