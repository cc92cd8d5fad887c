//! Audiences in the making, on the wire.

use serde::Serialize;

use crate::{
    domain::device::{Scalar, ScalarType},
    services::{KnownKey, KnownValue},
};

/// A property key that some device has.
#[derive(Serialize)]
pub struct KeyJson<'a> {
    key: &'a str,
    types: Vec<&'static str>,
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
#[derive(Serialize)]
pub struct ValueJson<'a> {
    value: &'a Scalar,
    r#type: &'static str,
    devices: Option<u64>,
}

impl<'a> ValueJson<'a> {
    /// From what the store knows.
    pub fn new(known: &'a KnownValue) -> Self {
        Self { value: &known.value, r#type: known.value.kind().name(), devices: known.devices }
    }
}
