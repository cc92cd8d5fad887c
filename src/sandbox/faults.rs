//! What a gateway does wrong, and when: the faults that can be set per
//! provider, before the start or at any time through the control interface.
//!
//! This file says what can be set; `active.rs` puts it in force.

use serde::{Deserialize, Serialize};

use super::SandboxError;

/// The faults of every provider, as `GET /faults` and `PUT /faults` speak them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    pub apns: Faults,
    pub fcm: Faults,
    pub mail: Faults,
}

impl FaultPlan {
    /// The same faults for every provider.
    pub fn all(faults: Faults) -> Self {
        Self { apns: faults.clone(), fcm: faults.clone(), mail: faults }
    }

    /// Refuses a plan that no gateway could follow.
    pub fn validate(&self) -> Result<(), SandboxError> {
        self.apns.validate()?;
        self.fcm.validate()?;
        self.mail.validate()
    }
}

/// The faults of one provider. The default is a provider in good health.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Every answer waits this long. The push is recorded when it arrives.
    pub latency_ms: u64,
    /// Up to this much is added to the latency, evenly distributed.
    pub jitter_ms: u64,
    /// Pushes that are valid and fail all the same; the first rule that
    /// applies wins.
    pub rules: Vec<FaultRule>,
    /// After so many requests on a connection, a graceful GOAWAY (NO_ERROR):
    /// accepted streams are finished, new ones need a new connection. 0: never.
    pub goaway_every: u64,
    /// Every n-th request of the provider ends in RST_STREAM(INTERNAL_ERROR)
    /// (over HTTP/1.1: a closed connection) instead of an answer. 0: never.
    pub reset_every: u64,
    /// Whether such a push was delivered before its stream was reset, and is
    /// recorded as the gateway judged it. When false it is recorded with
    /// status 0 and the reason `Reset`.
    pub reset_delivered: bool,
    /// The n-th request of a connection cuts it: the TCP connection is reset
    /// with whatever is in flight on it, without GOAWAY. The cutting request is
    /// recorded with status 0 and the reason `Cut`. 0: never.
    pub cut_every: u64,
    /// Connections are made and streams accepted, but nothing is ever read or
    /// answered, not even PING. Lifted, the connections go on where they were.
    pub black_hole: bool,
    /// Nobody listens: new connections are refused, open ones are dropped.
    /// Lifted, the same port listens again.
    pub refuse: bool,
    /// Replaces the provider's SETTINGS_MAX_CONCURRENT_STREAMS on connections
    /// made from now on.
    pub max_concurrent_streams: Option<u32>,
    /// FCM: how long the access tokens issued from now on are valid.
    pub token_expires_in_secs: Option<u64>,
}

impl Faults {
    fn validate(&self) -> Result<(), SandboxError> {
        self.rules.iter().try_for_each(FaultRule::validate)
    }
}

/// A share of the device tokens, or those with a prefix, are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The HTTP status of the answer, 300 to 599; of SMTP, the code of the reply.
    pub status: u16,
    /// APNs: the `reason`; FCM: the `errorCode`; mail: the text behind the code.
    pub reason: String,
    /// The share of all tokens that the rule strikes, 0 to 1. Chosen by
    /// [`token_fraction`], so that the same token fails every time. The shares
    /// of several rules strike different tokens.
    #[serde(default = "whole")]
    pub share: f64,
    /// Strikes the tokens that begin with this text; `share` is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_prefix: Option<String>,
    /// Only the first so many tries of each struck token fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Sent along as `Retry-After`.
    #[serde(default, alias = "retry_after", skip_serializing_if = "Option::is_none")]
    pub retry_after_secs: Option<u64>,
    /// APNs 410: the `timestamp` of the answer; the time of the answer if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<u64>,
}

fn whole() -> f64 {
    1.0
}

impl FaultRule {
    /// A rule that strikes every token.
    pub fn new(status: u16, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            share: 1.0,
            token_prefix: None,
            times: None,
            retry_after_secs: None,
            timestamp_ms: None,
        }
    }

    fn validate(&self) -> Result<(), SandboxError> {
        if !(300..=599).contains(&self.status) {
            let told = format!("status {} is not between 300 and 599", self.status);
            return Err(SandboxError::Faults(told));
        }
        if !(0.0..=1.0).contains(&self.share) {
            let told = format!("share {} is not between 0 and 1", self.share);
            return Err(SandboxError::Faults(told));
        }
        Ok(())
    }
}

/// Where a token lies between 0 and 1, the same in every process: FNV-1a,
/// mixed as SplitMix64 ends, the upper 53 bits as a fraction.
///
/// A single rule with `share = s` strikes exactly the tokens below `s`.
pub fn token_fraction(token: &str) -> f64 {
    const SCALE: f64 = (1_u64 << 53) as f64;
    (token_hash(token) >> 11) as f64 / SCALE
}

pub(super) fn token_hash(token: &str) -> u64 {
    let folded = token.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (folded ^ (folded >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
