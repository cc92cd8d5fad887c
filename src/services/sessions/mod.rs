//! Console sessions: begun with a key, shown by a cookie. They lie in the store under the SHA-256 of the
//! cookie's value, so every node knows them, and nobody who reads the store can use one.
//!
//! A session names the key that it was begun with and holds a proof of its secret, which only the cookie
//! and the secret together make. Who the caller is, the key says each time: when it is revoked, its
//! sessions end. `endings` tells of sessions that end, for what lasts longer than a request.

mod endings;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

pub use endings::SessionEnd;

use self::endings::Endings;
use super::keys::{self, Digest, KeyRef, digest_of};
use crate::{
    domain::{Error, Result, timestamp::Timestamp},
    storage::{Drawer, NewDocument, Stores},
};

/// How long a session lasts after it was last used.
pub const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// How much of that must be over before a use prolongs it.
const PROLONGED_AFTER: Duration = Duration::from_secs(300);
/// How long the value of the cookie is.
const TOKEN_CHARS: usize = 43;

const DRAWER: Drawer = Drawer { kind: "session", app: None };

/// The use cases of sessions.
#[derive(Clone)]
pub struct Sessions {
    stores: Stores,
    endings: Endings,
}

/// A session that has not ended.
pub struct Session {
    token: String,
    kept: Kept,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
}

/// What the store keeps.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: KeyRef,
    /// See [`proof`].
    proof: String,
    secure: bool,
}

impl Session {
    /// The value of its cookie.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The key that it was begun with.
    pub fn key(&self) -> &KeyRef {
        &self.kept.key
    }

    /// Whether it was begun through HTTPS.
    pub fn is_secure(&self) -> bool {
        self.kept.secure
    }

    /// Whether it was begun with a secret of this digest.
    pub fn was_begun_with(&self, secret: &Digest) -> bool {
        proof(&self.token, secret).as_bytes().ct_eq(self.kept.proof.as_bytes()).into()
    }

    /// What its requests that change something must carry besides the cookie.
    pub fn csrf(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest_of(format!("csrf {}", self.token).as_bytes()))
    }

    /// Whether `given` is that.
    pub fn fits_csrf(&self, given: &[u8]) -> bool {
        self.csrf().as_bytes().ct_eq(given).into()
    }
}

impl Sessions {
    /// Over these stores, of a node alone.
    pub fn new(stores: Stores) -> Self {
        Self { stores, endings: Endings::new(None) }
    }

    /// The same among several nodes, which hear of the ends of each other's sessions; must be called within
    /// a runtime.
    pub fn among_nodes(stores: Stores) -> Self {
        Self { endings: Endings::new(Some(stores.clone())), stores }
    }

    /// Begins a session with a key of this secret.
    pub async fn begin(
        &self,
        key: &KeyRef,
        secret: &Digest,
        secure: bool,
        now: Timestamp,
    ) -> Result<Session> {
        let token = keys::random_text()?;
        let kept = Kept { key: key.clone(), proof: proof(&token, secret), secure };
        let session = Session { token, kept, expires_at: now.plus(LIFETIME) };
        if self.stores.documents.insert(&DRAWER, document(&session)?, now).await? {
            return Ok(session);
        }
        Err(Error::bug("draw a cookie that nobody has"))
    }

    /// The session of a cookie, prolonged; none where it has ended.
    pub async fn find(&self, token: &str, now: Timestamp) -> Result<Option<Session>> {
        let Some((mut session, version)) = self.stored(token, now).await? else { return Ok(None) };
        if now.until(session.expires_at) + PROLONGED_AFTER < LIFETIME {
            session.expires_at = now.plus(LIFETIME);
            // Where another request was quicker, it has prolonged it, or ended it.
            let prolonged = document(&session)?;
            self.stores.documents.replace(&DRAWER, version, prolonged).await?;
        }
        Ok(Some(session))
    }

    /// The session of a cookie, which is not used by that: it ends as if nobody had looked.
    pub async fn look(&self, token: &str, now: Timestamp) -> Result<Option<Session>> {
        Ok(self.stored(token, now).await?.map(|(session, _)| session))
    }

    /// Ends a session.
    pub async fn end(&self, session: &Session) -> Result<()> {
        let name = name(&session.token);
        if self.stores.documents.delete(&DRAWER, &name).await? {
            self.endings.tell(&name, Timestamp::now()).await;
        }
        Ok(())
    }

    /// Where the end of a session is heard, at whichever node it ends.
    pub fn end_of(&self, session: &Session) -> SessionEnd {
        self.endings.of(session)
    }

    /// A session and the version of its document.
    async fn stored(&self, token: &str, now: Timestamp) -> Result<Option<(Session, u64)>> {
        if token.len() != TOKEN_CHARS {
            return Ok(None);
        }
        let Some(found) = self.stores.documents.get(&DRAWER, &name(token), now).await? else {
            return Ok(None);
        };
        let kept = serde_json::from_value(found.body);
        let kept = kept.map_err(|error| Error::internal("read a session", error))?;
        let expires_at = found.expires_at.unwrap_or(now);
        Ok(Some((Session { token: token.to_owned(), kept, expires_at }, found.version)))
    }
}

/// What the cookie and the key's secret make together. The store holds neither, so it cannot be used to
/// guess a secret.
fn proof(token: &str, secret: &Digest) -> String {
    keys::hex(&digest_of(&[b"proof ", token.as_bytes(), secret].concat()))
}

/// Under which name a session lies.
fn name(token: &str) -> String {
    super::hex_digest(token.as_bytes())
}

fn document(session: &Session) -> Result<NewDocument> {
    let body = serde_json::to_value(&session.kept);
    let body = body.map_err(|error| Error::internal("write a session", error))?;
    Ok(NewDocument { key: name(&session.token), body, expires_at: Some(session.expires_at) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(token: &str, secret: &[u8]) -> Session {
        let key = KeyRef { app: None, id: String::from("k") };
        let kept = Kept { key, proof: proof(token, &digest_of(secret)), secure: false };
        Session { token: token.to_owned(), kept, expires_at: Timestamp(0) }
    }

    #[test]
    fn a_session_knows_its_secret_and_its_csrf() {
        let one = session("token", b"secret");
        assert!(one.was_begun_with(&digest_of(b"secret")));
        assert!(!one.was_begun_with(&digest_of(b"another")));
        assert!(one.fits_csrf(one.csrf().as_bytes()));
        for wrong in [&b""[..], b"token", session("other", b"secret").csrf().as_bytes()] {
            assert!(!one.fits_csrf(wrong));
        }
    }

    #[test]
    fn what_is_stored_shows_neither_the_cookie_nor_the_secret() {
        let stored = document(&session("a-token-of-a-cookie", b"a-secret")).expect("written");
        let text = format!("{}{}", stored.key, stored.body);
        assert!(!text.contains("a-token") && !text.contains("a-secret"), "{text}");
        assert!(!text.contains(&keys::hex(&digest_of(b"a-secret"))), "{text}");
    }
}
