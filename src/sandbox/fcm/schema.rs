//! The JSON that `messages:send` accepts, field by field, as FCM's REST reference
//! lists it (`Message`, `AndroidConfig`, `AndroidNotification`, `WebpushConfig`,
//! `ApnsConfig`, …). A table; `message.rs` walks it.

/// What a field may hold.
#[derive(Debug)]
pub(super) enum Kind {
    Text,
    Bool,
    Integer,
    Number,
    /// One of these names.
    Enum(&'static [&'static str]),
    /// A `google.protobuf.Duration` as JSON writes it: `3600s`, `1.5s`.
    Duration,
    /// `#rrggbb`.
    Color,
    /// A map of texts.
    TextMap,
    /// A `google.protobuf.Struct`: any object.
    AnyObject,
    List(&'static Kind),
    Object(&'static [Field]),
}

/// What is picked out of the message on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    Nothing,
    Token,
    Topic,
    Condition,
    CollapseKey,
    Tag,
    Ttl,
    /// Its texts and names count towards the 4096 bytes of a message.
    Payload,
    /// As `Payload`; its names are the app's own and must not be reserved.
    Data,
}

/// A field of an object; JSON may write its name in camel case too.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) pick: Pick,
}

const fn field(name: &'static str, kind: Kind) -> Field {
    let pick = Pick::Nothing;
    Field { name, kind, pick }
}

const fn picked(name: &'static str, kind: Kind, pick: Pick) -> Field {
    Field { name, kind, pick }
}

use Kind::{AnyObject, Bool, Color, Duration, Enum, Integer, List, Number, Object, Text, TextMap};

/// The body of `messages:send`.
pub(super) static REQUEST: Kind =
    Object(&[field("validate_only", Bool), field("message", Object(MESSAGE))]);

const MESSAGE: &[Field] = &[
    // Output only, and ignored as such.
    field("name", Text),
    picked("data", TextMap, Pick::Data),
    picked("notification", Object(NOTIFICATION), Pick::Payload),
    field("android", Object(ANDROID)),
    field("webpush", Object(WEBPUSH)),
    field("apns", Object(APNS)),
    field("fcm_options", Object(FCM_OPTIONS)),
    picked("token", Text, Pick::Token),
    picked("topic", Text, Pick::Topic),
    picked("condition", Text, Pick::Condition),
];

const NOTIFICATION: &[Field] = &[field("title", Text), field("body", Text), field("image", Text)];

const FCM_OPTIONS: &[Field] = &[field("analytics_label", Text)];

const ANDROID: &[Field] = &[
    picked("collapse_key", Text, Pick::CollapseKey),
    // The reference writes them in capitals; FCM takes the old spelling too.
    field("priority", Enum(&["NORMAL", "HIGH", "normal", "high"])),
    picked("ttl", Duration, Pick::Ttl),
    field("restricted_package_name", Text),
    picked("data", TextMap, Pick::Data),
    picked("notification", Object(ANDROID_NOTIFICATION), Pick::Payload),
    field("fcm_options", Object(FCM_OPTIONS)),
    field("direct_boot_ok", Bool),
    field("bandwidth_constrained_ok", Bool),
    field("restricted_satellite_ok", Bool),
];

const ANDROID_NOTIFICATION: &[Field] = &[
    field("title", Text),
    field("body", Text),
    field("icon", Text),
    field("color", Color),
    field("sound", Text),
    picked("tag", Text, Pick::Tag),
    field("click_action", Text),
    field("body_loc_key", Text),
    field("body_loc_args", List(&Text)),
    field("title_loc_key", Text),
    field("title_loc_args", List(&Text)),
    field("channel_id", Text),
    field("ticker", Text),
    field("sticky", Bool),
    field("event_time", Text),
    field("local_only", Bool),
    field(
        "notification_priority",
        Enum(&[
            "PRIORITY_UNSPECIFIED",
            "PRIORITY_MIN",
            "PRIORITY_LOW",
            "PRIORITY_DEFAULT",
            "PRIORITY_HIGH",
            "PRIORITY_MAX",
        ]),
    ),
    field("default_sound", Bool),
    field("default_vibrate_timings", Bool),
    field("default_light_settings", Bool),
    field("vibrate_timings", List(&Duration)),
    field("visibility", Enum(&["VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"])),
    field("notification_count", Integer),
    field("light_settings", Object(LIGHT_SETTINGS)),
    field("image", Text),
    field("bypass_proxy_notification", Bool),
    field("proxy", Enum(&["PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"])),
];

const LIGHT_SETTINGS: &[Field] = &[
    field("color", Object(LIGHT_COLOR)),
    field("light_on_duration", Duration),
    field("light_off_duration", Duration),
];

const LIGHT_COLOR: &[Field] =
    &[field("red", Number), field("green", Number), field("blue", Number), field("alpha", Number)];

const WEBPUSH: &[Field] = &[
    field("headers", TextMap),
    picked("data", TextMap, Pick::Data),
    field("notification", AnyObject),
    field("fcm_options", Object(WEBPUSH_OPTIONS)),
];

const WEBPUSH_OPTIONS: &[Field] = &[field("link", Text), field("analytics_label", Text)];

const APNS: &[Field] = &[
    field("headers", TextMap),
    field("payload", AnyObject),
    field("fcm_options", Object(APNS_OPTIONS)),
    field("live_activity_token", Text),
];

const APNS_OPTIONS: &[Field] = &[field("analytics_label", Text), field("image", Text)];

impl Kind {
    /// As Google's messages about wrong values name it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Text | Color | TextMap => "TYPE_STRING",
            Bool => "TYPE_BOOL",
            Integer => "TYPE_INT32",
            Number => "TYPE_FLOAT",
            Enum(_) => "TYPE_ENUM",
            Duration => "type.googleapis.com/google.protobuf.Duration",
            AnyObject => "type.googleapis.com/google.protobuf.Struct",
            List(of) => of.type_name(),
            Object(_) => "TYPE_MESSAGE",
        }
    }
}

impl Field {
    /// Whether JSON's name means this field: proto3's JSON mapping takes the
    /// name as the reference writes it, and in camel case.
    pub(super) fn is_called(&self, key: &str) -> bool {
        self.name == key || is_camel_case_of(self.name, key)
    }
}

fn is_camel_case_of(name: &str, key: &str) -> bool {
    let mut key = key.bytes();
    let mut is_start = false;
    for byte in name.bytes() {
        if byte == b'_' {
            is_start = true;
            continue;
        }
        let expected = match is_start {
            true => byte.to_ascii_uppercase(),
            false => byte,
        };
        is_start = false;
        if key.next() != Some(expected) {
            return false;
        }
    }
    key.next().is_none()
}
