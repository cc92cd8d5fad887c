//! Keeps the import table of `src/lib.rs` true, and the graph of modules free of cycles.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Who may import whom. `storage` and `transport` as a whole are allowed to `bootstrap` alone; others
/// see their root traits (see [`ROOTS_ONLY`]).
const ALLOWED: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("settings", &[]),
    ("telemetry", &["settings"]),
    ("storage", &["domain", "settings", "telemetry"]),
    ("transport", &["domain", "settings", "telemetry"]),
    ("cluster", &["domain", "settings", "telemetry"]),
    ("engine", &["domain", "settings", "telemetry", "storage", "transport", "cluster"]),
    ("services", &["domain", "settings", "telemetry", "storage", "engine"]),
    ("api", &["domain", "settings", "telemetry", "services"]),
    ("sandbox", &[]),
    ("demo", &[]),
    ("bootstrap", &["*"]),
    ("cli", &["*"]),
    ("main", &["*"]),
    ("lib", &["*"]),
];

/// Modules of which outsiders, `bootstrap` and `cli` apart, may name only what stands in the root.
const ROOTS_ONLY: &[(&str, &[&str])] = &[
    ("storage", &["embedded", "mongo"]),
    ("cluster", &["alone", "mongo"]),
    ("transport", &["apns", "fcm", "http2", "mail"]),
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The top module that a file belongs to.
fn top_module(root: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(root).expect("under src");
    let first = inside.components().next().expect("a file");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The paths after `crate::` (or `fanfare::`, in `main.rs`) that a source names, brace groups opened.
fn imports(source: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for prefix in ["crate::", "fanfare::"] {
        for (at, _) in source.match_indices(prefix) {
            let before = source[..at].chars().next_back();
            if before.is_none_or(|before| !before.is_alphanumeric() && before != '_') {
                expand(&source[at + prefix.len()..], Vec::new(), &mut paths);
            }
        }
    }
    paths
}

/// Reads one path, opening one brace group into its members. Two segments are enough.
fn expand(text: &str, stem: Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    let bytes = text.as_bytes();
    if bytes.first() == Some(&b'{') {
        let mut at = 1;
        loop {
            while bytes.get(at).is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b',') {
                at += 1;
            }
            if at >= bytes.len() || bytes[at] == b'}' {
                return at + 1;
            }
            let read = expand(&text[at..], stem.clone(), paths);
            at += read.max(1);
        }
    }
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'*';
    let end = bytes.iter().position(|byte| !is_word(byte)).unwrap_or(bytes.len());
    let mut stem = stem;
    stem.push(text[..end].to_owned());
    if text[end..].starts_with("::") {
        return end + 2 + expand(&text[end + 2..], stem, paths);
    }
    paths.push(stem);
    end
}

/// Comments and documentation may name anything; string literals do not import.
fn code_only(source: &str) -> String {
    let kept = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    kept.collect::<Vec<_>>().join("\n")
}

fn graph() -> BTreeMap<String, BTreeSet<(String, Option<String>, PathBuf)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut graph: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for file in files {
        let source = code_only(&fs::read_to_string(&file).expect("readable"));
        let edges = graph.entry(top_module(&root, &file)).or_default();
        for path in imports(&source) {
            edges.insert((path[0].clone(), path.get(1).cloned(), file.clone()));
        }
    }
    graph
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    for (module, edges) in graph() {
        let allowed = ALLOWED.iter().find(|(name, _)| *name == module);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("`{module}` is not in the table"));
        for (target, inner, file) in edges {
            let own = target == module;
            if !own && !allowed.contains(&"*") && !allowed.contains(&target.as_str()) {
                wrong.push(format!("{}: {module} imports {target}", file.display()));
            }
            let hidden = ROOTS_ONLY.iter().find(|(name, _)| *name == target);
            let inner_hidden = hidden
                .zip(inner.as_deref())
                .is_some_and(|((_, hidden), inner)| hidden.contains(&inner));
            if !own && inner_hidden && !allowed.contains(&"*") {
                let inner = inner.unwrap_or_default();
                wrong.push(format!("{}: {module} reaches into {target}::{inner}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "against the import table:\n{}", wrong.join("\n"));
}

#[test]
fn the_module_graph_has_no_cycles() {
    let graph = graph();
    let mut left: BTreeMap<&str, BTreeSet<&str>> = graph
        .iter()
        .filter(|(module, _)| !["main", "lib"].contains(&module.as_str()))
        .map(|(module, edges)| {
            let targets = edges.iter().map(|(target, _, _)| target.as_str());
            let others = targets.filter(|target| target != module && graph.contains_key(*target));
            (module.as_str(), others.collect())
        })
        .collect();
    while !left.is_empty() {
        let free: Vec<_> =
            left.iter().filter(|(_, targets)| targets.is_empty()).map(|(name, _)| *name).collect();
        assert!(!free.is_empty(), "these import each other in a circle: {left:?}");
        for name in free {
            left.remove(name);
            left.values_mut().for_each(|targets| {
                targets.remove(name);
            });
        }
    }
}

#[test]
fn the_reader_of_imports_sees_groups_and_paths() {
    let source = "use crate::{domain::{Error, ids::AppName}, storage::embedded};\nlet x = crate::engine::start();";
    let tops: BTreeSet<_> = imports(source).into_iter().map(|path| path[..2].join("::")).collect();
    let expected = ["domain::Error", "domain::ids", "storage::embedded", "engine::start"];
    assert_eq!(tops, expected.map(str::to_owned).into_iter().collect());
}
