//! What happened to every push, in little memory: about 60 to 100 bytes a
//! record, so that a million pushes fit into 150 MB.
//!
//! The gateways append [`Push`]es; the control interface and the tests read
//! [`Record`]s from a [`Snapshot`]. Records are packed one after the other into
//! chunks that are shared, never copied, once they are full. How a record is
//! packed is known to `packed.rs` alone.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use super::packed::{self, Texts};
use super::provider::Provider;

/// Full chunks are shared with readers instead of being copied for them.
const CHUNK_BYTES: usize = 1 << 20;

/// The status recorded when a push got no answer because of a fault.
pub const NO_ANSWER: u16 = 0;

/// A push as a gateway judged it.
#[derive(Clone, Debug)]
pub(super) struct Push {
    /// The device token; empty when the request named none.
    pub(super) token: String,
    /// The HTTP or SMTP status answered, or [`NO_ANSWER`].
    pub(super) status: u16,
    /// Empty for an accepted push.
    pub(super) reason: Cow<'static, str>,
    /// `apns-id`, the number behind FCM's message name, or a mail's Message-ID.
    pub(super) id: Option<u128>,
    pub(super) collapse_id: Option<String>,
}

/// One push as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub provider: Provider,
    /// The device token; empty when the request named none.
    pub token: String,
    /// The HTTP or SMTP status answered; [`NO_ANSWER`] when a fault took the answer.
    pub status: u16,
    /// APNs reason or FCM error code; empty when accepted.
    pub reason: String,
    /// `apns-id` in its canonical form, FCM's message name, or the UUID of a mail's
    /// Message-ID; may be empty.
    pub id: String,
    /// `apns-collapse-id`, or the tag or collapse key of the Android message.
    pub collapse_id: String,
    /// Milliseconds between the sandbox's start and the push's arrival.
    pub at_ms: u32,
}

impl Record {
    /// Whether the provider took the push.
    pub fn accepted(&self) -> bool {
        is_accepted(self.status)
    }
}

/// Whether a provider says so that it took a push: HTTP's 200, SMTP's 250.
pub(super) fn is_accepted(status: u16) -> bool {
    matches!(status, 200 | 250)
}

/// All pushes since the start, or since they were last cleared.
#[derive(Debug)]
pub(super) struct Journal {
    started: Instant,
    project_id: Arc<str>,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    full: Vec<Bytes>,
    open: Vec<u8>,
    texts: Texts,
    count: u64,
}

impl Journal {
    pub(super) fn new(project_id: &str) -> Self {
        Self { started: Instant::now(), project_id: project_id.into(), pages: Mutex::default() }
    }

    /// Milliseconds since the sandbox started.
    pub(super) fn elapsed_ms(&self) -> u32 {
        u32::try_from(self.started.elapsed().as_millis()).unwrap_or(u32::MAX)
    }

    pub(super) fn append(&self, provider: Provider, push: &Push) {
        let at_ms = self.elapsed_ms();
        let mut guard = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let pages = &mut *guard;
        if pages.open.len() + packed::MAX_BYTES > CHUNK_BYTES {
            let full = std::mem::replace(&mut pages.open, Vec::with_capacity(CHUNK_BYTES));
            pages.full.push(full.into());
        }
        packed::write(&mut pages.open, &mut pages.texts, provider, push, at_ms);
        pages.count += 1;
    }

    pub(super) fn clear(&self) {
        *self.pages.lock().unwrap_or_else(PoisonError::into_inner) = Pages::default();
    }

    /// What is recorded at this moment.
    pub(super) fn snapshot(&self) -> Snapshot {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chunks = pages.full.clone();
        chunks.push(Bytes::copy_from_slice(&pages.open));
        Snapshot {
            chunks: chunks.into_iter(),
            current: Bytes::new(),
            texts: pages.texts.list(),
            project_id: self.project_id.clone(),
            left: pages.count,
        }
    }
}

/// The records of one moment, oldest first.
#[derive(Debug)]
pub struct Snapshot {
    chunks: std::vec::IntoIter<Bytes>,
    current: Bytes,
    texts: Vec<Arc<str>>,
    project_id: Arc<str>,
    left: u64,
}

impl Iterator for Snapshot {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        while self.current.is_empty() {
            self.current = self.chunks.next()?;
        }
        self.left = self.left.saturating_sub(1);
        packed::read(&mut self.current, &self.texts, &self.project_id)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

impl Snapshot {
    /// What the records that are left take in memory.
    #[cfg(test)]
    pub(super) fn packed_bytes(&self) -> usize {
        let chunks = self.chunks.as_slice();
        chunks.iter().map(Bytes::len).sum::<usize>() + self.current.len()
    }

    /// How often each token was accepted, for tests that look for repeats.
    pub fn accepted_by_token(self) -> HashMap<String, u32> {
        let mut counts = HashMap::new();
        for record in self.filter(Record::accepted) {
            *counts.entry(record.token).or_insert(0) += 1;
        }
        counts
    }
}
