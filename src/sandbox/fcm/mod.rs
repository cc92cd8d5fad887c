//! The FCM gateway: Google's rules for one request, and the answers to it. The
//! OAuth token endpoint is served at the same address.
//!
//! Sources: Firebase, "Send messages using FCM HTTP v1 API"; the REST reference
//! of `projects.messages.send`, `Message` and `ErrorCode`; "About FCM messages"
//! for the size limit.
//!
//! Registration tokens are opaque. FCM's only word on their form is that some
//! are refused as "not a valid FCM registration token"; here those are the ones
//! shorter than 20 characters or with others than `A–Z a–z 0–9 _ : -`, of which
//! the tokens of all known client libraries consist.

mod access;
mod error;
mod message;
mod schema;
mod walk;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::request::Parts;
use http::{HeaderValue, Method, header};
use serde_json::json;

pub(super) use access::ServiceAccountKey;

use super::active::ActiveFaults;
use super::counters::bump;
use super::gateway::{Body, Gateway, Judgement, ProviderState, Reply};
use super::journal::Push;
use super::packed::id_text;
use super::provider::Provider;
use access::AccessTokens;
use error::FcmError;
use message::Message;

/// Where the token endpoint is, below the gateway's address.
pub(super) const TOKEN_PATH: &str = "/token";

/// The gateway's part of the state.
pub(super) struct Fcm {
    project_id: String,
    send_path: String,
    access_tokens: AccessTokens,
    /// Drawn at the start; makes the message names of this run its own.
    id_salt: u64,
    ids: AtomicU64,
    state: Arc<ProviderState>,
}

/// What one connection remembers: the access token it was last allowed to use.
#[derive(Default)]
pub(super) struct Session {
    valid: Option<(HeaderValue, Instant)>,
}

impl Fcm {
    pub(super) fn new(
        project_id: String,
        key: ServiceAccountKey,
        state: Arc<ProviderState>,
    ) -> Self {
        Self {
            send_path: format!("/v1/projects/{project_id}/messages:send"),
            project_id,
            access_tokens: AccessTokens::new(key),
            id_salt: rand::random(),
            ids: AtomicU64::new(1),
            state,
        }
    }

    /// The message of a valid request, or why it is not one. `push` learns what
    /// there is to record as soon as it is known.
    fn check(
        &self,
        session: &mut Session,
        head: &Parts,
        body: &Body,
        push: &mut Push,
    ) -> Result<Message, FcmError> {
        let path = head.uri.path();
        if path != self.send_path {
            self.check_other_project(path)?;
        }
        if head.method != Method::POST {
            return Err(FcmError::not_found());
        }
        self.check_access(session, head)?;
        if path != self.send_path {
            return Err(FcmError::other_project(path));
        }
        if !is_json(head) {
            return Err(FcmError::content_type());
        }
        let message = Message::parse(body)?;
        push.token = message.target.clone();
        push.collapse_id = message.collapse_id();
        message.check()?;
        Ok(message)
    }

    /// A path like ours of another project is judged as such; others do not
    /// exist.
    fn check_other_project(&self, path: &str) -> Result<(), FcmError> {
        path.strip_prefix("/v1/projects/")
            .and_then(|rest| rest.strip_suffix("/messages:send"))
            .filter(|project| !project.is_empty() && !project.contains('/'))
            .map(drop)
            .ok_or_else(FcmError::not_found)
    }

    fn check_access(&self, session: &mut Session, head: &Parts) -> Result<(), FcmError> {
        let authorization =
            head.headers.get(header::AUTHORIZATION).ok_or_else(FcmError::missing_credentials)?;
        let now = Instant::now();
        if let Some((valid, until)) = &session.valid
            && valid == authorization
            && now < *until
        {
            return Ok(());
        }
        let until = self
            .access_tokens
            .valid_until(authorization)
            .filter(|until| now < *until)
            .ok_or_else(FcmError::unauthenticated)?;
        session.valid = Some((authorization.clone(), until));
        Ok(())
    }

    fn next_id(&self) -> u128 {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        u128::from(number) << 64 | u128::from(self.id_salt)
    }

    fn send(
        &self,
        session: &mut Session,
        head: &Parts,
        body: &Body,
        faults: &ActiveFaults,
    ) -> Judgement {
        let mut push = Push {
            token: String::new(),
            status: 200,
            reason: Cow::Borrowed(""),
            id: None,
            collapse_id: None,
        };
        let judged = self.check(session, head, body, &mut push).and_then(|message| {
            match faults.strike(&message.target) {
                Some(rule) => Err(FcmError::from_rule(rule)),
                None => Ok(message),
            }
        });
        let reply = match judged {
            Ok(_) => {
                let id = self.next_id();
                push.id = Some(id);
                let name = id_text(Provider::Fcm, &self.project_id, id);
                Reply::json(200, &json!({ "name": name }))
            }
            Err(error) => {
                (push.status, push.reason) = (error.status, error.code.clone());
                error.into_reply()
            }
        };
        let push = Some(push);
        Judgement { reply, push }
    }
}

impl Gateway for Fcm {
    type Session = Session;

    /// As Google's front ends announce.
    const MAX_CONCURRENT_STREAMS: u32 = 100;

    const SPEAKS_HTTP1: bool = true;

    fn session(&self, _has_client_certificate: bool) -> Session {
        Session::default()
    }

    fn judge(
        &self,
        session: &mut Session,
        head: &Parts,
        body: &Body,
        faults: &ActiveFaults,
    ) -> Judgement {
        if head.uri.path() != TOKEN_PATH {
            return self.send(session, head, body, faults);
        }
        let expires_in_secs = faults.set.token_expires_in_secs;
        let answer = self.access_tokens.issue(head, body, expires_in_secs);
        let reply = match answer {
            Ok(granted) => {
                bump(&self.state.counters.tokens_issued);
                Reply::json(200, &granted)
            }
            Err(refused) => refused.into_reply(),
        };
        Judgement { reply, push: None }
    }
}

fn is_json(head: &Parts) -> bool {
    head.headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
