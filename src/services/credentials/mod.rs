//! Credentials of apps that are made while the installation runs, as the store keeps them: sealed, what is
//! no secret in the open. Tenants and stored apps share this.

mod seal;

use serde::{Deserialize, Serialize};

pub use seal::Sealer;

use crate::{
    domain::{Error, ErrorKind, Result, device::SendPlatform, ids::AppName},
    settings::{ApnsEnvironment, ApnsSettings, AppSettings, FcmSettings, Secret},
};

const GOOGLE_TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// Credentials as the document of their owner holds them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Credentials {
    /// The bundle id that the app's devices belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apns_topic: Option<String>,
    /// Apple's credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apns: Option<SealedApns>,
    /// Google's service account, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fcm: Option<String>,
}

/// Apple's credentials at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SealedApns {
    /// The key's and the team's ids where it is a signing key; none with a certificate.
    pub key: Option<(String, String)>,
    /// The key or the certificate with its key, PEM, sealed.
    pub pem: String,
    /// Whether they are for Apple's sandbox.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sandbox: bool,
}

/// How an app proves itself to Apple.
#[derive(Clone)]
pub enum ApnsProof {
    /// A signing key.
    Key {
        /// PEM, as Apple's `.p8` files are.
        pem: Secret,
        /// Its ten characters.
        key_id: String,
        /// The team's ten characters.
        team_id: String,
    },
    /// A certificate with its private key, PEM.
    Certificate {
        /// Both.
        pem: Secret,
    },
}

impl Credentials {
    /// Takes in an app's Apple credentials.
    pub fn seal_apns(&mut self, app: &AppName, sealer: &Sealer, proof: &ApnsProof) -> Result<()> {
        let (key, pem) = match proof {
            ApnsProof::Key { pem, key_id, team_id } => {
                (Some((key_id.clone(), team_id.clone())), pem)
            }
            ApnsProof::Certificate { pem } => (None, pem),
        };
        let pem = sealer.seal(&context(app, "apns"), pem.expose())?;
        self.apns = Some(SealedApns { key, pem, sandbox: false });
        Ok(())
    }

    /// Takes in an app's Google credentials.
    pub fn seal_fcm(&mut self, app: &AppName, sealer: &Sealer, account: &Secret) -> Result<()> {
        self.fcm = Some(sealer.seal(&context(app, "fcm"), account.expose())?);
        Ok(())
    }

    /// Takes a provider's away.
    pub fn remove(&mut self, provider: SendPlatform) {
        match provider {
            SendPlatform::Apns => (self.apns, self.apns_topic) = (None, None),
            SendPlatform::Fcm => self.fcm = None,
            SendPlatform::Unknown | SendPlatform::Email => {}
        }
    }

    /// Whether Apple's are all there.
    pub fn has_apns(&self) -> bool {
        self.apns.is_some() && self.apns_topic.is_some()
    }

    /// The providers that there are credentials for.
    pub fn providers(&self) -> Vec<SendPlatform> {
        let apns = self.has_apns().then_some(SendPlatform::Apns);
        let fcm = self.fcm.is_some().then_some(SendPlatform::Fcm);
        apns.into_iter().chain(fcm).collect()
    }

    /// The settings of the app. It reaches the providers at the servers that `model` names; the
    /// credentials say only who it is.
    pub fn open(&self, app: &AppName, sealer: &Sealer, model: &AppSettings) -> Result<AppSettings> {
        let mut settings = AppSettings::named(app.as_str());
        if let (Some(apns), Some(topic)) = (&self.apns, &self.apns_topic) {
            let inline = Some(unsealed(app, sealer, "apns", &apns.pem)?);
            settings.apns = Some(apns_settings(apns, topic, inline, model.apns.as_ref()));
        }
        if let Some(fcm) = &self.fcm {
            let inline = Some(unsealed(app, sealer, "fcm", fcm)?);
            settings.fcm = Some(fcm_settings(inline, model.fcm.as_ref()));
        }
        Ok(settings)
    }
}

/// The keys of the settings mean nothing to whoever gives credentials through an API.
pub fn without_setting(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Invalid { field: Some(field) } => {
            let name = if field.starts_with("apns.") { "apns" } else { "credentials" };
            let message = error.public_message();
            let message = message.strip_prefix(field.as_str()).unwrap_or(&message);
            Error::invalid(name, message.trim_start_matches(": ").to_owned())
        }
        _ => error,
    }
}

fn unsealed(app: &AppName, sealer: &Sealer, provider: &str, sealed: &str) -> Result<Secret> {
    let opened = sealer.open(&context(app, provider), sealed).map(Secret::new);
    let message = "the credentials were sealed with another secret; give them again";
    opened.ok_or_else(|| Error::conflict(message))
}

fn context(app: &AppName, provider: &str) -> String {
    format!("{app}/{provider}")
}

fn apns_settings(
    apns: &SealedApns,
    topic: &str,
    inline: Option<Secret>,
    model: Option<&ApnsSettings>,
) -> ApnsSettings {
    let (key_id, team_id) = apns.key.clone().unzip();
    // The paths say which of the two it is; the contents are inline.
    let place = |wanted: bool| wanted.then(Default::default);
    ApnsSettings {
        key_file: place(apns.key.is_some()),
        key_id,
        team_id,
        cert_file: place(apns.key.is_none()),
        inline,
        topic: topic.to_owned(),
        environment: match apns.sandbox {
            true => ApnsEnvironment::Sandbox,
            false => ApnsEnvironment::Production,
        },
        endpoint: model.and_then(|model| model.endpoint.clone()),
        ca_file: model.and_then(|model| model.ca_file.clone()),
    }
}

fn fcm_settings(inline: Option<Secret>, model: Option<&FcmSettings>) -> FcmSettings {
    // Never the one that the account names: nobody but the operator says where this server connects to.
    let token_uri = model.and_then(|model| model.token_uri.clone());
    FcmSettings {
        service_account_file: Default::default(),
        inline,
        project_id: None,
        endpoint: model.and_then(|model| model.endpoint.clone()),
        token_uri: Some(token_uri.unwrap_or_else(|| GOOGLE_TOKEN_URI.to_owned())),
        ca_file: model.and_then(|model| model.ca_file.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_credentials_is_told_without_our_settings() {
        let error = without_setting(Error::invalid("apns.key_file", "holds no key"));
        assert_eq!(error.public_message(), "apns: holds no key");
    }
}
