//! From the merged tree to [`Settings`], so that no problem hides another: what does not read is told,
//! its default (or nothing) put in its place, and reading begins again. What can be read in the end is
//! validated too. Called by `load`.

use figment::{
    Error,
    error::Kind,
    value::{Dict, Value},
};

use super::{Problem, Settings, SettingsErrors};

/// Most problems told at once.
const MAX_PROBLEMS: usize = 100;

/// Reads the tree, or tells everything that is wrong with it.
pub(super) fn read(mut tree: Value, defaults: &Value) -> Result<Settings, SettingsErrors> {
    let mut problems = gaps(&tree);
    // Each problem takes up to three rounds: the default, leaving out, an empty text.
    for _ in 0..3 * MAX_PROBLEMS {
        match tree.deserialize::<Settings>() {
            Ok(settings) if problems.is_empty() => return Ok(settings),
            Ok(settings) => {
                let further = settings.validate().err().map_or(Vec::new(), |further| further.0);
                let known = |key: &str| problems.iter().any(|problem: &Problem| problem.key == key);
                let further: Vec<_> = further.into_iter().filter(|p| !known(&p.key)).collect();
                problems.extend(further);
                break;
            }
            Err(error) => {
                let (path, problem) = told(&error);
                let again = problems.iter().any(|known| known.key == problem.key);
                if !again {
                    problems.push(problem);
                }
                if !mend(&mut tree, defaults, &path, &error.kind, again) {
                    break;
                }
            }
        }
    }
    problems.truncate(MAX_PROBLEMS);
    Err(SettingsErrors(problems))
}

/// The problem, for an error that no tree came out of.
pub(super) fn problem(error: &Error) -> Problem {
    told(error).1
}

/// Makes the value at `path` one that reads; whether anything changed.
fn mend(tree: &mut Value, defaults: &Value, path: &[String], kind: &Kind, again: bool) -> bool {
    let default = |path: &[String]| defaults.find_ref(&path.join(".")).cloned();
    let value = match kind {
        Kind::UnknownField(..) => None,
        Kind::MissingField(_) => default(path).or_else(|| Some(Value::from(""))),
        _ if again => None,
        _ => default(path),
    };
    // An element of a list of words has no place of its own: then the whole list goes.
    put(tree, path, value) || (1..path.len()).rev().any(|end| put(tree, &path[..end], None))
}

fn put(tree: &mut Value, path: &[String], value: Option<Value>) -> bool {
    let Value::Dict(_, dict) = tree else { return false };
    match (path, value) {
        ([], _) => false,
        ([last], Some(value)) => {
            dict.insert(last.clone(), value);
            true
        }
        ([last], None) => dict.remove(last).is_some(),
        ([first, rest @ ..], value) => dict.get_mut(first).is_some_and(|at| put(at, rest, value)),
    }
}

/// Lists of sections whose indexes leave one out: what was meant cannot be told.
fn gaps(tree: &Value) -> Vec<Problem> {
    let Some(apps) = tree.find_ref("apps").and_then(Value::as_dict) else { return Vec::new() };
    let mut problems: Vec<_> = gap("apps", apps).into_iter().collect();
    for (index, app) in apps {
        if let Some(keys) = app.find_ref("api_keys").and_then(Value::as_dict) {
            problems.extend(gap(&format!("apps[{index}].api_keys"), keys));
        }
    }
    problems
}

fn gap(list: &str, sections: &Dict) -> Option<Problem> {
    let mut indexes: Vec<usize> = sections.keys().filter_map(|key| key.parse().ok()).collect();
    indexes.sort_unstable();
    let (missing, index) = indexes.into_iter().enumerate().find(|(at, index)| at != index)?;
    let what = format!("is given, but {list}[{missing}] is not; they are counted from 0");
    Some(Problem { key: format!("{list}[{index}]"), what })
}

fn told(error: &Error) -> (Vec<String>, Problem) {
    let mut path = error.path.clone();
    let what = match &error.kind {
        Kind::UnknownField(name, known) => {
            name_last(&mut path, name);
            format!("is not a setting; known here: {}", known.join(", "))
        }
        Kind::MissingField(name) => {
            name_last(&mut path, name);
            "is missing".to_owned()
        }
        Kind::UnknownVariant(name, known) => {
            format!("`{name}` is not one of: {}", known.join(", "))
        }
        Kind::InvalidType(found, wanted) => {
            let wanted = if wanted.starts_with("struct ") { "a section" } else { wanted };
            format!("must be {wanted}, not {found}")
        }
        kind => kind.to_string(),
    };
    let key = if path.is_empty() { "configuration".to_owned() } else { key_path(&path) };
    (path, Problem { key, what })
}

/// Ends the path in the field's own name, which figment adds in some cases and in others does not.
fn name_last(path: &mut Vec<String>, name: &str) {
    if path.last().is_none_or(|last| last != name) {
        path.push(name.to_owned());
    }
}

/// `apps`, `1`, `name` is `apps[1].name`.
fn key_path(path: &[String]) -> String {
    let mut key = String::new();
    for part in path {
        if part.parse::<usize>().is_ok() {
            key.push_str(&format!("[{part}]"));
        } else {
            if !key.is_empty() {
                key.push('.');
            }
            key.push_str(part);
        }
    }
    key
}
