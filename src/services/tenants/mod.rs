//! Tenants: apps that are made, given credentials and removed through an API while the installation
//! runs. What a tenant is lies in the store; a node's engine takes it up when the tenant is first used
//! there, and again whenever its record has changed since.

mod record;

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;
use tokio::sync::Mutex;

use self::record::Record;
pub use super::credentials::ApnsProof;
use super::{
    credentials::{Sealer, without_setting},
    devices,
    direct::apple_sandbox,
};
use crate::{
    domain::{Error, Result, device::SendPlatform, ids::AppName, timestamp::Timestamp},
    engine::EngineHandle,
    settings::{ApnsEnvironment, AppSettings, Secret},
    storage::{Document, Drawer, NewDocument, Stores},
};

const DRAWER: Drawer = Drawer { kind: "tenant", app: None };
const MAX_ID_CHARS: usize = 64;
/// Tries of a change that others change in between.
const TRIES: usize = 10;

/// The use cases of tenants.
#[derive(Clone)]
pub struct Tenants {
    stores: Stores,
    engine: EngineHandle,
    /// None where no secret is configured: there are no tenants then.
    sealer: Option<Arc<Sealer>>,
    /// An app whose servers tenants reach the providers at.
    model: Arc<AppSettings>,
    /// What this node's engine has, by the tenant's id.
    taken_up: Arc<Mutex<HashMap<String, TakenUp>>>,
}

struct TakenUp {
    app: AppName,
    version: u64,
}

/// A tenant, ready for use.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// The app it is to the other use cases.
    pub app: AppName,
    /// Its providers.
    pub providers: Vec<SendPlatform>,
    /// The bundle id of its devices.
    pub apns_topic: Option<String>,
    /// Whether Apple is shown a certificate rather than a token.
    pub apns_certificate: bool,
    /// Why it may not send, where it may not.
    pub suspended: Option<String>,
    /// Of its record.
    version: u64,
}

impl Tenants {
    /// Over these stores and this engine. Tenants reach the providers at the servers of `model`.
    pub fn new(
        stores: Stores,
        engine: EngineHandle,
        secret: Option<&Secret>,
        model: AppSettings,
    ) -> Self {
        let sealer = secret.map(|secret| Arc::new(Sealer::new(secret.expose())));
        Self { stores, engine, sealer, model: Arc::new(model), taken_up: Arc::default() }
    }

    /// Makes a tenant, without credentials yet.
    pub async fn create(&self, id: &str, now: Timestamp) -> Result<()> {
        self.sealer()?;
        check_id(id)?;
        let app = format!("tenant:{id}:{:08x}", rand::random::<u32>());
        let record = Record::new(AppName::new(&app), now);
        let new = NewDocument { key: id.to_owned(), body: written(&record)?, expires_at: None };
        if self.stores.documents.insert(&DRAWER, new, now).await? {
            return Ok(());
        }
        Err(Error::conflict("there is a tenant of this id already"))
    }

    /// A tenant, with this node's engine knowing its credentials as they are now.
    pub async fn open(&self, id: &str, now: Timestamp) -> Result<Tenant> {
        let Some(document) = self.find(id, now).await? else {
            self.take_down(id).await;
            return Err(unknown(id));
        };
        let record = read(&document)?;
        self.take_up(id, &record, document.version).await?;
        Ok(seen(id, &record, document.version))
    }

    /// Removes a tenant and its devices.
    pub async fn remove(&self, id: &str, now: Timestamp) -> Result<()> {
        let document = self.find(id, now).await?.ok_or_else(|| unknown(id))?;
        let app = read(&document)?.app;
        self.stores.documents.delete(&DRAWER, id).await?;
        self.take_down(id).await;
        let stores = self.stores.devices.clone();
        // There may be many; nobody can reach them any more, so nobody needs to wait.
        tokio::spawn(async move {
            if let Err(error) = devices::remove_all(&*stores, &app).await {
                tracing::error!(%app, %error, "failed to remove all devices of a removed tenant");
            }
        });
        Ok(())
    }

    /// Gives a tenant Apple credentials, a topic, or both; what is not given stays. Credentials lift a
    /// suspension.
    pub async fn set_apns(
        &self,
        id: &str,
        topic: Option<&str>,
        proof: Option<&ApnsProof>,
        now: Timestamp,
    ) -> Result<()> {
        let sealer = self.sealer()?;
        self.change(id, now, |record| {
            if let Some(topic) = topic {
                record.credentials.apns_topic = Some(topic.to_owned());
            }
            if let Some(proof) = proof {
                if record.credentials.apns_topic.is_none() {
                    return Err(Error::invalid("apns_topic", "is missing; credentials need it"));
                }
                record.credentials.seal_apns(&record.app, sealer, proof)?;
                record.suspended = None;
            }
            self.check(record)
        })
        .await
    }

    /// Gives a tenant a Google service account. That lifts a suspension.
    pub async fn set_fcm(&self, id: &str, account: &Secret, now: Timestamp) -> Result<()> {
        let sealer = self.sealer()?;
        self.change(id, now, |record| {
            record.credentials.seal_fcm(&record.app, sealer, account)?;
            record.suspended = None;
            self.check(record)
        })
        .await
    }

    /// Takes a provider's credentials from a tenant.
    pub async fn unset(&self, id: &str, provider: SendPlatform, now: Timestamp) -> Result<()> {
        self.change(id, now, |record| {
            record.credentials.remove(provider);
            Ok(())
        })
        .await
    }

