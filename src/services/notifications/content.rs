//! What a notification may say: lengths, URLs, options, conditions, and whether every provider of the
//! app can carry it. `draft` calls it for whatever is written; `moves` for a rate that is changed.

use std::time::Duration;

use crate::{
    domain::{
        Error, Result, audience,
        message::{LONGEST_TIME_TO_LIVE_SECS, Message},
        notification::Notification,
        timestamp::Timestamp,
    },
    engine::EngineHandle,
};

const MAX_TITLE_CHARS: usize = 1000;
const MAX_BODY_CHARS: usize = 4000;
const MAX_URL_BYTES: usize = 2048;
/// APNs' limit on `apns-collapse-id`.
const MAX_COLLAPSE_ID_BYTES: usize = 64;
const MAX_SOUND_BYTES: usize = 256;
/// How far in the past `scheduled_at` may lie: clocks differ, and requests take their time.
const SCHEDULE_SLACK: Duration = Duration::from_secs(60);

/// A time that is given must not lie in the past.
pub(super) fn check_schedule(given: Option<Timestamp>, now: Timestamp) -> Result<()> {
    if given.is_some_and(|at| at < now.minus(SCHEDULE_SLACK)) {
        return Err(Error::invalid("scheduled_at", "lies in the past"));
    }
    Ok(())
}

/// Everything about a notification that does not depend on the moment.
pub(super) fn check_content(notification: &Notification, engine: &EngineHandle) -> Result<()> {
    check_parts(notification)?;
    Ok(engine.check_message(&notification.app, &notification.message)?)
}

/// The same, but for what providers would not carry.
pub(super) fn check_parts(notification: &Notification) -> Result<()> {
    let message = &notification.message;
    check_text("title", &message.title, MAX_TITLE_CHARS)?;
    check_text("body", &message.body, MAX_BODY_CHARS)?;
    check_web_url("image_url", message.image_url.as_deref())?;
    check_web_url("icon_url", message.icon_url.as_deref())?;
    check_url("deep_link", message.deep_link.as_deref())?;
    check_options(message)?;
    if let Some(spec) = &notification.conditions {
        audience::parse(spec, "conditions")?;
    }
    Ok(())
}

fn check_text(field: &str, text: &str, most: usize) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid(field, "is required and must not be empty"));
    }
    if text.chars().count() > most {
        return Err(Error::invalid(field, format!("is over {most} characters")));
    }
    check_plain(field, text)
}

/// Providers refuse some of these, and devices show none of them.
fn check_plain(field: &str, text: &str) -> Result<()> {
    if text.chars().any(|c| c < ' ' && c != '\n' && c != '\t') {
        return Err(Error::invalid(field, "holds a control character"));
    }
    Ok(())
}

fn check_web_url(field: &str, url: Option<&str>) -> Result<()> {
    check_url(field, url)?;
    let Some(url) = url else { return Ok(()) };
    let scheme_end = url.find("://").map_or(0, |end| end + 3);
    let web = ["http://", "https://"].iter().any(|web| url[..scheme_end].eq_ignore_ascii_case(web));
    let host = url[scheme_end..].split(['/', '?', '#']).next().unwrap_or_default();
    if !web || host.is_empty() {
        return Err(Error::invalid(field, "must be an http:// or https:// URL"));
    }
    Ok(())
}

fn check_url(field: &str, url: Option<&str>) -> Result<()> {
    let Some(url) = url else { return Ok(()) };
    if url.is_empty() || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::invalid(field, "must be a URL, without spaces"));
    }
    if url.len() > MAX_URL_BYTES {
        return Err(Error::invalid(field, format!("is over {MAX_URL_BYTES} bytes")));
    }
    Ok(())
}

fn check_options(message: &Message) -> Result<()> {
    let options = &message.options;
    if options.time_to_live.is_some_and(|secs| secs > LONGEST_TIME_TO_LIVE_SECS) {
        let what = format!("is over {LONGEST_TIME_TO_LIVE_SECS} seconds");
        return Err(Error::invalid("time_to_live", what));
    }
    let texts = [
        ("collapse_id", &options.collapse_id, MAX_COLLAPSE_ID_BYTES),
        ("sound", &options.sound, MAX_SOUND_BYTES),
    ];
    for (field, text, most) in texts {
        let fits =
            |text: &String| (1..=most).contains(&text.len()) && !text.chars().any(char::is_control);
        if !text.as_ref().is_none_or(fits) {
            let what = format!("must have 1 to {most} bytes and no control characters");
            return Err(Error::invalid(field, what));
        }
    }
    if options.data.keys().any(String::is_empty) {
        return Err(Error::invalid("data", "has an empty key"));
    }
    for (key, value) in &options.data {
        check_plain("data", key)?;
        let shown: String = key.chars().take(80).collect();
        check_plain(&format!("data.{shown}"), value)?;
    }
    check_rate(options.rate_limit)
}

/// A campaign's own rate is at least one push per second; none is no limit.
pub(super) fn check_rate(rate: Option<u32>) -> Result<()> {
    if rate == Some(0) {
        return Err(Error::invalid("rate_limit", "must be at least 1, or null for no limit"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_must_be_urls() {
        for good in ["https://a.example/x.png", "HTTP://a", "https://ä.example/ü?x=1"] {
            assert!(check_web_url("image_url", Some(good)).is_ok(), "{good}");
        }
        for bad in ["", "ftp://a", "a.png", "https://", "https:///x", "https://a b", "javascript:x"]
        {
            assert!(check_web_url("image_url", Some(bad)).is_err(), "{bad}");
        }
        assert!(check_url("deep_link", Some("shop://orders/1")).is_ok());
        assert!(check_url("deep_link", Some(&"x".repeat(2049))).is_err());
    }

    #[test]
    fn only_a_schedule_far_in_the_past_is_refused() {
        let now = Timestamp(1_000_000);
        let check = |at| check_schedule(Some(Timestamp(at)), now);
        assert!(check(940_000).is_ok());
        assert!(check(939_999).is_err());
        assert!(check_schedule(None, now).is_ok());
    }
}
