//! The `Retry-After` header, which both providers send: seconds or a date (RFC 9110 section 10.2.3).

use std::time::Duration;

use http::{HeaderMap, header::RETRY_AFTER};
use time::{PrimitiveDateTime, macros::format_description};

use crate::domain::timestamp::Timestamp;

/// The longest wait that is understood; no provider means more than a day.
const LONGEST: Duration = Duration::from_secs(86_400);

/// How long the response asks to wait, counted from `now`; none where it does not say so legibly.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    // IMF-fixdate, the one form that senders may still generate (RFC 9110 section 5.6.7).
    let fixdate = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let at = PrimitiveDateTime::parse(text, fixdate).ok()?.assume_utc().unix_timestamp();
    Some(now.until(Timestamp(at.saturating_mul(1000))).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, text.parse().unwrap());
        retry_after(&headers, Timestamp(784_111_777_000))
    }

    #[test]
    fn reads_seconds_and_dates() {
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("18446744073709551615"), Some(LONGEST));
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), Timestamp(0)), None);
    }
}
