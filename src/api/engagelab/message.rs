//! What a push says: from EngageLab's JSON to a notification's edit.
//!
//! A notification here has one text for every platform. A push whose platforms have different texts is
//! refused, rather than sent with a text that was meant for others; a platform without a text is left
//! out of the audience.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    error::{Failure, PUSH_MISSING, PUSH_WRONG},
    request::platform,
};
use crate::{
    domain::{
        audience::ClauseSpec,
        device::{Device, DevicePlatform},
        ids::AppName,
    },
    services::notifications::NotificationEdit,
};

/// Most registration ids of one push.
pub const MAX_IDS: usize = 1000;

/// The body of `POST /v4/push`. What is not named here (`from`, `custom_args`, vendors' options) is
/// about channels that are not served, and is passed over.
#[derive(Deserialize)]
pub struct Push {
    #[serde(default)]
    to: Option<Value>,
    #[serde(default)]
    body: Option<Body>,
    /// The caller's own name for it.
    #[serde(default)]
    pub request_id: Option<Value>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    platform: Option<Value>,
    #[serde(default)]
    notification: Option<Content>,
    #[serde(default)]
    message: Option<Custom>,
    #[serde(default)]
    options: Option<Options>,
}

#[derive(Deserialize, Default)]
struct Content {
    #[serde(default)]
    alert: Option<Value>,
    #[serde(default)]
    android: Option<Section>,
    #[serde(default)]
    ios: Option<Section>,
    #[serde(default)]
    web: Option<Section>,
    #[serde(default)]
    hmos: Option<Section>,
}

/// What is said for one platform.
#[derive(Deserialize, Default, Clone)]
struct Section {
    #[serde(default)]
    alert: Option<Value>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    sound: Option<Value>,
    #[serde(default)]
    badge: Option<Value>,
    #[serde(default)]
    extras: Option<Map<String, Value>>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    intent: Option<Intent>,
    #[serde(default, alias = "big_pic_path")]
    image: Option<String>,
    #[serde(default, alias = "large_icon")]
    icon: Option<String>,
}

#[derive(Deserialize, Clone)]
struct Intent {
    #[serde(default)]
    url: Option<String>,
}

/// A message for the app itself; it is sent as a notification.
#[derive(Deserialize)]
struct Custom {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    msg_content: Option<Value>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    extras: Option<Map<String, Value>>,
}

#[derive(Deserialize, Default)]
struct Options {
    #[serde(default)]
    time_to_live: Option<u32>,
    #[serde(default)]
    apns_collapse_id: Option<String>,
    #[serde(default)]
    cid: Option<String>,
}

/// The audience as it is asked for; registration ids are still to be looked up.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct To {
    #[serde(default)]
    tag: Option<Vec<String>>,
    #[serde(default)]
    tag_and: Option<Vec<String>>,
    #[serde(default)]
    tag_not: Option<Vec<String>>,
    #[serde(default)]
    alias: Option<Vec<String>>,
    #[serde(default)]
    registration_id: Option<Vec<String>>,
}

/// A push that was read.
pub struct Read {
    /// What is to be sent, its audience apart.
    edit: NotificationEdit,
    conditions: Vec<ClauseSpec>,
    /// The devices it is for, where they are named.
    pub registration_ids: Option<Vec<String>>,
    /// Two pushes with the same one are one.
    pub cid: Option<String>,
}

impl Push {
    /// Reads it; `app` is the title where none is given, as the app's own name is with EngageLab.
    pub fn read(self, app: &AppName) -> Result<Read, Failure> {
        let to = self.to.ok_or_else(|| missing("to"))?;
        let body = self.body.ok_or_else(|| missing("body"))?;
        let options = body.options.unwrap_or_default();
        let mut conditions = Vec::new();
        let registration_ids = audience(to, &mut conditions)?;
        let wanted = wanted_platforms(body.platform)?;
        let mut edit = match (body.notification, body.message) {
            (Some(content), _) => content.read(wanted, app, &mut conditions)?,
            (None, Some(message)) => {
                conditions.extend(on_platforms(&wanted));
                message.read(app)?
            }
            (None, None) => return Err(missing("body.notification")),
        };
        edit.time_to_live = Some(options.time_to_live);
        edit.collapse_id = Some(options.apns_collapse_id.filter(|id| !id.is_empty()));
        let cid = options.cid.filter(|cid| !cid.is_empty());
        Ok(Read { edit, conditions, registration_ids, cid })
    }
}

