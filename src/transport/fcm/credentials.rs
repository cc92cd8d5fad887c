//! How an app proves itself to Google: the service account's key signs an assertion, for which the
//! token server gives an access token.
//!
//! Source: Google, "Using OAuth 2.0 for server to server applications", "Addendum: service account
//! authorization". Fetching and keeping the tokens is `access`'s.

use std::{fmt, sync::Arc};

use ring::{rand::SystemRandom, signature};
use rustls::{
    ClientConfig,
    pki_types::{PrivatePkcs8KeyDer, pem::PemObject},
};
use serde::Deserialize;
use serde_json::json;

use super::super::{CredentialError, credentials, http2::Origin};
use crate::{domain::timestamp::Timestamp, settings::FcmSettings};

const FILE: &str = "fcm.service_account_file";
const DEFAULT_TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// Longest address or key id of a service account, in characters.
const LONGEST_FIELD: usize = 256;
/// Google's project ids have at most 30 characters, older ones a domain before them.
const LONGEST_PROJECT: usize = 100;
/// Google: an assertion lives for an hour at most.
const ASSERTION_SECS: i64 = 3600;

/// The file as Google's console gives it; only what is used.
#[derive(Deserialize)]
struct ServiceAccount {
    client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: Option<String>,
    #[serde(default)]
    token_uri: Option<String>,
    #[serde(default)]
    project_id: Option<String>,
}

/// Everything that the settings name, loaded and tried.
pub(super) struct Credentials {
    pub(super) origin: Origin,
    pub(super) token_origin: Origin,
    pub(super) token_path: String,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) signer: Signer,
    pub(super) project: String,
}

/// Loads the credentials and signs once, without touching the network.
pub fn check(settings: &FcmSettings) -> Result<(), CredentialError> {
    load(settings).map(drop)
}

pub(super) fn load(settings: &FcmSettings) -> Result<Credentials, CredentialError> {
    let path = &settings.service_account_file;
    let text = credentials::contents(FILE, path, settings.inline.as_ref())?;
    // The parser's own message could quote the file.
    let account: ServiceAccount = serde_json::from_slice(&text).map_err(|_| {
        let problem = "is not a service account's JSON with client_email and private_key";
        CredentialError::new(FILE, problem)
    })?;
    check_fields(&account)?;
    let endpoint = settings.endpoint.as_deref().unwrap_or("https://fcm.googleapis.com");
    let origin = credentials::origin("fcm.endpoint", endpoint)?;
    let token_key = if settings.token_uri.is_some() { "fcm.token_uri" } else { FILE };
    let token_uri = settings.token_uri.as_deref().or(account.token_uri.as_deref());
    let token_uri = token_uri.unwrap_or(DEFAULT_TOKEN_URI).to_owned();
    let (token_origin, token_path) = Origin::parse_with_path(&token_uri)
        .map_err(|error| CredentialError::new(token_key, format!("token_uri {error}")))?;
    let project = project(settings, account.project_id.as_deref())?;
    let roots = ("fcm.ca_file", settings.ca_file.as_deref());
    let tls = credentials::tls(roots, ("fcm.ca_file", None))?;
    let signer = Signer::new(account, token_uri)?;
    Ok(Credentials { origin, token_origin, token_path, tls, signer, project })
}

/// Refuses what Google would not have written; what goes into tokens and paths is bounded so.
fn check_fields(account: &ServiceAccount) -> Result<(), CredentialError> {
    let is_word = credentials::is_word;
    if !is_word(&account.client_email, LONGEST_FIELD) || !account.client_email.contains('@') {
        let problem =
            format!("client_email must be an address of at most {LONGEST_FIELD} characters");
        return Err(CredentialError::new(FILE, problem));
    }
    if account.private_key_id.as_ref().is_some_and(|id| !is_word(id, LONGEST_FIELD)) {
        let problem =
            format!("private_key_id must be 1 to {LONGEST_FIELD} visible ASCII characters");
        return Err(CredentialError::new(FILE, problem));
    }
    Ok(())
}

fn project(settings: &FcmSettings, from_file: Option<&str>) -> Result<String, CredentialError> {
    let key = if settings.project_id.is_some() { "fcm.project_id" } else { FILE };
    let project = settings.project_id.as_deref().or(from_file).unwrap_or_default();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if !(1..=LONGEST_PROJECT).contains(&project.len()) || !project.bytes().all(fits) {
        return Err(CredentialError::new(key, "names no project_id of Google's form"));
    }
    Ok(project.to_owned())
}

/// Signs assertions.
pub(super) struct Signer {
    key: signature::RsaKeyPair,
    random: SystemRandom,
    key_id: Option<String>,
    email: String,
    token_uri: String,
}

