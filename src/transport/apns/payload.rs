//! What a push to Apple carries: the JSON payload and the headers of a campaign.
//!
//! Source: Apple, "Generating a remote notification" and "Sending notification requests to APNs".

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use serde_json::{Map, Value, json};

use super::super::{Preview, RenderError, Rendered};
use crate::domain::{
    ids::NotificationId,
    message::{Message, Options, Priority},
    timestamp::Timestamp,
};

/// Apple: a payload has 4 KB (4096 bytes) at most.
const MAX_PAYLOAD_BYTES: usize = 4096;
/// Apple: a collapse id has 64 bytes at most.
const MAX_COLLAPSE_ID_BYTES: usize = 64;

/// The push's own id, set for each device.
pub(super) const APNS_ID: HeaderName = HeaderName::from_static("apns-id");

/// Renders a message for every device of a campaign; the token goes in the path, so the body is whole.
pub(super) fn render(
    notification: NotificationId,
    message: &Message,
    topic: &HeaderValue,
    now: Timestamp,
) -> Result<Rendered, RenderError> {
    let body = payload(message)?;
    if body.len() > MAX_PAYLOAD_BYTES {
        let (bytes, limit) = (body.len(), MAX_PAYLOAD_BYTES);
        return Err(RenderError::TooLarge { provider: "APNs", bytes, limit });
    }
    let headers = headers(notification, &message.options, topic, now)?;
    Ok(Rendered { notification, head: Bytes::from(body), tail: None, headers })
}

/// What a push would carry, even where it cannot be sent so.
pub(in super::super) fn preview(
    notification: NotificationId,
    message: &Message,
    now: Timestamp,
) -> Preview {
    let body = payload(message);
    let body = body.as_ref().map(|body| (body.as_slice(), body.len())).map_err(Clone::clone);
    let problem = render(notification, message, &HeaderValue::from_static(""), now).err();
    Preview::new(body, MAX_PAYLOAD_BYTES, problem)
}

fn payload(message: &Message) -> Result<Vec<u8>, RenderError> {
    let options = &message.options;
    let mut root = Map::new();
    for (key, value) in &options.data {
        if key == "aps" {
            let problem = "must not have the key `aps`, which is Apple's".to_owned();
            return Err(RenderError::Field { field: "data", problem });
        }
        root.insert(key.clone(), value.clone().into());
    }
    let numbers = options.numbers.iter().map(|(key, number)| (key.clone(), (*number).into()));
    root.extend(numbers);
    let urls = [
        ("image_url", &message.image_url),
        ("icon_url", &message.icon_url),
        ("deep_link", &message.deep_link),
    ];
    for (key, url) in urls {
        if let Some(url) = url {
            root.insert(key.to_owned(), url.clone().into());
        }
    }
    root.insert("aps".to_owned(), aps(message));
    Ok(Value::Object(root).to_string().into_bytes())
}

fn aps(message: &Message) -> Value {
    let mut aps = json!({ "alert": { "title": message.title, "body": message.body } });
    if let Some(sound) = &message.options.sound {
        aps["sound"] = sound.clone().into();
    }
    if let Some(badge) = message.options.badge {
        aps["badge"] = badge.into();
    }
    // Lets the app's service extension fetch the picture before it is shown.
    if message.options.mutable || message.image_url.is_some() || message.icon_url.is_some() {
        aps["mutable-content"] = 1.into();
    }
    aps
}

fn headers(
    notification: NotificationId,
    options: &Options,
    topic: &HeaderValue,
    now: Timestamp,
) -> Result<HeaderMap, RenderError> {
    let mut headers = HeaderMap::with_capacity(8);
    // Places for what each push brings.
    headers.insert(AUTHORIZATION, HeaderValue::from_static(""));
    headers.insert(APNS_ID, HeaderValue::from_static(""));
    headers.insert("apns-topic", topic.clone());
    headers.insert("apns-push-type", HeaderValue::from_static("alert"));
    let priority = match options.priority {
        Priority::High => "10",
        Priority::Normal => "5",
    };
    headers.insert("apns-priority", HeaderValue::from_static(priority));
    // Without the header Apple keeps the push for as long as it sees fit; 0 means one try only.
    if let Some(ttl) = options.time_to_live {
        let expiration = if ttl == 0 { 0 } else { now.seconds() + i64::from(ttl) };
        headers.insert("apns-expiration", HeaderValue::from(expiration));
    }
    headers.insert("apns-collapse-id", collapse_id(notification, options)?);
    Ok(headers)
}

