//! Notifications: writing them (`draft`, checked by `content`), moving them through their states (`moves`), both
//! only where nobody else did meanwhile (`seen`), what other systems report about them (`reports`), and looks at
//! one before it is launched (`preview`, `trial`). This file reads them.

mod content;
mod draft;
mod moves;
mod preview;
mod reports;
mod seen;
mod trial;

use std::sync::Arc;

use futures_util::future::try_join_all;

use crate::{
    domain::{
        Error, Result,
        campaign::FailureFilter,
        device::Device,
        ids::{AppName, NotificationId},
        notification::Notification,
        tally::{PlatformCounts, Tally},
    },
    engine::EngineHandle,
    storage::{EventKind, Failure, Found, NotificationQuery, Stores},
};

pub use draft::{CreationKey, NotificationEdit};
pub use moves::Moved;
pub use reports::ReportedEvents;
pub use seen::Seen;
pub use trial::{MAX_TRIED, Trial};

/// The use cases of notifications.
#[derive(Clone)]
pub struct Notifications {
    stores: Stores,
    engine: EngineHandle,
    /// Into how many shards a round that sends failures again is cut.
    shards: u16,
    /// Held while a round is planned and stored, so that two callers do not plan the same round from
    /// different filters.
    resending: Arc<tokio::sync::Mutex<()>>,
}

/// A notification with what has become of it.
#[derive(Clone, Debug, PartialEq)]
pub struct NotificationView {
    /// The notification as stored.
    pub notification: Notification,
    /// What the ledger counts.
    pub tally: Tally,
}

impl NotificationView {
    /// Accepted pushes, those that other systems reported included.
    pub fn sent(&self) -> PlatformCounts {
        let mut sent = self.tally.accepted;
        sent.add(&self.notification.reported);
        sent
    }
}

/// A failed device, with the device where it still exists.
#[derive(Clone, Debug)]
pub struct FailureRow {
    /// What failed.
    pub failure: Failure,
    /// The device it failed for.
    pub device: Option<Device>,
}

impl Notifications {
    /// Over these stores and this engine; `shards` is how many a round is cut into.
    pub fn new(stores: Stores, engine: EngineHandle, shards: u16) -> Self {
        Self { stores, engine, shards, resending: Arc::default() }
    }

    /// One notification.
    pub async fn get(&self, app: &AppName, uuid: NotificationId) -> Result<NotificationView> {
        view(&self.stores, self.stored(app, uuid).await?).await
    }

    /// One notification by its sequence number.
    pub async fn by_number(&self, app: &AppName, number: u64) -> Result<NotificationView> {
        let stored = self.stores.notifications.get_by_number(number).await?;
        let own = stored.filter(|notification| notification.app == *app);
        let unknown = || Error::not_found(format!("there is no notification {number}"));
        view(&self.stores, own.ok_or_else(unknown)?).await
    }

    /// How many devices reported that it arrived, and that it was opened.
    pub async fn heard(&self, uuid: NotificationId) -> Result<(u64, u64)> {
        let heard = self.stores.ledger.heard(uuid).await?;
        let of = |kind| heard.get(&kind).copied().unwrap_or_default();
        Ok((of(EventKind::Received), of(EventKind::Opened)))
    }

    /// Notifications as the query asks.
    pub async fn list(
        &self,
        app: &AppName,
        query: &NotificationQuery,
    ) -> Result<Found<NotificationView>> {
        let found = self.stores.notifications.list(app, query).await?;
        let views = found.items.into_iter().map(|notification| view(&self.stores, notification));
        Ok(Found { total: found.total, items: try_join_all(views).await? })
    }

    /// The devices that failed, in the store's order.
    pub async fn failures(
        &self,
        app: &AppName,
        uuid: NotificationId,
        filter: &FailureFilter,
        start: u64,
        size: usize,
    ) -> Result<Found<FailureRow>> {
        self.stored(app, uuid).await?;
        let found = self.stores.ledger.failures(uuid, filter, start, size).await?;
        let mut ids: Vec<_> = found.items.iter().map(|failure| failure.device).collect();
        ids.sort_unstable();
        ids.dedup();
        let devices = self.stores.devices.get_many(Some(app), &ids).await?;
        let row = |failure: Failure| {
            let place = devices.binary_search_by_key(&failure.device, |device| device.id).ok();
            FailureRow { device: place.map(|place| devices[place].clone()), failure }
        };
        Ok(Found { total: found.total, items: found.items.into_iter().map(row).collect() })
    }

    async fn stored(&self, app: &AppName, uuid: NotificationId) -> Result<Notification> {
        let stored = self.stores.notifications.get(Some(app), uuid).await?;
        stored.ok_or_else(|| Error::not_found(format!("there is no notification {uuid}")))
    }
}

/// A notification with its tally.
pub(super) async fn view(stores: &Stores, notification: Notification) -> Result<NotificationView> {
    let tally = stores.ledger.tally(notification.uuid).await?;
    Ok(NotificationView { notification, tally })
}
