//! From conditions as written to the checked form. Every refusal names the clause by its path, as
//! `conditions.conditions[1].operator`.

use std::time::Duration;

use serde_json::Value;

use super::{Clause, ClauseSpec, Comparison, Field, JoinType, Key, Leaf, Number, Test};
use crate::domain::{Error, Result, device, timestamp::Timestamp};

/// Deepest nesting accepted.
pub const MAX_DEPTH: usize = 32;
/// Most leaves accepted.
pub const MAX_LEAVES: usize = 512;
/// Most values of one `*_in`.
const MAX_VALUES: usize = 1000;

/// Checks `spec`. `field` is where it stands in the request, `conditions` everywhere so far.
/// An empty clause (`{}`) means everyone.
pub fn parse(spec: &ClauseSpec, field: &str) -> Result<Clause> {
    if spec.is_empty() {
        return Ok(Clause::Branch(JoinType::And, Vec::new()));
    }
    let mut parser = Parser { leaves: 0 };
    parser.clause(spec, field, 1)
}

struct Parser {
    leaves: usize,
}

impl Parser {
    fn clause(&mut self, spec: &ClauseSpec, path: &str, depth: usize) -> Result<Clause> {
        if depth > MAX_DEPTH {
            return Err(Error::invalid(path, format!("is nested over {MAX_DEPTH} levels deep")));
        }
        let Some(children) = &spec.conditions else {
            self.leaves += 1;
            if self.leaves > MAX_LEAVES {
                let message = format!("the condition has over {MAX_LEAVES} comparisons");
                return Err(Error::invalid(path, message));
            }
            return leaf(spec, path).map(Clause::Leaf);
        };
        let join = join_type(spec, children.len(), path)?;
        if children.is_empty() {
            return Err(Error::invalid(format!("{path}.conditions"), "must not be empty"));
        }
        let children = children.iter().enumerate().map(|(index, child)| {
            self.clause(child, &format!("{path}.conditions[{index}]"), depth + 1)
        });
        Ok(Clause::Branch(join, children.collect::<Result<_>>()?))
    }
}

fn join_type(spec: &ClauseSpec, children: usize, path: &str) -> Result<JoinType> {
    let field = || format!("{path}.join_type");
    match spec.join_type.as_deref() {
        Some("AND") => Ok(JoinType::And),
        Some("OR") => Ok(JoinType::Or),
        Some("NOT") => Ok(JoinType::Not),
        Some(_) => Err(Error::invalid(field(), "must be AND, OR or NOT")),
        None if children == 1 => Ok(JoinType::And),
        None => Err(Error::invalid(field(), "is required: AND, OR or NOT")),
    }
}

fn leaf(spec: &ClauseSpec, path: &str) -> Result<Leaf> {
    let at = |name: &str| format!("{path}.{name}");
    let key = spec.key.as_deref().ok_or_else(|| Error::invalid(at("key"), "is required"))?;
    let key = parse_key(key, &at("key"))?;
    let operator =
        spec.operator.as_deref().ok_or_else(|| Error::invalid(at("operator"), "is required"))?;
    let (test, negated) = parse_test(operator, &spec.value, path)?;
    if !suits(&key, &test) {
        let message = format!("`{operator}` does not apply to this key");
        return Err(Error::invalid(at("operator"), message));
    }
    Ok(Leaf { key, test, negated })
}

fn parse_key(key: &str, path: &str) -> Result<Key> {
    if key.starts_with('@') {
        let field = Field::ALL.into_iter().find(|field| field.key() == key);
        let known = || Field::ALL.map(Field::key).join(", ");
        return field
            .map(Key::Field)
            .ok_or_else(|| Error::invalid(path, format!("is not one of {}", known())));
    }
    device::check_key(path, key)?;
    Ok(Key::Property(key.to_owned()))
}