fn collapse_id(
    notification: NotificationId,
    options: &Options,
) -> Result<HeaderValue, RenderError> {
    let error = |problem: String| RenderError::Field { field: "collapse_id", problem };
    let id = options.collapse_id.clone().unwrap_or_else(|| notification.to_string());
    if id.is_empty() || id.len() > MAX_COLLAPSE_ID_BYTES {
        return Err(error(format!("must have 1 to {MAX_COLLAPSE_ID_BYTES} bytes")));
    }
    let printable = id.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    HeaderValue::from_str(&id)
        .ok()
        .filter(|_| printable)
        .ok_or_else(|| error("must be printable ASCII".to_owned()))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn render_now(message: &Message) -> Result<Rendered, RenderError> {
        let topic = HeaderValue::from_static("com.example.app");
        render(NotificationId(Uuid::from_u128(7)), message, &topic, Timestamp(1_000_000))
    }

    fn body(message: &Message) -> Value {
        serde_json::from_slice(&render_now(message).unwrap().head).unwrap()
    }

    fn message() -> Message {
        Message { title: "Hi".into(), body: "You \"there\"".into(), ..Message::default() }
    }

    #[test]
    fn a_plain_message_is_an_alert() {
        let expected = json!({ "aps": { "alert": { "title": "Hi", "body": "You \"there\"" } } });
        assert_eq!(body(&message()), expected);
        let rendered = render_now(&message()).unwrap();
        assert!(rendered.tail.is_none());
        assert_eq!(rendered.headers["apns-topic"], "com.example.app");
        assert_eq!(rendered.headers["apns-push-type"], "alert");
        assert_eq!(rendered.headers["apns-priority"], "10");
        assert_eq!(rendered.headers["apns-collapse-id"], Uuid::from_u128(7).to_string());
        assert!(!rendered.headers.contains_key("apns-expiration"));
    }

    #[test]
    fn everything_reaches_the_device() {
        let mut full = message();
        full.image_url = Some("https://a.example/i.png".into());
        full.icon_url = Some("https://a.example/c.png".into());
        full.deep_link = Some("app://home".into());
        full.options = Options {
            time_to_live: Some(60),
            priority: Priority::Normal,
            collapse_id: Some("news".into()),
            sound: Some("bell.caf".into()),
            badge: Some(3),
            data: [("k".to_owned(), "v".to_owned())].into(),
            ..Options::default()
        };
        let expected = json!({
            "aps": {
                "alert": { "title": "Hi", "body": "You \"there\"" },
                "sound": "bell.caf", "badge": 3, "mutable-content": 1,
            },
            "image_url": "https://a.example/i.png", "icon_url": "https://a.example/c.png",
            "deep_link": "app://home", "k": "v",
        });
        assert_eq!(body(&full), expected);
        let headers = render_now(&full).unwrap().headers;
        assert_eq!(headers["apns-priority"], "5");
        assert_eq!(headers["apns-expiration"], "1060");
        assert_eq!(headers["apns-collapse-id"], "news");
        full.options.time_to_live = Some(0);
        assert_eq!(render_now(&full).unwrap().headers["apns-expiration"], "0");
    }

    #[test]
    fn what_the_app_completes_stays_an_alert() {
        let mut message = message();
        message.options.mutable = true;
        message.options.numbers.insert("tag".into(), 4002);
        let expected = json!({
            "aps": { "alert": { "title": "Hi", "body": "You \"there\"" }, "mutable-content": 1 },
            "tag": 4002,
        });
        assert_eq!(body(&message), expected);
    }

    #[test]
    fn what_cannot_be_carried_is_named() {
        let field = |options: Options| match render_now(&Message { options, ..message() }) {
            Err(RenderError::Field { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        let data = [("aps".to_owned(), String::new())].into();
        assert_eq!(field(Options { data, ..Options::default() }), "data");
        for bad in ["x".repeat(65), String::new(), "é".into()] {
            let options = Options { collapse_id: Some(bad), ..Options::default() };
            assert_eq!(field(options), "collapse_id");
        }
    }

    #[test]
    fn the_payload_may_have_4096_bytes_and_no_more() {
        let empty = render_now(&Message::default()).unwrap().head.len();
        let sized = |bytes| Message { body: "x".repeat(bytes - empty), ..Message::default() };
        assert_eq!(render_now(&sized(4096)).unwrap().head.len(), 4096);
        let error = render_now(&sized(4097)).unwrap_err();
        assert_eq!(error, RenderError::TooLarge { provider: "APNs", bytes: 4097, limit: 4096 });
    }
}
