//! Keys: how they are made, what is kept of them, and how they are compared.
//!
//! A key's secret is held as its SHA-256 digest alone. Who looks for one compares with all of them, each
//! in constant time, so that neither a key's length nor its place in the list shows in how long an
//! answer takes.

use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng;
use ring::{
    digest,
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::domain::{Error, Result, app::Identity, ids::AppName, timestamp::Timestamp};

/// SHA-256 of a secret.
pub type Digest = [u8; 32];

/// What every secret made here begins with.
pub const SECRET_PREFIX: &str = "fan_";
/// How long the key of an app is.
const APP_KEY_CHARS: usize = 24;

/// Which key: of an app, or of the installation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyRef {
    /// The app; none is the installation.
    pub app: Option<AppName>,
    /// The key among the app's.
    pub id: String,
}

/// A key that is valid, and who shows it. A key that was rotated stands here twice for a while.
#[derive(Clone)]
pub struct KnownKey {
    /// Which key.
    pub key: KeyRef,
    /// Of its secret.
    pub digest: Digest,
    /// Of its app's own key, the user name of Basic authentication.
    pub user: Option<Digest>,
    /// The secret is valid until then; none is for ever.
    pub until: Option<Timestamp>,
    /// Who shows it.
    pub identity: Arc<Identity>,
}

/// The stored keys as this node knows them, replaced whole.
pub type StoredKeys = Arc<ArcSwap<Vec<KnownKey>>>;

impl KnownKey {
    /// Whether its secret is still valid.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    fn fits(&self, secret: &Digest, user: Option<&Digest>) -> Choice {
        let user_fits = match (user, &self.user) {
            (None, _) => Choice::from(1),
            (Some(given), Some(known)) => given.ct_eq(known),
            (Some(_), None) => Choice::from(0),
        };
        self.digest.ct_eq(secret) & user_fits
    }
}

/// The key of this secret, and of this user where one is given. All are compared.
pub fn find<'a>(
    keys: impl IntoIterator<Item = &'a KnownKey>,
    secret: &Digest,
    user: Option<&Digest>,
    now: Timestamp,
) -> Option<&'a KnownKey> {
    let keys: Vec<_> = keys.into_iter().filter(|key| key.is_valid(now)).collect();
    let mut found = u32::MAX;
    for (index, key) in (0_u32..).zip(&keys) {
        found.conditional_assign(&index, key.fits(secret, user));
    }
    keys.get(found as usize).copied()
}

/// SHA-256.
pub fn digest_of(bytes: &[u8]) -> Digest {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// In lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 random bytes as text that fits a header and a URL.
pub fn random_text() -> Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::bug("draw random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A new key's secret.
pub fn new_secret() -> Result<String> {
    Ok(format!("{SECRET_PREFIX}{}", random_text()?))
}

/// A new app's key: 24 letters and digits.
pub fn new_app_key() -> String {
    let rng = rand::rng().sample_iter(rand::distr::Alphanumeric);
    rng.take(APP_KEY_CHARS).map(char::from).collect()
}

/// A digest as it is stored.
pub fn digest_text(digest: &Digest) -> String {
    hex(digest)
}

/// A digest as it was stored.
pub fn read_digest(text: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: &str, secret: &str, until: Option<i64>) -> KnownKey {
        let app = AppName::new("shop");
        KnownKey {
            key: KeyRef { app: Some(app.clone()), id: id.to_owned() },
            digest: digest_of(secret.as_bytes()),
            user: Some(digest_of(b"user")),
            until: until.map(Timestamp),
            identity: Arc::new(Identity::of_app(app, id, Vec::new())),
        }
    }

    #[test]
    fn a_secret_is_found_while_it_is_valid() {
        let keys =
            [known("a", "one", None), known("b", "two", Some(10)), known("b", "three", None)];
        let found = |secret: &str, user: Option<&str>, now| {
            let user = user.map(|user| digest_of(user.as_bytes()));
            let found = find(&keys, &digest_of(secret.as_bytes()), user.as_ref(), Timestamp(now));
            found.map(|key| key.key.id.clone())
        };
        assert_eq!(found("one", None, 0).as_deref(), Some("a"));
        assert_eq!(found("two", Some("user"), 9).as_deref(), Some("b"));
        assert_eq!(found("two", Some("user"), 10), None);
        assert_eq!(found("three", None, 10).as_deref(), Some("b"));
        assert_eq!(found("one", Some("other"), 0), None);
        assert_eq!(found("four", None, 0), None);
    }

    #[test]
    fn what_is_made_has_its_form() {
        let secret = new_secret().expect("random bytes");
        assert!(secret.starts_with("fan_") && secret.len() == 4 + 43, "{secret}");
        assert_ne!(new_secret().expect("random bytes"), secret);
        let key = new_app_key();
        assert!(key.len() == 24 && key.chars().all(|c| c.is_ascii_alphanumeric()), "{key}");
        let digest = digest_of(b"x");
        assert_eq!(read_digest(&digest_text(&digest)), Some(digest));
        for wrong in ["", "zz", &"ä".repeat(32), &"g".repeat(64)] {
            assert_eq!(read_digest(wrong), None, "{wrong}");
        }
    }
}
