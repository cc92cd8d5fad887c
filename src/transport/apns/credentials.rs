//! How an app proves itself to Apple: a provider token signed with its key, or a client certificate.
//!
//! Source: Apple, "Establishing a token-based connection to APNs" and "Establishing a
//! certificate-based connection to APNs".

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::HeaderValue;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
};
use serde_json::json;

use super::super::{
    CredentialError, credentials,
    http2::{ClientCertificate, Origin},
};
use crate::{
    domain::timestamp::Timestamp,
    settings::{ApnsEnvironment, ApnsSettings},
};

/// Apple's ids have this many characters.
const ID_CHARS: usize = 10;
/// Apple's bundle ids have at most 155 characters; endings such as `.voip` come after.
const LONGEST_TOPIC: usize = 200;
/// A token's `iat` is a multiple of this, so that the tokens of all nodes say the same.
const ALIGNMENT_SECS: i64 = 30 * 60;
/// A new `iat` is taken into use this long after its moment. A token is so between 5 and 35 minutes
/// old: never from the future to a server whose clock is behind, nor near the hour at which Apple
/// calls it expired to one whose clock is ahead.
const LAG_SECS: i64 = 5 * 60;
/// Apple refuses tokens that change more often than every 20 minutes.
const MIN_REFRESH: Duration = Duration::from_secs(20 * 60);

/// Everything that the settings name, loaded and tried.
pub(super) struct Credentials {
    pub(super) origin: Origin,
    pub(super) tls: Arc<ClientConfig>,
    /// None where the certificate speaks for the app.
    pub(super) tokens: Option<ProviderTokens>,
    pub(super) topic: HeaderValue,
}

/// Loads the credentials and signs once, without touching the network.
pub fn check(settings: &ApnsSettings) -> Result<(), CredentialError> {
    load(settings).map(drop)
}

pub(super) fn load(settings: &ApnsSettings) -> Result<Credentials, CredentialError> {
    let default = match settings.environment {
        ApnsEnvironment::Production => "https://api.push.apple.com",
        ApnsEnvironment::Sandbox => "https://api.sandbox.push.apple.com",
    };
    let endpoint = settings.endpoint.as_deref().unwrap_or(default);
    let origin = credentials::origin("apns.endpoint", endpoint)?;
    let topic = topic(&settings.topic)?;
    let (tokens, client) = match (&settings.key_file, &settings.cert_file) {
        (Some(_), None) => (Some(load_key(settings)?), None),
        (None, Some(_)) => (None, Some(load_certificate(settings)?)),
        (None, None) => {
            let problem = "is missing: give key_file with key_id and team_id, or cert_file";
            return Err(CredentialError::new("apns.key_file", problem));
        }
        (Some(_), Some(_)) => {
            return Err(CredentialError::new("apns.cert_file", "cannot stand beside key_file"));
        }
    };
    let roots = ("apns.ca_file", settings.ca_file.as_deref());
    let tls = credentials::tls(roots, ("apns.cert_file", client))?;
    Ok(Credentials { origin, tls, tokens, topic })
}

/// A bundle id, or one with Apple's ending for another kind of push.
fn topic(text: &str) -> Result<HeaderValue, CredentialError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let fits = (1..=LONGEST_TOPIC).contains(&text.len()) && text.bytes().all(plain);
    HeaderValue::from_str(text).ok().filter(|_| fits).ok_or_else(|| {
        let problem = format!(
            "must be the app's bundle id: 1 to {LONGEST_TOPIC} letters, digits, `.`, `-` or `_`"
        );
        CredentialError::new("apns.topic", problem)
    })
}

fn load_key(settings: &ApnsSettings) -> Result<ProviderTokens, CredentialError> {
    let path = settings.key_file.as_deref().expect("the caller has seen key_file");
    let pem = credentials::contents("apns.key_file", path, settings.inline.as_ref())?;
    let bad_key = || {
        CredentialError::new(
            "apns.key_file",
            "holds no EC P-256 private key (PKCS#8, PEM), as Apple's .p8 files do",
        )
    };
    let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| bad_key())?;
    let random = SystemRandom::new();
    let key =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der(), &random)
            .map_err(|_| bad_key())?;
    let key_id = identifier("apns.key_id", settings.key_id.as_deref())?;
    let team_id = identifier("apns.team_id", settings.team_id.as_deref())?;
    let signer = Signer { key, random, key_id, team_id };
    let now = Timestamp::now();
    let first = signer.mint(aligned(now), now).ok_or_else(bad_key)?;
    Ok(ProviderTokens { signer, current: Mutex::new(first) })
}

