//! The checked form of conditions: what the evaluator runs and the stores compile.
//!
//! A leaf is a key and a test. A key's value is seen as a list of scalars (a single value is a list of
//! one, a missing key the empty list), and a test holds when any element satisfies it. `*_ne` is the
//! exact negation of `*_eq`, so it holds for a device without the key, as MongoDB's `$ne` does.

use std::time::Duration;

use super::JoinType;
use crate::domain::timestamp::Timestamp;

/// A checked condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Clause {
    /// Children under a join: AND of none is true, OR of none is false, NOT is none-of.
    Branch(JoinType, Vec<Clause>),
    /// One comparison.
    Leaf(Leaf),
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// What it looks at.
    pub key: Key,
    /// What must hold of it.
    pub test: Test,
    /// Whether it must *not* hold (`*_ne`, `not_exists`).
    pub negated: bool,
}

/// What a leaf looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A property of the app's own.
    Property(String),
    /// A field of the device itself.
    Field(Field),
}

/// The device's own fields, by their reserved keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// `@tag`: a list of strings.
    Tag,
    /// `@alias`: a string.
    Alias,
    /// `@platform`: its number for int tests, its lower-case name for string tests.
    Platform,
    /// `@last_seen`: a time.
    LastSeen,
    /// `@created_at`: a time.
    CreatedAt,
    /// `@timezone`: a string.
    Timezone,
    /// `@locale`: a string.
    Locale,
    /// `@id`: the device's number.
    Id,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 8] = [
        Self::Tag,
        Self::Alias,
        Self::Platform,
        Self::LastSeen,
        Self::CreatedAt,
        Self::Timezone,
        Self::Locale,
        Self::Id,
    ];

    /// The reserved key.
    pub fn key(self) -> &'static str {
        match self {
            Self::Tag => "@tag",
            Self::Alias => "@alias",
            Self::Platform => "@platform",
            Self::LastSeen => "@last_seen",
            Self::CreatedAt => "@created_at",
            Self::Timezone => "@timezone",
            Self::Locale => "@locale",
            Self::Id => "@id",
        }
    }

    /// Whether it holds a time.
    pub fn is_time(self) -> bool {
        matches!(self, Self::LastSeen | Self::CreatedAt)
    }
}

/// An ordering test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
}

impl Comparison {
    /// Whether `left` stands so to `right`. NaN never occurs: values are checked at the edge.
    pub fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Eq => left == right,
            Self::Gt => left > right,
            Self::Gte => left >= right,
            Self::Lt => left < right,
            Self::Lte => left <= right,
        }
    }
}

/// A number of either type; the type is part of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Compares with integers alone.
    Int(i64),
    /// Compares with floats alone.
    Float(f64),
}

/// What must hold of some element.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A number stands so to this one.
    Compare(Comparison, Number),
    /// An integer is one of these.
    IntIn(Vec<i64>),
    /// A float is one of these.
    FloatIn(Vec<f64>),
    /// A string equals this one (`str_eq`, and `str_exists`: the list has this string).
    TextEq(String),
    /// A string is one of these.
    TextIn(Vec<String>),
    /// A string begins so.
    TextPrefix(String),
    /// A string holds this somewhere.
    TextContains(String),
    /// A boolean equals this one.
    Bool(bool),
    /// The key is there, whatever its value; an empty list counts as there.
    Exists,
    /// A time is before this one.
    TimeBefore(Timestamp),
    /// A time is after this one.
    TimeAfter(Timestamp),
    /// A time is at most this long ago, and not in the future.
    TimeWithin(Duration),
}

impl Clause {
    /// How many leaves it has.
    pub fn leaves(&self) -> usize {
        match self {
            Self::Branch(_, children) => children.iter().map(Self::leaves).sum(),
            Self::Leaf(_) => 1,
        }
    }
}
