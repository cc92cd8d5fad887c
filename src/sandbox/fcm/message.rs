//! The body of `messages:send`: what a request says, and the rules that look at
//! the whole message. `walk.rs` reads it, along the table in `schema.rs`.

use std::fmt;

use serde::de::{DeserializeSeed as _, Error};

use super::error::FcmError;
use super::schema::{Kind, Pick, REQUEST};
use super::walk::Walk;
use crate::sandbox::gateway::Body;

/// Firebase, "About FCM messages": "The maximum payload for both message types
/// is 4096 bytes".
const MAX_PAYLOAD_BYTES: usize = 4096;
/// FCM REST reference, `AndroidConfig.ttl`: "The maximum time to live supported
/// is 4 weeks".
const MAX_TTL_SECS: u64 = 4 * 7 * 24 * 60 * 60;

/// What a request says, as far as the gateway looks at it.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// The registration token, or `/topics/…`, or the condition.
    pub(super) target: String,
    targets: u32,
    is_token: bool,
    collapse_key: Option<String>,
    tag: Option<String>,
    ttl_secs: u64,
    pub(super) payload_bytes: usize,
    reserved_key: Option<String>,
    mistake: Option<Mistake>,
}

/// The first thing in the body that the schema does not allow.
#[derive(Debug)]
struct Mistake {
    /// Grows from the inside out while the walk returns.
    path: String,
    what: What,
}

#[derive(Debug)]
enum What {
    UnknownName(String),
    WrongValue { type_name: &'static str, value: String },
}

impl Message {
    /// Reads the body; an error names the field that is wrong.
    pub(super) fn parse(body: &Body) -> Result<Self, FcmError> {
        let mut message = Self::default();
        let mut json = serde_json::Deserializer::from_slice(&body.bytes);
        let walk = Walk { kind: &REQUEST, pick: Pick::Nothing, message: &mut message };
        let result = walk.deserialize(&mut json).and_then(|()| json.end());
        match (message.mistake.take(), result) {
            (Some(mistake), _) => Err(mistake.into_error()),
            (None, Err(error)) => {
                let told = format!("Invalid JSON payload received. {error}");
                Err(FcmError::violation("", told))
            }
            (None, Ok(())) => Ok(message),
        }
    }

    /// The rules that look at the whole message.
    pub(super) fn check(&self) -> Result<(), FcmError> {
        match self.targets {
            0 => return Err(FcmError::invalid("Recipient of the message is not set.")),
            1 => {}
            _ => {
                let told =
                    "Invalid value at 'message' (oneof), oneof field 'target' is already set.";
                return Err(FcmError::violation("message", told.to_owned()));
            }
        }
        if self.is_token && !is_registration_token(&self.target) {
            let told = "The registration token is not a valid FCM registration token";
            return Err(FcmError::invalid_field("message.token", told));
        }
        if let Some(key) = &self.reserved_key {
            return Err(FcmError::invalid(format!("Invalid data payload key: {key}")));
        }
        if self.ttl_secs > MAX_TTL_SECS {
            let told = "Invalid TTL: the maximum time to live is 4 weeks";
            return Err(FcmError::invalid_field("message.android.ttl", told));
        }
        if self.payload_bytes > MAX_PAYLOAD_BYTES {
            return Err(FcmError::invalid("Android message is too big"));
        }
        Ok(())
    }

    /// What makes a later message take this one's place.
    pub(super) fn collapse_id(&self) -> Option<String> {
        self.tag.clone().or_else(|| self.collapse_key.clone())
    }

    pub(super) fn note_text(&mut self, pick: Pick, text: &str) {
        match pick {
            Pick::Token | Pick::Condition => text.clone_into(&mut self.target),
            Pick::Topic => self.target = format!("/topics/{text}"),
            Pick::CollapseKey => self.collapse_key = Some(text.to_owned()),
            Pick::Tag => {
                self.tag = Some(text.to_owned());
                self.payload_bytes += text.len();
            }
            Pick::Ttl => self.ttl_secs = whole_secs(text).unwrap_or(u64::MAX),
            Pick::Payload | Pick::Data => self.payload_bytes += text.len(),
            Pick::Nothing => {}
        }
        if matches!(pick, Pick::Token | Pick::Topic | Pick::Condition) {
            self.targets += 1;
            self.is_token = pick == Pick::Token;
        }
    }

    /// FCM REST reference, `Message.data`: "The key should not be a reserved
    /// word ("from", "message_type", or any word starting with "google." or
    /// "gcm.notification.")".
    pub(super) fn note_data_key(&mut self, key: &str) {
        self.payload_bytes += key.len();
        let is_reserved = matches!(key, "from" | "message_type")
            || key.starts_with("google.")
            || key.starts_with("gcm.notification.");
        if is_reserved && self.reserved_key.is_none() {
            self.reserved_key = Some(key.to_owned());
        }
    }

    pub(super) fn wrong<E: Error>(&mut self, kind: &Kind, value: impl fmt::Display) -> E {
        self.mistake = Some(Mistake {
            path: String::new(),
            what: What::WrongValue { type_name: kind.type_name(), value: value.to_string() },
        });
        E::custom("wrong value")
    }

    pub(super) fn unknown<E: Error>(&mut self, name: &str) -> E {
        self.mistake =
            Some(Mistake { path: String::new(), what: What::UnknownName(name.to_owned()) });
        E::custom("unknown name")
    }

    /// A mistake was made inside of this.
    pub(super) fn locate(&mut self, inside: fmt::Arguments<'_>) {
        if let Some(mistake) = &mut self.mistake {
            let is_joined = mistake.path.is_empty() || mistake.path.starts_with('[');
            let joint = if is_joined { "" } else { "." };
            mistake.path = format!("{inside}{joint}{}", mistake.path);
        }
    }
}

impl Mistake {
    /// In the words of Google's JSON layer.
    fn into_error(self) -> FcmError {
        let Self { path, what } = self;
        let told = match what {
            What::UnknownName(name) => {
                let place = match path.is_empty() {
                    true => String::new(),
                    false => format!(" at '{path}'"),
                };
                format!(
                    "Invalid JSON payload received. Unknown name \"{name}\"{place}: \
                     Cannot find field."
                )
            }
            What::WrongValue { type_name, value } => {
                format!("Invalid value at '{path}' ({type_name}), {value}")
            }
        };
        FcmError::violation(&path, told)
    }
}

fn is_registration_token(text: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"_:-".contains(&byte);
    text.len() >= 20 && text.bytes().all(is_token_byte)
}

/// The seconds of a protobuf `Duration` in JSON, rounded up; `None` when it is
/// not one: digits, at most nine after a point, and an `s`.
pub(super) fn whole_secs(text: &str) -> Option<u64> {
    let number = text.strip_suffix('s')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let is_part = fraction.bytes().any(|digit| digit != b'0');
    whole.parse::<u64>().ok()?.checked_add(u64::from(is_part))
}