fn identifier(key: &'static str, id: Option<&str>) -> Result<String, CredentialError> {
    match id {
        Some(id) if id.len() == ID_CHARS && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Ok(id.to_owned())
        }
        Some(_) => Err(CredentialError::new(key, "must be the ten letters and digits Apple gave")),
        None => Err(CredentialError::new(key, "is missing; key_file needs it")),
    }
}

fn load_certificate(settings: &ApnsSettings) -> Result<ClientCertificate, CredentialError> {
    let path = settings.cert_file.as_deref().expect("the caller has seen cert_file");
    let pem = credentials::contents("apns.cert_file", path, settings.inline.as_ref())?;
    let error = |problem| CredentialError::new("apns.cert_file", problem);
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| error("is not PEM"))?;
    if chain.is_empty() {
        return Err(error("holds no certificate (PEM)"));
    }
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| error("holds no private key (PEM) beside the certificate"))?;
    Ok(ClientCertificate { chain, key })
}

/// The `iat` in use at `now`.
fn aligned(now: Timestamp) -> i64 {
    (now.seconds() - LAG_SECS).div_euclid(ALIGNMENT_SECS) * ALIGNMENT_SECS
}

/// Provider tokens, minted as time goes on. One token serves every connection.
pub(super) struct ProviderTokens {
    signer: Signer,
    current: Mutex<Minted>,
}

struct Signer {
    key: EcdsaKeyPair,
    random: SystemRandom,
    key_id: String,
    team_id: String,
}

#[derive(Clone)]
struct Minted {
    iat: i64,
    at: Timestamp,
    header: HeaderValue,
}

impl ProviderTokens {
    /// The `authorization` header to send now.
    pub(super) fn current(&self, now: Timestamp) -> HeaderValue {
        let mut current = self.lock();
        // Never backwards: a clock set back, or a forced renewal, keeps the newer token.
        if aligned(now) > current.iat
            && let Some(minted) = self.signer.mint(aligned(now), now)
        {
            *current = minted;
        }
        current.header.clone()
    }

    /// Another token than the one that Apple called expired; none while Apple would refuse the change.
    pub(super) fn renewed(&self, refused: &HeaderValue, now: Timestamp) -> Option<HeaderValue> {
        let mut current = self.lock();
        if current.header == refused {
            if current.at.until(now) < MIN_REFRESH {
                return None;
            }
            *current = self.signer.mint(now.seconds(), now)?;
        }
        Some(current.header.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Minted> {
        self.current.lock().expect("nothing panics while the token is locked")
    }
}

impl Signer {
    fn mint(&self, iat: i64, now: Timestamp) -> Option<Minted> {
        let header = json!({ "alg": "ES256", "kid": self.key_id });
        let claims = json!({ "iss": self.team_id, "iat": iat });
        let sign = |text: &[u8]| {
            self.key.sign(&self.random, text).map(|signature| signature.as_ref().to_vec())
        };
        let token = credentials::jwt(&header, &claims, sign).ok()?;
        let mut header = HeaderValue::from_maybe_shared(format!("bearer {token}")).ok()?;
        header.set_sensitive(true);
        Some(Minted { iat, at: now, header })
    }
}

impl fmt::Debug for ProviderTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderTokens").finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;
    use crate::transport::testing::Files;

    const BOUNDARY: Timestamp = Timestamp(1_700_001_000_000);

    /// Settings with a fresh key, and the key's public half.
    pub(in crate::transport::apns) fn token_settings(files: &Files) -> (ApnsSettings, Vec<u8>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let settings = ApnsSettings {
            key_file: Some(files.write("key.p8", &key.serialize_pem())),
            key_id: Some("ABC123DEFG".into()),
            team_id: Some("DEF123GHIJ".into()),
            cert_file: None,
            inline: None,
            topic: "com.example.app".into(),
            environment: ApnsEnvironment::Production,
            endpoint: None,
            ca_file: None,
        };
        (settings, key.public_key_raw().to_vec())
    }

    fn claims(header: &HeaderValue) -> serde_json::Value {
        let token = header.to_str().unwrap().strip_prefix("bearer ").unwrap();
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice(&claims).unwrap()
    }

    #[test]
    fn the_token_verifies_and_says_what_apple_asks() {
        let files = Files::new();
        let (settings, public) = token_settings(&files);
        let tokens = load(&settings).unwrap().tokens.unwrap();
        let header = tokens.current(Timestamp::now());
        let token = header.to_str().unwrap().strip_prefix("bearer ").unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public)
            .verify(signed.as_bytes(), &signature)
            .unwrap();
        let head = URL_SAFE_NO_PAD.decode(signed.split('.').next().unwrap()).unwrap();
        let head: serde_json::Value = serde_json::from_slice(&head).unwrap();
        assert_eq!(head, json!({ "alg": "ES256", "kid": "ABC123DEFG" }));
        assert_eq!(claims(&header)["iss"], "DEF123GHIJ");
        let age = Timestamp::now().seconds() - claims(&header)["iat"].as_i64().unwrap();
        assert!((300..=2100).contains(&age), "{age}");
    }

