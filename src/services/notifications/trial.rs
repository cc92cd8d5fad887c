//! Test sends: a notification pushed at once to a few named devices, whatever its state and conditions.
//! Nothing is recorded of it: it counts for no campaign and stands in no device's history.

use std::{collections::HashSet, time::Duration};

use futures_util::future::join_all;

use super::{Notifications, Seen};
use crate::{
    domain::{
        Error, Result,
        device::{Device, Unreachable},
        ids::{AppName, NotificationId},
        message::Message,
        notification::Status,
    },
    engine::{DirectOutcome, DirectPush},
    services::devices,
    storage::DeviceQuery,
};

/// Most devices of one test send.
pub const MAX_TRIED: usize = 20;

/// How long a push may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of a test send to one device.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The device.
    pub external_id: String,
    /// Why it failed; none where the provider took it.
    pub failure: Option<String>,
}

impl Notifications {
    /// Pushes a notification to these devices now, in the order they are named, each once, and says what
    /// became of each. A device that there is not is an error before anything is sent.
    pub async fn try_out(
        &self,
        app: &AppName,
        uuid: NotificationId,
        external_ids: Vec<String>,
        seen: &Seen,
    ) -> Result<Vec<Trial>> {
        let notification = self.stored(app, uuid).await?;
        if notification.status == Status::Deleted {
            return Err(Error::conflict("a DELETED notification is not sent any more"));
        }
        seen.check(&notification)?;
        let devices = self.named(app, external_ids).await?;
        let pushes = devices.iter().map(|device| self.try_one(app, device, &notification.message));
        let failures = join_all(pushes).await;
        let trial = |(device, failure): (Device, _)| {
            let external_id = device.external_id;
            Trial { external_id, failure }
        };
        Ok(devices.into_iter().zip(failures).map(trial).collect())
    }

    /// The devices of these names, all of them.
    async fn named(&self, app: &AppName, mut external_ids: Vec<String>) -> Result<Vec<Device>> {
        if !(1..=MAX_TRIED).contains(&external_ids.len()) {
            let message = format!("must name 1 to {MAX_TRIED} devices");
            return Err(Error::invalid("external_ids", message));
        }
        let mut seen = HashSet::new();
        external_ids.retain(|name| seen.insert(name.clone()));
        let names = Some(external_ids.clone());
        let query = DeviceQuery { external_ids: names, size: MAX_TRIED, ..DeviceQuery::default() };
        let mut found = self.stores.devices.search(app, &query).await?.items;
        let named = |name: String| {
            let place = found.iter().position(|device| device.external_id == name);
            place.map(|place| found.swap_remove(place)).ok_or_else(|| devices::unknown(&name))
        };
        external_ids.into_iter().map(named).collect()
    }

    /// Pushes to one device by the rules of campaigns; why it failed, if it did.
    async fn try_one(&self, app: &AppName, device: &Device, message: &Message) -> Option<String> {
        if let Some(why) = device.unreachable() {
            return Some(why.name().to_owned());
        }
        if !self.engine.providers(app).contains(&device.send_platform) {
            return Some(Unreachable::NoCredentials.name().to_owned());
        }
        if message.options.dry_run {
            return None;
        }
        // A name of its own, so that the campaign's push does not pass for a repeat of the test's.
        let id = NotificationId(uuid::Uuid::new_v4());
        failure(self.engine.push(DirectPush { app, id, device, message }, PATIENCE).await)
    }
}

fn failure(outcome: DirectOutcome) -> Option<String> {
    match outcome {
        DirectOutcome::Accepted => None,
        DirectOutcome::TokenGone(reason)
        | DirectOutcome::CredentialsRefused(reason)
        | DirectOutcome::Refused(reason)
        | DirectOutcome::Failed(reason) => Some(reason.as_str().to_owned()),
        DirectOutcome::NoCredentials => Some(Unreachable::NoCredentials.name().to_owned()),
        DirectOutcome::Unfit(refusal) => Some(refusal.to_string()),
        DirectOutcome::Unavailable => Some("no_answer".to_owned()),
    }
}
