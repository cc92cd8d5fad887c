//! A moment in time: whole milliseconds since the Unix epoch, UTC.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::{
    OffsetDateTime, PrimitiveDateTime, format_description::well_known::Rfc3339,
    macros::format_description,
};

/// Milliseconds since 1970-01-01T00:00:00Z; negative before.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The wall clock's reading. Edges call this and pass the value in; rules never do.
    pub fn now() -> Self {
        Self::from_datetime(OffsetDateTime::now_utc())
    }

    /// Reads RFC 3339; a time without a zone is UTC, and a date alone is its midnight.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(zoned) = OffsetDateTime::parse(text, &Rfc3339) {
            return Some(Self::from_datetime(zoned));
        }
        let second = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second][optional [.[subsecond]]]"
        );
        if let Ok(local) = PrimitiveDateTime::parse(text, second) {
            return Some(Self::from_datetime(local.assume_utc()));
        }
        let day = format_description!("[year]-[month]-[day]");
        let date = time::Date::parse(text, day).ok()?;
        Some(Self::from_datetime(date.midnight().assume_utc()))
    }

    /// RFC 3339 in UTC, such as `2024-05-01T12:00:00.25Z`.
    pub fn to_rfc3339(self) -> String {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|at| at.format(&Rfc3339).ok())
            .unwrap_or_else(|| self.0.to_string())
    }

    /// The moment `later` after this one.
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(later.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment `earlier` before this one.
    pub fn minus(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(earlier.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long until `other`; zero when it has passed.
    pub fn until(self, other: Self) -> Duration {
        Duration::from_millis(u64::try_from(other.0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// Whole seconds since the epoch.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    fn from_datetime(at: OffsetDateTime) -> Self {
        Self((at.unix_timestamp_nanos() / 1_000_000) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_zoned_zoneless_and_bare_dates() {
        assert_eq!(Timestamp::parse("1970-01-01T09:00:01+09:00"), Some(Timestamp(1000)));
        assert_eq!(Timestamp::parse("1970-01-01T00:00:01.5"), Some(Timestamp(1500)));
        assert_eq!(Timestamp::parse("1970-01-02"), Some(Timestamp(86_400_000)));
        assert_eq!(Timestamp::parse("tomorrow"), None);
    }

    #[test]
    fn writes_what_it_reads() {
        let at = Timestamp(1_700_000_000_123);
        assert_eq!(Timestamp::parse(&at.to_rfc3339()), Some(at));
    }
}
