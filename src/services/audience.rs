//! Whom a message could be for, while somebody writes the conditions: which keys and values there are,
//! and why one device is meant or not. Sizes and samples of an audience are the devices' own use cases.

use crate::{
    domain::{
        Error, Result,
        audience::{self, ClauseSpec, Explanation, Field, Key},
        device,
        ids::AppName,
        timestamp::Timestamp,
    },
    services::Devices,
    storage::{KnownKey, KnownValue, Stores},
};

/// Most keys or values that one call answers.
pub const MAX_OFFERED: usize = 100;

/// The device's own fields whose values can be listed.
const LISTED: [Field; 4] = [Field::Tag, Field::Locale, Field::Timezone, Field::Alias];

/// The use cases of an audience in the making.
#[derive(Clone)]
pub struct Audience {
    stores: Stores,
    devices: Devices,
}

impl Audience {
    /// Over these stores.
    pub fn new(stores: Stores, devices: Devices) -> Self {
        Self { stores, devices }
    }

    /// Why a device satisfies conditions, or does not. Nothing, or `{}`, is everyone.
    pub async fn explain(
        &self,
        app: &AppName,
        external_id: &str,
        conditions: &ClauseSpec,
        now: Timestamp,
    ) -> Result<Explanation> {
        let clause = audience::parse(conditions, "conditions")?;
        let device = self.devices.get(app, external_id).await?;
        Ok(clause.explain("conditions", &device, now))
    }

    /// Property keys that begin with `prefix`, capitals and small letters apart.
    pub async fn keys(&self, app: &AppName, prefix: &str, limit: usize) -> Result<Vec<KnownKey>> {
        check_limit(limit)?;
        self.stores.suggestions.keys(app, prefix, limit).await
    }

    /// Values of a key that begin with `prefix`, capitals and small letters apart. The key is a
    /// property's, or one of the device's own fields that are text.
    pub async fn values(
        &self,
        app: &AppName,
        key: &str,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<KnownValue>> {
        check_limit(limit)?;
        let key = listed_key(key)?;
        self.stores.suggestions.values(app, &key, prefix, limit).await
    }
}

fn check_limit(limit: usize) -> Result<()> {
    if (1..=MAX_OFFERED).contains(&limit) {
        return Ok(());
    }
    Err(Error::invalid("limit", format!("must be 1 to {MAX_OFFERED}")))
}

fn listed_key(key: &str) -> Result<Key> {
    if key.starts_with('@') {
        let field = LISTED.into_iter().find(|field| field.key() == key);
        let known = || format!("is not one of {}", LISTED.map(Field::key).join(", "));
        return field.map(Key::Field).ok_or_else(|| Error::invalid("key", known()));
    }
    device::check_key("key", key)?;
    Ok(Key::Property(key.to_owned()))
}
