//! Wire cases: data files of requests and the answers they must have, run against a real server.
//!
//! A file is `{about, settings, steps}`. A step is `{request, headers, sign, body | raw | bytes, status,
//! answer_headers, answer, save, save_cookie, times}`. `sign` signs it as Moxie's users do. `answer` is a subset: objects may hold more keys, lists must have
//! the same length. Text in angle brackets is a pattern (`<int>`, `<time>`, `<has TEXT>`, …, see
//! `fits`). `save` keeps parts of the answer by JSON pointer, `save_cookie` the cookie that it sets, and `{name}` puts
//! them in later steps; `{host}` is the server's address. A step is sent `times` times.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    server::{Answer, Server},
    signed::{self, Sign},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[allow(dead_code, reason = "for the reader of the file")]
    about: String,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    request: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    sign: Option<Sign>,
    #[serde(default)]
    body: Option<Value>,
    /// A body that need not be JSON.
    #[serde(default)]
    raw: Option<String>,
    /// A body of this many spaces.
    #[serde(default)]
    bytes: Option<usize>,
    status: u16,
    #[serde(default)]
    answer_headers: BTreeMap<String, String>,
    #[serde(default)]
    answer: Option<Value>,
    #[serde(default)]
    save: BTreeMap<String, String>,
    #[serde(default)]
    save_cookie: Option<String>,
    #[serde(default = "once")]
    times: usize,
}

fn once() -> usize {
    1
}

/// Runs every file of `cases/NAME` with these settings besides its own, made anew for each, and says
/// everything that was not as it must be.
pub fn run_all(name: &str, besides: impl Fn() -> BTreeMap<String, String>) -> Vec<String> {
    run_all_knowing(name, besides, &Saved::new())
}

/// The same, with values that every file may name as if it had saved them.
pub fn run_all_knowing(
    name: &str,
    besides: impl Fn() -> BTreeMap<String, String>,
    known: &Saved,
) -> Vec<String> {
    let run = |file: &PathBuf| run(file, besides(), known.clone(), &mut Vec::new());
    files(name).iter().flat_map(run).collect()
}

/// What the servers of `cases/NAME` say of themselves, and what they answer.
pub fn stories(
    name: &str,
    besides: impl Fn() -> BTreeMap<String, String>,
    known: &Saved,
) -> Vec<Story> {
    let mut stories = Vec::new();
    for file in files(name) {
        run(&file, besides(), known.clone(), &mut stories);
    }
    stories
}

/// A server's document, and what it was asked and answered.
#[derive(Serialize)]
pub struct Story {
    name: String,
    document: Value,
    steps: Vec<Told>,
}

/// A request and its answer.
#[derive(Serialize)]
struct Told {
    method: String,
    path: String,
    status: u16,
    /// Of the answer.
    #[serde(rename = "type")]
    media: String,
    /// The body, where it was JSON.
    sent: Option<Value>,
    answer: Value,
}

impl Told {
    fn of(step: &Step, answer: &Answer, saved: &Saved) -> Self {
        let (method, path) = step.request.split_once(' ').expect("a request is METHOD PATH");
        Self {
            method: method.to_owned(),
            path: fill_text(path, saved),
            status: answer.status,
            media: answer.headers.get("content-type").cloned().unwrap_or_default(),
            sent: step.body.as_ref().map(|body| fill(body, saved)),
            answer: answer.body.clone(),
        }
    }
}

