//! Devices: registering, editing, finding, counting, and what happened to one.
//!
//! Checks what a caller says before a store sees it. Called by the API's dialects.

use std::collections::HashMap;

use super::{
    MAX_LIST,
    notifications::{NotificationView, view},
};
use crate::{
    domain::{
        Error, Result,
        audience::{self, Clause, ClauseSpec},
        device::{Device, DeviceEdit, Registration},
        ids::{AppName, DeviceId, NotificationId},
        timestamp::Timestamp,
    },
    engine::EngineHandle,
    storage::{
        AudienceCount, DeviceQuery, DeviceStore, Event, EventKind, EventQuery, Found, Restored,
        Stores,
    },
};

/// Most devices in one bulk registration.
pub const MAX_BULK: usize = 1000;

/// About how many bytes of devices one search answers.
const MAX_FOUND_BYTES: usize = 8 * 1024 * 1024;

/// Devices removed at a time.
const REMOVED_AT_ONCE: usize = 500;

/// The use cases of devices.
#[derive(Clone)]
pub struct Devices {
    stores: Stores,
    engine: EngineHandle,
}

/// Which devices a caller looks for; its parts must all hold.
#[derive(Clone, Debug, Default)]
pub struct DeviceSearch {
    /// These alone; an empty list means any, as an empty condition means everyone.
    pub external_ids: Option<Vec<String>>,
    /// Those that satisfy this.
    pub conditions: Option<ClauseSpec>,
    /// Only those with a larger number, for clients that walk everything.
    pub after: Option<DeviceId>,
    /// How many to skip.
    pub start: u64,
    /// How many at most, 1 to 1000. Fewer are answered where those would be larger than an answer may be.
    pub size: usize,
}

/// One row of a device's history, with its notification where that still exists.
#[derive(Clone, Debug)]
pub struct HistoryRow {
    /// What happened.
    pub event: Event,
    /// The notification it happened with.
    pub notification: Option<NotificationView>,
}

/// Removes every device of an app.
pub(super) async fn remove_all(devices: &dyn DeviceStore, app: &AppName) -> Result<()> {
    loop {
        let query = DeviceQuery { size: REMOVED_AT_ONCE, ..DeviceQuery::default() };
        let found = devices.search(app, &query).await?;
        if found.items.is_empty() {
            return Ok(());
        }
        for device in found.items {
            devices.remove(app, &device.external_id).await?;
        }
    }
}

impl Devices {
    /// Over these stores and this engine.
    pub fn new(stores: Stores, engine: EngineHandle) -> Self {
        Self { stores, engine }
    }

    /// Registers one device: made, or found by its external id and updated.
    pub async fn put(
        &self,
        app: &AppName,
        registration: Registration,
        now: Timestamp,
    ) -> Result<Device> {
        registration.validate()?;
        let mut answers = self.stores.devices.register(app, vec![registration], now).await?;
        answers.pop().unwrap_or_else(|| Err(Error::bug("register a device: no answer came back")))
    }

    /// Registers up to [`MAX_BULK`] devices; the answers come in order, and one refused refuses no
    /// other.
    pub async fn put_many(
        &self,
        app: &AppName,
        registrations: Vec<Registration>,
        now: Timestamp,
    ) -> Result<Vec<Result<Device>>> {
        if registrations.len() > MAX_BULK {
            return Err(Error::invalid("devices", format!("has over {MAX_BULK} devices")));
        }
        let checks: Vec<Result<()>> = registrations.iter().map(Registration::validate).collect();
        let good = registrations.into_iter().zip(&checks);
        let good: Vec<_> =
            good.filter(|(_, check)| check.is_ok()).map(|(device, _)| device).collect();
        let stored = if good.is_empty() {
            vec![]
        } else {
            self.stores.devices.register(app, good, now).await?
        };
        let mut stored = stored.into_iter();
        let missing = || Err(Error::bug("register devices: an answer is missing"));
        let answer = |check: Result<()>| check.and_then(|()| stored.next().unwrap_or_else(missing));
        Ok(checks.into_iter().map(answer).collect())
    }

    /// One device.
    pub async fn get(&self, app: &AppName, external_id: &str) -> Result<Device> {
        self.stores.devices.get(app, external_id).await?.ok_or_else(|| unknown(external_id))
    }

    /// The device that has this token, if any.
    pub async fn holder(&self, app: &AppName, token: &str) -> Result<Option<Device>> {
        let holders = self.stores.devices.holders(app, &[token.to_owned()]).await?;
        Ok(holders.into_iter().next())
    }

