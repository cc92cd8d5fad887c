//! How a caller proves who it is: an HMAC over the request's method, URL, date and nonce, with a secret
//! that it shares with the server. The body is not signed. Pure.

use std::{collections::BTreeMap, time::Duration};

use ring::{digest, hmac};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use time::{OffsetDateTime, PrimitiveDateTime, macros::format_description};

use crate::{domain::timestamp::Timestamp, settings::Secret};

/// How far a request's date may be off.
pub const MAX_SKEW: Duration = Duration::from_secs(300);
/// How long a nonce is remembered: while any date that was taken with it could be taken again.
pub const NONCE_KEPT: Duration = Duration::from_secs(2 * MAX_SKEW.as_secs() + 1);

/// What is signed, the URL apart.
pub struct Signed<'a> {
    /// In upper case.
    pub method: &'a str,
    /// The `Date` header.
    pub date: &'a str,
    /// The `X-HMAC-Nonce` header.
    pub nonce: &'a str,
}

/// The users, each with a digest of its API key and its secret.
pub struct Users(Vec<([u8; 32], hmac::Key)>);

impl Users {
    /// From the settings.
    pub fn new(users: &BTreeMap<String, Secret>) -> Self {
        let entry = |(key, secret): (&String, &Secret)| (digest_of(key), hmac_key(secret.expose()));
        Self(users.iter().map(entry).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a user's signature of this request is `signature`, in hexadecimal digits, with one of the
    /// URLs that the user may have asked for. Takes as long for a user that there is not.
    pub fn accept(
        &self,
        user: &str,
        signed: &Signed<'_>,
        urls: &[String],
        signature: &str,
    ) -> bool {
        let Some(signature) = from_hex(signature) else { return false };
        let (given, mut found) = (digest_of(user), u32::MAX);
        for (index, (known, _)) in (0_u32..).zip(&self.0) {
            found.conditional_assign(&index, known.ct_eq(&given));
        }
        let nobody = hmac_key("");
        let (is_known, key) = match self.0.get(found as usize) {
            Some((_, key)) => (Choice::from(1), key),
            None => (Choice::from(0), &nobody),
        };
        let verified = |url: &String| {
            let text = signed.text(url);
            Choice::from(u8::from(hmac::verify(key, text.as_bytes(), &signature).is_ok()))
        };
        let fits = urls.iter().map(verified).fold(Choice::from(0), |any, fits| any | fits);
        (fits & is_known).into()
    }
}

impl Signed<'_> {
    fn text(&self, url: &str) -> String {
        let Self { method, date, nonce } = self;
        format!("{method}\n{url}\ndate:{date}\nx-hmac-nonce:{nonce}")
    }
}

/// Whether a `Date` header is about now. Besides HTTP's forms (RFC 9110 section 5.6.7) those are read
/// that `date` and mail libraries write, as the clients send them.
pub fn is_fresh(date: &str, now: Timestamp) -> bool {
    let Some(date) = read_date(date) else { return false };
    let (early, late) = (now.minus(MAX_SKEW), now.plus(MAX_SKEW));
    early <= date && date <= late
}

fn read_date(text: &str) -> Option<Timestamp> {
    // IMF-fixdate, and its day of one digit; asctime; what `date` writes in English and in C.
    let in_utc = [
        format_description!(
            version = 2,
            "[weekday repr:short], [day padding:none] [month repr:short] [year] [hour]:[minute]:[second]"
        ),
        format_description!(
            version = 2,
            "[weekday repr:short] [month repr:short] [day padding:none] [hour]:[minute]:[second] [year]"
        ),
        format_description!(
            version = 2,
            "[weekday repr:short] [day padding:none] [month repr:short] [hour]:[minute]:[second] [year]"
        ),
        format_description!(
            version = 2,
            "[weekday repr:short] [day padding:none] [month repr:short] [year] [hour]:[minute]:[second]"
        ),
    ];
    let words: Vec<_> = text.split_whitespace().collect();
    let is_zone = |word: &&&str| matches!(**word, "GMT" | "UTC" | "+0000" | "-0000");
    let has_zone = words.iter().any(|word| is_zone(&word));
    let is_asctime = words.len() == 5 && !text.contains(',');
    if !has_zone && !is_asctime {
        return read_zoned(text);
    }
    let plain: Vec<_> =
        words.iter().filter(|word| !is_zone(word)).map(|word| unpadded(word)).collect();
    let plain = plain.join(" ");
    let read = |form| PrimitiveDateTime::parse(&plain, form).ok();
    in_utc.into_iter().find_map(read).map(|at| timestamp(at.assume_utc()))
}

/// RFC 5322 with another zone, as mail libraries write it.
fn read_zoned(text: &str) -> Option<Timestamp> {
    let read = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc2822);
    read.ok().map(timestamp)
}