impl Signer {
    fn new(account: ServiceAccount, token_uri: String) -> Result<Self, CredentialError> {
        let bad_key =
            || CredentialError::new(FILE, "private_key holds no RSA private key (PKCS#8, PEM)");
        let der = PrivatePkcs8KeyDer::from_pem_slice(account.private_key.as_bytes())
            .map_err(|_| bad_key())?;
        let key =
            signature::RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| bad_key())?;
        let signer = Self {
            key,
            random: SystemRandom::new(),
            key_id: account.private_key_id,
            email: account.client_email,
            token_uri,
        };
        signer.assertion(Timestamp::now()).ok_or_else(bad_key)?;
        Ok(signer)
    }

    /// The assertion to show to the token server.
    pub(super) fn assertion(&self, now: Timestamp) -> Option<String> {
        let mut header = json!({ "alg": "RS256", "typ": "JWT" });
        if let Some(id) = &self.key_id {
            header["kid"] = id.clone().into();
        }
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": now.seconds(),
            "exp": now.seconds() + ASSERTION_SECS,
        });
        let sign = |text: &[u8]| {
            let mut bytes = vec![0; self.key.public().modulus_len()];
            self.key
                .sign(&signature::RSA_PKCS1_SHA256, &self.random, text, &mut bytes)
                .map(|()| bytes)
        };
        credentials::jwt(&header, &claims, sign).ok()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;
    use crate::transport::testing::Files;

    /// Made for these tests; it opens nothing.
    const KEY: &str = include_str!("test_key.pem");

    fn account() -> Value {
        json!({
            "type": "service_account",
            "project_id": "demo-project",
            "private_key_id": "kid1",
            "private_key": KEY,
            "client_email": "push@demo-project.iam.gserviceaccount.com",
            "token_uri": "https://oauth2.googleapis.com/token",
        })
    }

    pub(in crate::transport::fcm) fn settings(files: &Files) -> FcmSettings {
        from_account(files, &account())
    }

    fn from_account(files: &Files, account: &Value) -> FcmSettings {
        FcmSettings {
            inline: None,
            service_account_file: files.write("account.json", &account.to_string()),
            project_id: None,
            endpoint: None,
            token_uri: None,
            ca_file: None,
        }
    }

    #[test]
    fn the_assertion_verifies_and_says_what_google_asks() {
        let signer = load(&settings(&Files::new())).unwrap().signer;
        let assertion = signer.assertion(Timestamp(1_700_000_000_000)).unwrap();
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let public = signer.key.public().as_ref();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
            .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
            .unwrap();
        let parts: Vec<Value> = signed
            .split('.')
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts[0], json!({ "alg": "RS256", "typ": "JWT", "kid": "kid1" }));
        let claims = json!({
            "iss": "push@demo-project.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/firebase.messaging",
            "aud": "https://oauth2.googleapis.com/token",
            "iat": 1_700_000_000, "exp": 1_700_003_600,
        });
        assert_eq!(parts[1], claims);
        assert_eq!(format!("{signer:?}"), "Signer { .. }");
    }

    #[test]
    fn errors_name_the_setting() {
        let files = Files::new();
        let good = settings(&files);
        assert!(check(&good).is_ok());
        let key_of = |settings: FcmSettings| check(&settings).unwrap_err().key;
        let bad = Some("http://a.example".to_owned());
        assert_eq!(key_of(FcmSettings { endpoint: bad.clone(), ..good.clone() }), "fcm.endpoint");
        assert_eq!(key_of(FcmSettings { token_uri: bad, ..good.clone() }), "fcm.token_uri");
        let project_id = Some("a/b".to_owned());
        assert_eq!(key_of(FcmSettings { project_id, ..good.clone() }), "fcm.project_id");
        let ca_file = Some("/nonexistent/ca.pem".into());
        assert_eq!(key_of(FcmSettings { ca_file, ..good }), "fcm.ca_file");
        for field in ["private_key", "client_email", "project_id"] {
            let mut account = account();
            account[field] = Value::Null;
            assert_eq!(key_of(from_account(&files, &account)), FILE, "{field}");
        }
        for (field, wrong) in [
            ("client_email", "nobody".to_owned()),
            ("client_email", "a@b\n".to_owned()),
            ("client_email", format!("a@{}", "b".repeat(300))),
            ("private_key_id", String::new()),
            ("private_key_id", "k".repeat(300)),
            ("project_id", "p".repeat(101)),
        ] {
            let mut account = account();
            account[field] = wrong.clone().into();
            let error = check(&from_account(&files, &account)).unwrap_err();
            assert!(error.problem.contains(field), "{wrong}: {error}");
        }
        let mut long = account();
        long["more"] = "x".repeat(70_000).into();
        let error = check(&from_account(&files, &long)).unwrap_err();
        assert!(error.problem.contains("bytes"), "{error}");
        let mut account = account();
        account["private_key"] = "garbage".into();
        assert_eq!(key_of(from_account(&files, &account)), FILE);
    }
}
