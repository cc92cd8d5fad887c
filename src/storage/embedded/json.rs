//! The JSON text of a device's properties and tags, as its row keeps it.
//!
//! Types round-trip exactly: an integer is written without fraction or exponent, a float always with
//! one, and floats are read back to the last bit. Reading hands out one token at a time without
//! copying, because rebuilding the index at start reads every device.

use std::{borrow::Cow, collections::BTreeSet, fmt::Write};

use super::failure::corrupt;
use crate::domain::{
    Result,
    device::{Properties, PropertyValue, Scalar},
};

/// One token of the text.
#[derive(Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A property's key; its value follows.
    Key(Cow<'a, str>),
    /// A list begins.
    ListStart,
    /// A list ends.
    ListEnd,
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// A string.
    Text(Cow<'a, str>),
}

/// Writes properties.
pub(super) fn write_properties(properties: &Properties) -> String {
    let mut out = String::with_capacity(24 * properties.len() + 2);
    out.push('{');
    for (index, (key, value)) in properties.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(&mut out, key);
        out.push(':');
        match value {
            PropertyValue::One(scalar) => write_scalar(&mut out, scalar),
            PropertyValue::List(list) => {
                out.push('[');
                for (index, scalar) in list.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_scalar(&mut out, scalar);
                }
                out.push(']');
            }
        }
    }
    out.push('}');
    out
}

/// Writes tags; none for no tags.
pub(super) fn write_tags(tags: &BTreeSet<String>) -> Option<String> {
    let mut out = String::from("[");
    for (index, tag) in tags.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(&mut out, tag);
    }
    out.push(']');
    (!tags.is_empty()).then_some(out)
}

fn write_scalar(out: &mut String, scalar: &Scalar) {
    const INFALLIBLE: &str = "writing to a string cannot fail";
    match scalar {
        Scalar::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Scalar::Int(value) => write!(out, "{value}").expect(INFALLIBLE),
        // The debug form is the shortest that reads back the same, and always shows a fraction or an
        // exponent.
        Scalar::Float(value) => write!(out, "{value:?}").expect(INFALLIBLE),
        Scalar::Text(text) => write_text(out, text),
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => {
                write!(out, "\\u{:04x}", u32::from(control))
                    .expect("writing to a string cannot fail");
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Reads properties.
pub(super) fn read_properties(text: &str) -> Result<Properties> {
    let mut properties = Properties::new();
    let mut key = String::new();
    let mut list: Option<Vec<Scalar>> = None;
    each_token(text, |token| {
        let scalar = match token {
            Token::Key(next) => return key = next.into_owned(),
            Token::ListStart => return list = Some(Vec::new()),
            Token::ListEnd => {
                let list = list.take().unwrap_or_default();
                properties.insert(std::mem::take(&mut key), PropertyValue::List(list));
                return;
            }
            Token::Int(value) => Scalar::Int(value),
            Token::Float(value) => Scalar::Float(value),
            Token::Bool(value) => Scalar::Bool(value),
            Token::Text(value) => Scalar::Text(value.into_owned()),
        };
        match &mut list {
            Some(list) => list.push(scalar),
            None => {
                properties.insert(std::mem::take(&mut key), PropertyValue::One(scalar));
            }
        }
    })?;
    Ok(properties)
}

/// Reads tags.
pub(super) fn read_tags(text: &str) -> Result<BTreeSet<String>> {
    let mut tags = BTreeSet::new();
    each_token(text, |token| {
        if let Token::Text(tag) = token {
            tags.insert(tag.into_owned());
        }
    })?;
    Ok(tags)
}

/// Hands out each token of an object of scalars and lists, or of a list.
pub(super) fn each_token<'a>(text: &'a str, mut take: impl FnMut(Token<'a>)) -> Result<()> {
    let mut reader = Reader { text, at: 0 };
    let mut in_list = false;
    // The outer braces or brackets carry no meaning here; a key is a string that a colon follows.
    while let Some(byte) = reader.peek() {
        match byte {
            b'{' | b'}' | b',' | b' ' | b'\n' | b'\r' | b'\t' => reader.at += 1,
            b'[' => {
                reader.at += 1;
                in_list = true;
                take(Token::ListStart);
            }
            b']' => {
                reader.at += 1;
                in_list = false;
                take(Token::ListEnd);
            }
            b'"' => {
                let text = reader.string()?;
                if !in_list && reader.peek() == Some(b':') {
                    reader.at += 1;
                    take(Token::Key(text));
                } else {
                    take(Token::Text(text));
                }
            }
            b't' => take(reader.word("true", Token::Bool(true))?),
            b'f' => take(reader.word("false", Token::Bool(false))?),
            _ => take(reader.number()?),
        }
    }
    Ok(())
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn word(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>> {
        if !self.text[self.at..].starts_with(word) {
            return Err(corrupt("a device's properties"));
        }
        self.at += word.len();
        Ok(token)
    }

    fn number(&mut self) -> Result<Token<'a>> {
        let rest = &self.text[self.at..];
        let numeric = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.bytes().take_while(|byte| numeric(byte)).count();
        let digits = &rest[..length];
        self.at += length;
        let token = if digits.contains(['.', 'e', 'E']) {
            digits.parse().ok().map(Token::Float)
        } else {
            digits.parse().ok().map(Token::Int)
        };
        token.ok_or_else(|| corrupt("a number of a device's properties"))
    }

    fn string(&mut self) -> Result<Cow<'a, str>> {
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let (mut end, mut escaped) = (start, false);
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    end += 2;
                }
                Some(_) => end += 1,
                None => return Err(corrupt("a string of a device's properties")),
            }
        }
        self.at = end + 1;
        if !escaped {
            return Ok(Cow::Borrowed(&self.text[start..end]));
        }
        serde_json::from_str::<String>(&self.text[start - 1..=end])
            .map(Cow::Owned)
            .map_err(|_| corrupt("a string of a device's properties"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_every_bit_come_back() {
        let scalars = [
            Scalar::Int(1),
            Scalar::Float(1.0),
            Scalar::Int(i64::MIN),
            Scalar::Int(i64::MAX),
            Scalar::Float(f64::MAX),
            Scalar::Float(-f64::MIN_POSITIVE),
            Scalar::Float(5e-324),
            Scalar::Float(0.1 + 0.2),
            Scalar::Float(9_007_199_254_740_993.0),
            Scalar::Bool(false),
            Scalar::Text("\"\\ \u{1}\n\u{1f600}é,:[]{}".into()),
            Scalar::Text(String::new()),
        ];
        let mut properties = Properties::new();
        for (index, scalar) in scalars.iter().enumerate() {
            properties.insert(format!("k\"{index}.a"), PropertyValue::One(scalar.clone()));
        }
        properties.insert("list".into(), PropertyValue::List(scalars.to_vec()));
        properties.insert("empty".into(), PropertyValue::List(Vec::new()));
        let text = write_properties(&properties);
        assert_eq!(read_properties(&text).expect("readable"), properties);
        let zero = PropertyValue::One(Scalar::Float(-0.0));
        let text = write_properties(&Properties::from([("z".to_owned(), zero)]));
        assert_eq!(text, r#"{"z":-0.0}"#);
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }

    #[test]
    fn what_is_cut_short_is_an_error_and_not_a_panic() {
        for text in ["{\"a", "{\"a\":tru", "{\"a\":1.2.3}", "{\"a\":nul}", "{\"a\\"] {
            assert!(read_properties(text).is_err(), "{text}");
        }
    }
}
