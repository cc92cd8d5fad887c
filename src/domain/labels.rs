//! Tags and aliases under quotas: how many there may be, what one call changes, and why it is refused.

use std::collections::BTreeSet;

use super::{Error, Result};

/// Longest tag or alias under quotas, in bytes.
pub const MAX_LABEL_BYTES: usize = 40;

/// How many labels there may be. The defaults are those that EngageLab documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Tags of one device.
    pub tags_per_device: u64,
    /// Different tags of an app.
    pub tags_per_app: u64,
    /// Devices with one tag.
    pub devices_per_tag: u64,
    /// Devices of an app that have an alias; an alias has one device.
    pub aliases_per_app: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            tags_per_device: 100,
            tags_per_app: 100_000,
            devices_per_tag: 100_000,
            aliases_per_app: 100_000,
        }
    }
}

/// What changes of one device's labels. Each part left out changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LabelEdit {
    /// The device.
    pub external_id: String,
    /// Whether it loses every tag that it has.
    pub clear_tags: bool,
    /// Tags taken away, before others are added.
    pub remove: BTreeSet<String>,
    /// Tags added.
    pub add: BTreeSet<String>,
    /// The alias it gets, or with an inner none loses.
    pub alias: Option<Option<String>>,
}

impl LabelEdit {
    /// The tags of a device that had these.
    pub fn tags_after(&self, before: &BTreeSet<String>) -> BTreeSet<String> {
        let kept = before.iter().filter(|tag| !self.clear_tags && !self.remove.contains(*tag));
        kept.chain(&self.add).cloned().collect()
    }
}

/// How much of the quotas is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LabelUsage {
    /// Different tags that some device has.
    pub tags: u64,
    /// Devices that have an alias.
    pub aliases: u64,
}

/// Why labels were not changed. Nothing was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There are no such devices.
    UnknownDevices(Vec<String>),
    /// Another device has the alias.
    AliasTaken,
    /// A device would have too many tags.
    TagsOfDevice,
    /// The app would have too many different tags.
    TagsOfApp,
    /// A tag would have too many devices.
    DevicesOfTag,
    /// The app would have too many aliases.
    AliasesOfApp,
}

/// Checks what a tag or alias consists of: letters, digits, underscores, Chinese characters. How long
/// it is, is told by itself ([`is_too_long`]), since callers answer that otherwise.
pub fn check_label(field: &str, label: &str) -> Result<()> {
    if label.is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || is_chinese(c);
    if label.chars().all(fits) {
        return Ok(());
    }
    Err(Error::invalid(
        field,
        "must consist of letters, digits, underscores and Chinese characters",
    ))
}

/// Whether a tag or alias is too long.
pub fn is_too_long(label: &str) -> bool {
    label.len() > MAX_LABEL_BYTES
}

/// The blocks of Unicode that are named CJK ideographs, and the one mark that repeats a character.
fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3005}' | '\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(tags: &[&str]) -> BTreeSet<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn labels_are_letters_digits_underscores_and_chinese() {
        for good in ["a", "Tag_1", "标签", "𠀀"] {
            assert!(check_label("tags", good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a-b", "é", "ก", "a\n", "，"] {
            assert!(check_label("tags", bad).is_err(), "{bad}");
        }
        assert!(!is_too_long(&"a".repeat(40)) && is_too_long(&"标".repeat(14)));
    }

    #[test]
    fn tags_are_taken_away_before_others_are_added() {
        let edit =
            LabelEdit { remove: set(&["a", "b"]), add: set(&["b", "c"]), ..Default::default() };
        assert_eq!(edit.tags_after(&set(&["a", "b", "d"])), set(&["b", "c", "d"]));
        let clear = LabelEdit { clear_tags: true, add: set(&["c"]), ..Default::default() };
        assert_eq!(clear.tags_after(&set(&["a"])), set(&["c"]));
    }
}
