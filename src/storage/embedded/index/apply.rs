//! How a committed change of a device reaches the index. Called by the writer thread alone.

use roaring::RoaringBitmap;

use super::{AppIndex, Index, Values};
use crate::domain::{
    device::{Device, PropertyValue, Scalar},
    timestamp::Timestamp,
};

/// A committed change.
#[derive(Debug)]
pub(in crate::storage::embedded) enum Change {
    /// A device as it was, if it was, and as it is.
    Put { app: u32, old: Option<Box<Device>>, new: Box<Device> },
    /// Nothing but the time changed.
    Seen { id: u32, at: Timestamp },
    /// Another device took its token.
    TokenLost { app: u32, id: u32 },
    /// Its token was given up.
    Pruned { app: u32, id: u32 },
    /// It is gone.
    Removed { app: u32, old: Box<Device> },
}

/// Whether the index would hold the same of both, `last_seen` apart.
pub(in crate::storage::embedded) fn same_to_the_index(old: &Device, new: &Device) -> bool {
    old.push_token.is_some() == new.push_token.is_some()
        && old.pruned.is_some() == new.pruned.is_some()
        && old.send_platform == new.send_platform
        && old.device_platform == new.device_platform
        && old.alias == new.alias
        && old.timezone == new.timezone
        && old.locale == new.locale
        && old.tags == new.tags
        && old.properties == new.properties
}

impl Index {
    /// Takes one change in.
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Put { app, old, new } => {
                let id = dense(&new);
                self.set_created(id, new.created_at);
                self.set_seen(id, new.last_seen);
                self.apps.entry(app).or_default().put(id, old.as_deref(), Some(&new));
            }
            Change::Seen { id, at } => self.set_seen(id, at),
            Change::TokenLost { app, id } => {
                self.apps.entry(app).or_default().token.remove(id);
            }
            Change::Pruned { app, id } => {
                self.apps.entry(app).or_default().pruned.insert(id);
            }
            Change::Removed { app, old } => {
                self.apps.entry(app).or_default().put(dense(&old), Some(&old), None);
            }
        }
    }
}

fn dense(device: &Device) -> u32 {
    u32::try_from(device.id.0).expect("the writer draws no id beyond 32 bits")
}

impl AppIndex {
    fn put(&mut self, id: u32, old: Option<&Device>, new: Option<&Device>) {
        mark(&mut self.all, id, new.is_some());
        mark(&mut self.token, id, new.is_some_and(|new| new.push_token.is_some()));
        mark(&mut self.pruned, id, new.is_some_and(|new| new.pruned.is_some()));
        for (number, bitmap) in (0_u8..).zip(&mut self.providers) {
            mark(bitmap, id, new.is_some_and(|new| new.send_platform.number() == number));
        }
        for (number, bitmap) in (0_u8..).zip(&mut self.platforms) {
            mark(bitmap, id, new.is_some_and(|new| new.device_platform.number() == number));
        }
        self.put_fields(id, old, new);
        self.put_properties(id, old, new);
    }

    fn put_fields(&mut self, id: u32, old: Option<&Device>, new: Option<&Device>) {
        type Texts<'a> = Vec<&'a str>;
        fn tags(device: &Device) -> Texts<'_> {
            device.tags.iter().map(String::as_str).collect()
        }
        fn alias(device: &Device) -> Texts<'_> {
            device.alias.as_deref().into_iter().collect()
        }
        fn timezone(device: &Device) -> Texts<'_> {
            device.timezone.as_deref().into_iter().collect()
        }
        fn locale(device: &Device) -> Texts<'_> {
            device.locale.as_deref().into_iter().collect()
        }
        type Read = for<'a> fn(&'a Device) -> Texts<'a>;
        let fields: [(&mut Values, Read); 4] = [
            (&mut self.tags, tags),
            (&mut self.alias, alias),
            (&mut self.timezone, timezone),
            (&mut self.locale, locale),
        ];
        for (values, read) in fields {
            let before = old.map(read).unwrap_or_default();
            let after = new.map(read).unwrap_or_default();
            if before == after {
                continue;
            }
            before.iter().for_each(|text| values.remove(&Scalar::Text((*text).to_owned()), id));
            after.iter().for_each(|text| values.insert_text(text, id));
            mark(&mut values.exists, id, !after.is_empty());
        }
    }

    fn put_properties(&mut self, id: u32, old: Option<&Device>, new: Option<&Device>) {
        let before = |key: &str| old.and_then(|old| old.properties.get(key));
        let after = |key: &str| new.and_then(|new| new.properties.get(key));
        for (key, value) in old.into_iter().flat_map(|old| &old.properties) {
            if after(key) != Some(value) {
                self.take_property(key, value, id);
            }
        }
        for (key, value) in new.into_iter().flat_map(|new| &new.properties) {
            if before(key) != Some(value) {
                let values = self.property(key);
                values.exists.insert(id);
                value.scalars().iter().for_each(|scalar| values.insert(scalar, id));
            }
        }
    }

    fn take_property(&mut self, key: &str, value: &PropertyValue, id: u32) {
        let Some(values) = self.properties.get_mut(key) else { return };
        value.scalars().iter().for_each(|scalar| values.remove(scalar, id));
        values.exists.remove(id);
        if values.exists.is_empty() {
            self.properties.remove(key);
        }
    }
}

fn mark(bitmap: &mut RoaringBitmap, id: u32, held: bool) {
    if held {
        bitmap.insert(id);
    } else {
        bitmap.remove(id);
    }
}
