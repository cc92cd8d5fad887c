//! Ways out of apps: credentials given to stored apps and taken from them, and whether a provider takes
//! them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::Apps;
use crate::{
    domain::{
        Error, ErrorKind, Result,
        device::SendPlatform,
        ids::AppName,
        outcome::{Answer, Reason},
        timestamp::Timestamp,
    },
    services::credentials::{ApnsProof, Credentials, Sealer},
    settings::{ApnsEnvironment, Secret},
};

/// How long a provider may take to answer a question about credentials.
const CHECK_PATIENCE: Duration = Duration::from_secs(15);

/// What questions to the providers came to, by app and provider.
pub(super) type Checks = Arc<Mutex<HashMap<(AppName, SendPlatform), Checked>>>;

/// What one question came to.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    state: CredentialState,
    reason: Option<String>,
    at: Timestamp,
}

/// Whether a provider takes an app's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialState {
    /// It does.
    Ok,
    /// It does not.
    Refused,
    /// It cannot be asked now.
    OutOfOrder,
    /// Nobody has asked.
    Unknown,
}

impl CredentialState {
    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::OutOfOrder => "out_of_order",
            Self::Unknown => "unknown",
        }
    }
}

/// One way out of an app.
#[derive(Clone, Debug)]
pub struct ProviderView {
    /// The provider.
    pub provider: SendPlatform,
    /// Whether it takes the credentials.
    pub state: CredentialState,
    /// Why not.
    pub reason: Option<String>,
    /// The bundle id.
    pub topic: Option<String>,
    /// Which of Apple's servers.
    pub environment: Option<ApnsEnvironment>,
    /// When that was asked.
    pub checked_at: Option<Timestamp>,
}

/// Apple's credentials as they are given.
pub struct ApnsGiven {
    /// How the app proves itself.
    pub proof: ApnsProof,
    /// The bundle id.
    pub topic: String,
    /// Which of Apple's servers.
    pub environment: ApnsEnvironment,
}

impl Apps {
    /// Gives a stored app Apple credentials, in the place of those it has.
    pub async fn set_apns(&self, app: &AppName, given: &ApnsGiven, now: Timestamp) -> Result<()> {
        self.refuse_configured_app(app)?;
        self.set(app, now, |sealer, credentials| {
            credentials.seal_apns(app, sealer, &given.proof)?;
            credentials.apns_topic = Some(given.topic.clone());
            if let Some(apns) = &mut credentials.apns {
                apns.sandbox = given.environment == ApnsEnvironment::Sandbox;
            }
            Ok(())
        })
        .await
    }

    /// Gives a stored app a Google service account, in the place of the one it has.
    pub async fn set_fcm(&self, app: &AppName, account: &Secret, now: Timestamp) -> Result<()> {
        self.set(app, now, |sealer, credentials| credentials.seal_fcm(app, sealer, account)).await
    }

    /// Takes a provider's credentials from a stored app.
    pub async fn unset(&self, app: &AppName, provider: SendPlatform, now: Timestamp) -> Result<()> {
        self.change(app, now, |record| {
            if !record.credentials.providers().contains(&provider) {
                return Err(Error::not_found("the app has no credentials for this provider"));
            }
            record.credentials.remove(provider);
            Ok(())
        })
        .await?;
        self.forget_check(app, provider);
        self.follow().await
    }

    /// Asks a provider whether it takes an app's credentials; the way out as it is then. Nothing reaches
    /// a device.
    pub async fn check(
        &self,
        app: &AppName,
        provider: SendPlatform,
        now: Timestamp,
    ) -> Result<ProviderView> {
        let answer = self.engine.check_credentials(app, provider, CHECK_PATIENCE).await;
        let missing = || Error::not_found("the app has no credentials for this provider");
        let (state, reason) = judged(&answer.ok_or_else(missing)?);
        let checked = Checked { state, reason, at: now };
        {
            let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
            checks.insert((app.clone(), provider), checked.clone());
        }
        let ways = self.get(app)?.providers;
        let way = ways.into_iter().find(|way| way.provider == provider).ok_or_else(missing)?;
        Ok(ProviderView { state, reason: checked.reason, ..way })
    }

