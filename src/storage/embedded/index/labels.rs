//! Tags and aliases, counted and listed: lengths of what the index holds anyway.

use std::borrow::Cow;

use roaring::{MultiOps, RoaringBitmap};

use super::{AppIndex, Index, posting::Union, values::Values};
use crate::domain::device::DevicePlatform;

impl Index {
    /// How many devices of an app have a tag.
    pub(in crate::storage::embedded) fn tag_count(&self, app: u32, tag: &str) -> u64 {
        let posting = self.apps.get(&app).and_then(|app| app.tags.texts.get(tag));
        posting.map_or(0, |posting| posting.len())
    }

    /// How many different tags an app has.
    pub(in crate::storage::embedded) fn tags_in_use(&self, app: u32) -> u64 {
        self.apps.get(&app).map_or(0, |app| app.tags.texts.len() as u64)
    }

    /// Every tag of an app, in the order of their bytes.
    pub(in crate::storage::embedded) fn tags(&self, app: u32) -> Vec<String> {
        let tags = self.apps.get(&app).into_iter().flat_map(|app| app.tags.texts.keys());
        tags.map(|tag| tag.to_string()).collect()
    }

    /// How many devices of an app have an alias.
    pub(in crate::storage::embedded) fn aliases_in_use(&self, app: u32) -> u64 {
        self.apps.get(&app).map_or(0, |app| app.alias.exists.len())
    }

    /// The devices that have an alias.
    pub(in crate::storage::embedded) fn holders_of_alias(
        &self,
        app: u32,
        alias: &str,
    ) -> Cow<'_, RoaringBitmap> {
        self.apps.get(&app).map_or_else(Cow::default, |app| holders(&app.alias, alias))
    }

    /// The devices of these platforms that have an alias.
    pub(in crate::storage::embedded) fn aliased(
        &self,
        app: u32,
        alias: &str,
        platforms: &[DevicePlatform],
    ) -> RoaringBitmap {
        let of = |app: &AppIndex| holders(&app.alias, alias).as_ref() & app.of_platforms(platforms);
        self.apps.get(&app).map(of).unwrap_or_default()
    }

    /// The devices of these platforms that have a tag.
    pub(in crate::storage::embedded) fn tagged(
        &self,
        app: u32,
        tag: &str,
        platforms: &[DevicePlatform],
    ) -> RoaringBitmap {
        let of = |app: &AppIndex| holders(&app.tags, tag).as_ref() & app.of_platforms(platforms);
        self.apps.get(&app).map(of).unwrap_or_default()
    }
}

impl AppIndex {
    fn of_platforms(&self, platforms: &[DevicePlatform]) -> RoaringBitmap {
        platforms.iter().map(|one| &self.platforms[usize::from(one.number())]).union()
    }
}

fn holders<'a>(values: &'a Values, text: &str) -> Cow<'a, RoaringBitmap> {
    let mut union = Union::default();
    values.texts.get(text).into_iter().for_each(|posting| union.add(posting));
    union.finish()
}
