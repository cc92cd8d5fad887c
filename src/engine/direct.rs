//! One push to one device, outside of any campaign. It goes by the same desk as campaigns' pushes do, but
//! somebody waits for what becomes of it, and nothing of it is recorded here.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::oneshot;

use super::verdict::{Health, Token, Verdict};
use crate::{
    domain::{
        campaign::{Position, Target},
        device::Device,
        ids::{AppName, NotificationId},
        message::Message,
        outcome::{Outcome, Reason},
    },
    transport::RenderError,
};

/// What is to be pushed, and where to.
#[derive(Clone, Copy, Debug)]
pub struct DirectPush<'a> {
    /// Whose device it is.
    pub app: &'a AppName,
    /// The push's own name, the same whenever it is tried again: the provider and the device know it
    /// for a repeat by that.
    pub id: NotificationId,
    /// The device.
    pub device: &'a Device,
    /// What it says.
    pub message: &'a Message,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub enum DirectOutcome {
    /// The provider took it.
    Accepted,
    /// The token is gone since the device last registered, and is given up.
    TokenGone(Reason),
    /// The provider refuses the app's credentials.
    CredentialsRefused(Reason),
    /// The provider refuses this very push for good, for its token or for what it says.
    Refused(Reason),
    /// It failed as often as it may be tried.
    Failed(Reason),
    /// The device names no provider, or one that the app has no credentials for.
    NoCredentials,
    /// The provider could not carry it.
    Unfit(RenderError),
    /// Nothing was heard of it in time, or too many wait already; another try may succeed.
    Unavailable,
}

/// What a direct push is on its desk.
pub struct Single {
    target: Target,
    answer: oneshot::Sender<DirectOutcome>,
    token_gone: bool,
    refused: bool,
    credentials_refused: bool,
    _place: Place,
}

/// A place among the direct pushes that wait at a desk; given back when dropped.
pub struct Place(Arc<AtomicUsize>);

impl Place {
    /// Takes one, where fewer than `most` are taken.
    pub fn take(taken: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let place = Self(Arc::clone(taken));
        (taken.fetch_add(1, Ordering::Relaxed) < most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Single {
    /// A push to this device, and where its outcome will be heard. Without a token there is none.
    pub fn new(device: &Device, place: Place) -> Option<(Self, oneshot::Receiver<DirectOutcome>)> {
        let target = Target {
            device: device.id,
            position: Position::default(),
            platform: device.send_platform.counted_as(device.device_platform),
            provider: device.send_platform,
            token: device.push_token.as_deref()?.into(),
            registered_at: device.registered_at,
            unreachable: None,
            failed_before: None,
        };
        let (answer, heard) = oneshot::channel();
        let (token_gone, refused, credentials_refused) = (false, false, false);
        let _place = place;
        let single = Self { target, answer, token_gone, refused, credentials_refused, _place };
        Some((single, heard))
    }

    /// Its device.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether somebody still waits for it.
    pub fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }

    /// Keeps what an answer and its verdict say beyond the outcome. While a guard keeps tokens, none
    /// counts as gone.
    pub fn note(&mut self, is_refusal: bool, verdict: &Verdict, tokens_are_kept: bool) {
        self.refused = is_refusal;
        self.token_gone = verdict.token == Token::Gone && !tokens_are_kept;
        self.credentials_refused = verdict.health == Health::Refusing;
    }

    /// It ends as the app's credentials being refused.
    pub fn refuse(self, reason: Reason) {
        // Whoever waited may have left; here and below there is nobody to tell then.
        let _ = self.answer.send(DirectOutcome::CredentialsRefused(reason));
    }

    /// It has its outcome.
    pub fn settle(self, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Accepted => DirectOutcome::Accepted,
            Outcome::Failed(reason) if self.token_gone => DirectOutcome::TokenGone(reason),
            Outcome::Failed(reason) if self.refused => DirectOutcome::Refused(reason),
            Outcome::Failed(reason) if self.credentials_refused => {
                DirectOutcome::CredentialsRefused(reason)
            }
            Outcome::Failed(reason) => DirectOutcome::Failed(reason),
        };
        let _ = self.answer.send(outcome);
    }
}
