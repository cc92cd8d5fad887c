//! What a push to Google carries: one JSON message, rendered once, with a gap for the token.
//!
//! Source: Firebase's REST reference `projects.messages`: AndroidConfig, WebpushConfig, ApnsConfig.

use bytes::{BufMut, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Map, Value, json};

use super::super::{Preview, RenderError, Rendered};
use crate::domain::{
    ids::NotificationId,
    message::{Message, Options, Priority},
    timestamp::Timestamp,
};

/// Firebase, "About FCM messages": 4096 bytes at most. The token is not counted.
const MAX_MESSAGE_BYTES: usize = 4096;
/// Apple's limit for what becomes `apns-collapse-id`.
const MAX_APNS_COLLAPSE_ID_BYTES: usize = 64;
/// Web Push's limit for a topic (RFC 8030 section 5.4).
const MAX_TOPIC_BYTES: usize = 32;

const HEAD: &[u8] = br#"{"message":{"token":""#;
/// What stands for the token where no device is meant.
const TOKEN_SHOWN: &[u8] = b"<token>";

/// Renders a message up to the token's value and after it.
pub(super) fn render(
    notification: NotificationId,
    message: &Message,
    now: Timestamp,
) -> Result<Rendered, RenderError> {
    let tail = tail(notification, message, now)?;
    let bytes = HEAD.len() + tail.len();
    if bytes > MAX_MESSAGE_BYTES {
        return Err(RenderError::TooLarge { provider: "FCM", bytes, limit: MAX_MESSAGE_BYTES });
    }
    let mut headers = HeaderMap::with_capacity(2);
    // A place for the token of the moment.
    headers.insert(AUTHORIZATION, HeaderValue::from_static(""));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(Rendered { notification, head: Bytes::from_static(HEAD), tail: Some(tail.into()), headers })
}

/// What a push would carry, even where it cannot be sent so.
pub(in super::super) fn preview(
    notification: NotificationId,
    message: &Message,
    now: Timestamp,
) -> Preview {
    let tail = tail(notification, message, now);
    let body = tail.map(|tail| ([HEAD, TOKEN_SHOWN, tail.as_bytes()].concat(), tail.len()));
    let body = body.as_ref().map(|(body, tail)| (body.as_slice(), HEAD.len() + tail));
    let problem = render(notification, message, now).err();
    Preview::new(body.map_err(Clone::clone), MAX_MESSAGE_BYTES, problem)
}

/// What follows the token: the rest of an object that begins with it, `","notification":{…}…}}`.
fn tail(
    notification: NotificationId,
    message: &Message,
    now: Timestamp,
) -> Result<String, RenderError> {
    let collapse = collapse_id(notification, &message.options)?;
    let mut rest = Map::new();
    if !message.options.mutable {
        rest.insert("notification".into(), notification_part(message));
    }
    let data = data(message)?;
    if !data.is_empty() {
        rest.insert("data".into(), data.into());
    }
    rest.insert("android".into(), android(message, &collapse));
    rest.insert("apns".into(), apns(message, &collapse, now));
    rest.insert("webpush".into(), webpush(notification, message, &collapse));
    let rest = Value::Object(rest).to_string();
    Ok(format!("\",{}}}", &rest[1..]))
}

/// The head of a body that Google is only to look at: REST reference, `messages.send`, `validate_only`.
pub(super) fn validating(head: &[u8]) -> Bytes {
    let mut whole = BytesMut::from(&b"{\"validate_only\":true,"[..]);
    whole.put_slice(&head[1..]);
    whole.freeze()
}

/// The body of one push.
pub(super) fn body(rendered: &Rendered, token: &str) -> Bytes {
    let tail = rendered.tail.as_deref().unwrap_or_default();
    let mut body = BytesMut::with_capacity(rendered.head.len() + token.len() + tail.len());
    body.put_slice(&rendered.head);
    if token.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        body.put_slice(token.as_bytes());
    } else {
        let quoted = Value::from(token).to_string();
        body.put_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
    }
    body.put_slice(tail);
    body.freeze()
}

fn notification_part(message: &Message) -> Value {
    let mut part = json!({ "title": message.title, "body": message.body });
    set(&mut part, "image", message.image_url.as_deref());
    part
}

/// The app's own data and the message's addresses, all strings.
fn data(message: &Message) -> Result<Map<String, Value>, RenderError> {
    let mut data = Map::new();
    for (key, value) in &message.options.data {
        if is_reserved(key) {
            let problem = format!("must not have the key `{key}`, which is Google's");
            return Err(RenderError::Field { field: "data", problem });
        }
        data.insert(key.clone(), value.clone().into());
    }
    let numbers = message.options.numbers.iter();
    data.extend(numbers.map(|(key, number)| (key.clone(), number.to_string().into())));
    let urls = [
        ("image_url", &message.image_url),
        ("icon_url", &message.icon_url),
        ("deep_link", &message.deep_link),
    ];
    for (key, url) in urls {
        if let Some(url) = url {
            data.insert(key.into(), url.clone().into());
        }
    }
    Ok(data)
}

