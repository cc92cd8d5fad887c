//! What a mail server's replies mean.
//!
//! Sources: RFC 5321 section 4.2.1 (4yz: try again, 5yz: do not), RFC 4954 section 6 (the codes about
//! credentials), RFC 3463 (the status in front of the text).

use lettre::transport::smtp;

use crate::domain::outcome::{Answer, Reason};

/// The server is closing the connection: nothing was taken.
const SHUTTING_DOWN: u16 = 421;
/// A temporary failure of the server's own to check credentials.
const CANNOT_AUTHENTICATE: u16 = 454;

/// What a failure says of the push.
pub(super) fn answer(error: &smtp::Error) -> Answer {
    if let Some(code) = error.status() {
        let text = std::error::Error::source(error).map(ToString::to_string);
        return by_code(u16::from(code), text.as_deref().unwrap_or_default());
    }
    if error.is_client() {
        // The server lacks an extension that this message or these credentials need.
        return Answer::Rejected { reason: Reason::new("smtp_unsupported"), bad_token: false };
    }
    let word = match error {
        _ if error.is_timeout() => "timeout",
        _ if error.is_tls() => "tls",
        _ if error.is_response() => "smtp_unreadable",
        _ => "connection_lost",
    };
    unavailable(word)
}

/// A reply; `text` is what the server wrote behind the code.
fn by_code(code: u16, text: &str) -> Answer {
    let reason = reason(code, text);
    match code {
        SHUTTING_DOWN | CANNOT_AUTHENTICATE => {
            Answer::Unavailable { reason, retry_after: None, unsent: false }
        }
        // About this mail or mailbox: grey-listed, over quota, busy.
        400..=499 => Answer::Throttled { reason, retry_after: None, device_only: true },
        530 | 534 | 535 | 538 => Answer::BadCredential { reason },
        _ => Answer::Rejected { reason, bad_token: false },
    }
}

/// The server is not to be reached, or does not answer.
pub(super) fn unavailable(word: &str) -> Answer {
    // The library does not tell whether it ever had a connection.
    Answer::Unavailable { reason: Reason::new(word), retry_after: None, unsent: false }
}

/// The code, and the enhanced status where the server gives one. The text itself is not kept: it often
/// repeats the address.
fn reason(code: u16, text: &str) -> Reason {
    match text.split_whitespace().next().filter(|word| is_enhanced_status(word)) {
        Some(status) => Reason::new(&format!("smtp_{code}_{status}")),
        None => Reason::new(&format!("smtp_{code}")),
    }
}

/// RFC 3463 section 2: `class.subject.detail`.
fn is_enhanced_status(word: &str) -> bool {
    let parts: Vec<_> = word.split('.').collect();
    let is_number = |part: &&str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    parts.len() == 3 && matches!(parts[0], "4" | "5") && parts.iter().all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rustfmt::skip]
    #[test]
    fn every_row() {
        let word = Reason::new;
        let refused = |name: &str| Answer::Rejected { reason: word(name), bad_token: false };
        let later = |name: &str| Answer::Throttled { reason: word(name), retry_after: None, device_only: true };
        let down = |name: &str| Answer::Unavailable { reason: word(name), retry_after: None, unsent: false };
        let app = |name: &str| Answer::BadCredential { reason: word(name) };
        let rows = [
            (421, "4.3.2 shutting down", down("smtp_421_4.3.2")),
            (454, "4.7.0 temporary authentication failure", down("smtp_454_4.7.0")),
            (450, "mailbox busy", later("smtp_450")),
            (451, "4.7.1 greylisted", later("smtp_451_4.7.1")),
            (452, "4.2.2 over quota", later("smtp_452_4.2.2")),
            (550, "5.1.1 <team@example.com>: no such user", refused("smtp_550_5.1.1")),
            (550, "no such user team@example.com", refused("smtp_550")),
            (550, "5.1.1.1 odd", refused("smtp_550")),
            (554, "", refused("smtp_554")),
            (530, "5.7.0 authentication required", app("smtp_530_5.7.0")),
            (535, "5.7.8 bad credentials", app("smtp_535_5.7.8")),
        ];
        for (code, text, expected) in rows {
            assert_eq!(by_code(code, text), expected);
        }
    }
}
