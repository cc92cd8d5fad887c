//! `apps`: who may call, and with which credentials their devices are pushed to.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Secret, lenient};

/// One app.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppSettings {
    /// Its name, unique.
    #[serde(deserialize_with = "lenient::string")]
    pub name: String,
    /// 24 letters and digits; the user of Basic authentication.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub key: Option<String>,
    /// The master secret, with every scope.
    #[serde(default, deserialize_with = "lenient::optional_secret")]
    pub secret: Option<Secret>,
    /// Further keys.
    #[serde(default, deserialize_with = "lenient::sections")]
    pub api_keys: Vec<ApiKeySettings>,
    /// Apple's credentials.
    #[serde(default)]
    pub apns: Option<ApnsSettings>,
    /// Google's credentials.
    #[serde(default)]
    pub fcm: Option<FcmSettings>,
}

impl AppSettings {
    /// An app with nothing but its name.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            key: None,
            secret: None,
            api_keys: Vec::new(),
            apns: None,
            fcm: None,
        }
    }

    /// Its keys, the master secret first.
    pub fn keys(&self) -> Vec<ConfiguredKey<'_>> {
        let master = self.secret.iter().map(|secret| ConfiguredKey {
            id: String::from("configured-master"),
            name: "master",
            secret,
            scopes: vec!["admin"],
        });
        let further = self.api_keys.iter().enumerate().map(|(index, key)| ConfiguredKey {
            id: format!("configured-{index}"),
            name: &key.name,
            secret: &key.secret,
            scopes: key.scopes.iter().map(String::as_str).collect(),
        });
        master.chain(further).collect()
    }

    /// Whether anybody can prove to be a caller of this app.
    pub fn has_keys(&self) -> bool {
        self.secret.is_some() || !self.api_keys.is_empty()
    }
}

/// One of an app's keys, the master secret or another.
pub struct ConfiguredKey<'a> {
    /// Names it among the app's.
    pub id: String,
    /// For people.
    pub name: &'a str,
    /// The key itself.
    pub secret: &'a Secret,
    /// `admin`, `send`, `read`, `register`.
    pub scopes: Vec<&'a str>,
}

/// A key with fewer scopes than the master secret.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeySettings {
    /// For the log.
    #[serde(deserialize_with = "lenient::string")]
    pub name: String,
    /// The key itself.
    #[serde(deserialize_with = "lenient::secret")]
    pub secret: Secret,
    /// `admin`, `send`, `read`, `register`.
    #[serde(deserialize_with = "lenient::words")]
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
    #[serde(default, deserialize_with = "lenient::optional_path")]
    pub key_file: Option<PathBuf>,
    /// The key's ten characters.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub key_id: Option<String>,
    /// The team's ten characters.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub team_id: Option<String>,
    /// The certificate with its private key, PEM.
    #[serde(default, deserialize_with = "lenient::optional_path")]
    pub cert_file: Option<PathBuf>,
    /// The contents of `key_file` or `cert_file`, in the place of the file: credentials that were not
    /// configured but came with a request.
    #[serde(skip)]
    pub inline: Option<Secret>,
    /// The app's bundle id.
    #[serde(deserialize_with = "lenient::string")]
    pub topic: String,
    /// Production or sandbox.
    #[serde(default)]
    pub environment: ApnsEnvironment,
    /// Another server than Apple's, `https://host:port`.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub endpoint: Option<String>,
    /// Roots to trust instead of the public ones, PEM.
    #[serde(default, deserialize_with = "lenient::optional_path")]
    pub ca_file: Option<PathBuf>,
}

/// Google's credentials.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FcmSettings {
    /// The service account's JSON file.
    #[serde(deserialize_with = "lenient::path")]
    pub service_account_file: PathBuf,
    /// The contents of the file, in its place: credentials that were not configured but came with a
    /// request.
    #[serde(skip)]
    pub inline: Option<Secret>,
    /// Another project than the service account's.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub project_id: Option<String>,
    /// Another server than Google's, `https://host:port`.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub endpoint: Option<String>,
    /// Another token server than the service account's.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub token_uri: Option<String>,
    /// Roots to trust instead of the public ones, PEM.
    #[serde(default, deserialize_with = "lenient::optional_path")]
    pub ca_file: Option<PathBuf>,
}
