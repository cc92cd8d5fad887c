//! What a message would look like to the app's providers, while somebody writes it. Nothing is stored.

use super::{NotificationEdit, Notifications, content::check_parts};
use crate::{
    domain::{
        Result, device::SendPlatform, ids::AppName, ids::NotificationId,
        notification::Notification, timestamp::Timestamp,
    },
    engine::Preview,
};

impl Notifications {
    /// The message as each of the app's providers would be sent it, or as both APNs and FCM would where
    /// the app has neither. What is wrong with a field is an error; what a provider would not carry is
    /// part of the answer.
    pub fn preview(
        &self,
        app: &AppName,
        edit: &NotificationEdit,
        now: Timestamp,
    ) -> Result<Vec<(SendPlatform, Preview)>> {
        // The uuid is drawn when the notification is stored; zeros stand where it will.
        let mut draft = Notification::draft(app, NotificationId(uuid::Uuid::nil()), now);
        edit.apply(&mut draft);
        check_parts(&draft)?;
        Ok(self.engine.preview(app, draft.uuid, &draft.message))
    }
}