/// Whether a test can ever hold for a device's own field.
fn suits(key: &Key, test: &Test) -> bool {
    let Key::Field(field) = key else { return true };
    let times = matches!(test, Test::TimeBefore(_) | Test::TimeAfter(_) | Test::TimeWithin(_));
    let texts = matches!(
        test,
        Test::TextEq(_) | Test::TextIn(_) | Test::TextPrefix(_) | Test::TextContains(_)
    );
    let ints = matches!(test, Test::Compare(_, Number::Int(_)) | Test::IntIn(_));
    match field {
        _ if *test == Test::Exists => true,
        field if field.is_time() => times,
        Field::Platform => texts || ints,
        Field::Id => ints,
        _ => texts,
    }
}

fn parse_test(operator: &str, value: &Value, path: &str) -> Result<(Test, bool)> {
    let values = Values { value, path: format!("{path}.value") };
    if let Some(rest) = operator.strip_prefix("int_") {
        return number_test(
            rest,
            operator,
            path,
            || values.int().map(Number::Int),
            || values.list(|value| value.int()).map(Test::IntIn),
        );
    }
    if let Some(rest) = operator.strip_prefix("float_") {
        return number_test(
            rest,
            operator,
            path,
            || values.float().map(Number::Float),
            || values.list(|value| value.float()).map(Test::FloatIn),
        );
    }
    let test = match operator {
        "str_eq" | "str_exists" => Test::TextEq(values.text()?),
        "str_ne" => return Ok((Test::TextEq(values.text()?), true)),
        "str_in" => Test::TextIn(values.list(|value| value.text())?),
        "str_prefix" => Test::TextPrefix(values.text()?),
        "str_contains" => Test::TextContains(values.text()?),
        "bool_eq" => Test::Bool(values.boolean()?),
        "exists" => Test::Exists,
        "not_exists" => return Ok((Test::Exists, true)),
        "time_before" => Test::TimeBefore(values.time()?),
        "time_after" => Test::TimeAfter(values.time()?),
        "time_within_days" => Test::TimeWithin(values.days()?),
        _ => return Err(unknown_operator(operator, path)),
    };
    Ok((test, false))
}

fn number_test(
    rest: &str,
    operator: &str,
    path: &str,
    number: impl Fn() -> Result<Number>,
    list: impl Fn() -> Result<Test>,
) -> Result<(Test, bool)> {
    let comparison = match rest {
        "eq" | "ne" => Comparison::Eq,
        "gt" => Comparison::Gt,
        "gte" => Comparison::Gte,
        "lt" => Comparison::Lt,
        "lte" => Comparison::Lte,
        "in" => return list().map(|test| (test, false)),
        _ => return Err(unknown_operator(operator, path)),
    };
    Ok((Test::Compare(comparison, number()?), rest == "ne"))
}

fn unknown_operator(operator: &str, path: &str) -> Error {
    let shown: String = operator.chars().take(40).collect();
    Error::invalid(format!("{path}.operator"), format!("`{shown}` is not an operator"))
}

/// The value of a leaf, read as the type that the operator asks for.
struct Values<'a> {
    value: &'a Value,
    path: String,
}

