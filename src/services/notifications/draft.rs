//! Writing a notification: creating it, and editing it while it is a DRAFT.
//!
//! Everything that would only come out while sending is refused here: conditions that do not parse, a
//! payload that a provider would not carry, a time that has passed.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use super::{
    NotificationView, Notifications, Seen,
    content::{check_content, check_schedule},
    moves::Decision,
    view,
};
use crate::{
    domain::{
        Error, Result,
        audience::ClauseSpec,
        ids::{AppName, NotificationId},
        message::Priority,
        notification::{Notification, Status},
        timestamp::Timestamp,
    },
    storage::IdempotencyKey,
};

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

/// Makes a creation safe to repeat: the same key for the same content answers what it made before.
#[derive(Clone, Debug)]
pub struct CreationKey(IdempotencyKey);

impl CreationKey {
    /// A caller's key, for what the caller asks: the same however the notification turns out that is made
    /// of it.
    pub fn new(key: &str, asked: &NotificationEdit) -> Self {
        Self(IdempotencyKey { key: format!("create:{key}"), digest: digest_of(asked) })
    }
}

impl Notifications {
    /// The notification that a key made before; a conflict where that was for other content.
    pub async fn made(&self, app: &AppName, key: &CreationKey) -> Result<Option<Notification>> {
        self.stores.notifications.answered(app, &key.0).await
    }

    /// Writes a new notification, a DRAFT. `key` makes it safe to repeat.
    pub async fn create(
        &self,
        app: &AppName,
        edit: &NotificationEdit,
        key: Option<CreationKey>,
        now: Timestamp,
    ) -> Result<NotificationView> {
        if let Some(key) = &key
            && let Some(made) = self.made(app, key).await?
        {
            return view(&self.stores, made).await;
        }
        let mut draft = Notification::draft(app, NotificationId(Uuid::new_v4()), now);
        edit.apply(&mut draft);
        check_content(&draft, &self.engine)?;
        check_schedule(edit.scheduled_at.flatten(), now)?;
        let made = self.stores.notifications.create(draft, key.map(|key| key.0)).await?;
        view(&self.stores, made).await
    }

    /// Changes a DRAFT: parts that are left out stay as they are. Any other state is a conflict.
    pub async fn edit(
        &self,
        app: &AppName,
        uuid: NotificationId,
        edit: &NotificationEdit,
        seen: &Seen,
        now: Timestamp,
    ) -> Result<NotificationView> {
        let stored = self
            .change(app, uuid, None, |draft| {
                if draft.status != Status::Draft {
                    let status = draft.status.with_article();
                    return Err(Error::conflict(format!(
                        "{status} notification cannot be edited, a DRAFT alone can"
                    )));
                }
                seen.check(draft)?;
                edit.apply(draft);
                draft.modified_at = now;
                check_content(draft, &self.engine)?;
                check_schedule(edit.scheduled_at.flatten(), now)?;
                Ok(Decision::Store)
            })
            .await?;
        view(&self.stores, stored.now).await
    }
}

/// A digest that differs when the content does.
fn digest_of(edit: &NotificationEdit) -> String {
    let content = serde_json::to_vec(edit).expect("text keys and plain values always serialise");
    crate::services::hex_digest(&content)
}

impl NotificationEdit {
    pub(super) fn apply(&self, notification: &mut Notification) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_keeps_sets_and_clears() {
        let mut draft =
            Notification::draft(&AppName::new("a"), NotificationId(Uuid::nil()), Timestamp(0));
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