/// A day of the month without the zero before it.
fn unpadded(word: &str) -> &str {
    if word.len() == 2 { word.strip_prefix('0').unwrap_or(word) } else { word }
}

fn timestamp(at: OffsetDateTime) -> Timestamp {
    Timestamp(at.unix_timestamp() * 1000)
}

fn hmac_key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes())
}

fn digest_of(text: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// The bytes of hexadecimal digits.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if text.len() % 2 == 1 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pair = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    (0..text.len()).step_by(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Users {
        let secrets = [("alice", "mysupersecretkey"), ("bob", "mysharedsecret")];
        let secrets = secrets.map(|(user, secret)| (user.to_owned(), Secret::new(secret)));
        Users::new(&secrets.into())
    }

    #[test]
    fn the_documented_vectors() {
        let rows = [
            (
                "alice",
                Signed { method: "GET", date: "Wednesday", nonce: "foobarbaz" },
                "http://localhost/test",
                "668db85d1dff6718d778454fc8c1d368a906f675",
            ),
            (
                "bob",
                Signed { method: "POST", date: "Fri, 10 Jan 2014 11:49:55 GMT", nonce: "12642" },
                "http://localhost:5000/notifications/",
                "088b5291497eec5c4c24678ed45025353d8720b2",
            ),
        ];
        for (user, signed, url, signature) in rows {
            let accept = |user: &str, urls: &[&str], signature: &str| {
                let urls: Vec<_> = urls.iter().map(|url| (*url).to_owned()).collect();
                users().accept(user, &signed, &urls, signature)
            };
            assert!(accept(user, &[url], signature));
            assert!(accept(user, &["http://elsewhere/", url], &signature.to_uppercase()));
            for wrong in ["", "xyz", &signature[2..], &signature.replace('6', "7")] {
                assert!(!accept(user, &[url], wrong), "{wrong}");
            }
            assert!(!accept(user, &["http://elsewhere/"], signature));
            assert!(!accept("carol", &[url], signature));
            assert!(!accept(if user == "bob" { "alice" } else { "bob" }, &[url], signature));
        }
    }

    #[test]
    fn nobody_is_not_a_user() {
        let signed = Signed { method: "GET", date: "d", nonce: "n" };
        let tag = hmac::sign(&hmac_key(""), signed.text("u").as_bytes());
        let signature: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!users().accept("", &signed, &["u".to_owned()], &signature));
        assert!(!Users::new(&BTreeMap::new()).accept("x", &signed, &["u".to_owned()], &signature));
    }

    #[test]
    fn dates_are_read_as_clients_write_them() {
        let at = Timestamp(1_389_354_595_000);
        for text in [
            "Fri, 10 Jan 2014 11:49:55 GMT",
            "Fri, 10 Jan 2014 11:49:55 UTC",
            "Fri, 10 Jan 2014 11:49:55 -0000",
            "Fri, 10 Jan 2014 12:49:55 +0100",
            "Fri Jan 10 11:49:55 UTC 2014",
            "Fri 10 Jan 11:49:55 GMT 2014",
            "Fri Jan 10 11:49:55 2014",
        ] {
            assert_eq!(read_date(text), Some(at), "{text}");
        }
        assert_eq!(read_date("Wed, 01 Jan 2014 00:00:00 GMT"), Some(Timestamp(1_388_534_400_000)));
        assert_eq!(read_date("Wed Jan  1 00:00:00 UTC 2014"), Some(Timestamp(1_388_534_400_000)));
        for wrong in ["Wednesday", "", "2014-01-10", "Fri, 10 Jan 2014 11:49:55"] {
            assert_eq!(read_date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_date_may_be_off_by_five_minutes() {
        let date = "Fri, 10 Jan 2014 11:49:55 GMT";
        let at = Timestamp(1_389_354_595_000);
        let (second, most) = (Duration::from_secs(1), MAX_SKEW);
        assert!(is_fresh(date, at.plus(most)) && is_fresh(date, at.minus(most)));
        assert!(
            !is_fresh(date, at.plus(most + second)) && !is_fresh(date, at.minus(most + second))
        );
    }
}
