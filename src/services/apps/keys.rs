//! Keys of apps: made, rotated and revoked here. Those of the configuration are shown, and changed there.

use std::time::Duration;

use super::{
    Apps, TRIES,
    record::{self, KEYS, KeyRecord, Previous, place},
    unknown,
};
use crate::{
    domain::{Error, Result, app::Scope, ids::AppName, timestamp::Timestamp},
    services::keys::{digest_of, digest_text, new_secret},
    settings::AppSettings,
    storage::NewDocument,
};

/// Keys that one app may have stored.
const MOST: usize = 100;
const MAX_NAME_CHARS: usize = 64;
/// How long two secrets of a key may be valid at once.
const LONGEST_OVERLAP_HOURS: u32 = 30 * 24;

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyView {
    /// Names it among the app's.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it permits.
    pub scopes: Vec<Scope>,
    /// Whether it is of the configuration.
    pub is_configured: bool,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Until when the secret before this one is valid.
    pub previous_valid_until: Option<Timestamp>,
}

/// A key with its secret, which is shown this once.
pub struct NewKey {
    /// The key.
    pub key: KeyView,
    /// The secret.
    pub secret: String,
}

impl Apps {
    /// Makes a key.
    pub async fn create_key(
        &self,
        app: &AppName,
        name: &str,
        scopes: &[Scope],
        now: Timestamp,
    ) -> Result<NewKey> {
        self.follow().await?;
        if !self.has(app) {
            return Err(unknown(app));
        }
        let keys = self.keys(app);
        check(name, scopes)?;
        if keys.iter().any(|key| key.name == name) {
            return Err(Error::conflict("the app has a key of this name already"));
        }
        if keys.iter().filter(|key| !key.is_configured).count() >= MOST {
            return Err(Error::conflict(format!("an app has {MOST} keys at the most")));
        }
        let made = self.keep_key(app, name, scopes.to_vec(), now).await?;
        self.follow().await?;
        Ok(made)
    }

    /// Gives a key another secret; the earlier one stays valid for so many hours.
    pub async fn rotate_key(
        &self,
        app: &AppName,
        id: &str,
        overlap_hours: u32,
        now: Timestamp,
    ) -> Result<NewKey> {
        if overlap_hours > LONGEST_OVERLAP_HOURS {
            let what = format!("must be 0 to {LONGEST_OVERLAP_HOURS}");
            return Err(Error::invalid("overlap_hours", what));
        }
        self.refuse_configured(app, id)?;
        let secret = new_secret()?;
        let overlap = Duration::from_secs(u64::from(overlap_hours) * 3600);
        for _ in 0..TRIES {
            let found = self.stores.documents.get(&KEYS, &place(app, id), now).await?;
            let found = found.ok_or_else(no_such_key)?;
            let mut key: KeyRecord = record::read(&found)?;
            let has_earlier = key.previous.as_ref().is_some_and(|was| was.valid_until > now);
            if has_earlier && !overlap.is_zero() {
                // A third secret would end the first before its time.
                let reason = "two secrets are valid already, until previous_valid_until; \
                              overlap_hours 0 ends both";
                return Err(Error::conflict(reason));
            }
            let digest = digest_text(&digest_of(secret.as_bytes()));
            let earlier = std::mem::replace(&mut key.digest, digest);
            let previous = Previous { digest: earlier, valid_until: now.plus(overlap) };
            key.previous = Some(previous).filter(|_| !overlap.is_zero());
            if self.stores.documents.replace(&KEYS, found.version, document(&key)?).await? {
                self.follow().await?;
                return Ok(NewKey { key: stored(&key, now), secret });
            }
        }
        Err(Error::conflict("the key is being changed by others; try again"))
    }

    /// Revokes a key, and with it the sessions begun with it; it as it was.
    pub async fn remove_key(&self, app: &AppName, id: &str, now: Timestamp) -> Result<KeyView> {
        self.refuse_configured(app, id)?;
        let found = self.stores.documents.get(&KEYS, &place(app, id), now).await?;
        let key: KeyRecord = record::read(&found.ok_or_else(no_such_key)?)?;
        if !self.stores.documents.delete(&KEYS, &place(app, id)).await? {
            return Err(no_such_key());
        }
        self.follow().await?;
        Ok(stored(&key, now))
    }

    /// An app's keys, those of the configuration first.
    pub(super) fn keys(&self, app: &AppName) -> Vec<KeyView> {
        let configured = self.configured(app).map(configured).unwrap_or_default();
        let directory = self.directory.load();
        let own = directory.keys_of(app).map(|key| stored(key, Timestamp::now()));
        configured.into_iter().chain(own).collect()
    }

