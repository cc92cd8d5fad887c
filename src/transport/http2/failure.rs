//! What goes wrong between us and a provider, and whether trying again at once cannot repeat anything.

use std::{io, time::Duration};

use crate::domain::outcome::{Answer, Reason};

/// The kind of trouble; its word is what the delivery log shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Nobody listens there, or the network says the host cannot be reached.
    ConnectRefused,
    /// The name does not resolve.
    Dns,
    /// The TLS handshake failed: a certificate that does not verify, say.
    Tls,
    /// No connection, slot or answer in time.
    Timeout,
    /// The connection broke, or went silent and did not answer a ping.
    ConnectionLost,
    /// The provider is closing the connection.
    GoAway,
    /// The provider reset the stream.
    Reset,
}

impl FailureKind {
    /// Our word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::ConnectRefused => "connect_refused",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::ConnectionLost => "connection_lost",
            Self::GoAway => "goaway",
            Self::Reset => "reset",
        }
    }
}

/// A request that got no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to reach the provider: {}", .kind.word())]
pub struct Failure {
    /// What happened.
    pub kind: FailureKind,
    /// Whether trying again at once on another stream makes sense: the provider certainly has not
    /// processed the request.
    pub(super) retry_at_once: bool,
    /// Whether the request was never handed to a connection.
    pub(super) unsent: bool,
    /// When the next connection will be tried, where that is known.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// The request never left.
    pub(super) fn unsent(kind: FailureKind) -> Self {
        Self { unsent: true, ..Self::sent(kind) }
    }

    /// The request left, or a part of it.
    pub(super) fn sent(kind: FailureKind) -> Self {
        Self { kind, retry_at_once: false, unsent: false, retry_after: None }
    }

    /// Not sent on a connection that is closing: another one will take it.
    pub(super) fn closing() -> Self {
        Self { retry_at_once: true, ..Self::unsent(FailureKind::GoAway) }
    }

    /// What an error on an open stream means.
    ///
    /// RFC 9113 section 8.7: a REFUSED_STREAM reset, and a GOAWAY with a lower last stream id, say that
    /// the request was not processed. `h2` ends a stream with the peer's GOAWAY only in the latter case.
    pub(super) fn of_stream(error: &h2::Error) -> Self {
        if error.is_go_away() && error.is_remote() {
            let calm = error.reason() == Some(h2::Reason::NO_ERROR);
            return Self { retry_at_once: calm, ..Self::sent(FailureKind::GoAway) };
        }
        if error.is_reset() && error.is_remote() {
            if error.reason() == Some(h2::Reason::REFUSED_STREAM) {
                return Self { retry_at_once: true, ..Self::sent(FailureKind::Reset) };
            }
            return Self::sent(FailureKind::Reset);
        }
        Self::sent(FailureKind::ConnectionLost)
    }

    /// What an error before the first stream means.
    pub(super) fn of_connect(error: &io::Error) -> Self {
        let tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
        Self::unsent(match error.kind() {
            _ if tls => FailureKind::Tls,
            io::ErrorKind::InvalidData => FailureKind::Tls,
            io::ErrorKind::TimedOut => FailureKind::Timeout,
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable => FailureKind::ConnectRefused,
            _ => FailureKind::ConnectionLost,
        })
    }

    /// The answer a push gets from it.
    pub fn into_answer(self) -> Answer {
        Answer::Unavailable {
            reason: Reason::new(self.kind.word()),
            retry_after: self.retry_after,
            unsent: self.unsent,
        }
    }
}
