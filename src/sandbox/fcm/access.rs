//! The token endpoint, and the access tokens it issued.
//!
//! Sources: Google Identity, "Using OAuth 2.0 for Server to Server Applications"
//! (the JWT's claims, the request, the answers); RFC 7523 (grant type), RFC 6749
//! section 5.2 (error answers).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderValue, Method, header};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::sandbox::gateway::{Body, Reply};
use crate::sandbox::jwt::Jwt;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// FCM REST reference: sending requires one of these scopes.
const SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/firebase.messaging",
    "https://www.googleapis.com/auth/cloud-platform",
];
/// The audience Google's text prescribes. Its client libraries write it even
/// when the service account names another `token_uri`.
const GOOGLE_AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// "This value has a maximum of 1 hour after the issued time."
const MAX_LIFE_SECS: u64 = 3600;
const EXPIRES_IN_SECS: u64 = 3599;

/// The service account whose assertions are accepted.
pub(in crate::sandbox) struct ServiceAccountKey {
    pub(in crate::sandbox) client_email: String,
    pub(in crate::sandbox) private_key_id: String,
    pub(in crate::sandbox) token_uri: String,
    /// DER of the `RSAPublicKey`.
    pub(in crate::sandbox) public_key: Vec<u8>,
}

/// Access tokens and until when they are valid.
pub(super) struct AccessTokens {
    key: ServiceAccountKey,
    valid_until: Mutex<HashMap<String, Instant>>,
}

/// An answer other than a token.
#[derive(Debug)]
pub(super) struct Refused {
    status: u16,
    error: &'static str,
    description: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    #[serde(default)]
    scope: String,
    aud: String,
    iat: u64,
    exp: u64,
}

impl AccessTokens {
    pub(super) fn new(key: ServiceAccountKey) -> Self {
        Self { key, valid_until: Mutex::default() }
    }

    /// Until when this `Authorization` is good, if it carries one of our tokens.
    pub(super) fn valid_until(&self, authorization: &HeaderValue) -> Option<Instant> {
        let (scheme, token) = authorization.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let tokens = self.lock();
        tokens.get(token).copied()
    }

    /// Answers a request to the token endpoint.
    pub(super) fn issue(
        &self,
        head: &Parts,
        body: &Body,
        expires_in_secs: Option<u64>,
    ) -> Result<Value, Refused> {
        if head.method != Method::POST {
            return Err(refused(405, "invalid_request", "Only POST is supported."));
        }
        let form = Form::of(head, body)?;
        let grant_type = form.value("grant_type").unwrap_or_default();
        if grant_type != GRANT_TYPE {
            let told = format!("Invalid grant_type: {grant_type}");
            return Err(refused(400, "unsupported_grant_type", told));
        }
        let assertion = form
            .value("assertion")
            .ok_or_else(|| refused(400, "invalid_request", "Missing parameter: assertion"))?;
        self.check_assertion(&assertion)?;

        let token = format!("ya29.{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
        let expires_in_secs = expires_in_secs.unwrap_or(EXPIRES_IN_SECS);
        let now = Instant::now();
        let mut tokens = self.lock();
        tokens.retain(|_, until| now < *until);
        tokens.insert(token.clone(), now + Duration::from_secs(expires_in_secs));
        Ok(json!({
            "access_token": token,
            "expires_in": expires_in_secs,
            "token_type": "Bearer",
        }))
    }

    fn check_assertion(&self, assertion: &str) -> Result<(), Refused> {
        let grant = |told: &str| refused(400, "invalid_grant", told);
        let jwt = Jwt::<Claims>::parse(assertion).ok_or_else(|| grant("Bad Request"))?;
        let claims = &jwt.claims;
        if claims.iss != self.key.client_email {
            return Err(grant("Invalid grant: account not found"));
        }
        let is_known_key = match &jwt.header.kid {
            Some(kid) => *kid == self.key.private_key_id,
            None => true,
        };
        let public_key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.key.public_key);
        if jwt.header.alg != "RS256" || !is_known_key || !jwt.is_signed_by(&public_key) {
            return Err(grant("Invalid JWT Signature."));
        }
        if claims.aud != self.key.token_uri && claims.aud != GOOGLE_AUDIENCE {
            return Err(grant(
                "Invalid JWT: Failed audience check. The right audience is the token_uri of \
                 the service account.",
            ));
        }
        let now_secs = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let life_secs = claims.exp.checked_sub(claims.iat);
        let is_short = life_secs.is_some_and(|life| life > 0 && life <= MAX_LIFE_SECS);
        if !is_short || claims.iat > now_secs || claims.exp <= now_secs {
            return Err(grant(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a \
                 reasonable timeframe. Check your iat and exp values in the JWT claim.",
            ));
        }
        if !claims.scope.split(' ').any(|scope| SCOPES.contains(&scope)) {
            let told = "Invalid OAuth scope or ID token audience provided.";
            return Err(refused(400, "invalid_scope", told));
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Instant>> {
        self.valid_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(status: u16, error: &'static str, description: impl Into<String>) -> Refused {
    Refused { status, error, description: description.into() }
}

impl Refused {
    pub(super) fn into_reply(self) -> Reply {
        let body = json!({ "error": self.error, "error_description": self.description });
        Reply::json(self.status, &body)
    }
}

/// An `application/x-www-form-urlencoded` body.
struct Form<'a>(&'a str);

impl<'a> Form<'a> {
    fn of(head: &Parts, body: &'a Body) -> Result<Self, Refused> {
        let content_type = head.headers.get(header::CONTENT_TYPE);
        let is_form = content_type
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split(';').next())
            .is_some_and(|kind| kind.trim() == "application/x-www-form-urlencoded");
        let text = std::str::from_utf8(&body.bytes).ok().filter(|_| is_form);
        let told = "The body is not application/x-www-form-urlencoded.";
        text.map(Self).ok_or_else(|| refused(400, "invalid_request", told))
    }

    fn value(&self, name: &str) -> Option<String> {
        self.0
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| percent_decode(value))
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}