    /// Keeps a new key.
    pub(super) async fn keep_key(
        &self,
        app: &AppName,
        name: &str,
        scopes: Vec<Scope>,
        now: Timestamp,
    ) -> Result<NewKey> {
        let secret = new_secret()?;
        let key = KeyRecord {
            app: app.clone(),
            id: format!("{:012x}", rand::random::<u64>() >> 16),
            name: name.to_owned(),
            scopes,
            digest: digest_text(&digest_of(secret.as_bytes())),
            created_at: now,
            previous: None,
        };
        if self.stores.documents.insert(&KEYS, document(&key)?, now).await? {
            return Ok(NewKey { key: stored(&key, now), secret });
        }
        Err(Error::bug("draw an id that no key has"))
    }

    /// Revokes every stored key of an app.
    pub(super) async fn remove_keys(&self, app: &AppName) -> Result<()> {
        self.follow().await?;
        let directory = self.directory.load_full();
        for key in directory.keys_of(app) {
            self.stores.documents.delete(&KEYS, &key.place()).await?;
        }
        Ok(())
    }

    fn refuse_configured(&self, app: &AppName, id: &str) -> Result<()> {
        if self.keys(app).iter().any(|key| key.is_configured && key.id == id) {
            let reason = "the key is of the configuration, and is changed there";
            return Err(Error::conflict(reason));
        }
        Ok(())
    }
}

fn check(name: &str, scopes: &[Scope]) -> Result<()> {
    let chars = name.chars().count();
    if !(1..=MAX_NAME_CHARS).contains(&chars) || name.trim() != name {
        let what = format!("must be 1 to {MAX_NAME_CHARS} characters, without space around them");
        return Err(Error::invalid("name", what));
    }
    if name.chars().any(is_hidden) {
        let what = "must not hold control characters, nor such as turn the direction of writing";
        return Err(Error::invalid("name", what));
    }
    if is_reserved(name) {
        return Err(Error::invalid("name", "is as keys of the configuration are called"));
    }
    if scopes.is_empty() {
        return Err(Error::invalid("scopes", "must name at least one scope"));
    }
    Ok(())
}

/// Characters by which a name could show as another: controls, breaks of lines, marks and overrides of the
/// direction of writing, and spaces without width. Joiners stay: some languages write with them.
fn is_hidden(c: char) -> bool {
    let of_direction = ['\u{200e}', '\u{200f}', '\u{061c}'].contains(&c)
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c);
    let unseen = ['\u{200b}', '\u{2028}', '\u{2029}', '\u{2060}', '\u{feff}'].contains(&c);
    c.is_control() || of_direction || unseen
}

/// What the log calls callers who have no stored key, in whatever letters.
fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let starts = ["internal.", "configured-"].iter().any(|start| name.starts_with(start));
    starts || ["open", "unknown"].contains(&name.as_str())
}

fn configured(app: &AppSettings) -> Vec<KeyView> {
    let keys = app.keys().into_iter().map(|key| KeyView {
        id: key.id,
        name: key.name.to_owned(),
        scopes: key.scopes.iter().filter_map(|scope| Scope::from_name(scope)).collect(),
        is_configured: true,
        created_at: None,
        previous_valid_until: None,
    });
    keys.collect()
}

fn stored(key: &KeyRecord, now: Timestamp) -> KeyView {
    let valid_until = key.previous.as_ref().map(|previous| previous.valid_until);
    KeyView {
        id: key.id.clone(),
        name: key.name.clone(),
        scopes: key.scopes.clone(),
        is_configured: false,
        created_at: Some(key.created_at),
        previous_valid_until: valid_until.filter(|until| now < *until),
    }
}

fn document(key: &KeyRecord) -> Result<NewDocument> {
    Ok(NewDocument { key: key.place(), body: record::written(key)?, expires_at: None })
}

fn no_such_key() -> Error {
    Error::not_found("the app has no such key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_keys_own_and_shows_as_it_is() {
        let told = |name: &str| check(name, &[Scope::Read]).map_err(|error| error.public_message());
        for good in ["k", "marketing (EU)", "کلید", "می\u{200c}خواهم", "internals", &"ä".repeat(64)]
        {
            assert_eq!(told(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            " k",
            &"k".repeat(65),
            "a\nb",
            "a\u{7f}",
            "a\u{202e}b",
            "a\u{2066}b",
            "\u{200f}a",
            "a\u{feff}b",
            "internal.keys[0]",
            "Internal.Keys[1]",
            "configured-0",
            "open",
            "Unknown",
        ] {
            assert!(told(bad).is_err_and(|told| told.starts_with("name: ")), "{bad:?}");
        }
        assert!(check("k", &[]).is_err_and(|error| error.public_message().starts_with("scopes: ")));
    }
}
