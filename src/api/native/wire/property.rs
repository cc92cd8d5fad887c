//! Properties on the wire: `[{"key": …, "value": …}]` in requests, one-key objects in answers.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
};

use utoipa::ToSchema;

use super::schemas::PropertyValueSchema;
use crate::domain::device::{Properties, PropertyValue, Scalar};

/// One change: a value sets the key, null removes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PropertyChange {
    /// Its name.
    key: String,
    /// Its value; null removes it.
    #[serde(deserialize_with = "required")]
    #[schema(value_type = Option<PropertyValueSchema>, required)]
    value: Option<WireValue>,
}

impl PropertyChange {
    /// As the domain has it.
    pub fn into_domain(self) -> (String, Option<PropertyValue>) {
        (self.key, self.value.map(|value| value.0))
    }
}

/// Null is a value here, and leaving the key out an error.
fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<WireValue>, D::Error> {
    Option::deserialize(deserializer)
}

/// A scalar or a list of scalars. Integers keep to 64 bits with sign.
#[derive(Debug)]
struct WireValue(PropertyValue);

impl<'de> Deserialize<'de> for WireValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = WireValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, true, false, null, or a list of these")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<WireValue, E> {
        one(ScalarVisitor.visit_bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<WireValue, E> {
        one(ScalarVisitor.visit_i64(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<WireValue, E> {
        one(ScalarVisitor.visit_u64(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<WireValue, E> {
        one(ScalarVisitor.visit_f64(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<WireValue, E> {
        one(ScalarVisitor.visit_str(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<WireValue, A::Error> {
        let mut scalars = Vec::new();
        while let Some(scalar) = list.next_element::<WireScalar>()? {
            scalars.push(scalar.0);
        }
        Ok(WireValue(PropertyValue::List(scalars)))
    }
}

fn one<E>(scalar: Result<WireScalar, E>) -> Result<WireValue, E> {
    scalar.map(|scalar| WireValue(PropertyValue::One(scalar.0)))
}

struct WireScalar(Scalar);

impl<'de> Deserialize<'de> for WireScalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = WireScalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, true or false")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<WireScalar, E> {
        Ok(WireScalar(Scalar::Bool(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<WireScalar, E> {
        Ok(WireScalar(Scalar::Int(value)))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<WireScalar, E> {
        let wrong = |_| E::custom("the whole number does not fit into 64 bits with sign");
        i64::try_from(value).map(|value| WireScalar(Scalar::Int(value))).map_err(wrong)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<WireScalar, E> {
        Ok(WireScalar(Scalar::Float(value)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<WireScalar, E> {
        Ok(WireScalar(Scalar::Text(value.to_owned())))
    }
}

/// The properties of a device, as the document shows them.
pub struct OneKeyObjects<'a>(pub &'a Properties);

impl Serialize for OneKeyObjects<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(OneKeyObject))
    }
}

struct OneKeyObject<'a>((&'a String, &'a PropertyValue));

impl Serialize for OneKeyObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([self.0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_type_and_null_must_be_said() {
        let read = |value: &str| {
            let text = format!(r#"{{"key": "k", "value": {value}}}"#);
            serde_json::from_str::<PropertyChange>(&text).map(|change| change.into_domain().1)
        };
        let one = |scalar| Some(PropertyValue::One(scalar));
        assert_eq!(read("1").expect("read"), one(Scalar::Int(1)));
        assert_eq!(read("1.0").expect("read"), one(Scalar::Float(1.0)));
        assert_eq!(read("\"1\"").expect("read"), one(Scalar::Text("1".into())));
        assert_eq!(read("true").expect("read"), one(Scalar::Bool(true)));
        assert_eq!(read("null").expect("read"), None);
        let list = PropertyValue::List(vec![Scalar::Int(1), Scalar::Text("a".into())]);
        assert_eq!(read("[1, \"a\"]").expect("read"), Some(list));
        for wrong in ["{}", "[[1]]", "[null]", "9223372036854775808"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(serde_json::from_str::<PropertyChange>(r#"{"key": "k"}"#).is_err());
    }

    #[test]
    fn answers_are_one_key_objects() {
        let mut properties = Properties::new();
        properties.insert("a.b".into(), PropertyValue::One(Scalar::Int(1)));
        properties.insert("c".into(), PropertyValue::List(vec![Scalar::Bool(true)]));
        let text = serde_json::to_string(&OneKeyObjects(&properties)).expect("plain values");
        assert_eq!(text, r#"[{"a.b":1},{"c":[true]}]"#);
    }
}
