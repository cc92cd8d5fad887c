//! The bytes of one record of the journal. Only `journal.rs` calls this.
//!
//! ```text
//! flags u8 | status u16 | reason u32 | at_ms u32 | token length u16 | token
//!          | id u128, if flagged | collapse u32 | its text, if not a number
//! ```
//! Reasons and collapse ids are the same for thousands of pushes, so they are
//! kept once and referred to by number. Hexadecimal tokens take half their
//! length.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};

use super::journal::{Push, Record};
use super::provider::Provider;

/// No record is longer: texts are cut at [`TEXT_BYTES`].
pub(super) const MAX_BYTES: usize = 3 * TEXT_BYTES + 64;

const TEXT_BYTES: usize = 4096;
/// When more different texts than this come, they are written in full.
const MAX_TEXTS: usize = 8192;
/// In place of a text's number: the text itself follows.
const IN_FULL: u32 = u32::MAX;

const FLAG_FCM: u8 = 1;
const FLAG_HEX: u8 = 2;
const FLAG_ID: u8 = 4;
const FLAG_MAIL: u8 = 8;

/// Texts that many records share.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: HashMap<Arc<str>, u32>,
    list: Vec<Arc<str>>,
}

impl Texts {
    /// The text's number, or `None` when the list is full.
    fn number(&mut self, text: &str) -> Option<u32> {
        if let Some(number) = self.numbers.get(text) {
            return Some(*number);
        }
        if self.list.len() >= MAX_TEXTS {
            return None;
        }
        let number = u32::try_from(self.list.len()).ok()?;
        let text: Arc<str> = text.into();
        self.numbers.insert(text.clone(), number);
        self.list.push(text);
        Some(number)
    }

    pub(super) fn list(&self) -> Vec<Arc<str>> {
        self.list.clone()
    }
}

/// Appends one record.
pub(super) fn write(
    out: &mut Vec<u8>,
    texts: &mut Texts,
    provider: Provider,
    push: &Push,
    at_ms: u32,
) {
    let token = cut(&push.token);
    let is_hex = is_packable_hex(token);
    let mut flags = 0;
    match provider {
        Provider::Apns => {}
        Provider::Fcm => flags |= FLAG_FCM,
        Provider::Mail => flags |= FLAG_MAIL,
    }
    if is_hex {
        flags |= FLAG_HEX;
    }
    if push.id.is_some() {
        flags |= FLAG_ID;
    }
    out.put_u8(flags);
    out.put_u16(push.status);
    write_text(out, texts, &push.reason);
    out.put_u32(at_ms);
    if is_hex {
        put_length(out, token.len() / 2);
        let (pairs, _) = token.as_bytes().as_chunks::<2>();
        out.extend(pairs.iter().map(|[high, low]| nibble(*high) << 4 | nibble(*low)));
    } else {
        put_length(out, token.len());
        out.put_slice(token.as_bytes());
    }
    if let Some(id) = push.id {
        out.put_u128(id);
    }
    write_text(out, texts, push.collapse_id.as_deref().unwrap_or_default());
}

/// Takes one record from the front; `None` when there is none left.
pub(super) fn read(bytes: &mut Bytes, texts: &[Arc<str>], project_id: &str) -> Option<Record> {
    let flags = bytes.try_get_u8().ok()?;
    let provider = match flags & (FLAG_FCM | FLAG_MAIL) {
        FLAG_FCM => Provider::Fcm,
        FLAG_MAIL => Provider::Mail,
        _ => Provider::Apns,
    };
    let status = bytes.try_get_u16().ok()?;
    let reason = read_text(bytes, texts)?;
    let at_ms = bytes.try_get_u32().ok()?;
    let token = read_token(bytes, flags & FLAG_HEX != 0)?;
    let id = if flags & FLAG_ID == 0 {
        String::new()
    } else {
        id_text(provider, project_id, bytes.try_get_u128().ok()?)
    };
    Some(Record {
        provider,
        token,
        status,
        reason,
        id,
        collapse_id: read_text(bytes, texts)?,
        at_ms,
    })
}

/// An id as the provider's answer wrote it.
pub(super) fn id_text(provider: Provider, project_id: &str, id: u128) -> String {
    match provider {
        Provider::Apns | Provider::Mail => uuid::Uuid::from_u128(id).to_string(),
        Provider::Fcm => {
            let (number, salt) = ((id >> 64) as u64, id as u64);
            format!("projects/{project_id}/messages/0:{number:016}%{salt:016x}")
        }
    }
}

fn write_text(out: &mut Vec<u8>, texts: &mut Texts, text: &str) {
    match texts.number(text) {
        Some(number) => out.put_u32(number),
        None => {
            let text = cut(text);
            out.put_u32(IN_FULL);
            put_length(out, text.len());
            out.put_slice(text.as_bytes());
        }
    }
}

fn read_text(bytes: &mut Bytes, texts: &[Arc<str>]) -> Option<String> {
    match bytes.try_get_u32().ok()? {
        IN_FULL => read_token(bytes, false),
        number => texts.get(number as usize).map(ToString::to_string),
    }
}

fn read_token(bytes: &mut Bytes, is_hex: bool) -> Option<String> {
    let length = usize::from(bytes.try_get_u16().ok()?);
    if bytes.len() < length {
        return None;
    }
    let token = bytes.split_to(length);
    if is_hex {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
        let digits = token.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]);
        return Some(digits.collect());
    }
    String::from_utf8(token.into()).ok()
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    // At most TEXT_BYTES, which fits.
    out.put_u16(length as u16);
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES)]
}

/// Upper-case digits are kept as they are, so that a token reads back as sent.
fn is_packable_hex(token: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    token.len().is_multiple_of(2) && token.bytes().all(is_digit)
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit - b'a' + 10,
    }
}
