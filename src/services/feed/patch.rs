//! JSON merge patch (RFC 7396): what changed from one status to the next. A patch cannot say "null", so
//! nothing that is told holds one: what is not there is left out ([`without_nulls`]).

use serde_json::{Map, Value};

/// What makes `after` of `before`; none where they are the same.
pub fn difference(before: &Value, after: &Value) -> Option<Value> {
    if before == after {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return Some(after.clone());
    };
    let gone =
        old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let mut patch: Map<String, Value> = gone.collect();
    for (key, value) in new {
        match old.get(key) {
            None => {
                // An object is merged into nothing, so it stands in the patch as it is.
                patch.insert(key.clone(), value.clone());
            }
            Some(old) => {
                patch.extend(difference(old, value).map(|change| (key.clone(), change)));
            }
        }
    }
    Some(Value::Object(patch))
}

/// The value without its members that are null; those of lists stay.
pub fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        other => other,
    }
}

/// What a patch makes of a value.
#[cfg(test)]
pub fn merged(value: Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut members = match value {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (key, change) in changes {
        let held = members.remove(key).unwrap_or(Value::Null);
        if !change.is_null() {
            members.insert(key.clone(), merged(held, change));
        }
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn patches_merge_as_the_specification_says() {
        // The examples of RFC 7396, appendix A.
        for (value, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            assert_eq!(merged(value, &patch), result);
        }
    }

    #[test]
    fn only_what_changed_is_told() {
        let before = json!({"a": {"x": 1, "y": 2}, "b": [1], "gone": {"z": 1}});
        let after = json!({"a": {"x": 1, "y": 3}, "b": [1], "new": {}});
        let patch = difference(&before, &after).expect("they differ");
        assert_eq!(patch, json!({"a": {"y": 3}, "gone": null, "new": {}}));
        assert_eq!(difference(&after, &after), None);
    }

    /// Any status: objects of objects, lists and plain values, without nulls.
    fn status() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0..5_i64).prop_map(Value::from),
            "[a-c]{0,2}".prop_map(Value::from),
            prop::collection::vec(0..3_i64, 0..3).prop_map(Value::from),
        ];
        let member = leaf.prop_recursive(3, 24, 4, |inner| {
            prop::collection::hash_map("[a-d]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect()))
        });
        prop::collection::hash_map("[a-d]", member, 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn a_patch_makes_the_second_of_the_first(before in status(), after in status()) {
            match difference(&before, &after) {
                Some(patch) => prop_assert_eq!(merged(before, &patch), after),
                None => prop_assert_eq!(before, after),
            }
        }
    }
}
