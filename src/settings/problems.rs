//! What is wrong with a configuration, every problem with the key it is about.

use std::fmt;

/// One thing to put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key's path, such as `apps[1].apns.key_file`.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

/// Everything that is wrong, in the order of the keys; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsErrors(pub Vec<Problem>);

impl fmt::Display for SettingsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// Gathers problems; those who check add to it and go on.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    /// Adds one.
    pub(super) fn add(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.0.push(Problem { key: key.into(), what: what.into() });
    }

    /// Adds one unless `fine`.
    pub(super) fn require(&mut self, fine: bool, key: impl Into<String>, what: impl Into<String>) {
        if !fine {
            self.add(key, what);
        }
    }

    /// All of them, or none.
    pub(super) fn finish(self) -> Result<(), SettingsErrors> {
        if self.0.is_empty() { Ok(()) } else { Err(SettingsErrors(self.0)) }
    }
}