/// REST reference, `Message.data`: "from", "message_type", and words that start with "google" or
/// "gcm" are reserved; "notification" is what the client libraries call the other part.
fn is_reserved(key: &str) -> bool {
    matches!(key, "from" | "message_type" | "notification" | "collapse_key")
        || key.starts_with("google")
        || key.starts_with("gcm")
}

/// The tag replaces an earlier push of the same id on the screen. A collapse key replaces it in
/// Google's store as well, but a device may have four of them there: so only when asked for.
fn android(message: &Message, collapse: &str) -> Value {
    let options = &message.options;
    let mut shown = json!({ "tag": collapse });
    set(&mut shown, "sound", options.sound.as_deref());
    // Android looks these two up by name, in the app's resources and activities; addresses travel as
    // data.
    set(&mut shown, "icon", message.icon_url.as_deref().filter(|icon| !is_url(icon)));
    set(&mut shown, "click_action", message.deep_link.as_deref().filter(|link| !is_url(link)));
    if let Some(badge) = options.badge {
        shown["notification_count"] = badge.into();
    }
    let priority = match options.priority {
        Priority::High => "HIGH",
        Priority::Normal => "NORMAL",
    };
    let mut android = json!({ "priority": priority });
    // With anything to show, Android would show it by itself instead of waking the app.
    if !options.mutable {
        android["notification"] = shown;
    }
    if let Some(ttl) = options.time_to_live {
        android["ttl"] = format!("{ttl}s").into();
    }
    set(&mut android, "collapse_key", options.collapse_id.as_deref());
    android
}

/// For Apple's devices that are registered with FCM.
fn apns(message: &Message, collapse: &str, now: Timestamp) -> Value {
    let options = &message.options;
    let priority = match options.priority {
        Priority::High => "10",
        Priority::Normal => "5",
    };
    let mut headers = json!({ "apns-priority": priority });
    if collapse.len() <= MAX_APNS_COLLAPSE_ID_BYTES {
        headers["apns-collapse-id"] = collapse.into();
    }
    if let Some(ttl) = options.time_to_live {
        let expiration = if ttl == 0 { 0 } else { now.seconds() + i64::from(ttl) };
        headers["apns-expiration"] = expiration.to_string().into();
    }
    let mut aps = json!({});
    if options.mutable {
        aps["alert"] = json!({ "title": message.title, "body": message.body });
    }
    set(&mut aps, "sound", options.sound.as_deref());
    if let Some(badge) = options.badge {
        aps["badge"] = badge.into();
    }
    if options.mutable || message.image_url.is_some() || message.icon_url.is_some() {
        aps["mutable-content"] = 1.into();
    }
    json!({ "headers": headers, "payload": { "aps": aps } })
}

/// For browsers.
fn webpush(notification: NotificationId, message: &Message, collapse: &str) -> Value {
    let options = &message.options;
    let urgency = match options.priority {
        Priority::High => "high",
        Priority::Normal => "normal",
    };
    let mut headers = json!({ "Urgency": urgency });
    if let Some(ttl) = options.time_to_live {
        headers["TTL"] = ttl.to_string().into();
    }
    let fits = |id: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        id.len() <= MAX_TOPIC_BYTES && id.bytes().all(plain)
    };
    let topic = match &options.collapse_id {
        Some(id) => Some(id.clone()).filter(|id| fits(id)),
        None => Some(notification.0.simple().to_string()),
    };
    set(&mut headers, "Topic", topic.as_deref());
    let mut shown = json!({ "tag": collapse });
    set(&mut shown, "icon", message.icon_url.as_deref().filter(|icon| is_url(icon)));
    let mut webpush = json!({ "headers": headers });
    if !options.mutable {
        webpush["notification"] = shown;
    }
    // WebpushFcmOptions.link: "For all URL values, HTTPS is required."
    let link = message.deep_link.as_deref().filter(|link| link.starts_with("https://"));
    if let Some(link) = link {
        webpush["fcm_options"] = json!({ "link": link });
    }
    webpush
}

fn collapse_id(notification: NotificationId, options: &Options) -> Result<String, RenderError> {
    match &options.collapse_id {
        Some(id) if id.is_empty() => {
            let problem = "must not be empty".to_owned();
            Err(RenderError::Field { field: "collapse_id", problem })
        }
        Some(id) => Ok(id.clone()),
        None => Ok(notification.to_string()),
    }
}

fn is_url(text: &str) -> bool {
    text.contains("://")
}

