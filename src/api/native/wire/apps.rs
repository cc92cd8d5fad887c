//! Apps, their keys and their credentials on the wire. No secret is in an answer but the one that was just
//! made, and none in what these show of themselves.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Time, optional_time, schemas};
use crate::{
    domain::{Error, Result, app::Scope, timestamp::Timestamp},
    services::{
        apps::{ApnsGiven, AppView, KeyView, NewApp, NewKey, ProviderView},
        credentials::ApnsProof,
    },
    settings::{ApnsEnvironment, Secret},
};

/// `POST /apps`
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppToMake)]
pub struct AppBody {
    /// Its name.
    pub name: String,
}

/// A scope by its name.
#[derive(Clone, Copy)]
pub struct ScopeName(pub Scope);

impl<'de> Deserialize<'de> for ScopeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let wrong = || de::Error::custom("is not a scope: admin, send, read or register");
        Scope::from_name(&name).map(Self).ok_or_else(wrong)
    }
}

/// `POST /apps/{name}/keys`
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyToMake)]
pub struct KeyBody {
    /// For people; 1 to 64 characters, none that hide or turn others.
    #[schema(min_length = 1, max_length = 64)]
    pub name: String,
    /// What it permits.
    #[schema(schema_with = schemas::scopes)]
    scopes: Vec<ScopeName>,
}

impl KeyBody {
    /// What it permits, each once.
    pub fn scopes(&self) -> Vec<Scope> {
        let mut scopes: Vec<_> = self.scopes.iter().map(|scope| scope.0).collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }
}

/// `POST /apps/{name}/keys/{id}/:rotate`
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = KeyRotation)]
pub struct RotateBody {
    /// How long the earlier secret stays valid.
    #[schema(default = 24, maximum = 720)]
    pub overlap_hours: u32,
}

impl Default for RotateBody {
    fn default() -> Self {
        Self { overlap_hours: 24 }
    }
}

/// `PUT /apps/{name}/providers/apns`
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApnsCredentials)]
pub struct ApnsBody {
    #[serde(default)]
    key_id: Option<String>,
    #[serde(default)]
    team_id: Option<String>,
    #[serde(default)]
    /// The signing key in PEM; goes with `key_id` and `team_id`.
    private_key: Option<String>,
    #[serde(default)]
    /// In PEM with its private key, in the place of a signing key.
    certificate: Option<String>,
    /// The bundle id: letters, digits, `.`, `-` and `_`.
    #[schema(min_length = 1, max_length = 200)]
    topic: String,
    #[schema(schema_with = schemas::environment)]
    environment: ApnsEnvironment,
}

impl ApnsBody {
    /// As the service has it: a key with its ids, or a certificate.
    pub fn into_domain(self) -> Result<ApnsGiven> {
        let Self { key_id, team_id, private_key, certificate, topic, environment } = self;
        let missing = |field: &'static str| {
            move || Error::invalid(field, "is missing; give the key or a certificate")
        };
        let proof = match certificate {
            Some(pem) => {
                if private_key.is_some() || key_id.is_some() || team_id.is_some() {
                    let what = "excludes key_id, team_id and private_key; give one of the two";
                    return Err(Error::invalid("certificate", what));
                }
                ApnsProof::Certificate { pem: Secret::new(pem) }
            }
            None => ApnsProof::Key {
                pem: Secret::new(private_key.ok_or_else(missing("private_key"))?),
                key_id: key_id.ok_or_else(missing("key_id"))?,
                team_id: team_id.ok_or_else(missing("team_id"))?,
            },
        };
        Ok(ApnsGiven { proof, topic, environment })
    }
}

/// `PUT /apps/{name}/providers/fcm`
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FcmCredentials)]
pub struct FcmBody {
    /// The service account's file, as Google gives it.
    #[schema(value_type = Object)]
    service_account: serde_json::Map<String, Value>,
}

impl FcmBody {
    /// The account as its file would be.
    pub fn into_secret(self) -> Secret {
        Secret::new(Value::Object(self.service_account).to_string())
    }
}

