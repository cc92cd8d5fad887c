//! Reads the body of `messages:send` against the table in `schema.rs`: one pass,
//! no tree. Learns on the way what the gateway needs to know, and where the
//! first mistake is.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::FcmError;
use super::schema::{Field, Kind, Pick, REQUEST};
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
    payload_bytes: usize,
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
    WrongValue {
        type_name: &'static str,
        value: String,
    },
}

impl Message {
    /// Reads the body; an error names the field that is wrong.
    pub(super) fn parse(body: &Body) -> Result<Self, FcmError> {
        let mut message = Self::default();
        let mut json = serde_json::Deserializer::from_slice(&body.bytes);
        let walk = Walk {
            kind: &REQUEST,
            pick: Pick::Nothing,
            message: &mut message,
        };
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
            return Err(FcmError::invalid(format!(
                "Invalid data payload key: {key}"
            )));
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

    fn note_text(&mut self, pick: Pick, text: &str) {
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
    fn note_data_key(&mut self, key: &str) {
        self.payload_bytes += key.len();
        let is_reserved = matches!(key, "from" | "message_type")
            || key.starts_with("google.")
            || key.starts_with("gcm.notification.");
        if is_reserved && self.reserved_key.is_none() {
            self.reserved_key = Some(key.to_owned());
        }
    }

    fn wrong<E: Error>(&mut self, kind: &Kind, value: impl fmt::Display) -> E {
        self.mistake = Some(Mistake {
            path: String::new(),
            what: What::WrongValue {
                type_name: kind.type_name(),
                value: value.to_string(),
            },
        });
        E::custom("wrong value")
    }

    fn unknown<E: Error>(&mut self, name: &str) -> E {
        self.mistake = Some(Mistake {
            path: String::new(),
            what: What::UnknownName(name.to_owned()),
        });
        E::custom("unknown name")
    }

    /// A mistake was made inside of this.
    fn locate(&mut self, inside: fmt::Arguments<'_>) {
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

/// Reads one value of a kind.
struct Walk<'m> {
    kind: &'static Kind,
    pick: Pick,
    message: &'m mut Message,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind.type_name())
    }

    /// proto3's JSON mapping: null is an absent field.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        match self.kind {
            Kind::Bool => Ok(()),
            kind => Err(self.message.wrong(kind, value)),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        match self.kind {
            Kind::Integer if i32::try_from(value).is_ok() => Ok(()),
            Kind::Number => Ok(()),
            kind => Err(self.message.wrong(kind, value)),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => Err(self.message.wrong(self.kind, value)),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        match self.kind {
            Kind::Number => Ok(()),
            kind => Err(self.message.wrong(kind, value)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let is_fine = match self.kind {
            Kind::Text => true,
            Kind::Enum(names) => names.contains(&text),
            Kind::Duration => whole_secs(text).is_some(),
            Kind::Color => is_color(text),
            Kind::Integer => text.parse::<i32>().is_ok(),
            Kind::Number => text.parse::<f64>().is_ok(),
            _ => false,
        };
        if !is_fine {
            return Err(self.message.wrong(self.kind, format_args!("\"{text}\"")));
        }
        self.message.note_text(self.pick, text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Kind::List(kind) = self.kind else {
            return Err(self.message.wrong(self.kind, "a list"));
        };
        for index in 0_usize.. {
            let walk = Walk {
                kind,
                pick: self.pick,
                message: &mut *self.message,
            };
            match list.next_element_seed(walk) {
                Ok(Some(())) => {}
                Ok(None) => break,
                Err(error) => {
                    self.message.locate(format_args!("[{index}]"));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        match self.kind {
            Kind::Object(fields) => self.visit_object(fields, map),
            Kind::TextMap => self.visit_text_map(map),
            Kind::AnyObject => skip(map),
            kind => Err(self.message.wrong(kind, "an object")),
        }
    }
}

impl Walk<'_> {
    fn visit_object<'de, A: MapAccess<'de>>(
        self,
        fields: &'static [Field],
        mut map: A,
    ) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            let Some(field) = fields.iter().find(|field| field.is_called(&key)) else {
                return Err(self.message.unknown(&key));
            };
            let is_payload = self.pick == Pick::Payload;
            if is_payload {
                self.message.payload_bytes += key.len();
            }
            let pick = match field.pick {
                Pick::Nothing if is_payload => Pick::Payload,
                pick => pick,
            };
            let walk = Walk {
                kind: &field.kind,
                pick,
                message: &mut *self.message,
            };
            if let Err(error) = map.next_value_seed(walk) {
                self.message.locate(format_args!("{}", field.name));
                return Err(error);
            }
        }
        Ok(())
    }

    /// A map is a list of entries to Google's messages: `data[0].value`.
    fn visit_text_map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut index = 0_usize;
        while let Some(Key(key)) = map.next_key()? {
            if self.pick == Pick::Data {
                self.message.note_data_key(&key);
            }
            let walk = Walk {
                kind: &Kind::Text,
                pick: self.pick,
                message: &mut *self.message,
            };
            if let Err(error) = map.next_value_seed(walk) {
                self.message.locate(format_args!("[{index}].value"));
                return Err(error);
            }
            index += 1;
        }
        Ok(())
    }
}

fn skip<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// An object's key, borrowed where it can be.
struct Key<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

fn is_registration_token(text: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"_:-".contains(&byte);
    text.len() >= 20 && text.bytes().all(is_token_byte)
}

/// The seconds of a protobuf `Duration` in JSON, rounded up; `None` when it is
/// not one: digits, at most nine after a point, and an `s`.
fn whole_secs(text: &str) -> Option<u64> {
    let number = text.strip_suffix('s')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let is_part = fraction.bytes().any(|digit| digit != b'0');
    whole.parse::<u64>().ok()?.checked_add(u64::from(is_part))
}

fn is_color(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}
