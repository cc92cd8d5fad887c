//! The transport to a mail server: writes one e-mail for each push, and reads the replies.
//!
//! Called by the engine's senders through [`Transport`]; retries nothing.

use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor, address::Envelope,
    transport::smtp::PoolConfig,
};

use super::{
    super::{CredentialError, Destination, RenderError, Rendered, Transport, TransportState},
    credentials, payload, response,
};
use crate::{
    domain::{
        device::SendPlatform,
        ids::NotificationId,
        message::Message,
        outcome::{Answer, Reason},
        timestamp::Timestamp,
    },
    settings::{LimitSettings, MailSettings},
};

/// Connections to the server, and so e-mails under way at once.
const CONNECTIONS: usize = 4;
/// Replies that one e-mail waits for at the most: greeting, EHLO, MAIL, RCPT, DATA, and its end.
const REPLIES: u32 = 6;

/// One app's way to its mail server.
pub struct MailTransport {
    server: AsyncSmtpTransport<Tokio1Executor>,
    sender: Address,
    /// Whom it may write to. A registered address proves nothing of its owner's will, as a push token
    /// does, so only those that the operator has named are written to.
    recipients: HashSet<String>,
    patience: Duration,
    in_flight: AtomicUsize,
    trouble: Mutex<Option<String>>,
}

impl MailTransport {
    /// Connects at the first push. Must be called within a tokio runtime.
    pub fn new(settings: &MailSettings, limits: &LimitSettings) -> Result<Self, CredentialError> {
        let loaded = credentials::load(settings)?;
        let answer_within = Duration::from_millis(limits.request_timeout_ms.max(1));
        let pool = PoolConfig::new().max_size(CONNECTIONS as u32);
        let server = loaded.server.timeout(Some(answer_within)).pool_config(pool).build();
        Ok(Self {
            server,
            sender: loaded.sender,
            recipients: loaded.recipients,
            patience: answer_within * REPLIES,
            in_flight: AtomicUsize::new(0),
            trouble: Mutex::default(),
        })
    }

    async fn send(&self, rendered: &Rendered, destination: &Destination<'_>) -> Answer {
        let rejected = |word| Answer::Rejected { reason: Reason::new(word), bad_token: false };
        let Ok(address) = destination.token.parse::<Address>() else {
            return rejected("malformed_address");
        };
        if !self.recipients.contains(&credentials::comparable(&address)) {
            return rejected("not_a_recipient");
        }
        let Ok(envelope) = Envelope::new(Some(self.sender.clone()), vec![address]) else {
            return rejected("malformed_address");
        };
        let email = payload::email(rendered, destination, &self.sender);
        match tokio::time::timeout(self.patience, self.server.send_raw(&envelope, &email)).await {
            Ok(Ok(_)) => Answer::Accepted,
            Ok(Err(error)) => response::answer(&error),
            Err(_) => response::unavailable("timeout"),
        }
    }

    fn note(&self, answer: &Answer) {
        let text = match answer {
            Answer::BadCredential { reason } => {
                Some(format!("credentials refused: {}", reason.as_str()))
            }
            Answer::Unavailable { reason, .. } => Some(format!("connection: {}", reason.as_str())),
            _ => None,
        };
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

/// Counts an e-mail while it is under way, however that ends.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Transport for MailTransport {
    fn provider(&self) -> SendPlatform {
        SendPlatform::Email
    }

    fn render(
        &self,
        notification: NotificationId,
        message: &Message,
        now: Timestamp,
    ) -> Result<Rendered, RenderError> {
        payload::render(notification, message, &self.sender, now)
    }

    async fn push(&self, rendered: &Rendered, destination: Destination<'_>) -> Answer {
        let _under_way = UnderWay::new(&self.in_flight);
        let answer = self.send(rendered, &destination).await;
        self.note(&answer);
        answer
    }

    async fn check(&self) -> Answer {
        let answer = match tokio::time::timeout(self.patience, self.server.test_connection()).await
        {
            Ok(Ok(true)) => Answer::Accepted,
            Ok(Ok(false)) => response::unavailable("connection"),
            Ok(Err(error)) => response::answer(&error),
            Err(_) => response::unavailable("timeout"),
        };
        self.note(&answer);
        answer
    }

    fn window(&self) -> usize {
        CONNECTIONS
    }

    fn state(&self) -> TransportState {
        // The pool does not tell; an e-mail under way has a connection to itself.
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        TransportState { connections: in_flight, in_flight, trouble }
    }
}
