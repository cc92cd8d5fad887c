//! What was delivered: the last mails, whole, for tests and people to read.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// Older mails are forgotten.
const MOST_MAILS: usize = 1000;

/// A mail as it was handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// The sender's address of the envelope; empty for `<>`.
    pub from: String,
    /// The recipients of the envelope that were taken.
    pub to: Vec<String>,
    /// Headers and text, dots unstuffed; what is not UTF-8 is replaced.
    pub data: String,
}

impl Mail {
    /// The UUID that its Message-ID begins with, if it does with one.
    pub(super) fn message_uuid(&self) -> Option<u128> {
        let head = self.data.split("\r\n\r\n").next().unwrap_or_default();
        let value = head.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("message-id").then(|| value.trim())
        })?;
        let (id, _) = value.strip_prefix('<')?.split_once('@')?;
        uuid::Uuid::try_parse(id).ok().map(|uuid| uuid.as_u128())
    }
}

/// The last mails.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Mailbox {
    mails: Mutex<VecDeque<Mail>>,
}

impl Mailbox {
    pub(super) fn put(&self, mail: Mail) {
        let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        if mails.len() >= MOST_MAILS {
            mails.pop_front();
        }
        mails.push_back(mail);
    }

    /// Those that are kept, oldest first.
    pub(in crate::sandbox) fn list(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(in crate::sandbox) fn clear(&self) {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
