//! The JSON shapes of the native API, and nothing else: what a request may hold, how an answer looks.
//! Checks that JSON's types cannot express are the services'.

pub mod apps;
pub mod audience;
pub mod audit;
pub mod devices;
pub mod enums;
pub mod history;
pub mod internal;
pub mod notifications;
pub mod property;
pub mod schemas;

use serde::{Deserialize, Deserializer, Serializer};

use crate::domain::timestamp::Timestamp;

/// Tells null from absent: with `#[serde(default)]`, absent is the outer none, null the inner.
pub fn nullable<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// A time as RFC 3339 writes it.
pub fn time<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339())
}

/// A time, or null.
pub fn optional_time<S: Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => time(at, serializer),
        None => serializer.serialize_none(),
    }
}

/// A time read from RFC 3339; without a zone it is UTC.
#[derive(Clone, Copy, Debug)]
pub struct Time(pub Timestamp);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("is not a time as RFC 3339 writes it");
        Timestamp::parse(&text).map(Time).ok_or_else(wrong)
    }
}
