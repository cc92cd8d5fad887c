//! From what the relay sends to a message: `{id, payload: {topic, flags, blob}}`, or `{topic, tag,
//! message}`, which is for apps that decrypt everything themselves.
//!
//! Source: the Push Server's specification, "Send Notification"; the keys in the data are those that the
//! shipped clients look for.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest;
use serde::Deserialize;
use serde_json::Value;

use super::answer::Refusal;
use crate::domain::message::{Message, Options};

/// The flag of an encrypted blob; the others tell the app what it is about.
const ENCRYPTED: u32 = 1;
/// What is shown where the app does not decrypt a message before.
const GENERIC_TITLE: &str = "You have new notifications. Open to view";

/// The body of `POST /clients/{id}`.
#[derive(Debug, Deserialize)]
pub struct PushBody {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    payload: Option<Value>,
    #[serde(default)]
    topic: Option<String>,
    #[serde(default)]
    tag: Option<u32>,
    #[serde(default)]
    message: Option<String>,
}

/// A message and the relay's name for it.
#[derive(Debug, PartialEq)]
pub struct Pushed {
    /// A repeat has the same.
    pub name: String,
    /// What it says.
    pub message: Message,
}

struct Payload {
    topic: Option<String>,
    flags: u32,
    blob: String,
}

/// What a cleartext blob says.
#[derive(Deserialize)]
struct Cleartext {
    title: String,
    body: String,
    #[serde(default)]
    image: Option<String>,
    #[serde(default)]
    url: Option<String>,
}

impl PushBody {
    /// The message for a client; `always_raw` is whether it wants the second of the forms. It gets the
    /// other where that is the only one.
    pub fn into_pushed(self, always_raw: bool) -> Result<Pushed, Refusal> {
        let raw = self.topic.is_some() && self.tag.is_some() && self.message.is_some();
        match (&self.payload, raw) {
            (Some(_), true) if always_raw => self.raw(),
            (Some(_), _) => self.legacy(),
            (None, _) if self.id.is_none() => self.raw(),
            (None, true) => self.raw(),
            (None, false) => Err(Refusal::field("payload", "is missing")),
        }
    }

    fn legacy(self) -> Result<Pushed, Refusal> {
        let given = self.id.filter(|id| !id.is_empty());
        let name = given.ok_or_else(|| Refusal::field("id", "is missing"))?;
        let payload = Payload::read(self.payload.unwrap_or_default())?;
        let message = if payload.flags & ENCRYPTED == 0 {
            payload.cleartext()?
        } else {
            payload.encrypted()?
        };
        Ok(Pushed { name, message })
    }

    fn raw(self) -> Result<Pushed, Refusal> {
        let missing = |field: &'static str| move || Refusal::field(field, "is missing");
        let topic = self.topic.ok_or_else(missing("topic"))?;
        let tag = self.tag.ok_or_else(missing("tag"))?;
        let text = self.message.ok_or_else(missing("message"))?;
        let name = self.id.filter(|id| !id.is_empty()).unwrap_or_else(|| sha256_hex(&text));
        let mut message = for_the_app();
        message.options.data = [("topic".into(), topic), ("message".into(), text)].into();
        message.options.numbers = [("tag".into(), tag.into())].into();
        Ok(Pushed { name, message })
    }
}

impl Payload {
    /// Real clients send an object; the document says a text of three values.
    fn read(value: Value) -> Result<Self, Refusal> {
        match value {
            Value::String(text) => Self::read_text(&text),
            Value::Object(mut object) => {
                let text = |name: &str, value: Option<Value>| match value {
                    None | Some(Value::Null) => Ok(None),
                    Some(Value::String(text)) => Ok(Some(text)),
                    Some(_) => Err(Refusal::field(format!("payload.{name}"), "must be text")),
                };
                let topic = text("topic", object.remove("topic"))?;
                let flags = object.get("flags").and_then(Value::as_u64);
                let flags = flags.and_then(|flags| u32::try_from(flags).ok());
                let flags = flags.ok_or_else(|| {
                    Refusal::field("payload.flags", "must be a whole number, at least 0")
                })?;
                let blob = text("blob", object.remove("blob"))?;
                let blob = blob.ok_or_else(|| Refusal::field("payload.blob", "is missing"))?;
                Ok(Self { topic, flags, blob })
            }
            _ => Err(Refusal::field("payload", "must be an object of topic, flags and blob")),
        }
    }

    fn read_text(text: &str) -> Result<Self, Refusal> {
        let wrong = || Refusal::field("payload", "must be TOPIC:FLAGS:BLOB");
        let (topic, rest) = text.split_once(':').ok_or_else(wrong)?;
        let (flags, blob) = rest.split_once(':').ok_or_else(wrong)?;
        let flags = flags.parse().map_err(|_| wrong())?;
        let topic = Some(topic.to_owned()).filter(|topic| !topic.is_empty());
        Ok(Self { topic, flags, blob: blob.to_owned() })
    }

    /// The blob travels as it is; the app makes something of it before anything is shown.
    fn encrypted(self) -> Result<Message, Refusal> {
        if self.topic.is_none() {
            let what = "is missing; an encrypted message needs it";
            return Err(Refusal::field("payload.topic", what));
        }
        let mut message = for_the_app();
        message.options.data = self.data().into_iter().collect();
        Ok(message)
    }

