//! Tags and aliases with quotas: the role, and the decision that both stores take alike. A store brings
//! the devices and its counts; whether an edit fits is told here.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::domain::{
    Result,
    device::{Device, DevicePlatform},
    ids::AppName,
    labels::{LabelEdit, LabelUsage, Quotas, Refusal},
};

/// Tags and aliases as something that is counted. What it counts is the devices' own tags and aliases,
/// whoever set them, by an index: no count is kept beside them that could differ.
#[async_trait]
pub trait LabelStore: Send + Sync {
    /// Carries out edits of different devices, all or none. The quotas hold exactly among all callers
    /// of this, on every node: two at once cannot both take the last place. Devices are not marked as
    /// seen. Durable when this returns.
    async fn change(
        &self,
        app: &AppName,
        edits: Vec<LabelEdit>,
        quotas: Quotas,
    ) -> Result<Result<(), Refusal>>;

    /// Every tag that some device of the app has, in the order of their bytes.
    async fn tags(&self, app: &AppName) -> Result<Vec<String>>;

    /// How many devices of these platforms have each of these tags, in the order asked.
    async fn counts(
        &self,
        app: &AppName,
        tags: &[String],
        platforms: &[DevicePlatform],
    ) -> Result<Vec<u64>>;

    /// How much of the quotas is used.
    async fn usage(&self, app: &AppName) -> Result<LabelUsage>;

    /// Takes a tag from every device of these platforms that has it when this is called. Not one step:
    /// where it fails, some devices have lost the tag, and calling it again takes it from the others.
    async fn drop_tag(&self, app: &AppName, tag: &str, platforms: &[DevicePlatform]) -> Result<()>;

    /// Takes an alias from the devices of these platforms that have it.
    async fn drop_alias(
        &self,
        app: &AppName,
        alias: &str,
        platforms: &[DevicePlatform],
    ) -> Result<()>;
}

/// What edits come to.
pub(super) struct LabelPlan {
    /// Devices that change: as they are, and as they are to be.
    pub(super) changed: Vec<(Device, Device)>,
    /// How many more devices each tag gets.
    pub(super) tags: BTreeMap<String, i64>,
    /// How many more devices have an alias.
    pub(super) aliases: i64,
    /// Aliases that devices get, and whose they were not.
    pub(super) claims: Vec<(String, Device)>,
}

impl LabelPlan {
    /// What `edits` come to with these devices, in any order.
    pub(super) fn of(edits: &[LabelEdit], devices: Vec<Device>) -> Result<Self, Refusal> {
        let mut found: BTreeMap<String, Device> =
            devices.into_iter().map(|device| (device.external_id.clone(), device)).collect();
        let missing = edits.iter().map(|edit| &edit.external_id);
        let missing: Vec<_> = missing.filter(|name| !found.contains_key(*name)).cloned().collect();
        if !missing.is_empty() {
            return Err(Refusal::UnknownDevices(missing));
        }
        let mut plan =
            Self { changed: Vec::new(), tags: BTreeMap::new(), aliases: 0, claims: Vec::new() };
        for edit in edits {
            // A device named twice is worked on once.
            if let Some(device) = found.remove(&edit.external_id) {
                plan.add(edit, device);
            }
        }
        Ok(plan)
    }

    fn add(&mut self, edit: &LabelEdit, before: Device) {
        let mut after = before.clone();
        after.tags = edit.tags_after(&before.tags);
        if let Some(alias) = &edit.alias {
            after.alias.clone_from(alias);
        }
        for tag in after.tags.difference(&before.tags) {
            *self.tags.entry(tag.clone()).or_default() += 1;
        }
        for tag in before.tags.difference(&after.tags) {
            *self.tags.entry(tag.clone()).or_default() -= 1;
        }
        self.aliases += i64::from(after.alias.is_some()) - i64::from(before.alias.is_some());
        if let Some(alias) = after.alias.clone().filter(|_| after.alias != before.alias) {
            self.claims.push((alias, before.clone()));
        }
        if after != before {
            self.changed.push((before, after));
        }
    }

    /// Whether an app's number of tags grows if these are new, and so must be known.
    pub(super) fn may_add_tags(&self, counts: &BTreeMap<String, u64>) -> bool {
        self.new_tags(counts) > 0
    }

