//! The end of waiting. While a provider is out of order devices wait for it, and a try that fails is no
//! device's own; so a message would wait for ever for one that never comes back, or that is back for all
//! but these. Its time to live ends that. Once it has run out, a try that fails while the provider is out
//! of order is the last (`engine/verdict`), and when the provider has been asked in vain for long enough
//! to tell an outage from a hiccup, what waits ends unasked.
//!
//! A provider that is there is no matter of this file: everybody gets the tries that they have, however
//! long the campaign takes to come to them.

use tokio::time::Instant;

use super::{desk::State, job::Job};
use crate::domain::outcome::Reason;

/// Takes out the devices that are not worth waiting with: the provider was out of order still when it was
/// asked after their time had run out.
pub(super) fn take(state: &mut State, now: Instant) -> Vec<Job> {
    let asked = state.breaker.asked_in_vain(now);
    asked.map_or_else(Vec::new, |asked| state.queue.take_over(asked))
}

/// The word for devices whose time to live ran out while they waited for a provider to come back.
pub(super) fn reason() -> Reason {
    Reason::new("expired")
}
