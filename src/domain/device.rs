//! A device: where a push for it goes, and what is known of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Error, Result,
    ids::{DeviceId, ObjectId},
    timestamp::Timestamp,
};

/// Longest external id, tag or alias accepted, in bytes.
pub const MAX_NAME_BYTES: usize = 256;
/// Longest push token accepted, in bytes. Apple and Google call tokens opaque and of changing length.
pub const MAX_TOKEN_BYTES: usize = 4096;
/// Longest property key, in characters.
pub const MAX_KEY_CHARS: usize = 128;
/// Longest string value of a property, in bytes.
pub const MAX_TEXT_BYTES: usize = 1024;
/// Most elements of a list property.
pub const MAX_LIST_LEN: usize = 256;
/// Most properties of one device.
pub const MAX_PROPERTIES: usize = 256;
/// Most bytes of one device's properties together, written as a JSON object.
pub const MAX_PROPERTIES_BYTES: usize = 64 * 1024;
/// Most tags of one device.
pub const MAX_TAGS: usize = 100;

/// What kind of device it is. The numbers are the native API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DevicePlatform {
    /// Not said.
    Unknown = 0,
    /// Android.
    Android = 1,
    /// iOS, iPadOS and their kin.
    Ios = 2,
    /// A browser.
    Web = 3,
}

impl DevicePlatform {
    /// Every platform, in the order of its number.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Android, Self::Ios, Self::Web];

    /// The platform of this number.
    pub fn from_number(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|index| Self::ALL.get(index)).copied()
    }

    /// The native API's number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Lower-case name, as conditions on `@platform` compare it.
    pub fn name(self) -> &'static str {
        ["unknown", "android", "ios", "web"][self as usize]
    }
}

/// Which provider delivers to it. The numbers are the native API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SendPlatform {
    /// Not said: the device cannot be reached.
    Unknown = 0,
    /// Firebase Cloud Messaging.
    Fcm = 1,
    /// Apple Push Notification service.
    Apns = 2,
    /// E-mail; the token is the address.
    Email = 3,
}

impl SendPlatform {
    /// Every provider, in the order of its number.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Fcm, Self::Apns, Self::Email];

    /// The provider of this number.
    pub fn from_number(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|index| Self::ALL.get(index)).copied()
    }

    /// The native API's number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        ["unknown", "fcm", "apns", "email"][self as usize]
    }

    /// The platform a device counts under: its own, or where unknown the provider's usual one.
    pub fn counted_as(self, platform: DevicePlatform) -> DevicePlatform {
        match (platform, self) {
            (DevicePlatform::Unknown, Self::Fcm) => DevicePlatform::Android,
            (DevicePlatform::Unknown, Self::Apns) => DevicePlatform::Ios,
            (known, _) => known,
        }
    }
}

/// One value of a property, or one element of a list property. Types never cross.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number written with a fraction or exponent; never NaN or infinite.
    Float(f64),
    /// Text.
    Text(String),
}

/// The type of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScalarType {
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// A number with a fraction or exponent.
    Float,
    /// `true` or `false`.
    Bool,
}

impl ScalarType {
    /// The word for it on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Int => "integer",
            Self::Float => "float",
            Self::Bool => "boolean",
        }
    }
}

impl Scalar {
    /// Its type.
    pub fn kind(&self) -> ScalarType {
        match self {
            Self::Bool(_) => ScalarType::Bool,
            Self::Int(_) => ScalarType::Int,
            Self::Float(_) => ScalarType::Float,
            Self::Text(_) => ScalarType::Text,
        }
    }
}

/// The value of a property.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PropertyValue {
    /// A single value.
    One(Scalar),
    /// A list; a condition holds for it when it holds for any element.
    List(Vec<Scalar>),
}

impl PropertyValue {
    /// The elements a condition looks at.
    pub fn scalars(&self) -> &[Scalar] {
        match self {
            Self::One(scalar) => std::slice::from_ref(scalar),
            Self::List(list) => list,
        }
    }
}

/// The properties of a device by key; any text is a key, dots included.
pub type Properties = BTreeMap<String, PropertyValue>;

