//! Apps by number: documents carry a small number instead of a name, and a device's place begins with
//! it. An app gets its number the first time something of it is stored, by whichever node.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use mongodb::bson::doc;

use super::{
    core::Core,
    failure::{OrFailed, corrupt, is_duplicate},
    position::MAX_APP,
    schema::{APP_NUMBERS, APPS},
};
use crate::domain::{Error, Result, ids::AppName};

/// The numbers seen so far.
#[derive(Default)]
pub(super) struct Apps(RwLock<HashMap<AppName, i32>>);

impl Core {
    /// An app's number, if this node has seen it.
    pub(super) fn seen_app(&self, app: &AppName) -> Option<i32> {
        self.apps.0.read().unwrap_or_else(PoisonError::into_inner).get(app).copied()
    }

    /// An app's number, if anything of it is stored.
    pub(super) async fn find_app(&self, app: &AppName) -> Result<Option<i32>> {
        if let Some(number) = self.seen_app(app) {
            return Ok(Some(number));
        }
        let filter = doc! { "_id": app.as_str() };
        let found = self.documents(APPS).find_one(filter).await.or_failed("look an app up")?;
        let Some(found) = found else { return Ok(None) };
        let number = found.get_i32("n").map_err(|_| corrupt("an app"))?;
        self.apps.0.write().unwrap_or_else(PoisonError::into_inner).insert(app.clone(), number);
        Ok(Some(number))
    }

    /// An app's number, drawn where it has none.
    pub(super) async fn app_number(&self, app: &AppName) -> Result<i32> {
        loop {
            if let Some(number) = self.find_app(app).await? {
                return Ok(number);
            }
            // Apps are few and named in the settings, so the next number is found by looking.
            let apps = self.documents(APPS);
            let next = 1 + apps.count_documents(doc! {}).await.or_failed("number an app")?;
            let next = i32::try_from(next).ok().filter(|next| *next <= MAX_APP);
            let next = next.ok_or_else(|| {
                Error::too_large(format!("an installation has at most {MAX_APP} apps"))
            })?;
            // The number is unique by its own document, claimed before the name's.
            let claim = doc! { "_id": next, "name": app.as_str() };
            match self.documents(APP_NUMBERS).insert_one(claim).await {
                Err(error) if is_duplicate(&error) => {}
                claimed => {
                    claimed.or_failed("number an app")?;
                }
            }
            let owner = self.documents(APP_NUMBERS).find_one(doc! { "_id": next }).await;
            let owner = owner.or_failed("number an app")?.ok_or_else(|| corrupt("an app"))?;
            let name = owner.get_str("name").map_err(|_| corrupt("an app"))?;
            match apps.insert_one(doc! { "_id": name, "n": next }).await {
                Err(error) if is_duplicate(&error) => {}
                kept => {
                    kept.or_failed("number an app")?;
                }
            }
        }
    }

    /// Every app that something is stored of.
    pub(super) async fn all_apps(&self) -> Result<Vec<i32>> {
        use futures_util::TryStreamExt;
        const DOING: &str = "list the apps";
        let found = self.documents(APPS).find(doc! {}).await.or_failed(DOING)?;
        let found: Vec<_> = found.try_collect().await.or_failed(DOING)?;
        found.iter().map(|app| app.get_i32("n").map_err(|_| corrupt("an app"))).collect()
    }
}
