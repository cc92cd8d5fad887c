//! What the jobs of the group under way have changed of tags and aliases. The index learns of it after
//! the commit; until then, a job that must count exactly counts with this on top. Owned by the writer,
//! for one group.

use std::collections::{BTreeSet, HashMap};

use super::index::{Change, Index};
use crate::domain::device::Device;

/// Changes of labels that the index does not have yet. Filled only when a job asks.
#[derive(Default)]
pub(super) struct LabelChanges {
    /// How many of the group's changes are taken in.
    taken: usize,
    apps: HashMap<u32, AppLabels>,
}

#[derive(Default)]
struct AppLabels {
    tags: HashMap<String, Holders>,
    aliases: HashMap<String, Holders>,
}

/// Devices that have come to a label (true) or lost it (false), against the index.
type Holders = HashMap<u32, bool>;

impl LabelChanges {
    /// Takes in what was changed since the last time.
    pub(super) fn take_in(&mut self, changes: &[Change]) {
        for change in changes.get(self.taken..).unwrap_or_default() {
            match change {
                Change::Put { app, old, new } => self.put(*app, old.as_deref(), Some(new)),
                Change::Removed { app, old } => self.put(*app, Some(old), None),
                Change::Seen { .. } | Change::TokenLost { .. } | Change::Pruned { .. } => {}
            }
        }
        self.taken = changes.len();
    }

    /// A job that failed took back its changes from `first` on.
    pub(super) fn take_back(&mut self, first: usize) {
        if self.taken > first {
            *self = Self::default();
        }
    }

    fn put(&mut self, app: u32, old: Option<&Device>, new: Option<&Device>) {
        let Some(id) = old.or(new).and_then(|device| u32::try_from(device.id.0).ok()) else {
            return;
        };
        let app = self.apps.entry(app).or_default();
        let tags = |device: Option<&Device>| device.map(|one| one.tags.clone()).unwrap_or_default();
        let alias = |device: Option<&Device>| device.and_then(|one| one.alias.clone());
        turn(&mut app.tags, tags(old), tags(new), id);
        turn(&mut app.aliases, alias(old), alias(new), id);
    }

    /// How many devices have a tag.
    pub(super) fn tag_count(&self, index: &Index, app: u32, tag: &str) -> u64 {
        let more = self.apps.get(&app).and_then(|app| app.tags.get(tag)).map_or(0, net);
        index.tag_count(app, tag).saturating_add_signed(more)
    }

    /// How many different tags there are.
    pub(super) fn tags_in_use(&self, index: &Index, app: u32) -> u64 {
        let turned = self.apps.get(&app).into_iter().flat_map(|app| &app.tags);
        let more = turned.map(|(tag, holders)| {
            let before = index.tag_count(app, tag);
            let after = before.saturating_add_signed(net(holders));
            i64::from(after > 0) - i64::from(before > 0)
        });
        index.tags_in_use(app).saturating_add_signed(more.sum())
    }

    /// How many devices have an alias.
    pub(super) fn aliases_in_use(&self, index: &Index, app: u32) -> u64 {
        let turned = self.apps.get(&app).into_iter().flat_map(|app| app.aliases.values());
        index.aliases_in_use(app).saturating_add_signed(turned.map(net).sum())
    }

    /// Whether another device than `own` has an alias.
    pub(super) fn is_taken(&self, index: &Index, app: u32, alias: &str, own: u32) -> bool {
        let turned = self.apps.get(&app).and_then(|app| app.aliases.get(alias));
        let came = turned.into_iter().flatten().any(|(id, held)| *held && *id != own);
        let lost = |id: u32| turned.is_some_and(|holders| holders.get(&id) == Some(&false));
        came || index.holders_of_alias(app, alias).iter().any(|id| id != own && !lost(id))
    }
}

/// How many more devices have a label than the index says.
fn net(holders: &Holders) -> i64 {
    holders.values().map(|held| if *held { 1 } else { -1 }).sum()
}

fn turn(
    labels: &mut HashMap<String, Holders>,
    old: impl IntoIterator<Item = String>,
    new: impl IntoIterator<Item = String>,
    id: u32,
) {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) =
        (old.into_iter().collect(), new.into_iter().collect());
    let lost = old.difference(&new).map(|label| (label, false));
    let came = new.difference(&old).map(|label| (label, true));
    for (label, held) in lost.chain(came) {
        let holders = labels.entry(label.clone()).or_default();
        // Back to what the index says.
        if holders.remove(&id).is_none() {
            holders.insert(id, held);
        }
    }
}