/// Why a device's token was given up, kept so that it can be undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pruned {
    /// When the token was given up.
    pub at: Timestamp,
    /// The provider's word, such as `Unregistered`.
    pub reason: String,
}

/// A registered device of one app.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Its `_id` on the wire.
    pub object_id: ObjectId,
    /// Its number, counted from 1 within the installation.
    pub id: DeviceId,
    /// The app's own name for it.
    pub external_id: String,
    /// Where its provider finds it; none when another device took the token over.
    pub push_token: Option<String>,
    /// Its provider.
    pub send_platform: SendPlatform,
    /// Its kind.
    pub device_platform: DevicePlatform,
    /// 1..=10000, drawn once.
    pub random_bucket: u16,
    /// What the app says of it.
    pub properties: Properties,
    /// Labels.
    pub tags: BTreeSet<String>,
    /// Its user's name, say.
    pub alias: Option<String>,
    /// IANA time zone name.
    pub timezone: Option<String>,
    /// BCP 47 language tag.
    pub locale: Option<String>,
    /// When it was first registered.
    pub created_at: Timestamp,
    /// When its current token was last registered; a 410 older than this is stale.
    pub registered_at: Timestamp,
    /// When it was last heard of.
    pub last_seen: Timestamp,
    /// Set when its token was given up.
    pub pruned: Option<Pruned>,
}

impl Device {
    /// One of which nothing is known but its name; its number is its store's to give.
    pub fn blank(
        object_id: ObjectId,
        random_bucket: u16,
        external_id: String,
        now: Timestamp,
    ) -> Self {
        Self {
            object_id,
            id: DeviceId(0),
            external_id,
            push_token: None,
            send_platform: SendPlatform::Unknown,
            device_platform: DevicePlatform::Unknown,
            random_bucket,
            properties: Properties::new(),
            tags: BTreeSet::new(),
            alias: None,
            timezone: None,
            locale: None,
            created_at: now,
            registered_at: now,
            last_seen: now,
            pruned: None,
        }
    }

    /// Undoes the giving up of its token, where it still has it.
    pub fn restore(&mut self) -> Result<()> {
        if self.push_token.is_none() {
            let message = "another device has its token now: it must register anew";
            return Err(Error::conflict(message));
        }
        self.pruned = None;
        Ok(())
    }

    /// About how many bytes it is answered with, for bounds on many.
    pub fn answered_bytes(&self) -> usize {
        /// The names of the fields, and those values that are of like size in every device.
        const FRAME: usize = 512;
        let token = self.push_token.as_ref().map_or(0, String::len);
        FRAME + token + json_bytes(&self.properties) + json_bytes(&self.tags)
    }

    /// Why it cannot be pushed to, credentials apart.
    pub fn unreachable(&self) -> Option<Unreachable> {
        let (has_token, pruned) = (self.push_token.is_some(), self.pruned.is_some());
        Unreachable::of(has_token, pruned, self.send_platform)
    }
}

/// Why a device cannot be pushed to at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unreachable {
    /// It has no token.
    NoToken,
    /// Its token was given up after the provider called it gone.
    Pruned,
    /// It names no provider.
    NoProvider,
    /// Its app has no credentials for its provider.
    NoCredentials,
}

impl Unreachable {
    /// Why a device cannot be reached, as far as it tells itself; credentials are the engine's to know.
    /// The first reason that holds, in the order in which audiences are counted.
    pub fn of(has_token: bool, pruned: bool, provider: SendPlatform) -> Option<Self> {
        match (has_token, pruned, provider) {
            (false, ..) => Some(Self::NoToken),
            (_, true, _) => Some(Self::Pruned),
            (.., SendPlatform::Unknown) => Some(Self::NoProvider),
            _ => None,
        }
    }

    /// The word shown in counts and failure lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Pruned => "pruned",
            Self::NoProvider => "no_provider",
            Self::NoCredentials => "no_credentials",
        }
    }
}

/// What a caller says when it registers a device; unset fields keep what is stored.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Registration {
    /// The app's own name for it.
    pub external_id: String,
    /// Its token.
    pub push_token: String,
    /// Its provider.
    pub send_platform: Option<SendPlatform>,
    /// Its kind.
    pub device_platform: Option<DevicePlatform>,
    /// Changes to what else is known.
    pub edit: DeviceEdit,
}

