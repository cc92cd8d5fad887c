//! Writing a notification: creating it, and editing it while it is a DRAFT.
//!
//! Everything that would only come out while sending is refused here: conditions that do not parse, a
//! payload that a provider would not carry, a time that has passed.

use std::{collections::BTreeMap, time::Duration};

use ring::digest;
use serde::Serialize;
use uuid::Uuid;

use super::{NotificationView, Notifications, moves::Decision, view};
use crate::{
    domain::{
        Error, Result,
        audience::{self, ClauseSpec},
        ids::{AppName, NotificationId},
        message::{Message, Priority},
        notification::{Notification, Status},
        tally::PlatformCounts,
        timestamp::Timestamp,
    },
    engine::EngineHandle,
    storage::IdempotencyKey,
    transport::RenderError,
};

const MAX_TITLE_CHARS: usize = 1000;
const MAX_BODY_CHARS: usize = 4000;
const MAX_URL_BYTES: usize = 2048;
/// APNs' limit on `apns-collapse-id`.
const MAX_COLLAPSE_ID_BYTES: usize = 64;
const MAX_SOUND_BYTES: usize = 256;
/// FCM's limit: four weeks.
const MAX_TIME_TO_LIVE_SECS: u32 = 28 * 24 * 3600;
/// How far in the past `scheduled_at` may lie: clocks differ, and requests take their time.
const SCHEDULE_SLACK: Duration = Duration::from_secs(60);

/// What a caller writes of a notification. An outer none leaves a part as it is, an inner none clears
/// it; title and body cannot be cleared.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are the notification's own, documented there")]
pub struct NotificationEdit {
    pub title: Option<Option<String>>,
    pub body: Option<Option<String>>,
    pub image_url: Option<Option<String>>,
    pub icon_url: Option<Option<String>>,
    pub deep_link: Option<Option<String>>,
    pub conditions: Option<Option<ClauseSpec>>,
    pub scheduled_at: Option<Option<Timestamp>>,
    pub time_to_live: Option<Option<u32>>,
    pub priority: Option<Option<Priority>>,
    pub collapse_id: Option<Option<String>>,
    pub sound: Option<Option<String>>,
    pub badge: Option<Option<u32>>,
    pub data: Option<Option<BTreeMap<String, String>>>,
    pub dry_run: Option<Option<bool>>,
    pub rate_limit: Option<Option<u32>>,
}

impl Notifications {
    /// Writes a new notification, a DRAFT. `key` makes it safe to repeat: the same key with the same
    /// content answers the notification made before.
    pub async fn create(
        &self,
        app: &AppName,
        edit: &NotificationEdit,
        key: Option<&str>,
        now: Timestamp,
    ) -> Result<NotificationView> {
        let key =
            key.map(|key| IdempotencyKey { key: format!("create:{key}"), digest: digest_of(edit) });
        if let Some(key) = &key
            && let Some(made) = self.stores.notifications.answered(app, key).await?
        {
            return view(&self.stores, made).await;
        }
        let mut draft = blank(app, now);
        edit.apply(&mut draft);
        check_content(&draft, &self.engine)?;
        check_schedule(edit, now)?;
        let made = self.stores.notifications.create(draft, key).await?;
        view(&self.stores, made).await
    }

    /// Changes a DRAFT: parts that are left out stay as they are. Any other state is a conflict.
    pub async fn edit(
        &self,
        app: &AppName,
        uuid: NotificationId,
        edit: &NotificationEdit,
        now: Timestamp,
    ) -> Result<NotificationView> {
        let stored = self
            .change(app, uuid, None, |draft| {
                if draft.status != Status::Draft {
                    let status = draft.status.name();
                    return Err(Error::conflict(format!(
                        "a {status} notification cannot be edited, a DRAFT alone can"
                    )));
                }
                edit.apply(draft);
                draft.modified_at = now;
                check_content(draft, &self.engine)?;
                check_schedule(edit, now)?;
                Ok(Decision::Store)
            })
            .await?;
        view(&self.stores, stored.now).await
    }
}

