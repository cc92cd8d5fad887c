//! What other systems report: workers of their own that sent something, over the internal API. They
//! see every app, and name things by number.

use super::Notifications;
use crate::{
    domain::{
        Error, Result,
        ids::{DeviceId, NotificationId},
        tally::PlatformCounts,
        timestamp::Timestamp,
    },
    storage::EventKind,
};

/// Most unknown numbers named in one refusal.
const MAX_NAMED: usize = 20;

/// Most that one report may add: what every JSON reader can hold exactly.
const MAX_COUNT: u64 = 1 << 53;

/// Events of many devices with one notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedEvents {
    /// The notification's sequence number.
    pub notification: u64,
    /// The devices' sequence numbers.
    pub devices: Vec<DeviceId>,
    /// What happened to all of them.
    pub kind: EventKind,
}

impl Notifications {
    /// Keeps reported events, all or none; how many devices were named. A device named more than once
    /// has one event. Unknown numbers, and devices of another app than
    /// the notification's, are named.
    pub async fn log(&self, events: ReportedEvents, now: Timestamp) -> Result<usize> {
        let stored = self.stores.notifications.get_by_number(events.notification).await?;
        let notification = stored.ok_or_else(|| {
            Error::not_found(format!("notification_id: there is no {}", events.notification))
        })?;
        let mut wanted = events.devices.clone();
        wanted.sort_unstable();
        wanted.dedup();
        let known = self.stores.devices.get_many(Some(&notification.app), &wanted).await?;
        let unknown: Vec<DeviceId> = wanted
            .iter()
            .copied()
            .filter(|id| known.binary_search_by_key(id, |device| device.id).is_err())
            .collect();
        if !unknown.is_empty() {
            return Err(Error::not_found(format!("device_ids: there is no {}", named(&unknown))));
        }
        if !wanted.is_empty() {
            self.stores.ledger.log(notification.uuid, &wanted, events.kind, now).await?;
        }
        Ok(events.devices.len())
    }

    /// Adds to what was sent; what was reported in all after it.
    pub async fn report(
        &self,
        uuid: NotificationId,
        counts: PlatformCounts,
    ) -> Result<PlatformCounts> {
        for (field, count) in
            [("android", counts.android), ("ios", counts.ios), ("web", counts.web)]
        {
            if count > MAX_COUNT {
                return Err(Error::invalid(field, format!("is over {MAX_COUNT}")));
            }
        }
        let unknown = || Error::not_found(format!("there is no notification {uuid}"));
        if self.stores.notifications.get(None, uuid).await?.is_none() {
            return Err(unknown());
        }
        let reported = self.stores.notifications.report(uuid, counts).await?.ok_or_else(unknown)?;
        let mut totals = self.stores.ledger.tally(uuid).await?.accepted;
        totals.add(&reported);
        Ok(totals)
    }
}

fn named(ids: &[DeviceId]) -> String {
    let mut text =
        ids.iter().take(MAX_NAMED).map(DeviceId::to_string).collect::<Vec<_>>().join(", ");
    if ids.len() > MAX_NAMED {
        text.push_str(&format!(" and {} more", ids.len() - MAX_NAMED));
    }
    text
}
