//! The role of the small documents: `{_id: {k: kind, a: owner, i: key}, v: version, b: body as text,
//! x: end}`. The body is text, since its keys may be anything. The server removes what has expired
//! (a TTL index on `x`); until then it is passed over.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::bson::{Bson, DateTime, Document as Row, doc};
use serde_json::Value;

use super::{
    Mongo,
    core::Core,
    failure::{OrFailed, corrupt, is_duplicate},
    schema::DOCUMENTS,
};
use crate::{
    domain::{Result, timestamp::Timestamp},
    storage::{Document, DocumentStore, Drawer, NewDocument, documents::first_after},
};

/// The number that stands for the installation where an app's would.
const INSTALLATION: i32 = 0;

#[async_trait]
impl DocumentStore for Mongo {
    async fn get(&self, drawer: &Drawer, key: &str, now: Timestamp) -> Result<Option<Document>> {
        let (drawer, key) = (drawer.clone(), key.to_owned());
        self.run(|core| async move {
            let Some(owner) = owner(&core, &drawer).await? else { return Ok(None) };
            let filter = doc! { "_id": id(drawer.kind, owner, &key), "x": living(now) };
            let found = core.documents(DOCUMENTS).find_one(filter).await;
            found.or_failed("read a document")?.as_ref().map(read).transpose()
        })
        .await
    }

    async fn list(
        &self,
        drawer: &Drawer,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Document>> {
        const DOING: &str = "list documents";
        if limit == 0 {
            return Ok(Vec::new());
        }
        let (drawer, from) = (drawer.clone(), first_after(after));
        self.run(|core| async move {
            let Some(owner) = owner(&core, &drawer).await? else { return Ok(Vec::new()) };
            // Fields of a document compare in their order, so one range holds a drawer.
            let from = id(drawer.kind, owner, &from);
            let upto = doc! { "k": drawer.kind, "a": owner, "i": Bson::MaxKey };
            let filter = doc! { "_id": { "$gte": from, "$lt": upto }, "x": living(now) };
            let found = core.documents(DOCUMENTS).find(filter).sort(doc! { "_id": 1 });
            let found = found.limit(i64::try_from(limit).unwrap_or(i64::MAX)).await;
            let rows: Vec<_> = found.or_failed(DOING)?.try_collect().await.or_failed(DOING)?;
            rows.iter().map(read).collect()
        })
        .await
    }

    async fn insert(&self, drawer: &Drawer, new: NewDocument, now: Timestamp) -> Result<bool> {
        let drawer = drawer.clone();
        self.run(|core| async move {
            let owner = owner_number(&core, &drawer).await?;
            // One that has expired is written over; one that lives is not found, and then its key is
            // taken.
            let expired = doc! { "$lte": DateTime::from_millis(now.0) };
            let filter = doc! { "_id": id(drawer.kind, owner, &new.key), "x": expired };
            let put = core.documents(DOCUMENTS).update_one(filter, writing(&new)).upsert(true);
            match put.await {
                Err(error) if is_duplicate(&error) => Ok(false),
                put => put.map(|_| true).or_failed("keep a document"),
            }
        })
        .await
    }

    async fn replace(&self, drawer: &Drawer, version: u64, new: NewDocument) -> Result<bool> {
        let drawer = drawer.clone();
        self.run(|core| async move {
            let Some(owner) = owner(&core, &drawer).await? else { return Ok(false) };
            let id = id(drawer.kind, owner, &new.key);
            let filter = doc! { "_id": id, "v": version.cast_signed() };
            let replaced = core.documents(DOCUMENTS).update_one(filter, writing(&new)).await;
            Ok(replaced.or_failed("replace a document")?.matched_count > 0)
        })
        .await
    }

    async fn delete(&self, drawer: &Drawer, key: &str) -> Result<bool> {
        let (drawer, key) = (drawer.clone(), key.to_owned());
        self.run(|core| async move {
            let Some(owner) = owner(&core, &drawer).await? else { return Ok(false) };
            let filter = doc! { "_id": id(drawer.kind, owner, &key) };
            let deleted = core.documents(DOCUMENTS).delete_one(filter).await;
            Ok(deleted.or_failed("delete a document")?.deleted_count > 0)
        })
        .await
    }
}

/// The number of a drawer's owner, if anything of it is stored.
async fn owner(core: &Core, drawer: &Drawer) -> Result<Option<i32>> {
    match &drawer.app {
        Some(app) => core.find_app(app).await,
        None => Ok(Some(INSTALLATION)),
    }
}

/// The same, drawn where there is none.
async fn owner_number(core: &Core, drawer: &Drawer) -> Result<i32> {
    match &drawer.app {
        Some(app) => core.app_number(app).await,
        None => Ok(INSTALLATION),
    }
}

fn id(kind: &str, owner: i32, key: &str) -> Row {
    doc! { "k": kind, "a": owner, "i": key }
}

/// The end of what is still there at `now`: later, or none.
fn living(now: Timestamp) -> Row {
    doc! { "$not": { "$lte": DateTime::from_millis(now.0) } }
}

fn writing(new: &NewDocument) -> Row {
    let (count, body) = (doc! { "v": 1_i64 }, new.body.to_string());
    match new.expires_at {
        Some(at) => {
            let end = DateTime::from_millis(at.0);
            doc! { "$inc": count, "$set": { "b": body, "x": end } }
        }
        None => doc! { "$inc": count, "$set": { "b": body }, "$unset": { "x": true } },
    }
}

fn read(row: &Row) -> Result<Document> {
    let parts = || {
        let key = row.get_document("_id").ok()?.get_str("i").ok()?;
        let body: Value = serde_json::from_str(row.get_str("b").ok()?).ok()?;
        Some((key.to_owned(), row.get_i64("v").ok()?, body))
    };
    let (key, version, body) = parts().ok_or_else(|| corrupt("a document"))?;
    let expires_at = row.get_datetime("x").ok().map(|at| Timestamp(at.timestamp_millis()));
    Ok(Document { key, version: version.cast_unsigned(), body, expires_at })
}
