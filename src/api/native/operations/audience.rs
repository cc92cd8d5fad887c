//! `/audience`

use serde_json::{Value, json};

use super::{list, result};
use crate::api::{
    describe::{Operation, Shape, get, integer, post, text},
    native::wire::{
        audience::{ExplainBody, ExplanationJson, KeyJson, ValueJson},
        schemas::{Conditions, example_conditions},
    },
};

pub const ABOUT: &str = "What a person is told who writes conditions. `devices` is null where the store \
    would have to count.";

pub fn operations() -> Vec<Operation> {
    let keys = json!([{"key": "city", "types": ["string"], "devices": 2}]);
    let values = json!([{"value": "Seoul", "type": "string", "devices": null}]);
    let key = "A property's key, or `@tag`, `@alias`, `@locale`, `@timezone`.";
    let asked = json!({"external_id": "user-1", "conditions": example_conditions()});
    let keys = get("/audience/properties", "list_properties", "Property keys that devices have")
        .answers("In the order of their bytes.", list::<KeyJson<'_>>(keys));
    let values = get("/audience/values", "list_values", "The values of a key")
        .query_needed("key", key, text(None), "city")
        .answers("Booleans, then numbers, then text.", list::<ValueJson<'_>>(values));
    let summary = "Why a device satisfies conditions, or does not";
    let explain = post("/audience/:explain", "explain_audience", summary)
        .scope("read")
        .takes(Shape::of::<ExplainBody>(asked).knowing::<Conditions>())
        .answers("Part by part.", result::<ExplanationJson<'_>>(explanation()));
    vec![begun(keys), begun(values), explain]
}

fn begun(operation: Operation) -> Operation {
    operation
        .about("Quick enough to be called at each keystroke.")
        .scope("read")
        .query("prefix", "How they begin; capitals count.", text(None), "Se")
        .query("limit", "How many to answer: 1 to 100, 20 by default.", integer(None), 20)
}

fn explanation() -> Value {
    let leaf = json!({
        "path": "conditions.conditions[0]", "matches": true, "key": "age", "operator": "int_gte",
        "value": 18, "actual": 30, "actual_more": 0,
    });
    let clause = json!({
        "path": "conditions", "matches": true, "join_type": "AND", "conditions": [leaf],
    });
    json!({"matches": true, "clause": clause})
}
