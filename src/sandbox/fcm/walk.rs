//! Walks JSON along the table in `schema.rs`: one pass, no tree. `message.rs`
//! starts it, and is told what it finds.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::message::{Message, whole_secs};
use super::schema::{Field, Kind, Pick};

/// Reads one value of a kind.
pub(super) struct Walk<'m> {
    pub(super) kind: &'static Kind,
    pub(super) pick: Pick,
    pub(super) message: &'m mut Message,
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
            let walk = Walk { kind, pick: self.pick, message: &mut *self.message };
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
            let walk = Walk { kind: &field.kind, pick, message: &mut *self.message };
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
            let walk = Walk { kind: &Kind::Text, pick: self.pick, message: &mut *self.message };
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

fn is_color(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}