impl Values<'_> {
    fn wrong<T>(&self, wanted: &'static str) -> Result<T> {
        Err(Error::invalid(self.path.clone(), wanted))
    }

    /// A whole number, also as text: "30" and 30 are the same, as the document has them.
    fn int(&self) -> Result<i64> {
        let number = match self.value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number.map_or_else(|| self.wrong("must be a whole number of 64 bits"), Ok)
    }

    fn float(&self) -> Result<f64> {
        let number = match self.value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number
            .filter(|number| number.is_finite())
            .map_or_else(|| self.wrong("must be a finite number"), Ok)
    }

    fn text(&self) -> Result<String> {
        match self.value {
            Value::String(text) => Ok(text.clone()),
            _ => self.wrong("must be a string"),
        }
    }

    fn boolean(&self) -> Result<bool> {
        match self.value {
            Value::Bool(value) => Ok(*value),
            Value::String(text) if text == "true" => Ok(true),
            Value::String(text) if text == "false" => Ok(false),
            _ => self.wrong("must be true or false"),
        }
    }

    fn time(&self) -> Result<Timestamp> {
        let at = self.value.as_str().and_then(Timestamp::parse);
        at.map_or_else(|| self.wrong("must be a time as RFC 3339 writes it"), Ok)
    }

    fn days(&self) -> Result<Duration> {
        let wanted = "must be a number of days from 0 to 36500";
        let days = self.float().ok().filter(|days| (0.0..=36500.0).contains(days));
        days.map_or_else(|| self.wrong(wanted), |days| Ok(Duration::from_secs_f64(days * 86_400.0)))
    }

    fn list<T>(&self, read: impl Fn(&Values<'_>) -> Result<T>) -> Result<Vec<T>> {
        let Value::Array(values) = self.value else { return self.wrong("must be a list") };
        if values.is_empty() || values.len() > MAX_VALUES {
            return self.wrong("must have 1 to 1000 elements");
        }
        let element =
            |(index, value)| read(&Values { value, path: format!("{}[{index}]", self.path) });
        values.iter().enumerate().map(element).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(spec: Value) -> String {
        let spec: ClauseSpec = serde_json::from_value(spec).expect("the five keys");
        parse(&spec, "conditions").expect_err("refused").public_message()
    }

    fn accepted(spec: Value) -> Clause {
        let spec: ClauseSpec = serde_json::from_value(spec).expect("the five keys");
        parse(&spec, "conditions").expect("accepted")
    }

    #[test]
    fn a_refusal_names_the_path() {
        let good = json!({"key": "age", "operator": "int_gte", "value": "30"});
        let bad = json!({"key": "age", "operator": "int_about", "value": 1});
        let nested = json!({"join_type": "AND", "conditions": [good, bad]});
        assert_eq!(
            refused(nested),
            "conditions.conditions[1].operator: `int_about` is not an operator"
        );
        let wrong = json!({"key": "age", "operator": "int_in", "value": [1, "x"]});
        assert!(refused(wrong).starts_with("conditions.value[1]:"));
        let join = json!({"conditions": [good, good]});
        assert!(refused(join).starts_with("conditions.join_type:"));
        let key = json!({"key": "@nope", "operator": "exists"});
        assert!(refused(key).starts_with("conditions.key:"));
        let unsuited = json!({"key": "@last_seen", "operator": "int_eq", "value": 1});
        assert!(refused(unsuited).starts_with("conditions.operator:"));
    }

    #[test]
    fn numbers_may_be_text_and_branches_ignore_their_own_leaf() {
        let text = accepted(json!({"key": "age", "operator": "int_eq", "value": "30"}));
        let number = accepted(json!({"key": "age", "operator": "int_eq", "value": 30}));
        assert_eq!(text, number);
        let branch = json!({
            "key": "ignored", "operator": "nonsense", "value": 1,
            "conditions": [{"key": "age", "operator": "int_eq", "value": 30}]
        });
        assert_eq!(accepted(branch), Clause::Branch(JoinType::And, vec![number]));
    }

    #[test]
    fn depth_and_leaves_are_bounded() {
        let leaf = ClauseSpec::leaf("a", "exists", Value::Null);
        let mut deep = leaf.clone();
        for _ in 0..MAX_DEPTH {
            deep = ClauseSpec::branch("AND", vec![deep]);
        }
        assert!(parse(&deep, "conditions").is_err());
        let wide = ClauseSpec::branch("OR", vec![leaf.clone(); MAX_LEAVES + 1]);
        assert!(parse(&wide, "conditions").is_err());
        let most = ClauseSpec::branch("OR", vec![leaf; MAX_LEAVES]);
        assert!(parse(&most, "conditions").is_ok());
    }

    #[test]
    fn nothing_asked_is_everyone() {
        assert_eq!(accepted(json!({})), Clause::Branch(JoinType::And, vec![]));
    }
}