    /// Stops a tenant from sending because its credentials are refused, unless they have changed since
    /// `tenant` was opened.
    pub async fn suspend(&self, tenant: &Tenant, reason: &str, now: Timestamp) -> Result<()> {
        let Some(document) = self.find(&tenant.id, now).await? else { return Ok(()) };
        if document.version != tenant.version {
            return Ok(());
        }
        let mut record = read(&document)?;
        record.suspended = Some(reason.to_owned());
        let body = written(&record)?;
        let new = NewDocument { key: tenant.id.clone(), body, expires_at: None };
        if self.stores.documents.replace(&DRAWER, document.version, new).await? {
            tracing::warn!(tenant = tenant.id, reason, "a tenant's credentials are refused");
            self.take_up(&tenant.id, &record, document.version + 1).await?;
        }
        Ok(())
    }

    async fn change(
        &self,
        id: &str,
        now: Timestamp,
        change: impl Fn(&mut Record) -> Result<()>,
    ) -> Result<()> {
        for _ in 0..TRIES {
            let document = self.find(id, now).await?.ok_or_else(|| unknown(id))?;
            let mut record = read(&document)?;
            change(&mut record)?;
            let new = NewDocument { key: id.to_owned(), body: written(&record)?, expires_at: None };
            if self.stores.documents.replace(&DRAWER, document.version, new).await? {
                return Ok(());
            }
        }
        Err(Error::conflict("the tenant is being changed by others; try again"))
    }

    /// Refuses credentials that a provider's code cannot use.
    fn check(&self, record: &Record) -> Result<()> {
        let app = record.credentials.open(&record.app, self.sealer()?, &self.model)?;
        self.engine.check_app(&app).map_err(without_setting)
    }

    /// Makes this node's engine know the tenant as its record is, if it does not.
    async fn take_up(&self, id: &str, record: &Record, version: u64) -> Result<()> {
        let mut taken_up = self.taken_up.lock().await;
        if let Some(known) = taken_up.get(id) {
            let same = known.app == record.app;
            // An older version was read before what is taken up was stored.
            if same && known.version >= version {
                return Ok(());
            }
            if !same {
                self.stop_sending(&known.app);
            }
        }
        if record.suspended.is_some() || record.credentials.providers().is_empty() {
            self.stop_sending(&record.app);
        } else {
            let settings = record.credentials.open(&record.app, self.sealer()?, &self.model)?;
            put_with_sandbox(&self.engine, &record.app, &settings)?;
        }
        taken_up.insert(id.to_owned(), TakenUp { app: record.app.clone(), version });
        Ok(())
    }

    async fn take_down(&self, id: &str) {
        if let Some(known) = self.taken_up.lock().await.remove(id) {
            self.stop_sending(&known.app);
        }
    }

    fn stop_sending(&self, app: &AppName) {
        self.engine.remove_app(app);
        self.engine.remove_app(&apple_sandbox(app));
    }

    async fn find(&self, id: &str, now: Timestamp) -> Result<Option<Document>> {
        if self.sealer.is_none() {
            return Ok(None);
        }
        self.stores.documents.get(&DRAWER, id, now).await
    }

    fn sealer(&self) -> Result<&Sealer> {
        let missing =
            || Error::forbidden("there are no tenants here: no tenant secret is configured");
        self.sealer.as_deref().ok_or_else(missing)
    }
}

/// Gives an app its credentials, and where its Apple credentials lead to Apple itself the way to the
/// sandbox besides.
pub(super) fn put_with_sandbox(
    engine: &EngineHandle,
    app: &AppName,
    settings: &AppSettings,
) -> Result<()> {
    engine.put_app(app, settings)?;
    put_sandbox(engine, app, settings)
}

/// The way to Apple's sandbox alone.
pub(super) fn put_sandbox(
    engine: &EngineHandle,
    app: &AppName,
    settings: &AppSettings,
) -> Result<()> {
    let apart = settings
        .apns
        .as_ref()
        .filter(|apns| apns.endpoint.is_none() && apns.environment == ApnsEnvironment::Production);
    let name = apple_sandbox(app);
    match apart {
        Some(apns) => {
            let mut sandbox = AppSettings::named(name.as_str());
            sandbox.apns = Some(apns.clone());
            sandbox.apns.iter_mut().for_each(|apns| apns.environment = ApnsEnvironment::Sandbox);
            engine.put_app(&name, &sandbox)
        }
        None => {
            engine.remove_app(&name);
            Ok(())
        }
    }
}

fn seen(id: &str, record: &Record, version: u64) -> Tenant {
    let credentials = &record.credentials;
    Tenant {
        id: id.to_owned(),
        app: record.app.clone(),
        providers: credentials.providers(),
        apns_topic: credentials.apns_topic.clone(),
        apns_certificate: credentials.apns.as_ref().is_some_and(|apns| apns.key.is_none()),
        suspended: record.suspended.clone(),
        version,
    }
}

/// An id stands in a path, so it is plain.
fn check_id(id: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if id.is_empty() || id.len() > MAX_ID_CHARS || !id.chars().all(plain) {
        let message = format!("must be 1 to {MAX_ID_CHARS} letters, digits, `-` or `_`");
        return Err(Error::invalid("id", message));
    }
    Ok(())
}

fn read(document: &Document) -> Result<Record> {
    let body = document.body.clone();
    serde_json::from_value(body).map_err(|error| Error::internal("read a tenant", error))
}

fn written(record: &Record) -> Result<Value> {
    serde_json::to_value(record).map_err(|error| Error::internal("write a tenant", error))
}

fn unknown(id: &str) -> Error {
    let shown: String = id.chars().take(80).collect();
    Error::not_found(format!("there is no tenant `{shown}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_fits_a_path() {
        for good in ["a", "project-1_X", &"x".repeat(64)] {
            assert!(check_id(good).is_ok(), "{good}");
        }
        for bad in ["", "a/b", "a b", "ä", ".", &"x".repeat(65)] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
    }
}
