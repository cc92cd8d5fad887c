//! A tenant as the store keeps it: its credentials sealed, the rest in the open.

use serde::{Deserialize, Serialize};

use super::seal::Sealer;
use crate::{
    domain::{Error, Result, ids::AppName, timestamp::Timestamp},
    settings::{ApnsEnvironment, ApnsSettings, AppSettings, FcmSettings, Secret},
};

const GOOGLE_TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// What the document of a tenant says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The app it is to the rest of the house. A tenant made anew under the same id is another app.
    pub app: AppName,
    /// When it was made.
    pub created_at: Timestamp,
    /// Why it may not send, where it may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<String>,
    /// The bundle id that its devices belong to.
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
}

/// How a tenant proves itself to Apple.
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

impl Record {
    /// A tenant that can do nothing yet.
    pub fn new(app: AppName, now: Timestamp) -> Self {
        let (suspended, apns_topic, apns, fcm) = (None, None, None, None);
        Self { app, created_at: now, suspended, apns_topic, apns, fcm }
    }

    /// Takes Apple's credentials in.
    pub fn seal_apns(&mut self, sealer: &Sealer, proof: &ApnsProof) -> Result<()> {
        let (key, pem) = match proof {
            ApnsProof::Key { pem, key_id, team_id } => {
                (Some((key_id.clone(), team_id.clone())), pem)
            }
            ApnsProof::Certificate { pem } => (None, pem),
        };
        let pem = sealer.seal(&self.context("apns"), pem.expose())?;
        self.apns = Some(SealedApns { key, pem });
        Ok(())
    }

    /// Takes Google's credentials in.
    pub fn seal_fcm(&mut self, sealer: &Sealer, account: &Secret) -> Result<()> {
        self.fcm = Some(sealer.seal(&self.context("fcm"), account.expose())?);
        Ok(())
    }

    /// Whether Apple's credentials are all there.
    pub fn has_apns(&self) -> bool {
        self.apns.is_some() && self.apns_topic.is_some()
    }

    /// The settings of the tenant's app. It reaches the providers at the servers that `model` names; the
    /// tenant says only who it is.
    pub fn open(&self, sealer: &Sealer, model: &AppSettings) -> Result<AppSettings> {
        let mut app = AppSettings::named(self.app.as_str());
        if let (Some(apns), Some(topic)) = (&self.apns, &self.apns_topic) {
            let inline = Some(self.unsealed(sealer, "apns", &apns.pem)?);
            app.apns = Some(apns_settings(apns, topic, inline, model.apns.as_ref()));
        }
        if let Some(fcm) = &self.fcm {
            let inline = Some(self.unsealed(sealer, "fcm", fcm)?);
            app.fcm = Some(fcm_settings(inline, model.fcm.as_ref()));
        }
        Ok(app)
    }

    fn unsealed(&self, sealer: &Sealer, provider: &str, sealed: &str) -> Result<Secret> {
        let opened = sealer.open(&self.context(provider), sealed).map(Secret::new);
        let message = "the credentials were sealed with another tenant secret; give them again";
        opened.ok_or_else(|| Error::conflict(message))
    }

    fn context(&self, provider: &str) -> String {
        format!("{}/{provider}", self.app)
    }
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
        environment: ApnsEnvironment::Production,
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