    async fn set(
        &self,
        app: &AppName,
        now: Timestamp,
        seal: impl Fn(&Sealer, &mut Credentials) -> Result<()>,
    ) -> Result<()> {
        self.refuse_configured_app(app)?;
        let missing = || Error::conflict("needs the setting internal.sealing_secret");
        let sealer = self.sealer.as_deref().ok_or_else(missing)?;
        self.change(app, now, |record| {
            // Alone, so that a fault of the others is not told of these.
            let mut given = Credentials::default();
            seal(sealer, &mut given)?;
            let opened = given.open(app, sealer, &self.model)?;
            self.engine.check_app(&opened).map_err(by_field)?;
            seal(sealer, &mut record.credentials)
        })
        .await?;
        for provider in [SendPlatform::Apns, SendPlatform::Fcm] {
            self.forget_check(app, provider);
        }
        self.follow().await
    }

    /// The ways out that stored credentials give.
    pub(super) fn stored_ways(
        &self,
        app: &AppName,
        credentials: &Credentials,
    ) -> Vec<ProviderView> {
        let way = |provider| match (provider, &credentials.apns) {
            (SendPlatform::Apns, Some(apns)) => {
                let environment = match apns.sandbox {
                    true => ApnsEnvironment::Sandbox,
                    false => ApnsEnvironment::Production,
                };
                self.way(app, provider, (credentials.apns_topic.clone(), Some(environment)))
            }
            _ => self.way(app, provider, (None, None)),
        };
        credentials.providers().into_iter().map(way).collect()
    }

    /// A way out, with what is known of it: what the engine sees, or what was asked last.
    pub(super) fn way(
        &self,
        app: &AppName,
        provider: SendPlatform,
        (topic, environment): (Option<String>, Option<ApnsEnvironment>),
    ) -> ProviderView {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let checked = checks.get(&(app.clone(), provider)).cloned();
        let checked_at = checked.as_ref().map(|checked| checked.at);
        let seen = self.engine.refusal(app, provider);
        let (state, reason) = match (seen, checked) {
            (Some(reason), _) => (CredentialState::Refused, Some(reason)),
            (None, Some(checked)) => (checked.state, checked.reason),
            (None, None) => (CredentialState::Unknown, None),
        };
        ProviderView { provider, state, reason, topic, environment, checked_at }
    }

    fn forget_check(&self, app: &AppName, provider: SendPlatform) {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.remove(&(app.clone(), provider));
    }
}

/// What an answer says of the credentials. One about the device means that they were taken.
fn judged(answer: &Answer) -> (CredentialState, Option<String>) {
    let told = |reason: &Reason| Some(reason.as_str().to_owned());
    match answer {
        Answer::BadCredential { reason } => (CredentialState::Refused, told(reason)),
        Answer::Unavailable { reason, .. } => (CredentialState::OutOfOrder, told(reason)),
        Answer::Throttled { reason, device_only: false, .. } => {
            (CredentialState::OutOfOrder, told(reason))
        }
        Answer::Accepted
        | Answer::Throttled { .. }
        | Answer::TokenGone { .. }
        | Answer::Rejected { .. }
        | Answer::TooLarge => (CredentialState::Ok, None),
    }
}

/// What is wrong with credentials, told of the fields that they came in.
fn by_field(error: Error) -> Error {
    let ErrorKind::Invalid { field: Some(setting) } = error.kind() else { return error };
    let field = match setting.as_str() {
        "apns.key_file" => "private_key",
        "apns.cert_file" => "certificate",
        other if other.starts_with("fcm.") => "service_account",
        other => other.strip_prefix("apns.").unwrap_or(other),
    };
    let told = error.public_message();
    let what = told.strip_prefix(&format!("{setting}: ")).unwrap_or(&told).to_owned();
    Error::invalid(field, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_of_the_field_it_came_in() {
        let told = |setting: &str| by_field(Error::invalid(setting, "is wrong")).public_message();
        assert_eq!(told("apns.key_file"), "private_key: is wrong");
        assert_eq!(told("apns.cert_file"), "certificate: is wrong");
        assert_eq!(told("fcm.service_account_file"), "service_account: is wrong");
        assert_eq!(told("apns.team_id"), "team_id: is wrong");
    }
}
