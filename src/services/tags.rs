//! Tags and aliases under quotas: for callers who manage them from a server, device by device or tag by
//! tag. What a device says of its own tags at registration has no quotas but the device's.

use std::collections::BTreeSet;

use crate::{
    domain::{
        Error,
        audience::{Clause, Field, JoinType, Key, Leaf, Test},
        device::{Device, DevicePlatform},
        ids::AppName,
        labels::{LabelEdit, LabelUsage, Quotas, Refusal, check_label, is_too_long},
        timestamp::Timestamp,
    },
    storage::{DeviceQuery, Stores},
};

/// Most devices that one call adds to a tag, and that it takes away.
pub const MAX_DEVICES: usize = 1000;
/// Most tags that one call counts.
pub const MAX_COUNTED: usize = 1000;
/// Most devices of one alias that are listed; under quotas there is one.
const MAX_HOLDERS: usize = 1000;

/// Why a call on tags or aliases did nothing.
#[derive(Debug)]
pub enum TagError {
    /// A quota, or another device's alias.
    Refused(Refusal),
    /// A tag or alias is over its length.
    TooLong {
        /// Where it stands in the request.
        field: &'static str,
    },
    /// Anything else.
    Failed(Error),
}

impl From<Error> for TagError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The use cases of tags and aliases.
#[derive(Clone)]
pub struct Tags {
    stores: Stores,
    quotas: Quotas,
}

impl Tags {
    /// Over these stores, under these quotas.
    pub fn new(stores: Stores, quotas: Quotas) -> Self {
        Self { stores, quotas }
    }

    /// The quotas in force.
    pub fn quotas(&self) -> Quotas {
        self.quotas
    }

    /// Changes one device's tags and alias.
    pub async fn change(&self, app: &AppName, edit: LabelEdit) -> Result<(), TagError> {
        check_all("tags.add", &edit.add)?;
        check_all("tags.remove", &edit.remove)?;
        check_all("alias", edit.alias.iter().flatten())?;
        self.carry_out(app, vec![edit]).await
    }

    /// Adds devices to a tag and takes others from it, all or none. A device in both lists is added.
    pub async fn change_devices(
        &self,
        app: &AppName,
        tag: &str,
        add: BTreeSet<String>,
        remove: BTreeSet<String>,
    ) -> Result<(), TagError> {
        check_all("tag", [tag])?;
        for (field, devices) in
            [("registration_ids.add", &add), ("registration_ids.remove", &remove)]
        {
            if devices.len() > MAX_DEVICES {
                let message = format!("has over {MAX_DEVICES} devices");
                return Err(Error::invalid(field, message).into());
            }
        }
        let only = || BTreeSet::from([tag.to_owned()]);
        let removed = remove.difference(&add).map(|device| LabelEdit {
            external_id: device.clone(),
            remove: only(),
            ..LabelEdit::default()
        });
        let added = add.iter().map(|device| LabelEdit {
            external_id: device.clone(),
            add: only(),
            ..LabelEdit::default()
        });
        self.carry_out(app, added.chain(removed).collect()).await
    }

    /// Every tag that some device has.
    pub async fn list(&self, app: &AppName) -> Result<Vec<String>, Error> {
        self.stores.labels.tags(app).await
    }

    /// How many devices of these platforms have each of these tags.
    pub async fn counts(
        &self,
        app: &AppName,
        tags: &[String],
        platforms: &[DevicePlatform],
    ) -> Result<Vec<u64>, Error> {
        if tags.len() > MAX_COUNTED {
            return Err(Error::invalid("tags", format!("has over {MAX_COUNTED} tags")));
        }
        self.stores.labels.counts(app, tags, platforms).await
    }

    /// How much of the app's quotas is used.
    pub async fn usage(&self, app: &AppName) -> Result<LabelUsage, Error> {
        self.stores.labels.usage(app).await
    }

    /// Takes a tag from every device of these platforms.
    pub async fn drop_tag(
        &self,
        app: &AppName,
        tag: &str,
        platforms: &[DevicePlatform],
    ) -> Result<(), Error> {
        self.stores.labels.drop_tag(app, tag, platforms).await
    }

    /// Takes an alias from the devices of these platforms that have it.
    pub async fn drop_alias(
        &self,
        app: &AppName,
        alias: &str,
        platforms: &[DevicePlatform],
    ) -> Result<(), Error> {
        self.stores.labels.drop_alias(app, alias, platforms).await
    }

    /// The devices of these platforms that have an alias.
    pub async fn of_alias(
        &self,
        app: &AppName,
        alias: &str,
        platforms: &[DevicePlatform],
        now: Timestamp,
    ) -> Result<Vec<Device>, Error> {
        let leaf =
            |field, test| Clause::Leaf(Leaf { key: Key::Field(field), test, negated: false });
        let numbers = platforms.iter().map(|platform| platform.number().into()).collect();
        let parts = vec![
            leaf(Field::Alias, Test::TextEq(alias.to_owned())),
            leaf(Field::Platform, Test::IntIn(numbers)),
        ];
        let clause = Some(Clause::Branch(JoinType::And, parts));
        let query = DeviceQuery { clause, now, size: MAX_HOLDERS, ..DeviceQuery::default() };
        Ok(self.stores.devices.search(app, &query).await?.items)
    }

    async fn carry_out(&self, app: &AppName, edits: Vec<LabelEdit>) -> Result<(), TagError> {
        let done = self.stores.labels.change(app, edits, self.quotas).await?;
        done.map_err(TagError::Refused)
    }
}

fn check_all(
    field: &'static str,
    labels: impl IntoIterator<Item = impl AsRef<str>>,
) -> Result<(), TagError> {
    for label in labels {
        check_label(field, label.as_ref())?;
        if is_too_long(label.as_ref()) {
            return Err(TagError::TooLong { field });
        }
    }
    Ok(())
}
