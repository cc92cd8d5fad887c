//! Audiences in the making, on the wire.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::schemas::{self, Conditions, NodeSchema};

use crate::{
    domain::{
        audience::{ClauseSpec, Explanation, JoinType, Part},
        device::{PropertyValue, Scalar, ScalarType},
    },
    services::{KnownKey, KnownValue},
};

/// A property key that some device has.
#[derive(Serialize, ToSchema)]
#[schema(as = PropertyKey)]
pub struct KeyJson<'a> {
    key: &'a str,
    #[schema(schema_with = schemas::scalar_types)]
    types: Vec<&'static str>,
    /// How many have it, where that is known at no cost.
    #[schema(required)]
    devices: Option<u64>,
}

impl<'a> KeyJson<'a> {
    /// From what the store knows.
    pub fn new(known: &'a KnownKey) -> Self {
        let types = known.types.iter().copied().map(ScalarType::name).collect();
        Self { key: &known.key, types, devices: known.devices }
    }
}

/// A value that some device has under a key.
#[derive(Serialize, ToSchema)]
#[schema(as = PropertyKeyValue)]
pub struct ValueJson<'a> {
    #[schema(schema_with = schemas::scalar)]
    value: &'a Scalar,
    #[schema(schema_with = schemas::scalar_type)]
    r#type: &'static str,
    /// How many have it, where that is known at no cost.
    #[schema(required)]
    devices: Option<u64>,
}

impl<'a> ValueJson<'a> {
    /// From what the store knows.
    pub fn new(known: &'a KnownValue) -> Self {
        Self { value: &known.value, r#type: known.value.kind().name(), devices: known.devices }
    }
}

/// `POST /audience/:explain`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AudienceToExplain)]
pub struct ExplainBody {
    /// The device.
    pub external_id: String,
    /// The conditions; none is everyone.
    #[serde(default)]
    #[schema(value_type = Option<Conditions>)]
    pub conditions: Option<ClauseSpec>,
}

/// The answer of an explanation.
#[derive(Serialize, ToSchema)]
#[schema(as = Explanation)]
pub struct ExplanationJson<'a> {
    matches: bool,
    #[schema(value_type = NodeSchema)]
    clause: NodeJson<'a>,
}

impl<'a> ExplanationJson<'a> {
    /// From what was asked and what is said of it.
    pub fn new(spec: &'a ClauseSpec, explanation: &'a Explanation) -> Self {
        Self { matches: explanation.matches, clause: NodeJson::new(spec, explanation) }
    }
}

/// One part of the conditions, as it was asked, and what is said of it.
#[derive(Serialize)]
struct NodeJson<'a> {
    path: &'a str,
    matches: bool,
    #[serde(flatten)]
    part: PartJson<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum PartJson<'a> {
    Branch {
        join_type: JoinType,
        conditions: Vec<NodeJson<'a>>,
    },
    Leaf {
        key: Option<&'a str>,
        operator: Option<&'a str>,
        value: &'a Value,
        actual: Option<&'a PropertyValue>,
        actual_more: usize,
    },
}

impl<'a> NodeJson<'a> {
    fn new(spec: &'a ClauseSpec, explanation: &'a Explanation) -> Self {
        let part = match &explanation.part {
            Part::Branch(join, children) => {
                let asked = spec.conditions.iter().flatten();
                let children = asked.zip(children).map(|(spec, child)| Self::new(spec, child));
                PartJson::Branch { join_type: *join, conditions: children.collect() }
            }
            Part::Leaf(seen) => PartJson::Leaf {
                key: spec.key.as_deref(),
                operator: spec.operator.as_deref(),
                value: &spec.value,
                actual: seen.as_ref().map(|seen| &seen.value),
                actual_more: seen.as_ref().map_or(0, |seen| seen.more),
            },
        };
        Self { path: &explanation.path, matches: explanation.matches, part }
    }
}
