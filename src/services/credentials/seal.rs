//! Credentials at rest: sealed with AES-256-GCM under a key derived from a configured secret (HKDF,
//! RFC 5869). Bound to a context, so that what was sealed for one app does not open for another.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf,
    rand::{SecureRandom, SystemRandom},
};

use crate::domain::{Error, Result};

const SALT: &[u8] = b"fanfare tenants";
const PURPOSE: &[&[u8]] = &[b"credentials at rest"];

/// Seals and opens.
pub struct Sealer {
    key: LessSafeKey,
    random: SystemRandom,
}

impl Sealer {
    /// With the key that belongs to this secret.
    pub fn new(secret: &str) -> Self {
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(secret.as_bytes());
        let key = derived.expand(PURPOSE, &AES_256_GCM).expect("32 bytes are within HKDF's limit");
        Self { key: LessSafeKey::new(UnboundKey::from(key)), random: SystemRandom::new() }
    }

    /// Seals text for this context; another text each time.
    pub fn seal(&self, context: &str, text: &str) -> Result<String> {
        let failed = |_| Error::bug("seal credentials");
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(failed)?;
        let mut sealed = text.as_bytes().to_vec();
        let (unique, context) = (Nonce::assume_unique_for_key(nonce), Aad::from(context));
        self.key.seal_in_place_append_tag(unique, context, &mut sealed).map_err(failed)?;
        Ok(STANDARD.encode([&nonce[..], &sealed].concat()))
    }

    /// Opens what was sealed for this context; none where the secret or the context is another.
    pub fn open(&self, context: &str, sealed: &str) -> Option<String> {
        let mut bytes = STANDARD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.key.open_in_place(nonce, Aad::from(context), sealed).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_secret_and_context_alone() {
        let sealer = Sealer::new("a secret of some length");
        let sealed = sealer.seal("tenant/apns", "the key").unwrap();
        assert!(!sealed.contains("key"));
        assert_ne!(sealer.seal("tenant/apns", "the key").unwrap(), sealed);
        assert_eq!(sealer.open("tenant/apns", &sealed).as_deref(), Some("the key"));
        assert_eq!(sealer.open("tenant/fcm", &sealed), None);
        assert_eq!(Sealer::new("another secret").open("tenant/apns", &sealed), None);
        for broken in ["", "AAAA", "%", &sealed[..sealed.len() - 4]] {
            assert_eq!(sealer.open("tenant/apns", broken), None, "{broken}");
        }
    }
}