fn set(object: &mut Value, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        object[key] = value.into();
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ID: NotificationId = NotificationId(Uuid::from_u128(7));
    const UUID: &str = "00000000-0000-0000-0000-000000000007";

    fn message() -> Message {
        Message { title: "Hi".into(), body: "there".into(), ..Message::default() }
    }

    fn sent(message: &Message, token: &str) -> Value {
        let rendered = render(ID, message, Timestamp(1_000_000)).unwrap();
        serde_json::from_slice(&body(&rendered, token)).unwrap()
    }

    #[test]
    fn a_plain_message() {
        let expected = json!({ "message": {
            "token": "abc:def",
            "notification": { "title": "Hi", "body": "there" },
            "android": { "priority": "HIGH", "notification": { "tag": UUID } },
            "apns": {
                "headers": { "apns-priority": "10", "apns-collapse-id": UUID },
                "payload": { "aps": {} },
            },
            "webpush": {
                "headers": { "Urgency": "high", "Topic": "00000000000000000000000000000007" },
                "notification": { "tag": UUID },
            },
        }});
        assert_eq!(sent(&message(), "abc:def"), expected);
    }

    #[test]
    fn everything_reaches_the_device() {
        let mut full = message();
        full.image_url = Some("https://a.example/i.png".into());
        full.icon_url = Some("https://a.example/c.png".into());
        full.deep_link = Some("https://a.example/home".into());
        full.options = Options {
            time_to_live: Some(60),
            priority: Priority::Normal,
            collapse_id: Some("news".into()),
            sound: Some("bell".into()),
            badge: Some(3),
            data: [("k".to_owned(), "v".to_owned())].into(),
            ..Options::default()
        };
        let expected = json!({ "message": {
            "token": "t",
            "notification": { "title": "Hi", "body": "there", "image": "https://a.example/i.png" },
            "data": {
                "k": "v", "image_url": "https://a.example/i.png",
                "icon_url": "https://a.example/c.png", "deep_link": "https://a.example/home",
            },
            "android": {
                "priority": "NORMAL", "ttl": "60s", "collapse_key": "news",
                "notification": { "tag": "news", "sound": "bell", "notification_count": 3 },
            },
            "apns": {
                "headers": {
                    "apns-priority": "5", "apns-collapse-id": "news", "apns-expiration": "1060",
                },
                "payload": { "aps": { "sound": "bell", "badge": 3, "mutable-content": 1 } },
            },
            "webpush": {
                "headers": { "Urgency": "normal", "TTL": "60", "Topic": "news" },
                "notification": { "tag": "news", "icon": "https://a.example/c.png" },
                "fcm_options": { "link": "https://a.example/home" },
            },
        }});
        assert_eq!(sent(&full, "t"), expected);
    }

    #[test]
    fn what_the_app_completes_goes_to_android_as_data_alone() {
        let mut mutable = message();
        mutable.options.mutable = true;
        mutable.options.numbers.insert("tag".into(), 4002);
        let expected = json!({ "message": {
            "token": "t",
            "data": { "tag": "4002" },
            "android": { "priority": "HIGH" },
            "apns": {
                "headers": { "apns-priority": "10", "apns-collapse-id": UUID },
                "payload": { "aps": {
                    "alert": { "title": "Hi", "body": "there" }, "mutable-content": 1,
                } },
            },
            "webpush": {
                "headers": { "Urgency": "high", "Topic": "00000000000000000000000000000007" },
            },
        }});
        assert_eq!(sent(&mutable, "t"), expected);
    }

    #[test]
    fn names_go_where_android_looks_names_up() {
        let mut named = message();
        named.icon_url = Some("ic_bell".into());
        named.deep_link = Some("OPEN_HOME".into());
        let message = sent(&named, "t");
        let shown = &message["message"]["android"]["notification"];
        assert_eq!(
            (&shown["icon"], &shown["click_action"]),
            (&json!("ic_bell"), &json!("OPEN_HOME"))
        );
        assert!(message["message"]["webpush"].get("fcm_options").is_none());
    }

    #[test]
    fn any_token_stays_a_string() {
        for token in ["plain", "a\"b", "back\\slash", "new\nline", "ü"] {
            assert_eq!(sent(&message(), token)["message"]["token"], token);
        }
    }

    #[test]
    fn what_cannot_be_carried_is_named() {
        let field =
            |options: Options| match render(ID, &Message { options, ..message() }, Timestamp(0)) {
                Err(RenderError::Field { field, .. }) => field,
                other => panic!("{other:?}"),
            };
        for key in ["from", "message_type", "notification", "google.x", "gcm.n"] {
            let data = [(key.to_owned(), String::new())].into();
            assert_eq!(field(Options { data, ..Options::default() }), "data");
        }
        let options = Options { collapse_id: Some(String::new()), ..Options::default() };
        assert_eq!(field(options), "collapse_id");
    }

    #[test]
    fn the_message_may_have_4096_bytes_and_no_more() {
        let size = |message: &Message| {
            render(ID, message, Timestamp(0)).map(|rendered| body(&rendered, "").len())
        };
        let empty = size(&Message::default()).unwrap();
        let sized = |bytes| Message { body: "x".repeat(bytes - empty), ..Message::default() };
        assert_eq!(size(&sized(4096)), Ok(4096));
        let too_large = RenderError::TooLarge { provider: "FCM", bytes: 4097, limit: 4096 };
        assert_eq!(size(&sized(4097)), Err(too_large));
    }
}