impl Read {
    /// The notification, for the devices that the registration ids turned out to be.
    pub fn edit(mut self, devices: &[Device]) -> NotificationEdit {
        if self.registration_ids.is_some() {
            let numbers: Vec<u64> = devices.iter().map(|device| device.id.0).collect();
            self.conditions.push(ClauseSpec::leaf("@id", "int_in", numbers));
        }
        self.edit.conditions = Some(joined(self.conditions));
        self.edit
    }

    /// What the caller asks, devices by the names given: it tells pushes apart, and is not to be sent.
    pub fn asked(&self) -> NotificationEdit {
        let mut conditions = self.conditions.clone();
        if let Some(ids) = &self.registration_ids {
            let mut ids = ids.clone();
            ids.sort_unstable();
            ids.dedup();
            conditions.push(ClauseSpec::leaf("registration_id", "str_in", ids));
        }
        NotificationEdit { conditions: Some(joined(conditions)), ..self.edit.clone() }
    }
}

/// All of these must hold.
fn joined(mut conditions: Vec<ClauseSpec>) -> Option<ClauseSpec> {
    match conditions.len() {
        0 | 1 => conditions.pop(),
        _ => Some(ClauseSpec::branch("AND", conditions)),
    }
}

fn missing(field: &str) -> Failure {
    Failure::push(PUSH_MISSING, format!("{field}: is required"))
}

fn wrong(field: &str, what: &str) -> Failure {
    Failure::push(PUSH_WRONG, format!("{field}: {what}"))
}

/// Adds the conditions of `to`; the registration ids in it.
fn audience(to: Value, conditions: &mut Vec<ClauseSpec>) -> Result<Option<Vec<String>>, Failure> {
    if to == "all" {
        return Ok(None);
    }
    let fits = |error: serde_json::Error| wrong("to", &error.to_string());
    let to: To = serde_json::from_value(to).map_err(fits)?;
    let lists = [&to.tag, &to.tag_and, &to.tag_not, &to.alias, &to.registration_id];
    let empty = |list: &&Option<Vec<String>>| list.as_ref().is_some_and(Vec::is_empty);
    if lists.iter().any(empty) || lists.iter().all(|list| list.is_none()) {
        return Err(wrong("to", "must be \"all\", or name tags, aliases or registration ids"));
    }
    let among = |key: &str, list: Vec<String>| ClauseSpec::leaf(key, "str_in", list);
    conditions.extend(to.tag.map(|tags| among("@tag", tags)));
    let every = to.tag_and.into_iter().flatten();
    conditions.extend(every.map(|tag| ClauseSpec::leaf("@tag", "str_eq", tag)));
    let not = |tags| ClauseSpec::branch("NOT", vec![among("@tag", tags)]);
    conditions.extend(to.tag_not.map(not));
    conditions.extend(to.alias.map(|aliases| among("@alias", aliases)));
    if to.registration_id.as_ref().is_some_and(|ids| ids.len() > MAX_IDS) {
        return Err(wrong("to.registration_id", "has over 1000 registration ids"));
    }
    Ok(to.registration_id)
}