    #[test]
    fn the_age_of_a_token_stays_between_5_and_35_minutes() {
        assert_eq!(BOUNDARY.seconds() % ALIGNMENT_SECS, 0);
        assert_eq!(aligned(BOUNDARY), BOUNDARY.seconds() - ALIGNMENT_SECS);
        assert_eq!(aligned(BOUNDARY.plus(Duration::from_secs(299))), aligned(BOUNDARY));
        assert_eq!(aligned(BOUNDARY.plus(Duration::from_secs(300))), BOUNDARY.seconds());
    }

    #[test]
    fn an_expired_token_is_replaced_once_in_20_minutes() {
        let files = Files::new();
        let tokens = load(&token_settings(&files).0).unwrap().tokens.unwrap();
        // Well after the token that loading made, by the real clock.
        let now = Timestamp(4_000_000_000_000);
        let first = tokens.current(now);
        assert_eq!(tokens.current(now), first);
        assert_eq!(tokens.renewed(&first, now.plus(Duration::from_secs(60))), None);
        let later = now.plus(MIN_REFRESH);
        let second = tokens.renewed(&first, later).unwrap();
        assert_eq!(claims(&second)["iat"], later.seconds());
        assert_eq!(tokens.renewed(&first, later), Some(second.clone()));
        assert_eq!(tokens.current(later), second);
    }

    #[test]
    fn errors_name_the_setting_and_debug_tells_no_secret() {
        let files = Files::new();
        let (good, _) = token_settings(&files);
        assert!(check(&good).is_ok());
        let key_of = |settings: ApnsSettings| check(&settings).unwrap_err().key;
        let missing = Some("/nonexistent/key.p8".into());
        assert_eq!(key_of(ApnsSettings { key_file: missing, ..good.clone() }), "apns.key_file");
        assert_eq!(key_of(ApnsSettings { key_file: None, ..good.clone() }), "apns.key_file");
        let garbage = Some(files.write("garbage.p8", "garbage"));
        assert_eq!(key_of(ApnsSettings { key_file: garbage, ..good.clone() }), "apns.key_file");
        assert_eq!(key_of(ApnsSettings { key_id: None, ..good.clone() }), "apns.key_id");
        assert_eq!(key_of(ApnsSettings { team_id: None, ..good.clone() }), "apns.team_id");
        for id in ["short", "ABC123DEFGH", "ABC123DEF/", "ABC123DEF\n"] {
            let id = Some(id.to_owned());
            let of_key = ApnsSettings { key_id: id.clone(), ..good.clone() };
            assert_eq!(key_of(of_key), "apns.key_id", "{id:?}");
            let of_team = ApnsSettings { team_id: id, ..good.clone() };
            assert_eq!(key_of(of_team), "apns.team_id");
        }
        for topic in ["", "com example", "com/example", "com.exämple", "a\n", &"a".repeat(201)] {
            let settings = ApnsSettings { topic: topic.to_owned(), ..good.clone() };
            assert_eq!(key_of(settings), "apns.topic", "{topic:?}");
        }
        let plain = Some("http://127.0.0.1:1".into());
        assert_eq!(key_of(ApnsSettings { endpoint: plain, ..good.clone() }), "apns.endpoint");
        let garbage = Some(files.write("ca.pem", "garbage"));
        assert_eq!(key_of(ApnsSettings { ca_file: garbage, ..good.clone() }), "apns.ca_file");
        let tokens = load(&good).unwrap().tokens.unwrap();
        assert_eq!(format!("{tokens:?}"), "ProviderTokens { .. }");
    }

    #[test]
    fn a_certificate_file_holds_chain_and_key() {
        let files = Files::new();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        let both = format!("{}{}", certificate.pem(), key.serialize_pem());
        let settings = ApnsSettings {
            key_file: None,
            cert_file: Some(files.write("both.pem", &both)),
            ..token_settings(&files).0
        };
        assert!(load(&settings).unwrap().tokens.is_none());
        let alone = Some(files.write("alone.pem", &certificate.pem()));
        let error = check(&ApnsSettings { cert_file: alone, ..settings.clone() }).unwrap_err();
        assert_eq!(error.key, "apns.cert_file");
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let other = Some(files.write("other.pem", &format!("{}{other}", certificate.pem())));
        let error = check(&ApnsSettings { cert_file: other, ..settings }).unwrap_err();
        assert_eq!(error.key, "apns.cert_file");
    }
}