/// A digest that differs when the content does.
fn digest_of(edit: &NotificationEdit) -> String {
    let content = serde_json::to_vec(edit).expect("text keys and plain values always serialise");
    let digest = digest::digest(&digest::SHA256, &content);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn blank(app: &AppName, now: Timestamp) -> Notification {
    Notification {
        id: 0,
        uuid: NotificationId(Uuid::new_v4()),
        app: app.clone(),
        message: Message::default(),
        conditions: None,
        status: Status::Draft,
        error: None,
        scheduled_at: None,
        created_at: now,
        modified_at: now,
        launched_at: None,
        finished_at: None,
        round: 0,
        reported: PlatformCounts::default(),
        version: 0,
    }
}

impl NotificationEdit {
    fn apply(&self, notification: &mut Notification) {
        fn set<T: Clone>(part: &mut T, change: &Option<T>) {
            if let Some(value) = change {
                part.clone_from(value);
            }
        }
        fn set_or_default<T: Clone + Default>(part: &mut T, change: &Option<Option<T>>) {
            if let Some(value) = change {
                *part = value.clone().unwrap_or_default();
            }
        }
        let message = &mut notification.message;
        set_or_default(&mut message.title, &self.title);
        set_or_default(&mut message.body, &self.body);
        set(&mut message.image_url, &self.image_url);
        set(&mut message.icon_url, &self.icon_url);
        set(&mut message.deep_link, &self.deep_link);
        let options = &mut message.options;
        set(&mut options.time_to_live, &self.time_to_live);
        set_or_default(&mut options.priority, &self.priority);
        set(&mut options.collapse_id, &self.collapse_id);
        set(&mut options.sound, &self.sound);
        set(&mut options.badge, &self.badge);
        set_or_default(&mut options.data, &self.data);
        set_or_default(&mut options.dry_run, &self.dry_run);
        set(&mut options.rate_limit, &self.rate_limit);
        set(&mut notification.conditions, &self.conditions);
        set(&mut notification.scheduled_at, &self.scheduled_at);
    }
}

fn check_schedule(edit: &NotificationEdit, now: Timestamp) -> Result<()> {
    let past = |at: Timestamp| at < now.minus(SCHEDULE_SLACK);
    if edit.scheduled_at.flatten().is_some_and(past) {
        return Err(Error::invalid("scheduled_at", "lies in the past"));
    }
    Ok(())
}

fn check_content(notification: &Notification, engine: &EngineHandle) -> Result<()> {
    let message = &notification.message;
    check_text("title", &message.title, MAX_TITLE_CHARS)?;
    check_text("body", &message.body, MAX_BODY_CHARS)?;
    check_web_url("image_url", message.image_url.as_deref())?;
    check_web_url("icon_url", message.icon_url.as_deref())?;
    check_url("deep_link", message.deep_link.as_deref())?;
    check_options(message)?;
    if let Some(spec) = &notification.conditions {
        audience::parse(spec, "conditions")?;
    }
    engine.check_message(&notification.app, message).map_err(|refusal| match refusal {
        RenderError::TooLarge { .. } => Error::invalid("body", refusal.to_string()),
        RenderError::Field { field, problem } => Error::invalid(field, problem),
    })
}

fn check_text(field: &str, text: &str, most: usize) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid(field, "is required and must not be empty"));
    }
    if text.chars().count() > most {
        return Err(Error::invalid(field, format!("is over {most} characters")));
    }
    Ok(())
}

fn check_web_url(field: &str, url: Option<&str>) -> Result<()> {
    check_url(field, url)?;
    let Some(url) = url else { return Ok(()) };
    let scheme_end = url.find("://").map_or(0, |end| end + 3);
    let web = ["http://", "https://"].iter().any(|web| url[..scheme_end].eq_ignore_ascii_case(web));
    let host = url[scheme_end..].split(['/', '?', '#']).next().unwrap_or_default();
    if !web || host.is_empty() {
        return Err(Error::invalid(field, "must be an http:// or https:// URL"));
    }
    Ok(())
}

