//! Apps by number: rows carry four bytes instead of a name. An app gets its number the first time
//! something of it is stored.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use rusqlite::Connection;

use super::{Embedded, failure::OrFailed};
use crate::domain::{Result, ids::AppName};

/// The numbers drawn so far.
pub(super) struct Apps(RwLock<HashMap<AppName, u32>>);

impl Apps {
    /// Reads them, at start.
    pub(super) fn load(connection: &Connection) -> Result<Self> {
        const DOING: &str = "read the apps";
        let mut read = connection.prepare("SELECT name, id FROM apps").or_failed(DOING)?;
        let rows = read
            .query_map([], |row| {
                let name: String = row.get(0)?;
                Ok((AppName::new(&name), row.get(1)?))
            })
            .or_failed(DOING)?;
        let apps = rows.collect::<rusqlite::Result<_>>().or_failed(DOING)?;
        Ok(Self(RwLock::new(apps)))
    }

    /// An app's number, if anything of it is stored.
    pub(super) fn find(&self, app: &AppName) -> Option<u32> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(app).copied()
    }
}

impl Embedded {
    /// An app's number, drawn where it has none.
    pub(super) async fn app_number(&self, app: &AppName) -> Result<u32> {
        if let Some(number) = self.inner.apps.find(app) {
            return Ok(number);
        }
        let name = app.as_str().to_owned();
        let number = self
            .inner
            .writer
            .write(move |work| {
                const DOING: &str = "number an app";
                work.connection
                    .execute("INSERT OR IGNORE INTO apps (name) VALUES (?)", [&name])
                    .or_failed(DOING)?;
                work.connection
                    .query_row("SELECT id FROM apps WHERE name = ?", [&name], |row| row.get(0))
                    .or_failed(DOING)
            })
            .await?;
        let mut apps = self.inner.apps.0.write().unwrap_or_else(PoisonError::into_inner);
        apps.insert(app.clone(), number);
        Ok(number)
    }
}
