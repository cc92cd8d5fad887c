//! Where in a JSON body an error lies: `devices[3].push_token` instead of a line and a column.
//!
//! serde_json tells the position at which reading stopped; `path_at` walks the text up to there. Only
//! bodies that were refused pay for it.

use serde_json::error::Category;

use crate::domain::Error;

/// Longest part of a caller's own text that an error repeats, in characters.
const MAX_SHOWN: usize = 200;

/// The error of a body that did not read.
pub fn explain(body: &[u8], error: &serde_json::Error) -> Error {
    match error.classify() {
        Category::Data => data_error(body, error),
        Category::Eof if body.iter().all(u8::is_ascii_whitespace) => {
            Error::malformed("the body is empty; JSON is expected")
        }
        _ => Error::malformed(format!("the body is not JSON: {error}")),
    }
}

fn data_error(body: &[u8], error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let told = text.rsplit_once(" at line ").map_or(text.as_str(), |(told, _)| told);
    let mut path = path_at(body, error.line(), error.column());
    let named = told.split('`').nth(1).unwrap_or_default();
    if told.starts_with("missing field `") {
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
    match path.as_str() {
        "" => Error::malformed(shown(told)),
        _ => Error::invalid(shown(&path), shown(told)),
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

/// The path of the value that ends at, or contains, this place of the text.
fn path_at(body: &[u8], line: usize, column: usize) -> String {
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    let line_start: usize = lines.take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    let end = (line_start + column).min(body.len());
    let mut levels: Vec<Level> = Vec::new();
    let mut at = 0;
    while at < end {
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
            b'}' => {
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
        at += 1;
    }
    written(&levels)
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

    use super::super::extract::json;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read by serde alone")]
    struct Body {
        title: String,
        #[serde(default)]
        devices: Vec<Inner>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read by serde alone")]
    struct Inner {
        token: String,
        number: Option<u8>,
    }

    fn told(body: &str) -> String {
        json::<Body>(body.as_bytes()).expect_err("refused").public_message()
    }

    #[test]
    fn errors_name_the_field() {
        let cases = [
            (r#"{"title": 5}"#, "title: invalid type"),
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
            (r#"{"title": "a", "devices": {}}"#, "devices: invalid type"),
            (r#"["title"]"#, "the body must be a JSON object"),
            ("", "the body is empty"),
            (r#"{"title": "#, "the body is not JSON"),
        ];
        for (body, expected) in cases {
            assert!(told(body).starts_with(expected), "{body}: {}", told(body));
        }
    }
}
