//! The role of the notification store.

use async_trait::async_trait;
use rusqlite::Connection;

use super::{
    Embedded,
    notification_list::list,
    notification_row::{COLUMNS, all, answered, find_one, insert, remember, replace, report},
    work::Work,
};
use crate::{
    domain::{
        Error, Result,
        ids::{AppName, NotificationId},
        notification::Notification,
        tally::PlatformCounts,
    },
    storage::{Found, IdempotencyKey, NotificationQuery, NotificationStore},
};

#[async_trait]
impl NotificationStore for Embedded {
    async fn create(
        &self,
        notification: Notification,
        key: Option<IdempotencyKey>,
    ) -> Result<Notification> {
        let app = self.app_number(&notification.app).await?;
        self.inner.writer.write(move |work| create(work, app, notification, key.as_ref())).await
    }

    async fn get(
        &self,
        app: Option<&AppName>,
        uuid: NotificationId,
    ) -> Result<Option<Notification>> {
        let app = app.cloned();
        let question = move |connection: &Connection| {
            let found = find_one(connection, "uuid = ?", [uuid.0.as_bytes()])?;
            Ok(found.filter(|found| app.is_none_or(|app| app == found.app)))
        };
        self.inner.readers.read(question).await
    }

    async fn get_by_number(&self, id: u64) -> Result<Option<Notification>> {
        let question =
            move |connection: &Connection| find_one(connection, "id = ?", [id.cast_signed()]);
        self.inner.readers.read(question).await
    }

    async fn list(&self, app: &AppName, query: &NotificationQuery) -> Result<Found<Notification>> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(Found::default()) };
        let query = query.clone();
        self.inner.readers.read(move |connection| list(connection, app, &query)).await
    }

    async fn update(
        &self,
        notification: Notification,
        key: Option<IdempotencyKey>,
    ) -> Result<Option<Notification>> {
        let app = self.app_number(&notification.app).await?;
        self.inner.writer.write(move |work| update(work, app, notification, key.as_ref())).await
    }

    async fn answered(&self, app: &AppName, key: &IdempotencyKey) -> Result<Option<Notification>> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(None) };
        let key = key.clone();
        let question = move |connection: &Connection| match answered(connection, app, &key)? {
            Some(number) => find_one(connection, "id = ?", [number]),
            None => Ok(None),
        };
        self.inner.readers.read(question).await
    }

    async fn active(&self) -> Result<Vec<Notification>> {
        let question = move |connection: &Connection| {
            let sql =
                format!("SELECT {COLUMNS} FROM notifications WHERE status IN (1, 5) ORDER BY id");
            all(connection, &sql, [])
        };
        self.inner.readers.read(question).await
    }

    async fn report(
        &self,
        uuid: NotificationId,
        counts: PlatformCounts,
    ) -> Result<Option<PlatformCounts>> {
        self.inner.writer.write(move |work| report(work, uuid, &counts)).await
    }
}

fn create(
    work: &mut Work<'_>,
    app: u32,
    mut notification: Notification,
    key: Option<&IdempotencyKey>,
) -> Result<Notification> {
    let earlier = match key {
        Some(key) => answered(work.connection, app, key)?,
        None => None,
    };
    if let Some(number) = earlier
        && let Some(found) = find_one(work.connection, "id = ?", [number])?
    {
        return Ok(found);
    }
    let uuid = notification.uuid;
    if find_one(work.connection, "uuid = ?", [uuid.0.as_bytes()])?.is_some() {
        return Err(Error::conflict(format!("there is a notification {uuid} already")));
    }
    notification.id = work.next_notification();
    insert(work, app, &notification)?;
    if let Some(key) = key {
        remember(work, app, key, notification.id, notification.created_at)?;
    }
    Ok(notification)
}

fn update(
    work: &mut Work<'_>,
    app: u32,
    mut next: Notification,
    key: Option<&IdempotencyKey>,
) -> Result<Option<Notification>> {
    let read = next.version;
    next.version += 1;
    let uuid = next.uuid;
    let Some(stored) = find_one(work.connection, "uuid = ?", [uuid.0.as_bytes()])? else {
        return Ok(None);
    };
    // What never changes, and what changes on its own.
    next.id = stored.id;
    next.reported = stored.reported;
    if !replace(work, &next, read)? {
        return Ok(None);
    }
    if let Some(key) = key
        && answered(work.connection, app, key)?.is_none()
    {
        remember(work, app, key, next.id, next.modified_at)?;
    }
    Ok(Some(next))
}
