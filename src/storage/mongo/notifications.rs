//! The role of the notification store.

use async_trait::async_trait;
use futures_util::{TryStreamExt, future::try_join};
use mongodb::{
    bson::{Bson, Document, doc},
    options::ReturnDocument,
};

use super::{
    Mongo,
    core::Core,
    failure::{OrFailed, is_duplicate},
    filter::literal,
    notification_row::{
        answered, changing, find_by, find_one, read_counts, read_notification, write_counts,
        write_key, write_new,
    },
    schema::NOTIFICATIONS,
    shards::campaign,
};
use crate::{
    domain::{
        Error, Result,
        ids::{AppName, NotificationId},
        notification::{Notification, Status},
        tally::PlatformCounts,
    },
    storage::{Found, IdempotencyKey, NotificationField, NotificationQuery, NotificationStore},
};

#[async_trait]
impl NotificationStore for Mongo {
    async fn create(
        &self,
        notification: Notification,
        key: Option<IdempotencyKey>,
    ) -> Result<Notification> {
        self.run(|core| async move { create(&core, notification, key.as_ref()).await }).await
    }

    async fn get(
        &self,
        app: Option<&AppName>,
        uuid: NotificationId,
    ) -> Result<Option<Notification>> {
        let found = self.run(|core| async move { find_one(&core, uuid).await }).await?;
        Ok(found.filter(|found| app.is_none_or(|app| *app == found.app)))
    }

    async fn get_by_number(&self, id: u64) -> Result<Option<Notification>> {
        let filter = doc! { "n": id.cast_signed() };
        self.run(|core| async move { find_by(&core, filter).await }).await
    }

    async fn list(&self, app: &AppName, query: &NotificationQuery) -> Result<Found<Notification>> {
        let Some(app) = self.app(app).await? else { return Ok(Found::default()) };
        let query = query.clone();
        self.run(|core| async move { list(&core, app, &query).await }).await
    }

    async fn update(
        &self,
        notification: Notification,
        key: Option<IdempotencyKey>,
    ) -> Result<Option<Notification>> {
        self.run(|core| async move { update(&core, notification, key.as_ref()).await }).await
    }

    async fn answered(&self, app: &AppName, key: &IdempotencyKey) -> Result<Option<Notification>> {
        let Some(app) = self.app(app).await? else { return Ok(None) };
        let key = key.clone();
        self.run(|core| async move { answered(&core, app, &key).await }).await
    }

    async fn active(&self) -> Result<Vec<Notification>> {
        let active = Status::ALL.into_iter().filter(|status| status.is_active());
        let active: Vec<i32> = active.map(|status| status.number().into()).collect();
        let filter = doc! { "status": { "$in": active } };
        self.run(|core| async move { all(&core, filter, doc! { "n": 1 }, 0, None).await }).await
    }

    async fn report(
        &self,
        uuid: NotificationId,
        counts: PlatformCounts,
    ) -> Result<Option<PlatformCounts>> {
        let mut more = Document::new();
        for (name, count) in write_counts(&counts) {
            more.insert(format!("rep.{name}"), count);
        }
        self.run(|core| async move {
            let reported = core
                .documents(NOTIFICATIONS)
                .find_one_and_update(doc! { "_id": campaign(uuid) }, doc! { "$inc": more })
                .return_document(ReturnDocument::After);
            let row = reported.await.or_failed("report counts")?;
            row.as_ref().map(read_counts).transpose()
        })
        .await
    }
}

async fn create(
    core: &Core,
    mut notification: Notification,
    key: Option<&IdempotencyKey>,
) -> Result<Notification> {
    let app = core.app_number(&notification.app).await?;
    loop {
        if let Some(key) = key
            && let Some(earlier) = answered(core, app, key).await?
        {
            return Ok(earlier);
        }
        notification.id = core.notification_ids.next().await?.cast_unsigned();
        let mut row = write_new(app, &notification)?;
        if let Some(key) = key {
            row.insert("keys", vec![write_key(key, notification.created_at)]);
        }
        match core.documents(NOTIFICATIONS).insert_one(row).await {
            Ok(_) => return Ok(notification),
            // The key was taken a moment ago, or the name is.
            Err(error) if is_duplicate(&error) => {
                let uuid = notification.uuid;
                if find_one(core, uuid).await?.is_some() || key.is_none() {
                    let message = format!("there is a notification {uuid} already");
                    return Err(Error::conflict(message));
                }
            }
            Err(error) => return Err(error).or_failed("insert a notification"),
        }
    }
}

async fn update(
    core: &Core,
    mut next: Notification,
    key: Option<&IdempotencyKey>,
) -> Result<Option<Notification>> {
    let read = next.version;
    next.version += 1;
    let Some(stored) = find_one(core, next.uuid).await? else { return Ok(None) };
    // What never changes.
    next.id = stored.id;
    let mut key = key;
    loop {
        let mut change = doc! { "$set": changing(&next)? };
        if let Some(key) = key {
            change.insert("$push", doc! { "keys": write_key(key, next.modified_at) });
        }
        let filter = doc! { "_id": campaign(next.uuid), "version": read.cast_signed() };
        let updated = core.documents(NOTIFICATIONS).find_one_and_update(filter, change);
        match updated.return_document(ReturnDocument::After).await {
            // Another notification answered this key before: that answer stands.
            Err(error) if is_duplicate(&error) && key.is_some() => key = None,
            updated => {
                let row = updated.or_failed("update a notification")?;
                return row.as_ref().map(read_notification).transpose();
            }
        }
    }
}

async fn list(core: &Core, app: i32, query: &NotificationQuery) -> Result<Found<Notification>> {
    let mut filter = doc! { "a": app };
    if !query.statuses.is_empty() {
        let statuses: Vec<i32> = query.statuses.iter().map(|s| s.number().into()).collect();
        filter.insert("status", doc! { "$in": statuses });
    }
    if !query.search.is_empty()
        && let Some(title) = literal(&query.search, "i")
    {
        filter.insert("title", Bson::RegularExpression(title));
    }
    // The keys as asked for, then the number, so that the order is the same every time.
    let mut order = Document::new();
    for key in &query.order_by {
        let field = match key.field {
            NotificationField::Id => "n",
            NotificationField::Uuid => "_id",
            NotificationField::Title => "title",
            NotificationField::Status => "status",
            NotificationField::ScheduledAt => "scheduled",
            NotificationField::CreatedAt => "created",
            NotificationField::ModifiedAt => "modified",
        };
        if !order.contains_key(field) {
            order.insert(field, if key.descending { -1 } else { 1 });
        }
    }
    if !order.contains_key("n") {
        order.insert("n", 1);
    }
    let total = async {
        let count = core.documents(NOTIFICATIONS).count_documents(filter.clone());
        count.await.or_failed("list notifications")
    };
    let items = all(core, filter.clone(), order, query.start, Some(query.size));
    let (total, items) = try_join(total, items).await?;
    Ok(Found { total, items })
}

async fn all(
    core: &Core,
    filter: Document,
    order: Document,
    start: u64,
    size: Option<usize>,
) -> Result<Vec<Notification>> {
    const DOING: &str = "list notifications";
    let mut find = core.documents(NOTIFICATIONS).find(filter).sort(order).skip(start);
    match size {
        // No limit is what the server understands by 0.
        Some(0) => return Ok(Vec::new()),
        Some(size) => find = find.limit(i64::try_from(size).unwrap_or(i64::MAX)),
        None => {}
    }
    let rows: Vec<Document> = find.await.or_failed(DOING)?.try_collect().await.or_failed(DOING)?;
    rows.iter().map(read_notification).collect()
}