    /// Whether the quotas allow it; `counts` are those of every tag in `tags`. What does not grow is
    /// never refused: others, who have no quotas, may have gone beyond.
    pub(super) fn check(
        &self,
        counts: &BTreeMap<String, u64>,
        usage: LabelUsage,
        quotas: Quotas,
    ) -> Result<(), Refusal> {
        let too_many = |(before, after): &(Device, Device)| {
            after.tags.len() > before.tags.len() && after.tags.len() as u64 > quotas.tags_per_device
        };
        if self.changed.iter().any(too_many) {
            return Err(Refusal::TagsOfDevice);
        }
        let grows = |(tag, more): (&String, &i64)| {
            *more > 0 && count(counts, tag).saturating_add_signed(*more) > quotas.devices_per_tag
        };
        if self.tags.iter().any(grows) {
            return Err(Refusal::DevicesOfTag);
        }
        let more = self.new_tags(counts) - self.ending_tags(counts);
        if more > 0 && usage.tags.saturating_add_signed(more) > quotas.tags_per_app {
            return Err(Refusal::TagsOfApp);
        }
        let aliases = usage.aliases.saturating_add_signed(self.aliases);
        if self.aliases > 0 && aliases > quotas.aliases_per_app {
            return Err(Refusal::AliasesOfApp);
        }
        Ok(())
    }

    fn new_tags(&self, counts: &BTreeMap<String, u64>) -> i64 {
        let new = |(tag, more): &(&String, &i64)| **more > 0 && count(counts, tag) == 0;
        self.tags.iter().filter(new).count() as i64
    }

    fn ending_tags(&self, counts: &BTreeMap<String, u64>) -> i64 {
        let ends = |(tag, more): &(&String, &i64)| {
            **more < 0 && count(counts, tag).saturating_add_signed(**more) == 0
        };
        self.tags.iter().filter(ends).count() as i64
    }
}

fn count(counts: &BTreeMap<String, u64>, tag: &str) -> u64 {
    counts.get(tag).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::timestamp::Timestamp, storage::blank::blank};

    const FEW: Quotas =
        Quotas { tags_per_device: 2, tags_per_app: 3, devices_per_tag: 2, aliases_per_app: 1 };

    fn device(name: &str, tags: &[&str], alias: Option<&str>) -> Device {
        let mut device = blank(name.to_owned(), Timestamp(0));
        device.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        device.alias = alias.map(str::to_owned);
        device
    }

    fn edit(name: &str, add: &[&str], remove: &[&str]) -> LabelEdit {
        let set = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
        let external_id = name.to_owned();
        LabelEdit { external_id, add: set(add), remove: set(remove), ..Default::default() }
    }

    fn judged(
        edits: &[LabelEdit],
        devices: Vec<Device>,
        counts: &[(&str, u64)],
        usage: (u64, u64),
    ) -> Result<(), Refusal> {
        let counts = counts.iter().map(|(tag, count)| ((*tag).to_owned(), *count)).collect();
        let usage = LabelUsage { tags: usage.0, aliases: usage.1 };
        LabelPlan::of(edits, devices)?.check(&counts, usage, FEW)
    }

    #[test]
    fn each_quota_refuses_what_goes_beyond_it_and_nothing_else() {
        let one = |tags: &[&str]| vec![device("a", tags, None)];
        assert_eq!(judged(&[edit("a", &["x", "y"], &[])], one(&[]), &[], (0, 0)), Ok(()));
        let third = judged(&[edit("a", &["z"], &[])], one(&["x", "y"]), &[], (2, 0));
        assert_eq!(third, Err(Refusal::TagsOfDevice));
        // It has more than it may already, and gets no more.
        let swapped = [edit("a", &["z"], &["x"])];
        assert_eq!(judged(&swapped, one(&["v", "x", "y"]), &[("z", 1), ("x", 9)], (3, 0)), Ok(()));
        let full = judged(&[edit("a", &["x"], &[])], one(&[]), &[("x", 2)], (1, 0));
        assert_eq!(full, Err(Refusal::DevicesOfTag));
        let fourth = judged(&[edit("a", &["n"], &[])], one(&[]), &[("n", 0)], (3, 0));
        assert_eq!(fourth, Err(Refusal::TagsOfApp));
        // The place of a tag that ends with the same call is free.
        let counts = [("n", 0), ("o", 1)];
        assert_eq!(judged(&[edit("a", &["n"], &["o"])], one(&["o"]), &counts, (3, 0)), Ok(()));
        let named = LabelEdit { alias: Some(Some("q".into())), ..edit("a", &[], &[]) };
        assert_eq!(judged(&[named], one(&[]), &[], (0, 1)), Err(Refusal::AliasesOfApp));
    }

    #[test]
    fn unknown_devices_are_named_and_edits_that_change_nothing_write_nothing() {
        let edits = [edit("a", &["x"], &[]), edit("b", &[], &[]), edit("c", &[], &[])];
        let refused = LabelPlan::of(&edits, vec![device("b", &[], None)]).err();
        assert_eq!(refused, Some(Refusal::UnknownDevices(vec!["a".into(), "c".into()])));
        let same = LabelPlan::of(&[edit("a", &["x"], &["y"])], vec![device("a", &["x"], None)]);
        assert!(same.is_ok_and(|plan| plan.changed.is_empty() && plan.tags.is_empty()));
    }
}