fn files(name: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases").join(name);
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .expect("the directory of cases")
        .map(|entry| entry.expect("a directory entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are no cases");
    files
}

/// Runs one file, and adds its story.
fn run(
    file: &Path,
    mut settings: BTreeMap<String, String>,
    mut saved: Saved,
    stories: &mut Vec<Story>,
) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("the case file reads");
    let case: Case = match serde_json::from_str(&text) {
        Ok(case) => case,
        Err(error) => return vec![format!("{}: {error}", file.display())],
    };
    settings.extend(case.settings.clone());
    let server = Server::start(&settings);
    let (mut wrong, mut told) = (Vec::new(), Vec::new());
    saved.insert("host".into(), server.address().into());
    let steps = case.steps.iter().enumerate();
    for (number, step) in steps.flat_map(|step| std::iter::repeat_n(step, step.1.times)) {
        let answer = send(&server, step, &saved);
        told.push(Told::of(step, &answer, &saved));
        let mut found = Vec::new();
        judge(step, &answer, &saved, &mut found);
        let place = format!("{} step {number} {}", file.display(), step.request);
        if !found.is_empty() {
            found.push(format!("answered {}", answer.body));
        }
        wrong.extend(found.into_iter().map(|what| format!("{place}: {what}")));
        for (name, pointer) in &step.save {
            let value = answer.body.pointer(pointer).cloned().unwrap_or(Value::Null);
            saved.insert(name.clone(), value);
        }
        if let Some(name) = &step.save_cookie {
            let set = answer.headers.get("set-cookie").and_then(|set| set.split(';').next());
            saved.insert(name.clone(), set.unwrap_or_default().into());
        }
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let document = server.send("GET", "/openapi.json", &BTreeMap::new(), None).body;
    stories.push(Story { name, document, steps: told });
    wrong
}

/// Parts of answers by name.
pub type Saved = BTreeMap<String, Value>;

fn send(server: &Server, step: &Step, saved: &Saved) -> Answer {
    let (method, path) = step.request.split_once(' ').expect("a request is METHOD PATH");
    let body = match (&step.body, &step.raw, step.bytes) {
        (Some(json), ..) => Some(fill(json, saved).to_string().into_bytes()),
        (_, Some(raw), _) => Some(fill_text(raw, saved).into_bytes()),
        (.., Some(bytes)) => Some(vec![b' '; bytes]),
        _ => None,
    };
    let path = fill_text(path, saved);
    let given = step.headers.iter();
    let mut headers: BTreeMap<_, _> =
        given.map(|(name, value)| (name.clone(), fill_text(value, saved))).collect();
    if let Some(sign) = &step.sign {
        let url = format!("http://{}{path}", server.address());
        headers.extend(signed::headers(method, &url, sign));
    }
    server.send(method, &path, &headers, body)
}

fn judge(step: &Step, answer: &Answer, saved: &Saved, wrong: &mut Vec<String>) {
    if answer.status != step.status {
        wrong.push(format!("the status is {}, not {}", answer.status, step.status));
    }
    for (name, pattern) in &step.answer_headers {
        let value = answer.headers.get(name).map(String::as_str).unwrap_or_default();
        if !fits_text(&fill_text(pattern, saved), value) {
            wrong.push(format!("the header {name} is {value:?}, not {pattern:?}"));
        }
    }
    if let Some(wanted) = &step.answer {
        compare(&fill(wanted, saved), &answer.body, "", wrong);
    }
}

/// Puts saved values where `{name}` stands: a text that is nothing else becomes the value itself.
fn fill(value: &Value, saved: &Saved) -> Value {
    match value {
        Value::String(text) => {
            let whole = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
            match whole.and_then(|name| saved.get(name)) {
                Some(value) => value.clone(),
                None => Value::String(fill_text(text, saved)),
            }
        }
        Value::Array(list) => list.iter().map(|item| fill(item, saved)).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, item)| (key.clone(), fill(item, saved))).collect()
        }
        other => other.clone(),
    }
}

fn fill_text(text: &str, saved: &Saved) -> String {
    saved.iter().fold(text.to_owned(), |text, (name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.replace(&format!("{{{name}}}"), &value)
    })
}

fn compare(wanted: &Value, found: &Value, at: &str, wrong: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, wanted) in wanted {
                match found.get(key) {
                    Some(found) => compare(wanted, found, &format!("{at}/{key}"), wrong),
                    None if *wanted == "<absent>" => {}
                    None => wrong.push(format!("{at}/{key} is missing")),
                }
            }
        }
        (Value::Array(wanted), Value::Array(found)) => {
            if wanted.len() != found.len() {
                let (wanted, found) = (wanted.len(), found.len());
                wrong.push(format!("{at} has {found} elements, not {wanted}"));
            }
            for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                compare(wanted, found, &format!("{at}/{index}"), wrong);
            }
        }
        (Value::String(pattern), found) if fits(pattern, found) => {}
        (wanted, found) if wanted == found => {}
        (wanted, found) => wrong.push(format!("{at} is {found}, not {wanted}")),
    }
}

/// Whether a value fits a pattern.
fn fits(pattern: &str, found: &Value) -> bool {
    let text = found.as_str().unwrap_or_default();
    match pattern {
        "<any>" => true,
        "<int>" => found.is_i64() || found.is_u64(),
        "<bucket>" => found.as_u64().is_some_and(|bucket| (1..=10_000).contains(&bucket)),
        "<text>" => !text.is_empty(),
        "<time>" => text.ends_with('Z') && text.len() >= 20 && text.as_bytes()[10] == b'T',
        "<uuid>" => uuid::Uuid::try_parse(text).is_ok(),
        "<object id>" => text.len() == 24 && text.chars().all(|c| c.is_ascii_hexdigit()),
        _ => found.is_string() && fits_text(pattern, text),
    }
}

fn fits_text(pattern: &str, text: &str) -> bool {
    let part = pattern.strip_prefix("<has ").and_then(|rest| rest.strip_suffix('>'));
    if pattern == "<text>" {
        return !text.is_empty();
    }
    part.map_or_else(|| pattern == text, |part| text.contains(part))
}
