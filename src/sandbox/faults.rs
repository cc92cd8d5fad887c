//! What a gateway does wrong, and when: the faults that can be set per
//! provider, before the start or at any time through the control interface.
//!
//! This file decides; it never touches a socket. The listener obeys `refuse`,
//! the connections obey the delays and the connection faults, the gateways ask
//! [`ActiveFaults::strike`] whether a valid push fails all the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::SandboxError;

/// The faults of both providers, as `GET /faults` and `PUT /faults` speak them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    pub apns: Faults,
    pub fcm: Faults,
}

impl FaultPlan {
    /// The same faults for both providers.
    pub fn both(faults: Faults) -> Self {
        Self {
            apns: faults.clone(),
            fcm: faults,
        }
    }

    /// Refuses a plan that no gateway could follow.
    pub fn validate(&self) -> Result<(), SandboxError> {
        self.apns.validate()?;
        self.fcm.validate()
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
    /// The HTTP status of the answer, 300 to 599.
    pub status: u16,
    /// APNs: the `reason`; FCM: the `errorCode`.
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
    #[serde(
        default,
        alias = "retry_after",
        skip_serializing_if = "Option::is_none"
    )]
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

fn token_hash(token: &str) -> u64 {
    let folded = token.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (folded ^ (folded >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// One provider's faults while they are in force, with the tries counted.
#[derive(Debug)]
pub(super) struct ActiveFaults {
    pub(super) set: Faults,
    /// How often (rule, token hash) was struck; kept for rules with `times`.
    tries: Mutex<HashMap<(usize, u64), u32>>,
}

impl ActiveFaults {
    pub(super) fn new(set: Faults) -> Self {
        Self {
            set,
            tries: Mutex::default(),
        }
    }

    /// The rule that makes this push fail, if one does.
    pub(super) fn strike(&self, token: &str) -> Option<&FaultRule> {
        if self.set.rules.is_empty() {
            return None;
        }
        let fraction = token_fraction(token);
        let mut share_start = 0.0;
        for (index, rule) in self.set.rules.iter().enumerate() {
            let struck = match &rule.token_prefix {
                Some(prefix) => token.starts_with(prefix.as_str()),
                None => {
                    let start = share_start;
                    share_start += rule.share;
                    (start..share_start).contains(&fraction)
                }
            };
            if struck && self.has_tries_left(index, rule, token) {
                return Some(rule);
            }
        }
        None
    }

    fn has_tries_left(&self, index: usize, rule: &FaultRule, token: &str) -> bool {
        let Some(times) = rule.times else { return true };
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let count = tries.entry((index, token_hash(token))).or_insert(0);
        if *count >= times {
            return false;
        }
        *count += 1;
        true
    }

    /// How long this answer waits; `None` when no latency is set.
    pub(super) fn delay(&self) -> Option<Duration> {
        let Faults {
            latency_ms,
            jitter_ms,
            ..
        } = self.set;
        if latency_ms == 0 && jitter_ms == 0 {
            return None;
        }
        let jitter_us = rand::random_range(0..=jitter_ms.saturating_mul(1000));
        Some(Duration::from_millis(latency_ms) + Duration::from_micros(jitter_us))
    }
}

/// Where one provider's faults are changed and watched.
#[derive(Debug)]
pub(super) struct FaultBoard {
    current: watch::Sender<Arc<ActiveFaults>>,
}

impl FaultBoard {
    pub(super) fn new(faults: Faults) -> Self {
        let (current, _) = watch::channel(Arc::new(ActiveFaults::new(faults)));
        Self { current }
    }

    /// Replaces the faults; tries counted so far are forgotten.
    pub(super) fn set(&self, faults: Faults) {
        self.current
            .send_replace(Arc::new(ActiveFaults::new(faults)));
    }

    pub(super) fn get(&self) -> Faults {
        self.current.borrow().set.clone()
    }

    pub(super) fn watch(&self) -> FaultWatch {
        let mut receiver = self.current.subscribe();
        let current = receiver.borrow_and_update().clone();
        FaultWatch { receiver, current }
    }
}

/// One connection's view of the faults: cheap to ask at every request.
#[derive(Debug)]
pub(super) struct FaultWatch {
    receiver: watch::Receiver<Arc<ActiveFaults>>,
    current: Arc<ActiveFaults>,
}

impl FaultWatch {
    /// The faults of this moment.
    pub(super) fn now(&mut self) -> &Arc<ActiveFaults> {
        if self.receiver.has_changed().unwrap_or(false) {
            self.current = self.receiver.borrow_and_update().clone();
        }
        &self.current
    }

    /// Waits for the next change; for ever once the board is gone.
    pub(super) async fn changed(&mut self) {
        if self.receiver.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.current = self.receiver.borrow_and_update().clone();
    }

    /// Waits until the provider is not (or no longer) a black hole.
    pub(super) async fn out_of_black_hole(&mut self) {
        while self.now().set.black_hole {
            self.changed().await;
        }
    }
}
