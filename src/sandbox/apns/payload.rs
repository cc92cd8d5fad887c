//! Apple's rules for the payload of a push ("Generating a remote notification",
//! "Sending notification requests to APNs").

use std::fmt;

use bytes::Bytes;
use http::HeaderValue;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::Refusal;
use crate::sandbox::gateway::Body;

/// Apple: "4096 bytes", "5120 bytes" for Voice over Internet Protocol.
const MAX_BYTES: usize = 4096;
const MAX_VOIP_BYTES: usize = 5120;

/// Checks the payload; `valid` remembers the last one that passed.
pub(super) fn check(
    body: &Body,
    push_type: Option<&HeaderValue>,
    valid: &mut Bytes,
) -> Result<(), Refusal> {
    let is_voip = push_type.is_some_and(|value| value == "voip");
    let max_bytes = if is_voip { MAX_VOIP_BYTES } else { MAX_BYTES };
    if body.length > max_bytes {
        return Err(Refusal(413, "PayloadTooLarge"));
    }
    if body.bytes.is_empty() {
        return Err(Refusal(400, "PayloadEmpty"));
    }
    if *valid == body.bytes {
        return Ok(());
    }
    if serde_json::from_slice::<Payload>(&body.bytes).is_err() {
        return Err(Refusal(400, "PayloadEmpty"));
    }
    *valid = body.bytes.clone();
    Ok(())
}

/// A JSON object that has an object `aps`, and whatever else.
struct Payload;

/// Any JSON object.
struct Object;

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PayloadVisitor)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct PayloadVisitor;
struct ObjectVisitor;

impl<'de> Visitor<'de> for PayloadVisitor {
    type Value = Payload;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with aps")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Payload, A::Error> {
        let mut has_aps = false;
        while let Some(key) = map.next_key::<Key>()? {
            if key == Key::Aps {
                map.next_value::<Object>()?;
                has_aps = true;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if has_aps {
            return Ok(Payload);
        }
        Err(serde::de::Error::missing_field("aps"))
    }
}

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Object)
    }
}

#[derive(PartialEq, Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Key {
    Aps,
    #[serde(other)]
    Other,
}
