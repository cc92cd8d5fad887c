//! The JSON shapes. A notification is told in the document's form and in the one of the real server at
//! once: `uuid` and `ident`, `followups` and HAL's `_embedded`, and HAL's `_links`.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use time::{
    OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem,
    macros::format_description,
};

use crate::{
    domain::timestamp::Timestamp,
    services::announcements::{Announcement, AnnouncementEdit, Followup, FollowupEdit},
};

const SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");

/// `YYYY-mm-DDTHH:mm:ss`, in UTC.
#[derive(Clone, Copy, Debug)]
pub struct Date(Timestamp);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let wrong = |_| serde::de::Error::custom("is not a date as in 2013-11-08T16:00:00");
        let read = PrimitiveDateTime::parse(&text, SECONDS).map_err(wrong)?;
        Ok(Self(Timestamp(read.assume_utc().unix_timestamp() * 1000)))
    }
}

fn date(at: Timestamp) -> String {
    let at = OffsetDateTime::from_unix_timestamp(at.seconds()).ok();
    at.and_then(|at| at.format(SECONDS).ok()).unwrap_or_default()
}

/// A notification as it is written; what else a client sends, its own `ident` say, is not looked at.
#[derive(Deserialize)]
pub struct NotificationBody {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    timestamp: Option<Date>,
    #[serde(default)]
    expires: Option<Date>,
    #[serde(default, deserialize_with = "nullable")]
    url: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    label: Option<Option<String>>,
}

impl NotificationBody {
    /// As the services take it.
    pub fn into_edit(self) -> AnnouncementEdit {
        AnnouncementEdit {
            message: self.message,
            timestamp: self.timestamp.map(|date| date.0),
            expires: self.expires.map(|date| date.0),
            url: self.url,
            label: self.label,
        }
    }
}

/// A followup as it is written.
#[derive(Deserialize)]
pub struct FollowupBody {
    message: String,
    #[serde(default)]
    timestamp: Option<Date>,
}

impl FollowupBody {
    /// As the services take it.
    pub fn into_edit(self) -> FollowupEdit {
        FollowupEdit { message: self.message, timestamp: self.timestamp.map(|date| date.0) }
    }
}

/// What to push.
#[derive(Deserialize)]
pub struct PushBody {
    /// The notification that it is about.
    pub notification: String,
    /// What it says.
    pub message: String,
}

/// A device with Google's services.
#[derive(Deserialize)]
pub struct GcmBody {
    /// Its token.
    pub registration_id: String,
}

/// An Apple device.
#[derive(Deserialize)]
pub struct ApnsBody {
    /// Its token.
    pub device_token: String,
}

/// Tells null, which removes, from what is left out.
fn nullable<'de, D>(deserializer: D) -> Result<Option<Option<String>>, D::Error>
where
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// Where a notification is.
pub fn place(prefix: &str, announcement: uuid::Uuid) -> String {
    format!("{prefix}/{announcement}")
}

/// Where a followup is.
pub fn followup_place(prefix: &str, announcement: uuid::Uuid, id: u64) -> String {
    format!("{prefix}/{announcement}/followup/{id}")
}

/// A followup.
pub fn followup(prefix: &str, announcement: uuid::Uuid, followup: &Followup) -> Value {
    json!({
        "id": followup.id,
        "timestamp": date(followup.timestamp),
        "message": followup.message,
        "_links": links(&followup_place(prefix, announcement, followup.id)),
    })
}

/// A notification with its followups.
pub fn notification(prefix: &str, announcement: &Announcement) -> Value {
    let id = announcement.id;
    let followups = announcement.followups.iter();
    let followups: Vec<_> = followups.map(|one| followup(prefix, id, one)).collect();
    let mut told = json!({
        "uuid": id,
        "ident": id,
        "timestamp": date(announcement.timestamp),
        "message": announcement.message,
        "expires": date(announcement.expires),
        "followups": followups,
        "_links": links(&place(prefix, id)),
        "_embedded": { "followups": followups },
    });
    for (name, value) in [("url", &announcement.url), ("label", &announcement.label)] {
        if let Some(value) = value {
            told[name] = value.as_str().into();
        }
    }
    told
}

/// A list of notifications.
pub fn notifications(prefix: &str, announcements: &[Announcement]) -> Value {
    let told: Vec<_> = announcements.iter().map(|one| notification(prefix, one)).collect();
    json!({
        "notifications": told,
        "_embedded": { "notifications": told },
        "_links": links(&format!("{prefix}/")),
    })
}

fn links(place: &str) -> Value {
    let mut links = Map::new();
    links.insert("self".to_owned(), json!({ "href": place }));
    links.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_they_are_written() {
        let read = |text: &str| serde_json::from_value::<Date>(text.into()).map(|date| date.0);
        assert_eq!(read("2013-11-08T16:00:00").unwrap(), Timestamp(1_383_926_400_000));
        assert_eq!(date(Timestamp(1_383_926_400_999)), "2013-11-08T16:00:00");
        for wrong in [
            "2013-11-08",
            "2013-11-08T16:00",
            "2013-11-08 16:00:00",
            "2013-02-30T00:00:00",
            "now",
            "",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