/// The platforms that a push is for.
fn wanted_platforms(given: Option<Value>) -> Result<Vec<DevicePlatform>, Failure> {
    const FIELD: &str = "body.platform";
    let names: Vec<String> = match given.ok_or_else(|| missing(FIELD))? {
        Value::String(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        list => serde_json::from_value(list)
            .map_err(|_| wrong(FIELD, "must be \"all\" or a list of platforms"))?,
    };
    if names.iter().any(|name| name == "all") {
        return Ok(DevicePlatform::ALL.to_vec());
    }
    let known = |name: &String| platform(name).map(|(device, _)| device);
    let platforms: Option<Vec<_>> = names.iter().map(known).collect();
    let platforms = platforms.filter(|platforms| !platforms.is_empty());
    platforms.ok_or_else(|| wrong(FIELD, "must be \"all\", or android, ios, web or hmos"))
}

/// The condition for these platforms; none for all of them.
fn on_platforms(platforms: &[DevicePlatform]) -> Option<ClauseSpec> {
    let numbers: Vec<u8> = platforms.iter().map(|platform| platform.number()).collect();
    let all = DevicePlatform::ALL.iter().all(|platform| platforms.contains(platform));
    (!all).then(|| ClauseSpec::leaf("@platform", "int_in", numbers))
}

impl Content {
    fn read(
        self,
        wanted: Vec<DevicePlatform>,
        app: &AppName,
        conditions: &mut Vec<ClauseSpec>,
    ) -> Result<NotificationEdit, Failure> {
        const FIELD: &str = "body.notification";
        let (mut platforms, mut texts) = (Vec::new(), Vec::new());
        let mut said = Said::default();
        for platform in wanted {
            let section = self.section(platform).cloned().unwrap_or_default();
            let Some(alert) = section.alert.as_ref().or(self.alert.as_ref()) else { continue };
            let (title, text) = alert_text(alert, FIELD)?;
            said.title(title.or_else(|| section.title.clone()))?;
            said.take(section)?;
            platforms.push(platform);
            texts.push(text);
        }
        texts.dedup();
        conditions.extend(on_platforms(&platforms));
        let mut texts = texts.into_iter();
        let body = texts.next().ok_or_else(|| missing("body.notification.alert"))?;
        if texts.next().is_some() {
            return Err(differs("alert"));
        }
        Ok(said.edit(app, body))
    }

    fn section(&self, platform: DevicePlatform) -> Option<&Section> {
        match platform {
            DevicePlatform::Android => self.android.as_ref(),
            DevicePlatform::Ios => self.ios.as_ref(),
            DevicePlatform::Web => self.web.as_ref(),
            DevicePlatform::Unknown => self.hmos.as_ref(),
        }
    }
}

impl Custom {
    fn read(self, app: &AppName) -> Result<NotificationEdit, Failure> {
        let body = match self.msg_content.ok_or_else(|| missing("body.message.msg_content"))? {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let mut said = Said::default();
        said.title(self.title)?;
        said.take(Section { extras: self.extras, ..Section::default() })?;
        if let Some(kind) = self.content_type {
            said.data.insert("content_type".into(), kind);
        }
        Ok(said.edit(app, body))
    }
}

fn differs(what: &str) -> Failure {
    let what = format!("`{what}` differs between platforms; send each its own push");
    wrong("body.notification", &what)
}

/// What the sections of all platforms say together.
#[derive(Default)]
struct Said {
    title: Option<String>,
    sound: Option<String>,
    badge: Option<u32>,
    link: Option<String>,
    image: Option<String>,
    icon: Option<String>,
    data: BTreeMap<String, String>,
}

impl Said {
    fn title(&mut self, title: Option<String>) -> Result<(), Failure> {
        agree("title", &mut self.title, title.filter(|title| !title.is_empty()))
    }

    fn take(&mut self, section: Section) -> Result<(), Failure> {
        let sound = section.sound.as_ref().and_then(Value::as_str).map(str::to_owned);
        agree("sound", &mut self.sound, sound.filter(|sound| !sound.is_empty()))?;
        // "+1" counts on the device, which nothing here does.
        let badge = section.badge.as_ref().and_then(Value::as_u64);
        agree("badge", &mut self.badge, badge.and_then(|badge| u32::try_from(badge).ok()))?;
        let url = section.url.or(section.intent.and_then(|intent| intent.url));
        agree("url", &mut self.link, url.filter(|url| url.contains("://")))?;
        agree("image", &mut self.image, section.image.filter(|url| is_web(url)))?;
        agree("icon", &mut self.icon, section.icon.filter(|url| is_web(url)))?;
        for (key, value) in section.extras.unwrap_or_default() {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            if self.data.get(&key).is_some_and(|held| *held != text) {
                return Err(differs("extras"));
            }
            self.data.insert(key, text);
        }
        Ok(())
    }

    fn edit(self, app: &AppName, body: String) -> NotificationEdit {
        NotificationEdit {
            title: Some(Some(self.title.unwrap_or_else(|| app.as_str().to_owned()))),
            body: Some(Some(body)),
            image_url: Some(self.image),
            icon_url: Some(self.icon),
            deep_link: Some(self.link),
            sound: Some(self.sound),
            badge: Some(self.badge),
            data: Some(Some(self.data)),
            ..NotificationEdit::default()
        }
    }
}

/// Keeps what is given; what is given otherwise for another platform is refused.
fn agree<T: PartialEq>(what: &str, held: &mut Option<T>, given: Option<T>) -> Result<(), Failure> {
    match (&held, given) {
        (_, None) => Ok(()),
        (None, given) => {
            *held = given;
            Ok(())
        }
        (Some(held), Some(given)) if *held == given => Ok(()),
        _ => Err(differs(what)),
    }
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// An alert's title, if any, and its text: a text, or an object as Apple has it.
fn alert_text(alert: &Value, field: &str) -> Result<(Option<String>, String), Failure> {
    let text = |key: &str| alert.get(key).and_then(Value::as_str).map(str::to_owned);
    match alert {
        Value::String(body) => Ok((None, body.clone())),
        Value::Object(_) => {
            let body = text("body").ok_or_else(|| missing("body.notification.alert.body"))?;
            Ok((text("title"), body))
        }
        _ => Err(wrong(field, "`alert` must be text, or an object with `body`")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(push: Value) -> Result<NotificationEdit, String> {
        let push: Push = serde_json::from_value(push).expect("the shape of a push");
        let read = push.read(&AppName::new("shop")).map_err(|failure| failure.to_string())?;
        Ok(read.edit(&[]))
    }

    fn to_all(body: Value) -> Result<NotificationEdit, String> {
        read(json!({ "to": "all", "body": body }))
    }

    #[test]
    fn one_text_goes_to_all_and_the_app_is_the_title() {
        let edit = to_all(json!({"platform": "all", "notification": {"alert": "hi"}}));
        let edit = edit.expect("good");
        assert_eq!(edit.title, Some(Some("shop".into())));
        assert_eq!(edit.body, Some(Some("hi".into())));
        assert_eq!(edit.conditions, Some(None));
    }

    #[test]
    fn sections_are_joined_and_platforms_without_text_left_out() {
        let edit = to_all(json!({"platform": "all", "notification": {
            "android": {"alert": "hi", "title": "T", "extras": {"n": 1}, "intent": {"url": "app://x"}},
            "ios": {"alert": {"title": "T", "body": "hi"}, "badge": 2, "sound": "default",
                "extras": {"s": "t"}}}}));
        let edit = edit.expect("good");
        assert_eq!(edit.title, Some(Some("T".into())));
        assert_eq!((edit.badge, edit.deep_link), (Some(Some(2)), Some(Some("app://x".into()))));
        let data = [("n".to_owned(), "1".to_owned()), ("s".into(), "t".into())].into();
        assert_eq!(edit.data, Some(Some(data)));
        let platforms = ClauseSpec::leaf("@platform", "int_in", vec![1, 2]);
        assert_eq!(edit.conditions, Some(Some(platforms)));
    }

    #[test]
    fn audiences_become_conditions() {
        let edit = read(json!({"to": {"tag": ["a", "b"], "tag_and": ["c"], "tag_not": ["d"],
            "alias": ["e"], "registration_id": ["f"]},
            "body": {"platform": ["ios"], "message": {"msg_content": {"k": 1}}}}));
        let edit = edit.expect("good");
        assert_eq!(edit.body, Some(Some(r#"{"k":1}"#.into())));
        let leaf = |key: &str, how: &str, value: Value| ClauseSpec::leaf(key, how, value);
        let not = ClauseSpec::branch("NOT", vec![leaf("@tag", "str_in", json!(["d"]))]);
        let all = vec![
            leaf("@tag", "str_in", json!(["a", "b"])),
            leaf("@tag", "str_eq", json!("c")),
            not,
            leaf("@alias", "str_in", json!(["e"])),
            leaf("@platform", "int_in", json!([2])),
            leaf("@id", "int_in", json!([])),
        ];
        assert_eq!(edit.conditions, Some(Some(ClauseSpec::branch("AND", all))));
    }

    #[test]
    fn what_cannot_be_sent_is_refused_by_name() {
        let good = json!({"platform": "all", "notification": {"alert": "hi"}});
        let cases = [
            (json!({"body": good}), "21002: to: is required"),
            (json!({"to": "all"}), "21002: body: is required"),
            (json!({"to": {}, "body": good}), "21003: to: must be"),
            (json!({"to": {"tag": []}, "body": good}), "21003: to: must be"),
            (json!({"to": {"seg": {"id": "x"}}, "body": good}), "21003: to: unknown field `seg`"),
            (json!({"to": "all", "body": {"notification": {}}}), "21002: body.platform: is"),
            (json!({"to": "all", "body": {"platform": "all"}}), "21002: body.notification: is"),
            (
                json!({"to": "all", "body": {"platform": "windows", "notification": {}}}),
                "21003: body.platform: must be",
            ),
            (
                json!({"to": "all", "body": {"platform": "all", "notification": {}}}),
                "21002: body.notification.alert: is",
            ),
            (
                json!({"to": "all", "body": {"platform": "all", "notification":
                    {"android": {"alert": "a"}, "ios": {"alert": "b"}}}}),
                "21003: body.notification: `alert` differs",
            ),
        ];
        for (push, expected) in cases {
            let refused = read(push.clone()).expect_err("refused");
            assert!(refused.starts_with(expected), "{push}: {refused}");
        }
    }
}
