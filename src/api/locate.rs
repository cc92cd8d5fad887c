//! Where in a JSON body an error lies: `devices[3].push_token` instead of a line and a column.
//!
//! serde_json tells the position at which reading stopped; `path_at` walks the text up to there. Only
//! bodies that were refused pay for it.

use serde_json::error::Category;

use crate::domain::{Error, audience::MAX_DEPTH};

/// Longest part of a caller's own text that an error repeats, in characters.
const MAX_SHOWN: usize = 200;
/// How many digits the largest number of 64 bits with sign has.
const I64_DIGITS: usize = 19;

/// The error of a body that did not read.
pub fn explain(body: &[u8], error: &serde_json::Error) -> Error {
    match error.classify() {
        Category::Data => data_error(body, error),
        Category::Eof if body.iter().all(u8::is_ascii_whitespace) => {
            Error::malformed("the body is empty; JSON is expected")
        }
        _ if error.to_string().starts_with("recursion limit exceeded") => too_deep(body, error),
        _ => Error::malformed(format!("the body is not JSON: {error}")),
    }
}

fn data_error(body: &[u8], error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let told = text.rsplit_once(" at line ").map_or(text.as_str(), |(told, _)| told);
    let missing = told.starts_with("missing field `");
    let mut path = path_at(body, error.line(), error.column(), missing);
    let named = told.split('`').nth(1).unwrap_or_default();
    if missing {
        push_key(&mut path, named);
        return Error::invalid(path, "is required");
    }
    if told.starts_with("unknown field `") {
        // The walk stopped behind the unknown key, so the path ends in it.
        let known = told.split_once("expected ").map(|(_, known)| known.replace('`', ""));
        let known = known.map(|known| format!("; known: {}", known.replace("one of ", "")));
        let path = shown(&path);
        return Error::invalid(path, format!("is not a field here{}", known.unwrap_or_default()));
    }
    let told = shown(&in_our_words(told));
    match path.as_str() {
        "" => Error::malformed(format!("the body {told}")),
        _ => Error::invalid(shown(&path), told),
    }
}

/// Only conditions nest; serde_json gives up far below what they may have.
fn too_deep(body: &[u8], error: &serde_json::Error) -> Error {
    let path = path_at(body, error.line(), error.column(), false);
    if path.starts_with("conditions") {
        return Error::invalid(
            "conditions",
            format!("is nested too deep; at most {MAX_DEPTH} levels"),
        );
    }
    Error::malformed("the body is nested too deep")
}

/// What serde says of a value, without the names of this program's types.
fn in_our_words(told: &str) -> String {
    if told.starts_with("UUID parsing failed") {
        return "must be a UUID".to_owned();
    }
    if told.starts_with("duplicate field") {
        return "is given twice".to_owned();
    }
    let wrong = ["invalid type: ", "invalid value: ", "invalid length "];
    let wrong = wrong.iter().find_map(|start| told.strip_prefix(start));
    let Some((found, wanted)) = wrong.and_then(|rest| rest.split_once(", expected ")) else {
        return told.to_owned();
    };
    format!("must be {}, not {}", wanted_words(wanted), found_words(found))
}

fn wanted_words(wanted: &str) -> &str {
    match wanted {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, at least 0, in range",
        "i8" | "i16" | "i32" | "i64" => "a whole number in range",
        "a string" => "text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "a formatted UUID string" => "a UUID",
        _ if wanted.starts_with("struct ") => "an object",
        _ => wanted,
    }
}

