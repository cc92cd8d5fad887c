//! What became of a push: the provider's answer to one try, and the outcome that goes in the log.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// Why a push failed: the provider's own word (`BadDeviceToken`, `UNREGISTERED`), or ours in lower
/// case (`no_token`, `expired`). Unknown words are kept as they came.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reason(Arc<str>);

impl Reason {
    /// Longest reason kept, in bytes; a provider's longer text is cut.
    pub const MAX_BYTES: usize = 64;

    /// Takes the word, cut to [`Self::MAX_BYTES`].
    pub fn new(word: &str) -> Self {
        let mut end = word.len().min(Self::MAX_BYTES);
        while !word.is_char_boundary(end) {
            end -= 1;
        }
        Self(Arc::from(&word[..end]))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A provider's answer to one try of one push. Data, not an error: each answer has its own
/// consequence, and the tables in `transport/*/response.rs` say which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The provider took it.
    Accepted,
    /// The token is no longer valid; with the moment from which, where the provider says.
    TokenGone {
        /// The provider's word.
        reason: Reason,
        /// When the provider last knew the token was gone.
        since: Option<Timestamp>,
    },
    /// Refused for good, for a reason other than the token's end.
    Rejected {
        /// The provider's word.
        reason: Reason,
        /// Whether this speaks against the token (`BadDeviceToken`, say), which the prune guard counts.
        bad_token: bool,
    },
    /// The provider asks for a slower pace.
    Throttled {
        /// The provider's word.
        reason: Reason,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// Whether it is about this one device rather than the whole app.
        device_only: bool,
    },
    /// The provider, or the way there, is out of order; a later try may succeed.
    Unavailable {
        /// What happened.
        reason: Reason,
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
        /// Whether it was never sent, because there was no connection or no access token: that says
        /// nothing of the device.
        unsent: bool,
    },
    /// The app's key or certificate is refused: every push would be.
    BadCredential {
        /// The provider's word.
        reason: Reason,
    },
    /// The payload is over the provider's limit.
    TooLarge,
}

impl Answer {
    /// Whether the provider refuses this one push for good: the next one may be taken, the same one not.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::TokenGone { .. } | Self::Rejected { .. } | Self::TooLarge)
    }

    /// Whether the push was never sent.
    pub fn is_unsent(&self) -> bool {
        matches!(self, Self::Unavailable { unsent: true, .. })
    }
}

/// How a push ended, as the delivery log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it.
    Accepted,
    /// It failed for good.
    Failed(Reason),
}

impl Outcome {
    /// Whether the provider took it.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted)
    }
}
