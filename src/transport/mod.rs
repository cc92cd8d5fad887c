//! How a push leaves the house: one trait, an implementation per provider.
//!
//! A transport renders a message once per campaign, then sends it to one token at a time and says
//! what the provider answered, as data. It does not retry, pace or record: the engine does.

pub mod apns;
mod credentials;
pub mod fcm;
pub mod http2;
pub mod mail;
mod preview;
mod retry_after;
#[cfg(test)]
mod testing;
mod trouble;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

pub use credentials::CredentialError;
pub use preview::Preview;

use crate::{
    domain::{
        device::SendPlatform,
        ids::{DeviceId, NotificationId},
        message::Message,
        outcome::Answer,
        timestamp::Timestamp,
    },
    settings::AppSettings,
};

/// Where one push goes.
#[derive(Clone, Copy)]
pub struct Destination<'a> {
    /// The device, from whose number the push's id is derived.
    pub device: DeviceId,
    /// The provider's name for it.
    pub token: &'a str,
}

/// A message rendered for one provider and campaign: everything but the token.
#[derive(Clone)]
pub struct Rendered {
    /// The campaign, from whose uuid push ids and the default collapse id derive.
    pub notification: NotificationId,
    /// The body up to where a token goes in, or whole.
    pub head: Bytes,
    /// The body after the token; none where the body holds no token.
    pub tail: Option<Bytes>,
    /// The headers that every push of the campaign carries.
    pub headers: http::HeaderMap,
}

/// Without the token, which is never logged.
impl fmt::Debug for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination").field("device", &self.device).finish_non_exhaustive()
    }
}

/// Without the payload, which is never logged.
impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.head.len() + self.tail.as_ref().map_or(0, Bytes::len);
        f.debug_struct("Rendered")
            .field("notification", &self.notification)
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}

/// Why a message cannot go through a provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The payload is over the provider's limit.
    #[error("the {provider} payload has {bytes} bytes; {limit} are allowed")]
    TooLarge {
        /// The provider.
        provider: &'static str,
        /// The payload's size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A field cannot be carried.
    #[error("{field} {problem}")]
    Field {
        /// The field, as the native API names it.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl From<RenderError> for crate::domain::Error {
    /// The caller's input is wrong: a payload over the limit is told of `body`, its largest part.
    fn from(refusal: RenderError) -> Self {
        match refusal {
            RenderError::TooLarge { .. } => Self::invalid("body", refusal.to_string()),
            RenderError::Field { field, problem } => Self::invalid(field, problem),
        }
    }
}

/// What a transport is doing, for readiness and the console.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TransportState {
    /// Open connections.
    pub connections: usize,
    /// Pushes sent and not answered.
    pub in_flight: usize,
    /// The last trouble with credentials or connections, without secrets; none when the latest
    /// attempt went well.
    pub trouble: Option<String>,
}

/// A provider, with one app's credentials.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Which provider.
    fn provider(&self) -> SendPlatform;

    /// Renders a message for a campaign, `now` being the moment its time to live counts from.
    fn render(
        &self,
        notification: NotificationId,
        message: &Message,
        now: Timestamp,
    ) -> Result<Rendered, RenderError>;

    /// Sends one push and answers what became of it. Never hangs: a silent provider ends as
    /// `Unavailable`. Dropping the future may leave the push sent.
    async fn push(&self, rendered: &Rendered, destination: Destination<'_>) -> Answer;

    /// Asks the provider whether it takes the credentials, by what reaches no device: any answer about the
    /// device means that it does.
    async fn check(&self) -> Answer;

    /// How many pushes are worth having under way at once now.
    fn window(&self) -> usize;

    /// What it is doing.
    fn state(&self) -> TransportState;
}

/// What a check asks about: a message that nobody gets.
fn checking() -> (NotificationId, Message) {
    let message = Message { title: "check".into(), body: "check".into(), ..Message::default() };
    (NotificationId(uuid::Uuid::nil()), message)
}

/// A transport as the engine holds it.
pub type SharedTransport = Arc<dyn Transport>;

/// Makes an app's transports from its credentials; `bootstrap`, which knows the providers, gives it.
pub type Opener =
    Arc<dyn Fn(&AppSettings) -> Result<Vec<SharedTransport>, CredentialError> + Send + Sync>;

impl From<CredentialError> for crate::domain::Error {
    /// Whoever gave the credentials is told what is wrong with them; no secret is in it.
    fn from(error: CredentialError) -> Self {
        Self::invalid(error.key, error.problem)
    }
}