fn found_words(found: &str) -> String {
    match found {
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        "null" => "null".to_owned(),
        _ => {
            let kinds = [
                ("integer ", "the number "),
                ("floating point ", "the number "),
                ("string ", "the text "),
                ("boolean ", ""),
            ];
            let known = kinds.iter().find_map(|(kind, ours)| {
                found.strip_prefix(kind).map(|value| format!("{ours}{}", value.replace('`', "")))
            });
            known.unwrap_or_else(|| found.to_owned())
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

/// One level of nesting on the way to the error.
enum Level {
    /// In an object, at this key once it is read.
    Object(Option<String>),
    /// In a list, at this index.
    List(usize),
}

/// The path of the value that ends at, or contains, this place of the text. serde_json notices what is
/// wrong with an object's last value when the object is closed, so a `}` at the very end does not
/// count, unless the object as a `whole` is meant.
fn path_at(body: &[u8], line: usize, column: usize, whole: bool) -> String {
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    let line_start: usize = lines.take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    let end = (line_start + column).min(body.len());
    let mut walk = Walk::default();
    let mut at = 0;
    while at < end {
        at = walk.step(body, at, end, whole);
    }
    written(&walk.levels)
}

/// A walk over the text of a body: the levels around the place that it has come to.
#[derive(Default)]
struct Walk {
    levels: Vec<Level>,
}

impl Walk {
    /// Takes in the byte at `at`, or the whole string that begins there; where to go on.
    fn step(&mut self, body: &[u8], mut at: usize, end: usize, whole: bool) -> usize {
        let levels = &mut self.levels;
        match body[at] {
            b'"' => {
                let close = string_end(body, at);
                if let Some(Level::Object(key @ None)) = levels.last_mut() {
                    let text = body.get(at..=close).unwrap_or_default();
                    *key = Some(serde_json::from_slice(text).unwrap_or_default());
                }
                at = close;
            }
            b'{' => levels.push(Level::Object(None)),
            b'[' => levels.push(Level::List(0)),
            // The error may lie at the very end of a value: that value's own path is kept.
            b'}' | b']' if at + 1 < end => {
                levels.pop();
            }
            b'}' if whole => {
                if let Some(Level::Object(key)) = levels.last_mut() {
                    *key = None;
                }
            }
            b',' if at + 1 < end => match levels.last_mut() {
                Some(Level::Object(key)) => *key = None,
                Some(Level::List(index)) => *index += 1,
                None => {}
            },
            _ => {}
        }
        at + 1
    }
}

/// The path of a property whose whole number is over 64 bits: serde_json reads it as the nearest float,
/// which is not what was written. Such a number has 19 digits or more, so a look at every 19th byte
/// finds the bodies that need a walk.
pub fn rounded_property(body: &[u8]) -> Option<String> {
    let long_run = |at: usize| {
        let digits = |bytes: &mut dyn Iterator<Item = &u8>| {
            bytes.take_while(|byte| byte.is_ascii_digit()).take(I64_DIGITS).count()
        };
        digits(&mut body[..at].iter().rev()) + digits(&mut body[at..].iter()) >= I64_DIGITS
    };
    let mut looks = (I64_DIGITS - 1..body.len()).step_by(I64_DIGITS);
    if !looks.any(|at| body[at].is_ascii_digit() && long_run(at)) {
        return None;
    }
    let mut walk = Walk::default();
    let mut at = 0;
    while at < body.len() {
        if matches!(body[at], b'-' | b'0'..=b'9') {
            let inside =
                |byte: &&u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
            let end = at + body[at..].iter().take_while(inside).count();
            let number = std::str::from_utf8(&body[at..end]).unwrap_or_default();
            let whole = !number.contains(['.', 'e', 'E']);
            if whole && number.parse::<i64>().is_err() {
                let path = written(&walk.levels);
                if path.contains("properties[") {
                    return Some(path);
                }
            }
            at = end;
        } else {
            at = walk.step(body, at, body.len(), false);
        }
    }
    None
}

/// The index of the quote that closes the string opened at `open`.
fn string_end(body: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < body.len() && body[at] != b'"' {
        at += if body[at] == b'\\' { 2 } else { 1 };
    }
    at.min(body.len().saturating_sub(1))
}

fn written(levels: &[Level]) -> String {
    let mut path = String::new();
    for level in levels {
        match level {
            Level::Object(Some(key)) => push_key(&mut path, key),
            Level::Object(None) => {}
            Level::List(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{
        super::{extract::json, native::Time},
        rounded_property,
    };

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read by serde alone")]
    struct Body {
        title: String,
        #[serde(default)]
        devices: Vec<Inner>,
        at: Option<Time>,
        id: Option<uuid::Uuid>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read by serde alone")]
    struct Inner {
        token: String,
        number: Option<u8>,
        at: Option<Time>,
    }

    #[test]
    fn a_whole_number_is_never_rounded() {
        let found = |value: &str| {
            let body = format!(
                r#"{{"a": "99999999999999999999", "properties": [{{"key": "k", "value": 1}},
                    {{"key": "k", "value": {value}}}], "z": 1}}"#
            );
            rounded_property(body.as_bytes())
        };
        let at = Some("properties[1].value".to_owned());
        for bad in ["9223372036854775808", "-9223372036854775809", "99999999999999999999999"] {
            assert_eq!(found(bad), at, "{bad}");
        }
        assert_eq!(found("[1, 99999999999999999999]"), Some("properties[1].value[1]".to_owned()));
        let good =
            ["9223372036854775807", "1e30", "0.99999999999999999999", "99999999999999999999.0"];
        for good in good.into_iter().chain(["\"99999999999999999999\"", "-9223372036854775808"]) {
            assert_eq!(found(good), None, "{good}");
        }
    }

    fn told(body: &str) -> String {
        json::<Body>(body.as_bytes()).expect_err("refused").public_message()
    }

    #[test]
    fn errors_name_the_field() {
        let cases = [
            (r#"{"title": 5}"#, "title: must be text, not the number 5"),
            (r#"{"title": "t", "at": "x"}"#, "at: is not a time"),
            (r#"{"at": "x", "title": "t"}"#, "at: is not a time"),
            (
                r#"{"title": "t", "devices": [{"token": "x", "at": "x" } ]}"#,
                "devices[0].at: is not",
            ),
            (r#"{"title": "t", "id": "x"}"#, "id: must be a UUID"),
            (r#"{"title": "t", "title": "t"}"#, "title: is given twice"),
            (r#""title""#, "the body must be an object, not the text"),
            (r#"{"title": "a", "titel": "b"}"#, "titel: is not a field here"),
            (r#"{}"#, "title: is required"),
            (r#"{"title": "a", "devices": [{"token": "x"}, {"token": 1}]}"#, "devices[1].token: "),
            (
                r#"{"title": "a", "devices": [{"token": "x"}, {"number": 1}]}"#,
                "devices[1].token: is",
            ),
            (
                r#"{"title": "a\"}{", "devices": [{"token": "x", "number": 300}]}"#,
                "devices[0].number",
            ),
            (
                "{\"title\": \"a\",\n \"devices\": [{\"token\": \"x\"},\n {\"extra\": 1}]}",
                "devices[1].extra",
            ),
            (r#"{"title": "a", "devices": {}}"#, "devices: must be a list, not an object"),
            (r#"["title"]"#, "the body must be a JSON object"),
            ("", "the body is empty"),
            (r#"{"title": "#, "the body is not JSON"),
        ];
        for (body, expected) in cases {
            assert!(told(body).starts_with(expected), "{body}: {}", told(body));
        }
    }
}
