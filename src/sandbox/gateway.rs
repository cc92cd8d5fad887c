//! What the two gateways have in common: the questions a connection asks a
//! gateway, the answers it gets, and how an answer is recorded, spoilt by a
//! connection fault, or let through.
//!
//! A gateway (`apns`, `fcm`) judges one complete request at a time and does no
//! I/O. The connections (`http2.rs`, `http1.rs`) move bytes and obey the
//! [`Ending`].

use std::borrow::Cow;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::active::{ActiveFaults, FaultBoard};
use super::counters::{Counters, bump};
use super::faults::Faults;
use super::journal::{Journal, NO_ANSWER, Push};
use super::provider::Provider;
use super::wire::CutSwitch;

/// The state of one provider, shared by its listener, its connections and the
/// control interface.
#[derive(Debug)]
pub(super) struct ProviderState {
    pub(super) provider: Provider,
    pub(super) faults: FaultBoard,
    pub(super) counters: Counters,
    pub(super) journal: Arc<Journal>,
}

impl ProviderState {
    pub(super) fn new(provider: Provider, faults: Faults, journal: Arc<Journal>) -> Self {
        Self { provider, faults: FaultBoard::new(faults), counters: Counters::default(), journal }
    }

    pub(super) fn record(&self, push: &Push) {
        self.counters.count(push);
        self.journal.append(self.provider, push);
    }
}

/// A request's body. Only its beginning is kept when it is absurdly long.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    /// The length that was received, which may be more than what is kept.
    pub(super) length: usize,
}

impl Body {
    /// More than any provider accepts; the rest is counted and dropped.
    pub(super) const MAX_KEPT_BYTES: usize = 64 * 1024;
}

/// What goes back to the client.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Reply {
    /// An answer without a body.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// An answer whose body is this JSON.
    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = Self::empty(status);
        reply.body = body.to_string().into();
        reply
            .set(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        reply
    }

    pub(super) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    /// Adds `Retry-After`, when there is one.
    pub(super) fn set_retry_after(&mut self, secs: Option<u64>) {
        if let Some(secs) = secs {
            self.set(header::RETRY_AFTER, secs.into());
        }
    }
}

/// A gateway's word on one request.
#[derive(Debug)]
pub(super) struct Judgement {
    pub(super) reply: Reply,
    /// `None` when the request was not one to send a push.
    pub(super) push: Option<Push>,
}

/// One provider's rules.
pub(super) trait Gateway: Send + Sync + 'static {
    /// What one connection remembers between its requests.
    type Session: Send + 'static;

    /// SETTINGS_MAX_CONCURRENT_STREAMS, unless the faults say otherwise.
    const MAX_CONCURRENT_STREAMS: u32;

    /// Whether clients may do without HTTP/2.
    const SPEAKS_HTTP1: bool;

    /// A new connection; the client may have shown a certificate that our
    /// authority signed.
    fn session(&self, has_client_certificate: bool) -> Self::Session;

    fn judge(
        &self,
        session: &mut Self::Session,
        head: &Parts,
        body: &Body,
        faults: &ActiveFaults,
    ) -> Judgement;
}

/// How a request ends for the client.
#[derive(Debug)]
pub(super) enum Ending {
    Answer(Reply),
    /// The stream is reset with INTERNAL_ERROR.
    Reset,
    /// The connection is cut.
    Cut,
}

/// One connection, as its requests share it.
pub(super) struct Line<G: Gateway> {
    gateway: Arc<G>,
    pub(super) state: Arc<ProviderState>,
    memory: Mutex<Memory<G::Session>>,
    pub(super) cut: CutSwitch,
    /// Streams that wait for their body or their answer.
    pub(super) waiting: AtomicU64,
}

struct Memory<S> {
    session: S,
    pushes: u64,
}

impl<G: Gateway> Line<G> {
    pub(super) fn new(gateway: Arc<G>, state: Arc<ProviderState>, has_certificate: bool) -> Self {
        let session = gateway.session(has_certificate);
        Self {
            gateway,
            state,
            memory: Mutex::new(Memory { session, pushes: 0 }),
            cut: CutSwitch::default(),
            waiting: AtomicU64::new(0),
        }
    }

    /// Judges a complete request, records it, and says how it ends.
    pub(super) fn conclude(&self, head: &Parts, body: &Body, faults: &ActiveFaults) -> Ending {
        let mut guard = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = &mut *guard;
        let judgement = self.gateway.judge(&mut memory.session, head, body, faults);
        let Some(mut push) = judgement.push else {
            return Ending::Answer(judgement.reply);
        };
        memory.pushes += 1;
        let on_connection = memory.pushes;
        drop(guard);

        let counters = &self.state.counters;
        let of_provider = bump(&counters.requests);
        let ending = if is_due(faults.set.cut_every, on_connection) {
            bump(&counters.cuts);
            lose(&mut push, "Cut");
            Ending::Cut
        } else if is_due(faults.set.reset_every, of_provider) {
            bump(&counters.resets);
            if !faults.set.reset_delivered {
                lose(&mut push, "Reset");
            }
            Ending::Reset
        } else {
            Ending::Answer(judgement.reply)
        };
        self.state.record(&push);
        ending
    }
}

/// Whether the fault that strikes every n-th request strikes this one.
pub(super) fn is_due(every: u64, count: u64) -> bool {
    every != 0 && count.is_multiple_of(every)
}

fn lose(push: &mut Push, reason: &'static str) {
    push.status = NO_ANSWER;
    push.reason = Cow::Borrowed(reason);
}
