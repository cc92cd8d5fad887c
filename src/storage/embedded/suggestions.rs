//! The role of the suggestions: what the audience index in memory holds anyway.

use async_trait::async_trait;

use super::Embedded;
use crate::{
    domain::{Result, audience::Key, ids::AppName},
    storage::{KnownKey, KnownValue, SuggestionStore},
};

#[async_trait]
impl SuggestionStore for Embedded {
    async fn keys(&self, app: &AppName, prefix: &str, limit: usize) -> Result<Vec<KnownKey>> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(Vec::new()) };
        let (index, prefix) = (self.inner.index.clone(), prefix.to_owned());
        self.inner.readers.read(move |_| Ok(index.read().known_keys(app, &prefix, limit))).await
    }

    async fn values(
        &self,
        app: &AppName,
        key: &Key,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<KnownValue>> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(Vec::new()) };
        let (index, key, prefix) = (self.inner.index.clone(), key.clone(), prefix.to_owned());
        let question = move |_: &_| Ok(index.read().known_values(app, &key, &prefix, limit));
        self.inner.readers.read(question).await
    }
}
