//! The transport to Apple: renders, sends one push, and reads the answer.
//!
//! Called by the engine's senders through [`Transport`]; retries nothing but an expired provider token.

use async_trait::async_trait;
use bytes::Bytes;
use http::{
    HeaderValue,
    header::{AUTHORIZATION, HeaderName},
    uri::PathAndQuery,
};

use super::{
    super::{
        CredentialError, Destination, RenderError, Rendered, Transport, TransportState, checking,
        credentials::pool_config,
        http2::{Call, Pool},
        trouble::Trouble,
    },
    credentials::{self, ProviderTokens},
    payload, response,
};
use crate::{
    domain::{
        device::SendPlatform,
        ids::{self, DeviceId, NotificationId},
        message::Message,
        outcome::{Answer, Reason},
        timestamp::Timestamp,
    },
    settings::{ApnsSettings, LimitSettings},
};

/// Apple: the path of a push is this and the device token.
const PATH: &[u8] = b"/3/device/";

/// Has the form of a device token, and is none.
const NO_TOKEN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One app's way to Apple.
pub struct ApnsTransport {
    pool: Pool,
    tokens: Option<ProviderTokens>,
    topic: HeaderValue,
    trouble: Trouble,
}

impl ApnsTransport {
    /// Loads the credentials; connects at the first push.
    pub fn new(settings: &ApnsSettings, limits: &LimitSettings) -> Result<Self, CredentialError> {
        let loaded = credentials::load(settings)?;
        let config = pool_config(limits, limits.apns_connections);
        Ok(Self {
            pool: Pool::new(loaded.origin, loaded.tls, config),
            tokens: loaded.tokens,
            topic: loaded.topic,
            trouble: Trouble::default(),
        })
    }

    async fn try_push(
        &self,
        rendered: &Rendered,
        path: PathAndQuery,
        id: (HeaderName, HeaderValue),
        authorization: Option<HeaderValue>,
    ) -> Answer {
        // With a certificate the connection itself says who we are.
        let count = 1 + usize::from(authorization.is_some());
        let authorization = authorization.unwrap_or_else(|| HeaderValue::from_static(""));
        let own_headers = &[id, (AUTHORIZATION, authorization)][..count];
        let body = rendered.head.clone();
        let call = Call { path, headers: &rendered.headers, own_headers, body };
        match self.pool.send(&call).await {
            Ok(response) => response::answer(&response, Timestamp::now()),
            Err(failure) => failure.into_answer(),
        }
    }
}

#[async_trait]
impl Transport for ApnsTransport {
    fn provider(&self) -> SendPlatform {
        SendPlatform::Apns
    }

    fn render(
        &self,
        notification: NotificationId,
        message: &Message,
        now: Timestamp,
    ) -> Result<Rendered, RenderError> {
        let mut rendered = payload::render(notification, message, &self.topic, now)?;
        if self.tokens.is_none() {
            rendered.headers.remove(AUTHORIZATION);
        }
        Ok(rendered)
    }

    async fn push(&self, rendered: &Rendered, destination: Destination<'_>) -> Answer {
        let Some(path) = device_path(destination.token) else {
            return Answer::Rejected { reason: Reason::new("malformed_token"), bad_token: true };
        };
        let id = (payload::APNS_ID, push_id(rendered, &destination));
        let token = self.tokens.as_ref().map(|tokens| tokens.current(Timestamp::now()));
        let mut answer = self.try_push(rendered, path.clone(), id.clone(), token.clone()).await;
        if response::is_expired_token(&answer)
            && let (Some(tokens), Some(refused)) = (&self.tokens, token)
            && let Some(renewed) = tokens.renewed(&refused, Timestamp::now())
        {
            answer = self.try_push(rendered, path, id, Some(renewed)).await;
        }
        self.trouble.note(&answer);
        answer
    }

    async fn check(&self) -> Answer {
        let (notification, message) = checking();
        let Ok(rendered) = self.render(notification, &message, Timestamp::now()) else {
            return Answer::TooLarge;
        };
        self.push(&rendered, Destination { device: DeviceId(0), token: NO_TOKEN }).await
    }

    fn window(&self) -> usize {
        self.pool.window()
    }