fn check_url(field: &str, url: Option<&str>) -> Result<()> {
    let Some(url) = url else { return Ok(()) };
    if url.is_empty() || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::invalid(field, "must be a URL, without spaces"));
    }
    if url.len() > MAX_URL_BYTES {
        return Err(Error::invalid(field, format!("is over {MAX_URL_BYTES} bytes")));
    }
    Ok(())
}

fn check_options(message: &Message) -> Result<()> {
    let options = &message.options;
    if options.time_to_live.is_some_and(|secs| secs > MAX_TIME_TO_LIVE_SECS) {
        let what = format!("is over {MAX_TIME_TO_LIVE_SECS} seconds");
        return Err(Error::invalid("time_to_live", what));
    }
    let texts = [
        ("collapse_id", &options.collapse_id, MAX_COLLAPSE_ID_BYTES),
        ("sound", &options.sound, MAX_SOUND_BYTES),
    ];
    for (field, text, most) in texts {
        let fits =
            |text: &String| (1..=most).contains(&text.len()) && !text.chars().any(char::is_control);
        if !text.as_ref().is_none_or(fits) {
            let what = format!("must have 1 to {most} bytes and no control characters");
            return Err(Error::invalid(field, what));
        }
    }
    if options.data.keys().any(String::is_empty) {
        return Err(Error::invalid("data", "has an empty key"));
    }
    check_rate(options.rate_limit)
}

/// A campaign's own rate is at least one push per second; none is no limit.
pub(super) fn check_rate(rate: Option<u32>) -> Result<()> {
    if rate == Some(0) {
        return Err(Error::invalid("rate_limit", "must be at least 1, or null for no limit"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_must_be_urls() {
        for good in ["https://a.example/x.png", "HTTP://a", "https://ä.example/ü?x=1"] {
            assert!(check_web_url("image_url", Some(good)).is_ok(), "{good}");
        }
        for bad in ["", "ftp://a", "a.png", "https://", "https:///x", "https://a b", "javascript:x"]
        {
            assert!(check_web_url("image_url", Some(bad)).is_err(), "{bad}");
        }
        assert!(check_url("deep_link", Some("shop://orders/1")).is_ok());
        assert!(check_url("deep_link", Some(&"x".repeat(2049))).is_err());
    }

    #[test]
    fn only_a_schedule_far_in_the_past_is_refused() {
        let now = Timestamp(1_000_000);
        let at =
            |at| NotificationEdit { scheduled_at: Some(Some(Timestamp(at))), ..Default::default() };
        assert!(check_schedule(&at(940_000), now).is_ok());
        assert!(check_schedule(&at(939_999), now).is_err());
        assert!(check_schedule(&NotificationEdit::default(), now).is_ok());
    }

    #[test]
    fn an_edit_keeps_sets_and_clears() {
        let mut draft = blank(&AppName::new("a"), Timestamp(0));
        draft.message.title = "old".into();
        draft.message.deep_link = Some("x://y".into());
        let edit = NotificationEdit {
            body: Some(Some("new".into())),
            deep_link: Some(None),
            ..Default::default()
        };
        edit.apply(&mut draft);
        let message = &draft.message;
        assert_eq!((message.title.as_str(), message.body.as_str()), ("old", "new"));
        assert_eq!(message.deep_link, None);
    }

    #[test]
    fn the_digest_tells_content_apart() {
        let titled = |title: &str| NotificationEdit {
            title: Some(Some(title.to_owned())),
            ..Default::default()
        };
        assert_eq!(digest_of(&titled("a")), digest_of(&titled("a")));
        assert_ne!(digest_of(&titled("a")), digest_of(&titled("b")));
    }
}
