//! Pushing an announcement, and who gets it: devices that registered for it, and the configured e-mail
//! recipients. All of them are ordinary devices with a mark, and a push is an ordinary notification with
//! a condition on it.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Announcement, Announcements, key};
use crate::{
    domain::{
        Error, ErrorKind, Result,
        audience::ClauseSpec,
        device::{DeviceEdit, DevicePlatform, PropertyValue, Registration, Scalar, SendPlatform},
        ids::{AppName, NotificationId},
        timestamp::Timestamp,
    },
    services::{
        DeviceSearch, MAX_LIST, hex_digest,
        notifications::{NotificationEdit, Seen},
    },
};

/// How many characters a push may have.
const PUSH_CHARS: std::ops::RangeInclusive<usize> = 3..=250;
/// The headline of a push whose announcement has no label.
const UNLABELLED: &str = "Notification";

/// The property that marks the devices that get announcements.
const MARK: &str = "moxie";
/// The property that marks those of them that are the configured e-mail recipients.
const MAIL_MARK: &str = "moxie_mail";

/// A way for a device to get announcements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// By its FCM registration token.
    Fcm,
    /// By its APNs device token.
    Apns,
}

impl Announcements {
    /// Pushes a text about an announcement to every device that gets announcements; the notification
    /// that does.
    pub async fn push(
        &self,
        app: &AppName,
        id: Uuid,
        text: &str,
        now: Timestamp,
    ) -> Result<NotificationId> {
        let text = text.trim();
        if !PUSH_CHARS.contains(&text.chars().count()) {
            let (least, most) = (PUSH_CHARS.start(), PUSH_CHARS.end());
            return Err(Error::invalid(
                "message",
                format!("must have {least} to {most} characters"),
            ));
        }
        let about = self.get(app, id, now).await?;
        let edit = push_of(&about, text);
        let draft = self
            .notifications
            .create(app, &edit, None, now)
            .await
            .map_err(|error| renamed(error, &PARTS))?;
        let uuid = draft.notification.uuid;
        self.notifications.launch(app, uuid, None, &Seen::ANY, now).await?;
        Ok(uuid)
    }

    /// Lets a device get announcements; safe to repeat. `field` is what the caller calls the token. Who
    /// calls has proved nothing, so no device loses its token by this.
    pub async fn register(
        &self,
        app: &AppName,
        listener: Listener,
        field: &'static str,
        token: String,
        now: Timestamp,
    ) -> Result<()> {
        let (way, provider, platform) = match listener {
            Listener::Fcm => ("fcm", SendPlatform::Fcm, DevicePlatform::Android),
            Listener::Apns => ("apns", SendPlatform::Apns, DevicePlatform::Ios),
        };
        // A token may be longer than an external id can be.
        let digest = hex_digest(token.as_bytes());
        let registration = Registration {
            external_id: format!("moxie:{way}:{digest}"),
            push_token: token,
            send_platform: Some(provider),
            device_platform: Some(platform),
            edit: marked(&[MARK]),
        };
        let stored = self.put_or_mark(app, provider, registration, now).await;
        stored.map_err(|error| renamed(error, &[("push_token", field)]))
    }

    /// Registers a token that nobody has; who has it already keeps it, and is marked.
    async fn put_or_mark(
        &self,
        app: &AppName,
        provider: SendPlatform,
        registration: Registration,
        now: Timestamp,
    ) -> Result<()> {
        registration.validate()?;
        let token = std::slice::from_ref(&registration.push_token);
        let holders = self.stores.devices.holders(app, token).await?;
        let other = holders.into_iter().find(|one| one.external_id != registration.external_id);
        let Some(other) = other else {
            return self.devices.put(app, registration, now).await.map(drop);
        };
        if other.send_platform != provider {
            return Err(Error::invalid("push_token", "is another kind of device's"));
        }
        self.devices.edit(app, &other.external_id, registration.edit, now).await.map(drop)
    }

    /// Makes these addresses, and no others, the e-mail recipients of announcements: ordinary devices,
    /// whose token is the address. Called at the start, with what is configured.
    pub async fn keep_recipients(
        &self,
        app: &AppName,
        addresses: &[String],
        now: Timestamp,
    ) -> Result<()> {
        let recipient = |address: &String| Registration {
            external_id: format!("mail:{address}"),
            push_token: address.clone(),
            send_platform: Some(SendPlatform::Email),
            device_platform: None,
            edit: marked(&[MARK, MAIL_MARK]),
        };
        let mut after = None;
        loop {
            let search = DeviceSearch {
                conditions: Some(ClauseSpec::leaf(MAIL_MARK, "bool_eq", true)),
                size: MAX_LIST,
                after,
                ..DeviceSearch::default()
            };
            let found = self.devices.search(app, search, now).await?.items;
            let Some(last) = found.last() else { break };
            after = Some(last.id);
            for device in found {
                let is_kept = addresses.iter().any(|kept| device.push_token.as_ref() == Some(kept));
                if !is_kept && device.send_platform == SendPlatform::Email {
                    self.devices.remove(app, &device.external_id).await?;
                }
            }
        }
        for address in addresses {
            self.devices.put(app, recipient(address), now).await?;
        }
        Ok(())
    }
}

fn push_of(about: &Announcement, text: &str) -> NotificationEdit {
    let title = about.label.as_deref().unwrap_or(UNLABELLED);
    let data = [("message", text.to_owned()), ("ident", key(about.id))];
    let data: BTreeMap<_, _> = data.map(|(key, value)| (key.to_owned(), value)).into();
    NotificationEdit {
        title: Some(Some(title.to_owned())),
        body: Some(Some(text.to_owned())),
        deep_link: Some(about.url.clone()),
        conditions: Some(Some(ClauseSpec::leaf(MARK, "bool_eq", true))),
        data: Some(Some(data)),
        ..NotificationEdit::default()
    }
}

/// What an announcement's parts are called in a notification.
const PARTS: [(&str, &str); 4] =
    [("body", "message"), ("data.message", "message"), ("title", "label"), ("deep_link", "url")];

/// A refusal, its field by the name that the caller knows.
fn renamed(error: Error, names: &[(&str, &'static str)]) -> Error {
    let ErrorKind::Invalid { field: Some(field) } = error.kind() else { return error };
    let Some((_, ours)) = names.iter().find(|(theirs, _)| theirs == field) else { return error };
    let told = error.public_message();
    let what = told.strip_prefix(&format!("{field}: ")).unwrap_or(&told);
    Error::invalid(*ours, what.to_owned())
}

fn marked(marks: &[&str]) -> DeviceEdit {
    let yes = || Some(PropertyValue::One(Scalar::Bool(true)));
    let properties = marks.iter().map(|mark| ((*mark).to_owned(), yes()));
    DeviceEdit { properties: properties.collect(), ..DeviceEdit::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_push_is_told_in_the_callers_words() {
        let told = renamed(Error::invalid("deep_link", "is too long"), &PARTS).public_message();
        assert_eq!(told, "url: is too long");
        let other = renamed(Error::conflict("x"), &PARTS);
        assert_eq!(*other.kind(), ErrorKind::Conflict);
    }
}
