//! `apps`: who may call, and with which credentials their devices are pushed to.

use std::path::PathBuf;

use serde::Deserialize;

/// One app.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppSettings {
    /// Its name, unique.
    pub name: String,
    /// 24 letters and digits; the user of Basic authentication.
    #[serde(default)]
    pub key: Option<String>,
    /// The master secret, with every scope.
    #[serde(default)]
    pub secret: Option<String>,
    /// Further keys.
    #[serde(default)]
    pub api_keys: Vec<ApiKeySettings>,
    /// Apple's credentials.
    #[serde(default)]
    pub apns: Option<ApnsSettings>,
    /// Google's credentials.
    #[serde(default)]
    pub fcm: Option<FcmSettings>,
}

/// A key with fewer scopes than the master secret.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeySettings {
    /// For the log.
    pub name: String,
    /// The key itself.
    pub secret: String,
    /// `admin`, `send`, `read`, `register`.
    pub scopes: Vec<String>,
}

/// Which of Apple's servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApnsEnvironment {
    /// `api.push.apple.com`
    #[default]
    Production,
    /// `api.sandbox.push.apple.com`
    Sandbox,
}

/// Apple's credentials: a signing key (`key_file`, `key_id`, `team_id`) or a certificate
/// (`cert_file`, PEM with its private key).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApnsSettings {
    /// The `.p8` file.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// The key's ten characters.
    #[serde(default)]
    pub key_id: Option<String>,
    /// The team's ten characters.
    #[serde(default)]
    pub team_id: Option<String>,
    /// The certificate with its private key, PEM.
    #[serde(default)]
    pub cert_file: Option<PathBuf>,
    /// The app's bundle id.
    pub topic: String,
    /// Production or sandbox.
    #[serde(default)]
    pub environment: ApnsEnvironment,
    /// Another server than Apple's, `https://host:port`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Roots to trust instead of the public ones, PEM.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// Google's credentials.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FcmSettings {
    /// The service account's JSON file.
    pub service_account_file: PathBuf,
    /// Another project than the service account's.
    #[serde(default)]
    pub project_id: Option<String>,
    /// Another server than Google's, `https://host:port`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Another token server than the service account's.
    #[serde(default)]
    pub token_uri: Option<String>,
    /// Roots to trust instead of the public ones, PEM.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}
