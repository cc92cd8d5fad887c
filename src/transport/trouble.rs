//! The last trouble with credentials, kept for readiness and the console.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use super::{TransportState, http2::PoolState};
use crate::domain::outcome::Answer;

/// Set when the provider refuses the app itself, cleared when it takes a push.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// Spares the lock on every push that goes well.
    set: AtomicBool,
    text: Mutex<Option<String>>,
}

impl Trouble {
    /// Takes note of an answer.
    pub(super) fn note(&self, answer: &Answer) {
        match answer {
            Answer::BadCredential { reason } => {
                self.store(Some(format!("credentials refused: {}", reason.as_str())));
            }
            Answer::Accepted if self.set.load(Ordering::Relaxed) => self.store(None),
            _ => {}
        }
    }

    /// The transport's state, this trouble before the connections'.
    pub(super) fn state(&self, pool: PoolState) -> TransportState {
        let connection = || pool.trouble.map(|kind| format!("connection: {}", kind.word()));
        TransportState {
            connections: pool.connections,
            in_flight: pool.in_flight,
            trouble: self.lock().clone().or_else(connection),
        }
    }

    fn store(&self, text: Option<String>) {
        let mut current = self.lock();
        self.set.store(text.is_some(), Ordering::Relaxed);
        *current = text;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.text.lock().expect("nothing panics while the text is locked")
    }
}
