//! One message to one device, at once and not as a campaign: sent once for each name the sender gives it,
//! and done only when the provider has taken it. A sender that hears of a failure sends again.

use std::time::Duration;

use ring::digest;
use serde_json::json;

use crate::{
    domain::{
        Error, Result,
        device::{Device, SendPlatform},
        ids::{AppName, NotificationId},
        message::Message,
        timestamp::Timestamp,
    },
    engine::{DirectOutcome, DirectPush, EngineHandle},
    storage::{Document, Drawer, NewDocument, Stores},
};

/// How long a push may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a push under way keeps its repeats off. Longer than a push may take: what outlives it was
/// left by a crash.
const CLAIM: Duration = Duration::from_secs(60);
/// How long repeats of what was sent are known.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often a repeat looks what became of the push under way.
const LOOK: Duration = Duration::from_millis(50);

/// What is to be sent.
#[derive(Clone, Debug)]
pub struct DirectMessage {
    /// Whose device it is.
    pub app: AppName,
    /// The device.
    pub device: Device,
    /// Whether its token is of Apple's sandbox, where the app reaches that apart.
    pub apple_sandbox: bool,
    /// The sender's name for it; under one name a device is sent to once.
    pub name: String,
    /// What it says.
    pub message: Message,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// The provider took it now.
    Sent,
    /// The provider took it before.
    SentBefore,
    /// It was not taken; under the same name it may be sent again.
    Failed(DirectOutcome),
}

/// Sends to single devices.
#[derive(Clone)]
pub struct DirectMessages {
    stores: Stores,
    engine: EngineHandle,
}

/// What a repeat may do.
enum Claim {
    /// Send: nobody else does. The document says so until it ends.
    Ours(Document),
    SentBefore,
    UnderWay,
}

impl DirectMessages {
    /// Over these stores and this engine.
    pub fn new(stores: Stores, engine: EngineHandle) -> Self {
        Self { stores, engine }
    }

    /// The providers that an app's devices can be reached by.
    pub fn providers(&self, app: &AppName) -> Vec<SendPlatform> {
        self.engine.providers(app)
    }

    /// Sends a message, unless it was sent before. One that is just being sent is waited for. What has
    /// begun is ended even if the caller goes away.
    pub async fn send(&self, message: DirectMessage) -> Result<Delivery> {
        let own = self.clone();
        let sending = tokio::spawn(async move { own.send_once(&message).await });
        sending.await.map_err(|error| Error::internal("send a message", error))?
    }

    async fn send_once(&self, message: &DirectMessage) -> Result<Delivery> {
        let drawer = Drawer { kind: "sent_message", app: Some(message.app.clone()) };
        let name = digest_of(message);
        let key = hex(&name);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match self.claim(&drawer, &key).await? {
                Claim::Ours(claim) => return self.push(message, &drawer, claim, &name).await,
                Claim::SentBefore => return Ok(Delivery::SentBefore),
                Claim::UnderWay if tokio::time::Instant::now() >= deadline => {
                    return Ok(Delivery::Failed(DirectOutcome::Unavailable));
                }
                // Another node may be the one that sends, so there is nothing to be woken by.
                Claim::UnderWay => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn claim(&self, drawer: &Drawer, key: &str) -> Result<Claim> {
        let (documents, now) = (&self.stores.documents, Timestamp::now());
        let owner = uuid::Uuid::new_v4().to_string();
        let body = json!({ "owner": owner });
        let new = NewDocument { key: key.to_owned(), body, expires_at: Some(now.plus(CLAIM)) };
        documents.insert(drawer, new, now).await?;
        Ok(match documents.get(drawer, key, now).await? {
            Some(found) if found.body["owner"] == owner.as_str() => Claim::Ours(found),
            Some(found) if found.body["sent"] == true => Claim::SentBefore,
            // Gone in between: its push has failed, and the next look claims it.
            Some(_) | None => Claim::UnderWay,
        })
    }

    async fn push(
        &self,
        message: &DirectMessage,
        drawer: &Drawer,
        claim: Document,
        name: &[u8],
    ) -> Result<Delivery> {
        let DirectMessage { app, device, message: content, .. } = message;
        let sandbox = apple_sandbox(app);
        let apart = message.apple_sandbox && !self.engine.providers(&sandbox).is_empty();
        let app = if apart { &sandbox } else { app };
        let push = DirectPush { app, id: NotificationId(named(name)), device, message: content };
        let outcome = self.engine.push(push, PATIENCE).await;
        if outcome == DirectOutcome::Accepted {
            self.remember(drawer, claim).await;
            return Ok(Delivery::Sent);
        }
        self.stores.documents.delete(drawer, &claim.key).await?;
        if matches!(outcome, DirectOutcome::TokenGone(_)) {
            self.forget(&message.app, device).await?;
        }
        Ok(Delivery::Failed(outcome))
    }

    /// Repeats of it are known from now on. Where that cannot be stored it is sent all the same, and the
    /// claim keeps repeats off for a while.
    async fn remember(&self, drawer: &Drawer, claim: Document) {
        let expires_at = Some(Timestamp::now().plus(REMEMBERED));
        let new = NewDocument { key: claim.key, body: json!({ "sent": true }), expires_at };
        match self.stores.documents.replace(drawer, claim.version, new).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!("a message took longer to send than its claim holds"),
            Err(error) => tracing::error!(%error, "failed to remember a message that was sent"),
        }
    }

    /// Removes a device whose token is gone, unless it has registered again since.
    async fn forget(&self, app: &AppName, device: &Device) -> Result<()> {
        let devices = &self.stores.devices;
        let now = devices.get(app, &device.external_id).await?;
        let same = |now: &Device| {
            now.push_token == device.push_token && now.registered_at == device.registered_at
        };
        if now.as_ref().is_some_and(same) {
            devices.remove(app, &device.external_id).await?;
        }
        Ok(())
    }
}

/// The name under which an app's way to Apple's sandbox stands in the engine, where it has one besides
/// the way to production. No app of the settings has such a name.
pub(super) fn apple_sandbox(app: &AppName) -> AppName {
    AppName::new(&format!("{app}/sandbox"))
}

/// A digest of all that makes a message the same: whose, to which device, by what name.
fn digest_of(message: &DirectMessage) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    let parts = [message.app.as_str(), &message.device.external_id, &message.name];
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref().to_vec()
}

/// The push's own name: a repeat after a crash carries the same, so the device shows it once.
fn named(digest: &[u8]) -> uuid::Uuid {
    let first = digest.first_chunk::<16>().expect("SHA-256 has 32 bytes");
    uuid::Builder::from_custom_bytes(*first).into_uuid()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a failed delivery is to callers whose wire has no words of its own for it.
impl From<DirectOutcome> for Error {
    fn from(outcome: DirectOutcome) -> Self {
        match outcome {
            DirectOutcome::Unfit(refusal) => refusal.into(),
            DirectOutcome::TokenGone(reason) => {
                Self::not_found(format!("the token is gone: {}", reason.as_str()))
            }
            DirectOutcome::CredentialsRefused(reason)
            | DirectOutcome::Refused(reason)
            | DirectOutcome::Failed(reason) => {
                Self::unavailable(format!("the provider did not take it: {}", reason.as_str()))
            }
            DirectOutcome::NoCredentials => {
                Self::unavailable("the app has no credentials for the device's provider")
            }
            DirectOutcome::Accepted | DirectOutcome::Unavailable => {
                Self::unavailable("the provider did not answer in time")
            }
        }
    }
}
