//! The transport to Google: renders, sends one push, and reads the answer.
//!
//! Called by the engine's senders through [`Transport`]; retries nothing but a refused access token.

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, header::AUTHORIZATION, uri::PathAndQuery};

use super::{
    super::{
        CredentialError, Destination, RenderError, Rendered, Transport, TransportState, checking,
        credentials::pool_config,
        http2::{Call, Pool},
        trouble::Trouble,
    },
    access::AccessTokens,
    credentials, payload, response,
};
use crate::{
    domain::{
        device::SendPlatform,
        ids::{DeviceId, NotificationId},
        message::Message,
        outcome::Answer,
        timestamp::Timestamp,
    },
    settings::{FcmSettings, LimitSettings},
};

/// No device's token.
const NO_TOKEN: &str = "check";

/// One app's way to Google.
pub struct FcmTransport {
    pool: Pool,
    tokens: AccessTokens,
    path: PathAndQuery,
    trouble: Trouble,
}

/// The answer to one try, and whether the access token was what displeased.
struct Tried {
    answer: Answer,
    token_refused: bool,
}

impl FcmTransport {
    /// Loads the credentials; connects, and asks for an access token, at the first push.
    pub fn new(settings: &FcmSettings, limits: &LimitSettings) -> Result<Self, CredentialError> {
        let loaded = credentials::load(settings)?;
        let path = format!("/v1/projects/{}/messages:send", loaded.project);
        let path = PathAndQuery::from_maybe_shared(path).expect("the project fits in a path");
        let token_path =
            PathAndQuery::from_maybe_shared(loaded.token_path).expect("the path was part of a URL");
        let token_pool = Pool::new(loaded.token_origin, loaded.tls.clone(), pool_config(limits, 1));
        let config = pool_config(limits, limits.fcm_connections);
        Ok(Self {
            pool: Pool::new(loaded.origin, loaded.tls, config),
            tokens: AccessTokens::new(loaded.signer, token_pool, token_path),
            path,
            trouble: Trouble::default(),
        })
    }

    async fn push_anyhow(&self, rendered: &Rendered, token: &str) -> Result<Answer, Answer> {
        let body = payload::body(rendered, token);
        let authorization = self.tokens.current().await?;
        let tried = self.try_push(rendered, body.clone(), authorization.clone()).await;
        if !tried.token_refused {
            return Ok(tried.answer);
        }
        match self.tokens.replaced(&authorization).await {
            Some(replaced) => Ok(self.try_push(rendered, body, replaced?).await.answer),
            None => Ok(tried.answer),
        }
    }

    async fn try_push(
        &self,
        rendered: &Rendered,
        body: Bytes,
        authorization: HeaderValue,
    ) -> Tried {
        let path = self.path.clone();
        let own_headers = &[(AUTHORIZATION, authorization)];
        let call = Call { path, headers: &rendered.headers, own_headers, body };
        match self.pool.send(&call).await {
            Ok(response) => {
                let answer = response::answer(&response, Timestamp::now());
                let token_refused = response::is_refused_token(&response, &answer);
                Tried { answer, token_refused }
            }
            Err(failure) => Tried { answer: failure.into_answer(), token_refused: false },
        }
    }
}

#[async_trait]
impl Transport for FcmTransport {
    fn provider(&self) -> SendPlatform {
        SendPlatform::Fcm
    }

    fn render(
        &self,
        notification: NotificationId,
        message: &Message,
        now: Timestamp,
    ) -> Result<Rendered, RenderError> {
        payload::render(notification, message, now)
    }

    async fn push(&self, rendered: &Rendered, destination: Destination<'_>) -> Answer {
        let answer = self.push_anyhow(rendered, destination.token).await;
        let answer = answer.unwrap_or_else(|without_token| without_token);
        self.trouble.note(&answer);
        answer
    }

    async fn check(&self) -> Answer {
        let (notification, message) = checking();
        let Ok(mut rendered) = self.render(notification, &message, Timestamp::now()) else {
            return Answer::TooLarge;
        };
        rendered.head = payload::validating(&rendered.head);
        self.push(&rendered, Destination { device: DeviceId(0), token: NO_TOKEN }).await
    }

    fn window(&self) -> usize {
        self.pool.window()
    }

    fn state(&self) -> TransportState {
        let mut state = self.trouble.state(self.pool.state());
        state.trouble = state.trouble.or_else(|| self.tokens.trouble());
        state
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use uuid::Uuid;

    use super::*;
    use crate::transport::{
        fcm::credentials::tests,
        testing::{Files, Received, Reply, TestServer, bounded, limits},
    };

    /// A server that gives tokens `t0`, `t1`, … at `/token`, and handles the rest by `push`.
    async fn start(
        files: &Files,
        push: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> (TestServer, FcmTransport) {
        let granted = std::sync::atomic::AtomicUsize::new(0);
        let server = TestServer::start(100, move |received| {
            if received.path != "/token" {
                return push(received);
            }
            let number = granted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let body = format!(r#"{{"access_token":"t{number}","expires_in":3600}}"#);
            Reply::Answer(200, Vec::new(), body)
        })
        .await;
        let settings = FcmSettings {
            endpoint: Some(server.url()),
            token_uri: Some(format!("{}/token", server.url())),
            ca_file: Some(files.write("ca.pem", server.ca_pem())),
            ..tests::settings(files)
        };
        let transport = FcmTransport::new(&settings, &limits()).unwrap();
        (server, transport)
    }

    async fn push(transport: &FcmTransport, token: &str) -> Answer {
        let message = Message { title: "Hi".into(), body: "there".into(), ..Message::default() };
        let id = NotificationId(Uuid::from_u128(1));
        let rendered = transport.render(id, &message, Timestamp::now()).unwrap();
        bounded(transport.push(&rendered, Destination { device: DeviceId(1), token })).await
    }

    fn unauthenticated() -> Reply {
        Reply::Answer(401, Vec::new(), r#"{"error":{"status":"UNAUTHENTICATED"}}"#.into())
    }

    #[tokio::test]
    async fn pushes_carry_one_access_token() {
        let files = Files::new();
        let (server, transport) = start(&files, |received| {
            assert_eq!(received.path, "/v1/projects/demo-project/messages:send");
            assert_eq!(received.headers["authorization"], "Bearer t0");
            assert_eq!(received.headers["content-type"], "application/json");
            Reply::Answer(200, Vec::new(), r#"{"name":"projects/demo-project/messages/1"}"#.into())
        })
        .await;
        let answers = join_all((0..300).map(|_| push(&transport, "t"))).await;
        assert!(answers.iter().all(|answer| *answer == Answer::Accepted));
        assert_eq!(server.requests(), 301);
        assert_eq!(transport.window(), 200);
    }

    #[tokio::test]
    async fn a_refused_access_token_is_replaced_once() {
        let files = Files::new();
        let (server, transport) =
            start(&files, |received| match received.headers["authorization"].to_str().unwrap() {
                "Bearer t0" => unauthenticated(),
                _ => Reply::ok(),
            })
            .await;
        assert_eq!(push(&transport, "t").await, Answer::Accepted);
        assert_eq!(server.requests(), 4);
    }

    #[tokio::test]
    async fn an_app_that_google_does_not_know_is_trouble() {
        let files = Files::new();
        let (server, transport) = start(&files, |_| unauthenticated()).await;
        assert!(matches!(push(&transport, "t").await, Answer::BadCredential { .. }));
        assert_eq!(server.requests(), 4);
        let trouble = transport.state().trouble.unwrap();
        assert_eq!(trouble, "credentials refused: UNAUTHENTICATED");
    }
}