    fn cleartext(self) -> Result<Message, Refusal> {
        let wrong = "must be base64 of JSON with title and body";
        let wrong = || Refusal::field("payload.blob", wrong);
        let text = STANDARD.decode(&self.blob).map_err(|_| wrong())?;
        let clear: Cleartext = serde_json::from_slice(&text).map_err(|_| wrong())?;
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (image_url, deep_link) = (given(&clear.image), given(&clear.url));
        let options = Options { data: self.data().into_iter().collect(), ..Options::default() };
        let (title, body) = (clear.title, clear.body);
        Ok(Message { title, body, image_url, deep_link, options, ..Message::default() })
    }

    fn data(self) -> Vec<(String, String)> {
        let topic = self.topic.map(|topic| ("topic".to_owned(), topic));
        let rest = [("flags".to_owned(), self.flags.to_string()), ("blob".to_owned(), self.blob)];
        topic.into_iter().chain(rest).collect()
    }
}

fn for_the_app() -> Message {
    let options = Options { mutable: true, ..Options::default() };
    Message { title: GENERIC_TITLE.to_owned(), options, ..Message::default() }
}

fn sha256_hex(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pushed(body: Value, always_raw: bool) -> Result<Pushed, Refusal> {
        serde_json::from_value::<PushBody>(body).unwrap().into_pushed(always_raw)
    }

    fn data(pushed: &Pushed) -> Value {
        json!([pushed.message.options.data, pushed.message.options.numbers])
    }

    #[test]
    fn an_encrypted_blob_travels_as_it_is() {
        let body = json!({ "id": "1", "payload": { "topic": "t", "flags": 17, "blob": "b:c" } });
        let object = pushed(body, false).unwrap();
        assert_eq!(object.name, "1");
        assert_eq!(object.message.title, GENERIC_TITLE);
        assert!(object.message.options.mutable);
        let expected = json!([{ "topic": "t", "flags": "17", "blob": "b:c" }, {}]);
        assert_eq!(data(&object), expected);
        let text = pushed(json!({ "id": "1", "payload": "t:17:b:c" }), false).unwrap();
        assert_eq!(text, object);
        let raw_wanted = pushed(json!({ "id": "1", "payload": "t:17:b:c" }), true).unwrap();
        assert_eq!(raw_wanted, object);
    }

    #[test]
    fn cleartext_is_shown_with_all_it_says() {
        let blob = STANDARD.encode(
            json!({ "title": "T", "body": "B", "image": "https://a/i.png", "url": "https://a/" })
                .to_string(),
        );
        let body =
            json!({ "id": "1", "payload": { "topic": null, "flags": 16, "blob": blob.clone() } });
        let clear = pushed(body, false).unwrap().message;
        assert_eq!((clear.title.as_str(), clear.body.as_str()), ("T", "B"));
        assert_eq!(clear.image_url.as_deref(), Some("https://a/i.png"));
        assert_eq!(clear.deep_link.as_deref(), Some("https://a/"));
        assert!(!clear.options.mutable);
        assert_eq!(json!(clear.options.data), json!({ "flags": "16", "blob": blob }));
    }

    #[test]
    fn the_raw_form_is_named_by_what_it_says() {
        let raw = json!({ "topic": "t", "tag": 4002, "message": "abc" });
        let one = pushed(raw.clone(), false).unwrap();
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(one.name, sha256);
        assert_eq!(data(&one), json!([{ "topic": "t", "message": "abc" }, { "tag": 4002 }]));
        let both = json!({ "id": "1", "payload": "t:1:b", "topic": "t", "tag": 1, "message": "m" });
        assert!(pushed(both.clone(), true).unwrap().message.options.data.contains_key("message"));
        assert!(pushed(both, false).unwrap().message.options.data.contains_key("blob"));
        assert_eq!(pushed(raw, true).unwrap(), one);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let refused = |body: Value| {
            let text = format!("{:?}", pushed(body, false).unwrap_err());
            let (_, rest) = text.split_once("field: \"").unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        let payload = |payload: Value| refused(json!({ "id": "1", "payload": payload }));
        assert_eq!(refused(json!({ "payload": "t:1:b" })), "id");
        assert_eq!(refused(json!({ "id": "1" })), "payload");
        assert_eq!(refused(json!({})), "topic");
        assert_eq!(refused(json!({ "topic": "t", "message": "m" })), "tag");
        assert_eq!(payload(json!(1)), "payload");
        assert_eq!(payload(json!("t:b")), "payload");
        assert_eq!(payload(json!("t:x:b")), "payload");
        assert_eq!(payload(json!(":1:b")), "payload.topic");
        assert_eq!(payload(json!({ "flags": 1, "blob": "b" })), "payload.topic");
        assert_eq!(payload(json!({ "topic": "t", "flags": -1, "blob": "b" })), "payload.flags");
        assert_eq!(payload(json!({ "topic": "t", "flags": 1 })), "payload.blob");
        assert_eq!(payload(json!({ "topic": "t", "flags": 0, "blob": "%" })), "payload.blob");
        assert_eq!(payload(json!({ "topic": "t", "flags": 0, "blob": "e30=" })), "payload.blob");
        assert_eq!(payload(json!({ "topic": 1, "flags": 0, "blob": "" })), "payload.topic");
    }
}
