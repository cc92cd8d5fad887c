//! Enums on the wire: numbers, and names in any case besides. Answers are numbers.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use crate::domain::{
    device::{DevicePlatform, SendPlatform},
    message::Priority,
    notification::Status,
};

/// An enum that the wire knows by number or name.
pub trait WireEnum: Sized + Copy {
    /// What it is, for errors.
    const WHAT: &'static str;

    /// The value of this number.
    fn numbered(number: i64) -> Option<Self>;

    /// The value of this name, in any case.
    fn named(name: &str) -> Option<Self>;

    /// The value of a query parameter: a number or a name.
    fn from_text(text: &str) -> Option<Self> {
        text.parse().map_or_else(|_| Self::named(text), Self::numbered)
    }
}

impl WireEnum for DevicePlatform {
    const WHAT: &'static str = "0 UNKNOWN, 1 ANDROID, 2 IOS or 3 WEB";

    fn numbered(number: i64) -> Option<Self> {
        Self::from_number(number)
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.name().eq_ignore_ascii_case(name))
    }
}

impl WireEnum for SendPlatform {
    const WHAT: &'static str = "0 UNKNOWN, 1 FCM, 2 APNS or 3 EMAIL";

    fn numbered(number: i64) -> Option<Self> {
        Self::from_number(number)
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.name().eq_ignore_ascii_case(name))
    }
}

impl WireEnum for Status {
    const WHAT: &'static str =
        "0 DRAFT, 1 LAUNCHED, 2 SENT, 3 ERROR, 4 DELETED, 5 QUEUED or 6 PAUSED";

    fn numbered(number: i64) -> Option<Self> {
        Self::from_number(number)
    }

    fn named(name: &str) -> Option<Self> {
        Self::from_name(name)
    }
}

impl WireEnum for Priority {
    const WHAT: &'static str = "normal or high";

    fn numbered(_: i64) -> Option<Self> {
        None
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            _ if name.eq_ignore_ascii_case("normal") => Some(Self::Normal),
            _ if name.eq_ignore_ascii_case("high") => Some(Self::High),
            _ => None,
        }
    }
}

/// An enum as a request holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<T>(pub T);

impl<'de, T: WireEnum> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamedVisitor(PhantomData))
    }
}

struct NamedVisitor<T>(PhantomData<T>);

impl<T: WireEnum> Visitor<'_> for NamedVisitor<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        let wrong = || E::invalid_value(de::Unexpected::Signed(number), &self);
        T::numbered(number).map(Named).ok_or_else(wrong)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        let wrong = || E::invalid_value(de::Unexpected::Str(name), &self);
        T::named(name).map(Named).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_read() {
        let read = |text: &str| serde_json::from_str::<Named<DevicePlatform>>(text);
        assert_eq!(read("2").expect("a number"), Named(DevicePlatform::Ios));
        assert_eq!(read("\"IOS\"").expect("a name"), Named(DevicePlatform::Ios));
        assert_eq!(read("\"ios\"").expect("a name"), Named(DevicePlatform::Ios));
        for wrong in ["4", "-1", "1.0", "\"\"", "\"2\"", "true", "18446744073709551615"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Status::from_text("2"), Some(Status::Sent));
        assert_eq!(Status::from_text("queued"), Some(Status::Queued));
        assert_eq!(Status::from_text("9"), None);
    }
}