/// An app.
#[derive(Serialize, ToSchema)]
#[schema(as = App)]
pub struct AppJson<'a> {
    name: &'a str,
    #[schema(schema_with = schemas::source)]
    source: &'static str,
    /// The user name of Basic authentication.
    #[schema(required)]
    key: Option<&'a str>,
    #[serde(serialize_with = "optional_time")]
    #[schema(value_type = Option<Time>, required)]
    created_at: Option<Timestamp>,
    providers: Vec<ProviderJson<'a>>,
    keys: Vec<KeyJson<'a>>,
}

impl<'a> AppJson<'a> {
    /// Of the service's view.
    pub fn new(app: &'a AppView) -> Self {
        Self {
            name: app.name.as_str(),
            source: source(app.is_configured),
            key: app.key.as_deref(),
            created_at: app.created_at,
            providers: app.providers.iter().map(ProviderJson::new).collect(),
            keys: app.keys.iter().map(KeyJson::new).collect(),
        }
    }
}

/// An app that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = NewApp)]
pub struct NewAppJson<'a> {
    app: AppJson<'a>,
    key: &'a str,
    secret: &'a str,
}

impl<'a> NewAppJson<'a> {
    /// Of the service's.
    pub fn new(new: &'a NewApp) -> Self {
        Self { app: AppJson::new(&new.app), key: &new.key, secret: &new.secret }
    }
}

/// A way out.
#[derive(Serialize, ToSchema)]
#[schema(as = Provider)]
pub struct ProviderJson<'a> {
    #[schema(schema_with = schemas::provider)]
    provider: &'static str,
    #[schema(schema_with = schemas::provider_state)]
    state: &'static str,
    /// Why it is not well.
    #[schema(required)]
    reason: Option<&'a str>,
    #[schema(required)]
    topic: Option<&'a str>,
    #[schema(required)]
    environment: Option<&'static str>,
    #[serde(serialize_with = "optional_time")]
    #[schema(value_type = Option<Time>, required)]
    checked_at: Option<Timestamp>,
}

impl<'a> ProviderJson<'a> {
    /// Of the service's view.
    pub fn new(way: &'a ProviderView) -> Self {
        Self {
            provider: way.provider.name(),
            state: way.state.name(),
            reason: way.reason.as_deref(),
            topic: way.topic.as_deref(),
            environment: way.environment.map(|environment| match environment {
                ApnsEnvironment::Production => "production",
                ApnsEnvironment::Sandbox => "sandbox",
            }),
            checked_at: way.checked_at,
        }
    }
}

/// A key, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyJson<'a> {
    id: &'a str,
    name: &'a str,
    #[schema(schema_with = schemas::scopes)]
    scopes: Vec<&'static str>,
    #[schema(schema_with = schemas::source)]
    source: &'static str,
    #[serde(serialize_with = "optional_time")]
    #[schema(value_type = Option<Time>, required)]
    created_at: Option<Timestamp>,
    #[serde(serialize_with = "optional_time")]
    #[schema(value_type = Option<Time>, required)]
    previous_valid_until: Option<Timestamp>,
}

impl<'a> KeyJson<'a> {
    /// Of the service's view.
    pub fn new(key: &'a KeyView) -> Self {
        Self {
            id: &key.id,
            name: &key.name,
            scopes: key.scopes.iter().map(|scope| scope.name()).collect(),
            source: source(key.is_configured),
            created_at: key.created_at,
            previous_valid_until: key.previous_valid_until,
        }
    }
}

/// A key with its new secret.
#[derive(Serialize)]
pub struct NewKeyJson<'a> {
    #[serde(flatten)]
    key: KeyJson<'a>,
    secret: &'a str,
}

impl<'a> NewKeyJson<'a> {
    /// Of the service's.
    pub fn new(new: &'a NewKey) -> Self {
        Self { key: KeyJson::new(&new.key), secret: &new.secret }
    }
}

fn source(is_configured: bool) -> &'static str {
    if is_configured { "configuration" } else { "stored" }
}
