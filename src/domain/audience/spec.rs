//! Conditions as a caller writes them: the document's five keys, kept as they came so that an answer
//! shows what was asked.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a branch joins its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JoinType {
    /// Every child holds.
    And,
    /// At least one child holds.
    Or,
    /// No child holds.
    Not,
}

/// One clause, unchecked: a branch where `conditions` is not null, a leaf otherwise. All five keys
/// are written, nulls included. A key besides the five is an error, since it is likely a typing slip.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClauseSpec {
    /// The children of a branch.
    pub conditions: Option<Vec<ClauseSpec>>,
    /// What a leaf looks at.
    pub key: Option<String>,
    /// What it compares with.
    pub value: Value,
    /// How it compares.
    pub operator: Option<String>,
    /// How a branch joins its children.
    pub join_type: Option<String>,
}

impl ClauseSpec {
    /// Whether nothing is set: `{}`, which means everyone.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A leaf.
    pub fn leaf(key: &str, operator: &str, value: impl Into<Value>) -> Self {
        Self {
            key: Some(key.to_owned()),
            operator: Some(operator.to_owned()),
            value: value.into(),
            ..Self::default()
        }
    }

    /// A branch.
    pub fn branch(join: &str, conditions: Vec<Self>) -> Self {
        Self { conditions: Some(conditions), join_type: Some(join.to_owned()), ..Self::default() }
    }
}
