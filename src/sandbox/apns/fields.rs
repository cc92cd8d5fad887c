//! The header fields of a request to APNs, and Apple's rules for each of them
//! ("Sending notification requests to APNs", the table of header fields).

use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use super::Refusal;

/// Push types and what each appends to the app's bundle id in `apns-topic`.
const PUSH_TYPES: [(&str, &str); 11] = [
    ("alert", ""),
    ("background", ""),
    ("location", ".location-query"),
    ("voip", ".voip"),
    ("complication", ".complication"),
    ("fileprovider", ".pushkit.fileprovider"),
    ("mdm", ""),
    ("liveactivity", ".push-type.liveactivity"),
    ("pushtotalk", ".voip-ptt"),
    ("widgets", ".push-type.widgets"),
    ("controls", ".push-type.controls"),
];

/// Apple: "The value of this key can't exceed 64 bytes".
const MAX_COLLAPSE_ID_BYTES: usize = 64;

/// The fields Apple defines, as the request carries them.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) authorization: Option<&'a HeaderValue>,
    pub(super) push_type: Option<&'a HeaderValue>,
    topic: Option<&'a HeaderValue>,
    priority: Option<&'a HeaderValue>,
    expiration: Option<&'a HeaderValue>,
    collapse_id: Option<&'a HeaderValue>,
    id: Option<&'a HeaderValue>,
    has_duplicates: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn read(headers: &'a HeaderMap) -> Self {
        let mut fields = Self::default();
        for (name, value) in headers {
            let field = match name.as_str() {
                "authorization" => &mut fields.authorization,
                "apns-push-type" => &mut fields.push_type,
                "apns-topic" => &mut fields.topic,
                "apns-priority" => &mut fields.priority,
                "apns-expiration" => &mut fields.expiration,
                "apns-collapse-id" => &mut fields.collapse_id,
                "apns-id" => &mut fields.id,
                _ => continue,
            };
            fields.has_duplicates |= field.replace(value).is_some();
        }
        fields
    }

    /// Apple: "DuplicateHeaders: One or more headers are repeated".
    pub(super) fn check_no_duplicates(&self) -> Result<(), Refusal> {
        if self.has_duplicates {
            return Err(Refusal(400, "DuplicateHeaders"));
        }
        Ok(())
    }

    /// `apns-id`, when it is "a canonical UUID": 8-4-4-4-12. Apple's text says
    /// lower case; its servers answer in upper case, so both are taken.
    pub(super) fn canonical_id(&self) -> Option<(u128, &'a HeaderValue)> {
        let value = self.id?;
        let text = value.to_str().ok()?;
        let is_hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
        let id = Uuid::try_parse(text).ok().filter(|_| is_hyphenated)?;
        Some((id.as_u128(), value))
    }

    pub(super) fn collapse_id_text(&self) -> Option<String> {
        let bytes = self.collapse_id?.as_bytes();
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// All rules that need no other part of the request.
    pub(super) fn check(&self, app_topic: &str, has_certificate: bool) -> Result<(), Refusal> {
        if self.id.is_some() && self.canonical_id().is_none() {
            return Err(Refusal(400, "BadMessageId"));
        }
        let (push_type, topic_suffix) = self.known_push_type()?;
        self.check_topic(app_topic, topic_suffix, has_certificate)?;
        self.check_priority(push_type)?;
        if self.expiration.is_some_and(|value| !is_unix_time(value)) {
            return Err(Refusal(400, "BadExpirationDate"));
        }
        let is_too_long = |value: &HeaderValue| value.len() > MAX_COLLAPSE_ID_BYTES;
        if self.collapse_id.is_some_and(is_too_long) {
            return Err(Refusal(400, "BadCollapseId"));
        }
        Ok(())
    }

    fn known_push_type(&self) -> Result<(&'static str, &'static str), Refusal> {
        let value = self.push_type.map_or(&b""[..], HeaderValue::as_bytes);
        PUSH_TYPES
            .into_iter()
            .find(|(name, _)| name.as_bytes() == value)
            .ok_or(Refusal(400, "InvalidPushType"))
    }

    /// `BadTopic` when the value cannot be a topic at all; `TopicDisallowed`
    /// when the certificate is not for it; `DeviceTokenNotForTopic` when a
    /// provider token sends to another app's topic, or to one that does not go
    /// with the push type, since the device's token belongs to ours.
    fn check_topic(
        &self,
        app_topic: &str,
        suffix: &str,
        has_certificate: bool,
    ) -> Result<(), Refusal> {
        let Some(value) = self.topic else {
            // A certificate for one app names the topic itself.
            return match has_certificate {
                true => Ok(()),
                false => Err(Refusal(400, "MissingTopic")),
            };
        };
        let is_topic_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
        if value.is_empty() || !value.as_bytes().iter().all(is_topic_byte) {
            return Err(Refusal(400, "BadTopic"));
        }
        let rest = value.as_bytes().strip_prefix(app_topic.as_bytes());
        match rest {
            Some(rest) if rest == suffix.as_bytes() => Ok(()),
            None if has_certificate => Err(Refusal(400, "TopicDisallowed")),
            _ => Err(Refusal(400, "DeviceTokenNotForTopic")),
        }
    }

    /// Apple: 10, 5 or 1; with the push type `background`, "always use priority
    /// 5. Using priority 10 is an error".
    fn check_priority(&self, push_type: &str) -> Result<(), Refusal> {
        let is_fine = match self.priority.map(HeaderValue::as_bytes) {
            None | Some(b"5" | b"1") => true,
            Some(b"10") => push_type != "background",
            Some(_) => false,
        };
        if is_fine {
            return Ok(());
        }
        Err(Refusal(400, "BadPriority"))
    }
}

/// Apple: "a UNIX epoch expressed in seconds (UTC)"; 0 means not to store it.
fn is_unix_time(value: &HeaderValue) -> bool {
    let is_digits = value.as_bytes().iter().all(u8::is_ascii_digit);
    let parsed = value.to_str().ok().and_then(|text| text.parse::<i64>().ok());
    is_digits && parsed.is_some()
}