    /// Those of these external ids that there are, up to [`MAX_BULK`].
    pub async fn named(&self, app: &AppName, external_ids: Vec<String>) -> Result<Vec<Device>> {
        if external_ids.is_empty() {
            return Ok(Vec::new());
        }
        let size = external_ids.len().min(MAX_BULK);
        let external_ids = Some(external_ids);
        let query = DeviceQuery { external_ids, size, ..DeviceQuery::default() };
        Ok(self.stores.devices.search(app, &query).await?.items)
    }

    /// Changes what is known of a device; an edit that says nothing changes nothing.
    pub async fn edit(
        &self,
        app: &AppName,
        external_id: &str,
        edit: DeviceEdit,
        now: Timestamp,
    ) -> Result<Device> {
        edit.validate()?;
        if edit == DeviceEdit::default() {
            return self.get(app, external_id).await;
        }
        let edited = self.stores.devices.edit(app, external_id, edit, now).await?;
        edited.ok_or_else(|| unknown(external_id))
    }

    /// Forgets a device.
    pub async fn remove(&self, app: &AppName, external_id: &str) -> Result<()> {
        let removed = self.stores.devices.remove(app, external_id).await?;
        if removed { Ok(()) } else { Err(unknown(external_id)) }
    }

    /// Undoes the giving up of a device's token; one that was not given up stays as it is.
    pub async fn restore(&self, app: &AppName, external_id: &str) -> Result<Restored> {
        let restored = self.stores.devices.restore(app, external_id).await?;
        restored.ok_or_else(|| unknown(external_id))
    }

    /// Devices in the order of their numbers.
    pub async fn search(
        &self,
        app: &AppName,
        search: DeviceSearch,
        now: Timestamp,
    ) -> Result<Found<Device>> {
        if !(1..=MAX_LIST).contains(&search.size) {
            return Err(Error::invalid("size", format!("must be 1 to {MAX_LIST}")));
        }
        let query = DeviceQuery {
            external_ids: search.external_ids.filter(|ids| !ids.is_empty()),
            clause: checked(search.conditions.as_ref())?,
            now,
            after: search.after,
            start: search.start,
            size: search.size,
            max_bytes: Some(MAX_FOUND_BYTES),
        };
        self.stores.devices.search(app, &query).await
    }

    /// How many devices satisfy the conditions, and how many of them can be reached.
    pub async fn count(
        &self,
        app: &AppName,
        conditions: Option<&ClauseSpec>,
        now: Timestamp,
    ) -> Result<AudienceCount> {
        let clause = checked(conditions)?;
        let configured = self.engine.providers(app);
        self.stores.devices.count(app, clause.as_ref(), &configured, now).await
    }

    /// What happened to one device.
    pub async fn history(
        &self,
        app: &AppName,
        external_id: &str,
        query: &EventQuery,
    ) -> Result<Found<HistoryRow>> {
        let device = self.get(app, external_id).await?;
        let found = self.stores.ledger.history(app, device.id, query).await?;
        let mut notifications: HashMap<NotificationId, Option<NotificationView>> = HashMap::new();
        for event in &found.items {
            if notifications.contains_key(&event.notification) {
                continue;
            }
            let stored = self.stores.notifications.get(Some(app), event.notification).await?;
            let seen = match stored {
                Some(notification) => Some(view(&self.stores, notification).await?),
                None => None,
            };
            notifications.insert(event.notification, seen);
        }
        let row = |event: Event| {
            let notification = notifications.get(&event.notification).cloned().flatten();
            HistoryRow { event, notification }
        };
        Ok(Found { total: found.total, items: found.items.into_iter().map(row).collect() })
    }

    /// Keeps what the app on the device says of a notification: it arrived, or was opened.
    pub async fn report_event(
        &self,
        app: &AppName,
        external_id: &str,
        notification: NotificationId,
        kind: EventKind,
        now: Timestamp,
    ) -> Result<()> {
        if !matches!(kind, EventKind::Received | EventKind::Opened) {
            return Err(Error::invalid("event", "must be received or opened"));
        }
        let device = self.get(app, external_id).await?;
        if self.stores.notifications.get(Some(app), notification).await?.is_none() {
            return Err(Error::not_found(format!("there is no notification {notification}")));
        }
        self.stores.ledger.log(notification, &[device.id], kind, now).await
    }
}

fn checked(conditions: Option<&ClauseSpec>) -> Result<Option<Clause>> {
    let given = conditions.filter(|spec| !spec.is_empty());
    given.map(|spec| audience::parse(spec, "conditions")).transpose()
}

/// The error for a device that there is not.
pub(super) fn unknown(external_id: &str) -> Error {
    let shown: String = external_id.chars().take(80).collect();
    Error::not_found(format!("there is no device `{shown}`"))
}
