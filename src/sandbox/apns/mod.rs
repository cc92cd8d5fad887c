//! The APNs gateway: Apple's rules for one request, and the answers to it.
//!
//! Sources: Apple, "Sending notification requests to APNs", "Establishing a
//! token-based connection to APNs", "Establishing a certificate-based connection
//! to APNs", "Handling notification responses from APNs".
//!
//! Where Apple's text leaves a choice, this gateway takes the strict one:
//! - `apns-push-type` is required (Apple: "Send an apns-push-type header with
//!   each push"; required on watchOS 6 and later, recommended elsewhere).
//! - A payload that is not a JSON object with an `aps` object is answered with
//!   `PayloadEmpty`: Apple lists no other reason for it.
//! - A connection may open 1000 streams from the start, where Apple allows one
//!   until the first valid provider token.

mod fields;
mod payload;
mod provider_token;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::active::ActiveFaults;
use super::faults::FaultRule;
use super::gateway::{Body, Gateway, Judgement, Reply};
use super::journal::Push;
use fields::Fields;
pub(super) use provider_token::ProviderTokenKey;
use provider_token::SeenTokens;

static APNS_ID: HeaderName = HeaderName::from_static("apns-id");
static APNS_UNIQUE_ID: HeaderName = HeaderName::from_static("apns-unique-id");

const PATH: &str = "/3/device/";

/// A status and a reason out of Apple's table of error strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusal(u16, &'static str);

/// The gateway's part of the state: who may send, and to which topic.
pub(super) struct Apns {
    key: ProviderTokenKey,
    topic: String,
    /// Drawn at the start; makes the ids of this run unlike those of others.
    id_salt: u64,
    ids: AtomicU64,
}

/// What one connection remembers.
pub(super) struct Session {
    has_certificate: bool,
    tokens: SeenTokens,
    /// The last payload found valid: a campaign sends the same one many times.
    valid_payload: Bytes,
}

impl Apns {
    pub(super) fn new(key: ProviderTokenKey, topic: String) -> Self {
        Self { key, topic, id_salt: rand::random(), ids: AtomicU64::new(1) }
    }

    fn check(
        &self,
        session: &mut Session,
        head: &Parts,
        fields: &Fields<'_>,
        body: &Body,
    ) -> Result<(), Refusal> {
        if head.method != Method::POST {
            return Err(Refusal(405, "MethodNotAllowed"));
        }
        let token = match head.uri.path().strip_prefix(PATH) {
            Some(token) => token,
            None if head.uri.path() == "/3/device" => "",
            None => return Err(Refusal(404, "BadPath")),
        };
        fields.check_no_duplicates()?;
        if !session.has_certificate {
            let now_secs = now().as_secs();
            session.tokens.check(&self.key, fields.authorization, now_secs)?;
        }
        check_device_token(token)?;
        fields.check(&self.topic, session.has_certificate)?;
        payload::check(body, fields.push_type, &mut session.valid_payload)
    }

    /// Apple: "If you omit this header, APNs creates a new UUID for you and
    /// returns it in its response". It comes back as it was given.
    fn id_of(&self, fields: &Fields<'_>) -> (u128, HeaderValue) {
        match fields.canonical_id() {
            Some((id, value)) => (id, value.clone()),
            None => {
                let id = self.next_id();
                (id, uuid_header(id))
            }
        }
    }

    fn next_id(&self) -> u128 {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        let random = u128::from(self.id_salt) << 64 | u128::from(number);
        uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid().as_u128()
    }

    fn accept(&self, apns_id: HeaderValue) -> Reply {
        let mut reply = Reply::empty(StatusCode::OK);
        reply.headers.reserve(2);
        reply.set(APNS_ID.clone(), apns_id);
        // Apple: "only available in the Development environment".
        reply.set(APNS_UNIQUE_ID.clone(), uuid_header(self.next_id()));
        reply
    }
}

impl Gateway for Apns {
    type Session = Session;

    const MAX_CONCURRENT_STREAMS: u32 = 1000;

    /// Apple: "APNs requires the use of HTTP/2 and TLS 1.2 or later".
    const SPEAKS_HTTP1: bool = false;

    fn session(&self, has_client_certificate: bool) -> Session {
        Session {
            has_certificate: has_client_certificate,
            tokens: SeenTokens::default(),
            valid_payload: Bytes::new(),
        }
    }

    fn judge(
        &self,
        session: &mut Session,
        head: &Parts,
        body: &Body,
        faults: &ActiveFaults,
    ) -> Judgement {
        let fields = Fields::read(&head.headers);
        let token = head.uri.path().strip_prefix(PATH).unwrap_or_default();
        let (id, apns_id) = self.id_of(&fields);
        let mut push = Push {
            token: token.to_owned(),
            status: 200,
            reason: Cow::Borrowed(""),
            id: Some(id),
            collapse_id: fields.collapse_id_text(),
        };
        let reply = match self.check(session, head, &fields, body) {
            Err(Refusal(status, reason)) => {
                (push.status, push.reason) = (status, Cow::Borrowed(reason));
                refuse(status, reason, apns_id, None)
            }
            Ok(()) => match faults.strike(token) {
                Some(rule) => {
                    (push.status, push.reason) = (rule.status, Cow::Owned(rule.reason.clone()));
                    refuse(rule.status, &rule.reason, apns_id, Some(rule))
                }
                None => self.accept(apns_id),
            },
        };
        Judgement { reply, push: Some(push) }
    }
}

/// Apple: "the hexadecimal bytes of the device token"; tokens are of variable
/// length, none is shorter than 32 bytes.
fn check_device_token(token: &str) -> Result<(), Refusal> {
    if token.is_empty() {
        return Err(Refusal(400, "MissingDeviceToken"));
    }
    let is_hex = token.bytes().all(|byte| byte.is_ascii_hexdigit());
    if token.len() < 64 || !token.len().is_multiple_of(2) || !is_hex {
        return Err(Refusal(400, "BadDeviceToken"));
    }
    Ok(())
}

/// Apple: the body of an error is `reason`, and `timestamp` when the status is
/// 410: "the time, in milliseconds since Epoch, at which APNs confirmed the
/// token was no longer valid for the topic".
fn refuse(status: u16, reason: &str, apns_id: HeaderValue, rule: Option<&FaultRule>) -> Reply {
    let mut body = json!({ "reason": reason });
    if status == 410 {
        let timestamp_ms = rule.and_then(|rule| rule.timestamp_ms);
        let now_ms = || u64::try_from(now().as_millis()).unwrap_or(u64::MAX);
        body["timestamp"] = timestamp_ms.unwrap_or_else(now_ms).into();
    }
    let mut reply = Reply::json(status, &body);
    reply.set(APNS_ID.clone(), apns_id);
    reply.set_retry_after(rule.and_then(|rule| rule.retry_after_secs));
    reply
}

fn uuid_header(id: u128) -> HeaderValue {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let text = Uuid::from_u128(id).hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).expect("a UUID is hexadecimal digits and hyphens")
}

fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