/// Changes to a device. Each part left out changes nothing.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct DeviceEdit {
    /// In order: a value sets the key, none removes it.
    pub properties: Vec<(String, Option<PropertyValue>)>,
    /// Replaces the whole set.
    pub tags: Option<BTreeSet<String>>,
    /// Sets, or with an inner none removes.
    pub alias: Option<Option<String>>,
    /// Sets, or with an inner none removes.
    pub timezone: Option<Option<String>>,
    /// Sets, or with an inner none removes.
    pub locale: Option<Option<String>>,
}

impl Registration {
    /// Checks every limit; the error names the field.
    pub fn validate(&self) -> Result<()> {
        check_name("external_id", &self.external_id)?;
        if matches!(self.external_id.as_str(), "." | "..") {
            // In a path they mean another path, so nobody could ever name the device.
            return Err(Error::invalid("external_id", "must not be `.` or `..`"));
        }
        if self.push_token.is_empty() {
            return Err(Error::invalid("push_token", "must not be empty"));
        }
        if self.push_token.len() > MAX_TOKEN_BYTES {
            return Err(Error::invalid("push_token", format!("is over {MAX_TOKEN_BYTES} bytes")));
        }
        if self.push_token.chars().any(char::is_control) {
            return Err(Error::invalid("push_token", "holds a control character"));
        }
        self.edit.validate()
    }
}

impl DeviceEdit {
    /// Checks every limit; the error names the field.
    pub fn validate(&self) -> Result<()> {
        for (index, (key, value)) in self.properties.iter().enumerate() {
            check_key(&format!("properties[{index}].key"), key)?;
            if let Some(value) = value {
                check_value(&format!("properties[{index}].value"), value)?;
            }
        }
        if let Some(tags) = &self.tags {
            if tags.len() > MAX_TAGS {
                return Err(Error::invalid("tags", format!("has over {MAX_TAGS} tags")));
            }
            tags.iter().try_for_each(|tag| check_name("tags", tag))?;
        }
        let names =
            [("alias", &self.alias), ("timezone", &self.timezone), ("locale", &self.locale)];
        for (field, value) in names {
            if let Some(Some(text)) = value {
                check_name(field, text)?;
            }
        }
        Ok(())
    }

    /// Applies the changes; refuses when the device would hold too many properties, or too large ones.
    pub fn apply(&self, device: &mut Device) -> Result<()> {
        let adds = self.properties.iter().any(|(_, value)| value.is_some());
        let before = if adds { json_bytes(&device.properties) } else { 0 };
        for (key, value) in &self.properties {
            match value {
                Some(value) => device.properties.insert(key.clone(), value.clone()),
                None => device.properties.remove(key),
            };
        }
        if device.properties.len() > MAX_PROPERTIES {
            let message = format!("the device would have over {MAX_PROPERTIES} properties");
            return Err(Error::invalid("properties", message));
        }
        // What was stored before there was a bound may be over it, and be changed as long as it does not grow.
        if adds && json_bytes(&device.properties) > before.max(MAX_PROPERTIES_BYTES) {
            let message =
                format!("the device's would be over {MAX_PROPERTIES_BYTES} bytes together");
            return Err(Error::invalid("properties", message));
        }
        if let Some(tags) = &self.tags {
            device.tags.clone_from(tags);
        }
        let fields = [
            (&self.alias, &mut device.alias),
            (&self.timezone, &mut device.timezone),
            (&self.locale, &mut device.locale),
        ];
        for (change, field) in fields {
            if let Some(change) = change {
                field.clone_from(change);
            }
        }
        Ok(())
    }
}

/// How many bytes a value is as JSON, without writing it down.
fn json_bytes(value: &impl Serialize) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // A map by text, of scalars, can always be written.
    let written = serde_json::to_writer(&mut count, value);
    written.map_or(usize::MAX, |()| count.0)
}

fn check_name(field: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(Error::invalid(field, format!("is over {MAX_NAME_BYTES} bytes")));
    }
    if text.contains('\0') {
        return Err(Error::invalid(field, "holds a NUL character"));
    }
    Ok(())
}

