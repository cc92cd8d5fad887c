//! The document against what is mounted, in both directions, and against itself. What it says of bodies is
//! compared with real answers in `tests/it/openapi.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::{
    api::{console, ops, table::Listed},
    domain::ids::AppName,
    settings::Settings,
};

/// What is there for a browser, and no operation of the API.
const PAGES: [&str; 3] = ["/", "/console", "/console/{path:.*}"];

fn settings(changes: &[(&str, &str)]) -> Settings {
    let named = |(key, value): &(&str, &str)| (format!("FANFARE__{key}"), (*value).to_owned());
    Settings::load_with(None, changes.iter().map(named)).expect("good settings")
}

fn written(settings: &Settings) -> Value {
    let spoken = Spoken {
        server: &settings.server,
        dialects: &settings.dialects,
        open: settings.open_app().is_some(),
    };
    serde_json::to_value(document(&spoken)).expect("JSON")
}

/// Every path and verb that is mounted with these settings, HEAD apart: it is GET's shadow.
fn mounted(settings: &Settings) -> BTreeSet<(String, String)> {
    let dialects = &settings.dialects;
    let mut listed: Vec<Listed> = [ops::table(), table(), console::table(), native::table(1)]
        .into_iter()
        .flat_map(Table::listed)
        .collect();
    if dialects.engagelab.enabled {
        listed.extend(engagelab::listed(&dialects.engagelab));
    }
    if dialects.moxie.enabled {
        listed.extend(moxie::table(&dialects.moxie, &AppName::new("shop")).listed());
    }
    if dialects.push_server.enabled {
        listed.extend(push_server::table(&dialects.push_server).listed());
    }
    let rows = listed.into_iter().filter(|one| !PAGES.contains(&one.path.as_str()));
    let verbs = |Listed { path, verbs }: Listed| {
        let path = if path.is_empty() { "/".to_owned() } else { path };
        verbs.into_iter().map(move |verb| (path.clone(), verb.to_owned()))
    };
    rows.flat_map(verbs).filter(|(_, verb)| verb != "HEAD").collect()
}

fn described(document: &Value) -> BTreeSet<(String, String)> {
    operations(document).into_keys().collect()
}

fn operations(document: &Value) -> BTreeMap<(String, String), &Value> {
    let paths = document["paths"].as_object().expect("paths");
    let mut all = BTreeMap::new();
    for (path, item) in paths {
        for (verb, operation) in item.as_object().expect("an item") {
            all.insert((path.clone(), verb.to_uppercase()), operation);
        }
    }
    all
}

#[test]
fn the_document_is_written_once_for_all_workers() {
    let settings = settings(&[]);
    let spoken = Spoken { server: &settings.server, dialects: &settings.dialects, open: false };
    let written = Written::default();
    let (first, second) = (written.of(&spoken), written.of(&spoken));
    assert_eq!(first.as_ptr(), second.as_ptr());
}

#[test]
fn every_route_has_its_operation_and_every_operation_its_route() {
    let off = [
        ("DIALECTS__PUSH_SERVER__ENABLED", "false"),
        ("DIALECTS__MOXIE__ENABLED", "false"),
        ("DIALECTS__ENGAGELAB__ENABLED", "false"),
    ];
    let moved = [
        ("DIALECTS__PUSH_SERVER__PREFIX", "/push"),
        ("DIALECTS__MOXIE__PREFIX", "/announcements"),
        ("DIALECTS__ENGAGELAB__PREFIX", "/engagelab"),
    ];
    for changes in [&[][..], &off, &moved] {
        let settings = settings(changes);
        let (mounted, described) = (mounted(&settings), described(&written(&settings)));
        let forgotten: Vec<_> = mounted.difference(&described).collect();
        assert!(forgotten.is_empty(), "these routes have no operation: {forgotten:?}");
        let stale: Vec<_> = described.difference(&mounted).collect();
        assert!(stale.is_empty(), "these operations have no route: {stale:?}");
    }
}

/// Nothing is mounted past the tables, or the comparison would not see it.
#[test]
fn resources_are_made_for_tables_alone() {
    const MAKERS: [&str; 6] = [
        "page.rs",
        "console/mod.rs",
        "native/routes/endpoint.rs",
        "moxie/routes.rs",
        "push_server/routes.rs",
        "engagelab/mod.rs",
    ];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api");
    let mut folders = vec![root.clone()];
    let mut makers = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let makes = ["web::resource(", ".route(\"/", "web::scope("];
            if makes.iter().any(|make| text.contains(make)) && !path.ends_with("openapi/tests.rs") {
                let name = path.strip_prefix(&root).expect("inside").to_string_lossy();
                makers.insert(name.into_owned());
            }
        }
    }
    assert_eq!(makers, MAKERS.map(str::to_owned).into());
}

#[test]
fn operations_are_told_whole() {
    let document = written(&settings(&[]));
    let mut ids = BTreeSet::new();
    for ((path, verb), operation) in operations(&document) {
        let place = format!("{verb} {path}");
        let id = operation["operationId"].as_str().expect("an id");
        assert!(ids.insert(id.to_owned()), "{id} is given twice");
        assert!(operation["summary"].is_string(), "{place} has no summary");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{place}: {parameter}");
            // Only where it must be there is it the parameter's own: see `describe::operation`.
            let pointer =
                if parameter["required"] == true { "/example" } else { "/schema/examples/0" };
            assert!(parameter.pointer(pointer).is_some(), "{place}: {parameter}");
        }
        let in_path = path.matches('{').count();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let told = parameters.filter(|parameter| parameter["in"] == "path").count();
        assert_eq!(told, in_path, "{place} does not tell of what stands in its path");
        let contents = operation["responses"].as_object().expect("responses").values();
        let contents = contents.chain([&operation["requestBody"]]);
        for content in contents.filter_map(|one| one["content"].as_object()) {
            for (media, content) in content {
                assert!(!content["example"].is_null() || *media == "*/*", "{place} has no example");
            }
        }
    }
}

#[test]
fn every_reference_resolves_and_every_scheme_is_known() {
    let document = written(&settings(&[]));
    let mut all = vec![&document];
    while let Some(value) = all.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        all.extend(value.as_object().into_iter().flat_map(|map| map.values()));
        all.extend(value.as_array().into_iter().flatten());
    }
    for (place, operation) in operations(&document) {
        for way in operation["security"].as_array().into_iter().flatten() {
            for (scheme, _) in way.as_object().expect("an object") {
                let known = &document["components"]["securitySchemes"][scheme];
                assert!(known.is_object(), "{place:?}: {scheme}");
            }
        }
    }
}

#[test]
fn what_is_switched_off_is_not_told_of() {
    let off =
        [("DIALECTS__PUSH_SERVER__ENABLED", "false"), ("DIALECTS__ENGAGELAB__ENABLED", "false")];
    let document = written(&settings(&off)).to_string();
    for word in ["engagelab", "EngageLab", "push_server", "PushServer"] {
        assert!(!document.contains(word), "{word}");
    }
}
