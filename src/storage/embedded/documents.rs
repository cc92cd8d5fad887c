//! The role of the small documents: a row each. What has expired is removed a few rows at a time, by
//! inserts, which are what makes it pile up.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::{
    Embedded,
    failure::{OrFailed, corrupt},
    work::Work,
};
use crate::{
    domain::{Result, timestamp::Timestamp},
    storage::{Document, DocumentStore, Drawer, NewDocument, documents::first_after},
};

/// The number that stands for the installation where an app's would.
const INSTALLATION: u32 = 0;
/// Expired rows that one insert removes.
const SWEPT: u32 = 16;

const FIND: &str = "SELECT key, version, body, expires_at FROM documents
    WHERE kind = ? AND app = ? AND key = ? AND coalesce(expires_at > ?, true)";
const LIST: &str = "SELECT key, version, body, expires_at FROM documents
    WHERE kind = ? AND app = ? AND key >= ? AND coalesce(expires_at > ?, true)
    ORDER BY key LIMIT ?";
const PUT: &str = "INSERT INTO documents (kind, app, key, version, body, expires_at)
    VALUES (?1, ?2, ?3, 1, ?4, ?5)
    ON CONFLICT (kind, app, key) DO UPDATE
    SET version = version + 1, body = excluded.body, expires_at = excluded.expires_at
    WHERE documents.expires_at <= ?6";
const REPLACE: &str = "UPDATE documents SET version = version + 1, body = ?, expires_at = ?
    WHERE kind = ? AND app = ? AND key = ? AND version = ?";
const SWEEP: &str = "DELETE FROM documents WHERE (kind, app, key) IN
    (SELECT kind, app, key FROM documents WHERE expires_at <= ? LIMIT ?)";

#[async_trait]
impl DocumentStore for Embedded {
    async fn get(&self, drawer: &Drawer, key: &str, now: Timestamp) -> Result<Option<Document>> {
        let Some(app) = self.owner(drawer) else { return Ok(None) };
        let (kind, key) = (drawer.kind, key.to_owned());
        let question = move |connection: &Connection| {
            const DOING: &str = "read a document";
            let mut find = connection.prepare_cached(FIND).or_failed(DOING)?;
            let row = find.query_row(params![kind, app, key, now.0], |row| Ok(read(row)));
            row.optional().or_failed(DOING)?.transpose()
        };
        self.inner.readers.read(question).await
    }

    async fn list(
        &self,
        drawer: &Drawer,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Document>> {
        let Some(app) = self.owner(drawer) else { return Ok(Vec::new()) };
        let (kind, from) = (drawer.kind, first_after(after));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let question = move |connection: &Connection| {
            const DOING: &str = "list documents";
            let mut list = connection.prepare_cached(LIST).or_failed(DOING)?;
            let mut rows = list.query(params![kind, app, from, now.0, limit]).or_failed(DOING)?;
            let mut found = Vec::new();
            while let Some(row) = rows.next().or_failed(DOING)? {
                found.push(read(row)?);
            }
            Ok(found)
        };
        self.inner.readers.read(question).await
    }

    async fn insert(&self, drawer: &Drawer, new: NewDocument, now: Timestamp) -> Result<bool> {
        let (kind, app) = (drawer.kind, self.owner_number(drawer).await?);
        self.inner.writer.write(move |work| insert(work, kind, app, &new, now)).await
    }

    async fn replace(&self, drawer: &Drawer, version: u64, new: NewDocument) -> Result<bool> {
        let Some(app) = self.owner(drawer) else { return Ok(false) };
        let kind = drawer.kind;
        let replace = move |work: &mut Work<'_>| {
            let body = new.body.to_string();
            let expires_at = new.expires_at.map(|at| at.0);
            let version = version.cast_signed();
            work.connection
                .prepare_cached(REPLACE)
                .and_then(|mut replace| {
                    replace.execute(params![body, expires_at, kind, app, new.key, version])
                })
                .map(|replaced| replaced > 0)
                .or_failed("replace a document")
        };
        self.inner.writer.write(replace).await
    }

    async fn delete(&self, drawer: &Drawer, key: &str) -> Result<bool> {
        let Some(app) = self.owner(drawer) else { return Ok(false) };
        let (kind, key) = (drawer.kind, key.to_owned());
        let delete = move |work: &mut Work<'_>| {
            work.connection
                .prepare_cached("DELETE FROM documents WHERE kind = ? AND app = ? AND key = ?")
                .and_then(|mut delete| delete.execute(params![kind, app, key]))
                .map(|deleted| deleted > 0)
                .or_failed("delete a document")
        };
        self.inner.writer.write(delete).await
    }
}

impl Embedded {
    /// The number of a drawer's owner, if anything of it is stored.
    fn owner(&self, drawer: &Drawer) -> Option<u32> {
        match &drawer.app {
            Some(app) => self.inner.apps.find(app),
            None => Some(INSTALLATION),
        }
    }

    /// The same, drawn where there is none.
    async fn owner_number(&self, drawer: &Drawer) -> Result<u32> {
        match &drawer.app {
            Some(app) => self.app_number(app).await,
            None => Ok(INSTALLATION),
        }
    }
}

fn insert(
    work: &mut Work<'_>,
    kind: &str,
    app: u32,
    new: &NewDocument,
    now: Timestamp,
) -> Result<bool> {
    const DOING: &str = "keep a document";
    let (body, expires_at) = (new.body.to_string(), new.expires_at.map(|at| at.0));
    let mut put = work.connection.prepare_cached(PUT).or_failed(DOING)?;
    let kept =
        put.execute(params![kind, app, new.key, body, expires_at, now.0]).or_failed(DOING)?;
    let mut sweep = work.connection.prepare_cached(SWEEP).or_failed(DOING)?;
    sweep.execute(params![now.0, SWEPT]).or_failed(DOING)?;
    Ok(kept > 0)
}

fn read(row: &Row<'_>) -> Result<Document> {
    const DOING: &str = "read a document";
    let body: String = row.get(2).or_failed(DOING)?;
    let body: Value = serde_json::from_str(&body).map_err(|_| corrupt("a document"))?;
    let version: i64 = row.get(1).or_failed(DOING)?;
    let expires_at: Option<i64> = row.get(3).or_failed(DOING)?;
    Ok(Document {
        key: row.get(0).or_failed(DOING)?,
        version: version.cast_unsigned(),
        body,
        expires_at: expires_at.map(Timestamp),
    })
}