/// Keys are 1–128 characters, no `$` first, no NUL, and `@` first is kept for the device's own fields.
pub fn check_key(field: &str, key: &str) -> Result<()> {
    let chars = key.chars().count();
    if chars == 0 || chars > MAX_KEY_CHARS {
        return Err(Error::invalid(field, format!("must have 1 to {MAX_KEY_CHARS} characters")));
    }
    if key.starts_with(['$', '@']) {
        return Err(Error::invalid(field, "must not begin with `$` or `@`"));
    }
    if key.contains('\0') {
        return Err(Error::invalid(field, "holds a NUL character"));
    }
    Ok(())
}

fn check_value(field: &str, value: &PropertyValue) -> Result<()> {
    if let PropertyValue::List(list) = value
        && list.len() > MAX_LIST_LEN
    {
        return Err(Error::invalid(field, format!("has over {MAX_LIST_LEN} elements")));
    }
    for scalar in value.scalars() {
        match scalar {
            Scalar::Text(text) if text.len() > MAX_TEXT_BYTES => {
                return Err(Error::invalid(field, format!("is over {MAX_TEXT_BYTES} bytes")));
            }
            Scalar::Float(float) if !float.is_finite() => {
                return Err(Error::invalid(field, "must be a finite number"));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration() -> Registration {
        Registration { external_id: "a".into(), push_token: "t".into(), ..Default::default() }
    }

    #[test]
    fn limits_name_the_field() {
        let empty = Registration { push_token: String::new(), ..registration() };
        assert!(empty.validate().unwrap_err().public_message().starts_with("push_token:"));
        let mut bad_key = registration();
        bad_key.edit.properties.push(("$where".into(), None));
        let message = bad_key.validate().unwrap_err().public_message();
        assert!(message.starts_with("properties[0].key:"), "{message}");
        let mut dotted = registration();
        dotted.edit.properties.push(("a.b".into(), Some(PropertyValue::One(Scalar::Int(1)))));
        assert!(dotted.validate().is_ok());
    }

    /// A device of one property of so many bytes as JSON.
    fn heavy(bytes: usize) -> Device {
        let text = "x".repeat(bytes - r#"{"k":[""]}"#.len());
        let list = PropertyValue::List(vec![Scalar::Text(text)]);
        let blank = Device::blank(ObjectId([0; 12]), 1, "a".into(), Timestamp(0));
        Device { properties: Properties::from([("k".to_owned(), list)]), ..blank }
    }

    fn setting(key: &str, value: Option<i64>) -> DeviceEdit {
        let value = value.map(|value| PropertyValue::One(Scalar::Int(value)));
        DeviceEdit { properties: vec![(key.into(), value)], ..DeviceEdit::default() }
    }

    #[test]
    fn properties_have_a_size_together() {
        let added = r#","n":1"#.len();
        assert!(setting("n", Some(1)).apply(&mut heavy(MAX_PROPERTIES_BYTES - added)).is_ok());
        let mut full = heavy(MAX_PROPERTIES_BYTES - added + 1);
        let refusal = setting("n", Some(1)).apply(&mut full).unwrap_err().public_message();
        assert!(refusal.starts_with("properties: "), "{refusal}");
    }

    #[test]
    fn what_was_too_large_before_can_be_changed_and_made_smaller() {
        let mut device = heavy(2 * MAX_PROPERTIES_BYTES);
        assert!(setting("n", Some(1)).apply(&mut device.clone()).is_err(), "it would grow");
        let alias = DeviceEdit { alias: Some(Some("b".into())), ..DeviceEdit::default() };
        assert!(alias.apply(&mut device).is_ok());
        assert!(setting("other", None).apply(&mut device).is_ok());
        assert!(setting("k", Some(1)).apply(&mut device).is_ok());
        assert_eq!(device.properties["k"], PropertyValue::One(Scalar::Int(1)));
    }

    #[test]
    fn an_unknown_platform_counts_under_its_providers() {
        assert_eq!(SendPlatform::Apns.counted_as(DevicePlatform::Unknown), DevicePlatform::Ios);
        assert_eq!(SendPlatform::Fcm.counted_as(DevicePlatform::Web), DevicePlatform::Web);
    }
}
