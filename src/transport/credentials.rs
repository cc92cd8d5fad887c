//! What the providers' credentials have in common: files, JWTs, and errors that name the setting at
//! fault.
//!
//! Which keys a provider wants, and what it signs, is in `apns/credentials.rs` and
//! `fcm/credentials.rs`.

use std::{path::Path, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::ClientConfig;

use super::http2::{ClientCertificate, Origin, PoolConfig, TlsError, tls_config};
use crate::settings::{LimitSettings, Secret};

/// Credentials that cannot be used: `apns.key_file: cannot be read: …`. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct CredentialError {
    /// The settings key at fault, within its app.
    pub key: &'static str,
    /// What is wrong.
    pub problem: String,
}

impl CredentialError {
    pub(super) fn new(key: &'static str, problem: impl ToString) -> Self {
        Self { key, problem: problem.to_string() }
    }
}

/// Longest credentials, in bytes: many times what a key, or a certificate with its chain, takes.
const LONGEST: usize = 64 * 1024;

/// The contents of the file that the setting names, or what stands in its place.
pub(super) fn contents(
    key: &'static str,
    path: &Path,
    inline: Option<&Secret>,
) -> Result<Vec<u8>, CredentialError> {
    let contents = match inline {
        Some(inline) => inline.expose().as_bytes().to_vec(),
        None => read_file(key, path)?,
    };
    if contents.len() > LONGEST {
        return Err(CredentialError::new(key, format!("has more than {LONGEST} bytes")));
    }
    Ok(contents)
}

/// Whether a text is 1 to `most` visible ASCII characters.
pub(super) fn is_word(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The contents of the file that the setting names.
pub(super) fn read_file(key: &'static str, path: &Path) -> Result<Vec<u8>, CredentialError> {
    std::fs::read(path).map_err(|error| {
        CredentialError::new(key, format!("{} cannot be read: {error}", path.display()))
    })
}

/// A server's address.
pub(super) fn origin(key: &'static str, url: &str) -> Result<Origin, CredentialError> {
    Origin::parse(url).map_err(|error| CredentialError::new(key, error))
}

/// The TLS configuration; the keys name the roots' setting and the certificate's.
pub(super) fn tls(
    (roots_key, roots): (&'static str, Option<&Path>),
    (client_key, client): (&'static str, Option<ClientCertificate>),
) -> Result<Arc<ClientConfig>, CredentialError> {
    let roots = roots.map(|path| read_file(roots_key, path)).transpose()?;
    tls_config(roots.as_deref(), client).map_err(|error| match error {
        TlsError::Roots => CredentialError::new(roots_key, error),
        TlsError::Client(_) => CredentialError::new(client_key, error),
    })
}

/// How the pool to a provider behaves, as the limits say.
pub(super) fn pool_config(limits: &LimitSettings, connections: usize) -> PoolConfig {
    PoolConfig {
        connections: connections.max(1),
        streams_per_connection: limits.streams_per_connection.max(1),
        request_timeout: Duration::from_millis(limits.request_timeout_ms.max(1)),
        ..PoolConfig::default()
    }
}

/// A JSON Web Token in compact form, its parts base64url without padding (RFC 7515 section 7.1).
pub(super) fn jwt<E>(
    header: &serde_json::Value,
    claims: &serde_json::Value,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<String, E> {
    let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
    let signature = sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
