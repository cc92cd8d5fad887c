//! Who pushes: the relay signs the body and the moment with Ed25519.
//!
//! Source: the Push Server's "Authentication" document: `X-Ed25519-Signature` is the signature, in
//! hexadecimal, of `TIMESTAMP.LENGTH.BODY`, where `X-Ed25519-Timestamp` is the timestamp in seconds and
//! the length is the body's in bytes.

use actix_web::http::{StatusCode, header::HeaderMap};
use ring::signature::{ED25519, UnparsedPublicKey};

use super::answer::{Location, Refusal};
use crate::domain::timestamp::Timestamp;

const SIGNATURE: &str = "X-Ed25519-Signature";
const TIMESTAMP: &str = "X-Ed25519-Timestamp";
/// How far from now a signature's moment may lie, where that counts.
const FRESH_SECS: u64 = 300;

/// The relay's public key.
pub struct RelayKey([u8; 32]);

impl RelayKey {
    /// Reads 64 hexadecimal digits.
    pub fn read(text: &str) -> Option<Self> {
        unhex(text)?.try_into().ok().map(Self)
    }

    /// Whether the relay has signed this body; with `strict`, a while ago at the most.
    pub fn check(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        strict: bool,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (signature, timestamp) = (only(headers, SIGNATURE), only(headers, TIMESTAMP));
        let (Some(signature), Some(timestamp)) = (signature, timestamp) else {
            let missing = [
                (signature, SIGNATURE, "Missing signature"),
                (timestamp, TIMESTAMP, "Missing timestamp"),
            ];
            let refusal = refused("all required headers must be provided, once each");
            let missing = missing.into_iter().filter(|(value, ..)| value.is_none());
            return Err(missing.fold(refusal, |refusal, (_, name, what)| {
                refusal.blaming(name, what, Location::Header)
            }));
        };
        let mut signed = format!("{timestamp}.{}.", body.len()).into_bytes();
        signed.extend_from_slice(body);
        let signature = unhex(signature).unwrap_or_default();
        if UnparsedPublicKey::new(&ED25519, &self.0).verify(&signed, &signature).is_err() {
            let refusal = refused("the signature does not verify");
            return Err(refusal.blaming(SIGNATURE, "does not verify", Location::Header));
        }
        let fresh =
            timestamp.parse::<i64>().is_ok_and(|secs| secs.abs_diff(now.seconds()) <= FRESH_SECS);
        if strict && !fresh {
            let refusal = refused("the signature is not of this moment");
            let what = format!("is off by more than {FRESH_SECS} seconds");
            return Err(refusal.blaming(TIMESTAMP, what, Location::Header));
        }
        Ok(())
    }
}

fn refused(why: &str) -> Refusal {
    let message = format!("failed to validate the webhook: {why}");
    Refusal::new(StatusCode::UNAUTHORIZED, "webhook_validation_failed", message)
}

/// The header's value where it stands once and is text.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    const KEY: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
    const SIGNED: &str = "5d547bf2f68dd819e561c7e29e94c6842dab6a60f00f301788bcaf6eddda85e4\
        d28ccf7ebbcd4faa2f7ca8d5cfa4be6eca6332ff5d7949d581030cd6aa580200";
    const AT: &str = "1692442800";

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::try_from(*name).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn check(pairs: &[(&str, &str)], body: &str, now: i64) -> bool {
        let key = RelayKey::read(KEY).unwrap();
        let strict = now != 0;
        key.check(&headers(pairs), body.as_bytes(), strict, Timestamp(now * 1000)).is_ok()
    }

    #[test]
    fn the_documents_vector_verifies_and_nothing_else_does() {
        let good = [(SIGNATURE, SIGNED), (TIMESTAMP, AT)];
        assert!(check(&good, "example_body", 0));
        assert!(check(&[(SIGNATURE, &SIGNED.to_uppercase()), (TIMESTAMP, AT)], "example_body", 0));
        assert!(!check(&good, "example_bodY", 0));
        assert!(!check(&[(SIGNATURE, SIGNED), (TIMESTAMP, "1692442801")], "example_body", 0));
        assert!(!check(&[(SIGNATURE, "zz"), (TIMESTAMP, AT)], "example_body", 0));
        assert!(!check(&[(SIGNATURE, "é"), (TIMESTAMP, AT)], "example_body", 0));
        assert!(!check(&good[..1], "example_body", 0));
        assert!(!check(&good[1..], "example_body", 0));
        let twice = [good[0], good[1], good[1]];
        assert!(!check(&twice, "example_body", 0));
    }

    #[test]
    fn an_old_signature_is_refused_where_that_is_asked_for() {
        let good = [(SIGNATURE, SIGNED), (TIMESTAMP, AT)];
        assert!(check(&good, "example_body", 1_692_442_800 + 300));
        assert!(!check(&good, "example_body", 1_692_442_800 + 301));
        assert!(!check(&good, "example_body", 1_692_442_800 - 301));
    }

    #[test]
    fn a_key_is_64_digits() {
        assert!(RelayKey::read(KEY).is_some());
        assert!(RelayKey::read(&KEY[2..]).is_none());
        assert!(RelayKey::read(&"é".repeat(32)).is_none());
    }
}