    fn state(&self) -> TransportState {
        self.trouble.state(self.pool.state())
    }
}

/// The path of a device. Apple's tokens are hexadecimal; what could not be one never leaves.
fn device_path(token: &str) -> Option<PathAndQuery> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let mut path = Vec::with_capacity(PATH.len() + token.len());
    path.extend_from_slice(PATH);
    path.extend_from_slice(token.as_bytes());
    PathAndQuery::from_maybe_shared(Bytes::from(path)).ok()
}

/// The push's name, the same at every try. Apple's "Sending notification requests to APNs" asks for
/// it as a literal without indexing, lest it fill the small HPACK table; `h2` does so with sensitive
/// values, and leaves `:path` and `authorization` out of the table of itself.
fn push_id(rendered: &Rendered, destination: &Destination<'_>) -> HeaderValue {
    let id = ids::push_id(rendered.notification, destination.device);
    let mut text = uuid::Uuid::encode_buffer();
    let text = id.hyphenated().encode_lower(&mut text);
    let mut value = HeaderValue::from_str(text).expect("a UUID is a header value");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::transport::{
        apns::credentials::tests::token_settings,
        testing::{Files, Reply, Seen, TestServer, bounded, limits},
    };

    fn transport(files: &Files, server: &TestServer) -> ApnsTransport {
        let settings = ApnsSettings {
            endpoint: Some(server.url()),
            ca_file: Some(files.write("ca.pem", server.ca_pem())),
            ..token_settings(files).0
        };
        ApnsTransport::new(&settings, &limits()).unwrap()
    }

    fn rendered(transport: &ApnsTransport) -> Rendered {
        let message = Message { title: "Hi".into(), body: "there".into(), ..Message::default() };
        transport.render(NotificationId(Uuid::from_u128(1)), &message, Timestamp::now()).unwrap()
    }

    async fn push(transport: &ApnsTransport, token: &str) -> Answer {
        let destination = Destination { device: DeviceId(5), token };
        bounded(transport.push(&rendered(transport), destination)).await
    }

    #[tokio::test]
    async fn a_push_carries_what_apple_asks_for() {
        let seen = Seen::default();
        let log = seen.clone();
        let server = TestServer::start(100, move |received| {
            let request = (received.path.clone(), received.headers.clone(), received.body.clone());
            log.lock().unwrap().push(request);
            Reply::ok()
        })
        .await;
        let files = Files::new();
        let transport = transport(&files, &server);
        assert_eq!(push(&transport, "abc123").await, Answer::Accepted);
        let (path, headers, body) = seen.lock().unwrap().pop().unwrap();
        assert_eq!(path, "/3/device/abc123");
        assert!(headers["authorization"].to_str().unwrap().starts_with("bearer ey"));
        let id = ids::push_id(NotificationId(Uuid::from_u128(1)), DeviceId(5));
        assert_eq!(headers["apns-id"], id.to_string());
        assert_eq!(body, rendered(&transport).head);
        assert_eq!(transport.state().trouble, None);
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_one_never_leaves() {
        let server = TestServer::start(100, |_| Reply::ok()).await;
        let files = Files::new();
        let transport = transport(&files, &server);
        for token in ["", "../x", "a?b", "a b", "é"] {
            assert!(matches!(
                push(&transport, token).await,
                Answer::Rejected { bad_token: true, .. }
            ));
        }
        assert_eq!(server.connections(), 0);
    }

    #[tokio::test]
    async fn refused_credentials_are_trouble_until_a_push_is_taken() {
        let server = TestServer::start(100, |received| match received.number {
            0 => Reply::Answer(403, Vec::new(), r#"{"reason":"ExpiredProviderToken"}"#.into()),
            _ => Reply::ok(),
        })
        .await;
        let files = Files::new();
        let transport = transport(&files, &server);
        // The token is younger than 20 minutes, so another would be refused as well.
        assert!(matches!(push(&transport, "a").await, Answer::BadCredential { .. }));
        let trouble = transport.state().trouble.unwrap();
        assert_eq!(trouble, "credentials refused: ExpiredProviderToken");
        assert_eq!(push(&transport, "a").await, Answer::Accepted);
        assert_eq!(transport.state().trouble, None);
    }
}
