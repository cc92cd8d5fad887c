//! Reads and verifies JSON Web Signatures in compact form (RFC 7515), strictly:
//! base64url without padding, three segments. Used by both gateways; the claims
//! are their business.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::UnparsedPublicKey;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A token whose form is right and whose signature is not yet verified.
pub(super) struct Jwt<'a, C> {
    pub(super) header: Header,
    pub(super) claims: C,
    signed: &'a str,
    signature: Vec<u8>,
}

/// The header fields the providers look at.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
}

impl<'a, C: DeserializeOwned> Jwt<'a, C> {
    /// `None` when the text is not a JWT with such claims.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        Some(Self {
            header: segment(header)?,
            claims: segment(claims)?,
            signed,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// Whether this key signed the token.
    pub(super) fn is_signed_by<K: AsRef<[u8]>>(&self, key: &UnparsedPublicKey<K>) -> bool {
        key.verify(self.signed.as_bytes(), &self.signature).is_ok()
    }
}

fn segment<T: DeserializeOwned>(text: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    serde_json::from_slice(&bytes).ok()
}
