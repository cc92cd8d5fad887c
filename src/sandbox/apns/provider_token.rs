//! Provider authentication tokens: Apple, "Establishing a token-based connection
//! to APNs".

use http::HeaderValue;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::Deserialize;

use super::Refusal;
use crate::sandbox::jwt::Jwt;

/// Apple: "APNs rejects any request whose token contains a timestamp that is
/// more than one hour old".
const MAX_AGE_SECS: u64 = 60 * 60;
/// Apple: "Update the authentication token no more than once every 20 minutes".
const MIN_REFRESH_SECS: u64 = 20 * 60;

const MISSING: Refusal = Refusal(403, "MissingProviderToken");
const INVALID: Refusal = Refusal(403, "InvalidProviderToken");
const EXPIRED: Refusal = Refusal(403, "ExpiredProviderToken");
const TOO_MANY: Refusal = Refusal(429, "TooManyProviderTokenUpdates");

/// The key whose tokens are accepted, and whose it is.
pub(in crate::sandbox) struct ProviderTokenKey {
    pub(in crate::sandbox) key_id: String,
    pub(in crate::sandbox) team_id: String,
    /// The uncompressed point.
    pub(in crate::sandbox) public_key: Vec<u8>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    iat: u64,
}

/// The token a connection uses; its signature is verified once.
#[derive(Default)]
pub(super) struct SeenTokens {
    current: Option<(HeaderValue, u64)>,
}

impl SeenTokens {
    /// Decides on the `authorization` of one request.
    pub(super) fn check(
        &mut self,
        key: &ProviderTokenKey,
        authorization: Option<&HeaderValue>,
        now_secs: u64,
    ) -> Result<(), Refusal> {
        let authorization = authorization.ok_or(MISSING)?;
        if let Some((current, issued_at)) = &self.current
            && current == authorization
        {
            return check_age(*issued_at, now_secs);
        }
        let issued_at = verify(key, authorization)?;
        check_age(issued_at, now_secs)?;
        if let Some((_, previous)) = &self.current
            && issued_at.abs_diff(*previous) < MIN_REFRESH_SECS
        {
            return Err(TOO_MANY);
        }
        self.current = Some((authorization.clone(), issued_at));
        Ok(())
    }
}

/// When a token was issued that this key signed for this team.
fn verify(key: &ProviderTokenKey, authorization: &HeaderValue) -> Result<u64, Refusal> {
    let text = authorization.to_str().map_err(|_| INVALID)?;
    let (scheme, token) = text.split_once(' ').ok_or(MISSING)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(MISSING);
    }
    let jwt = Jwt::<Claims>::parse(token).ok_or(INVALID)?;
    let is_ours = jwt.header.alg == "ES256"
        && jwt.header.kid.as_deref() == Some(key.key_id.as_str())
        && jwt.claims.iss == key.team_id;
    let public_key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.public_key);
    if !is_ours || !jwt.is_signed_by(&public_key) {
        return Err(INVALID);
    }
    Ok(jwt.claims.iat)
}

fn check_age(issued_at: u64, now_secs: u64) -> Result<(), Refusal> {
    match now_secs.checked_sub(issued_at) {
        None => Err(INVALID),
        Some(age_secs) if age_secs > MAX_AGE_SECS => Err(EXPIRED),
        Some(_) => Ok(()),
    }
}
