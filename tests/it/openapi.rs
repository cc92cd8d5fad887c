//! The OpenAPI document against the validator of OpenAPI, and the answers of every wire case against the
//! document; the pages to read it.

use std::{collections::BTreeMap, path::Path, process::Command};

use crate::support::{
    python,
    server::Server,
    wire_case::{self, Saved},
};

#[test]
fn what_the_document_says_is_what_is_answered() {
    let mut stories = crate::push_server::stories();
    for name in ["native", "moxie", "engagelab"] {
        stories.extend(wire_case::stories(name, BTreeMap::new, &Saved::new()));
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("stories.json");
    let text = serde_json::to_vec(&stories).expect("JSON");
    std::fs::write(&file, text).expect("written");
    let wanted = ["openapi-spec-validator==0.7.1", "jsonschema==4.23.0"];
    let output = Command::new("python3")
        .env("PYTHONPATH", python::packages("openapi", &wanted))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/openapi.py"))
        .arg(&file)
        .output()
        .expect("python3 runs");
    let (told, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}{complaints}");
}

#[test]
fn the_page_and_its_files_come_from_here() {
    let server = Server::start(&BTreeMap::new());
    let get = |path: &str| server.send("GET", path, &BTreeMap::new(), None);
    let page = get("/docs");
    let html = page.body.as_str().expect("a page").to_owned();
    let policy = &page.headers["content-security-policy"];
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(!html.contains("http") && !html.contains("style="), "{html}");
    let quoted = html.split('"').filter(|text| text.starts_with('/'));
    let files: Vec<&str> = quoted.filter(|path| path.starts_with("/docs/")).collect();
    assert_eq!(files.len(), 4, "{html}");
    for file in files {
        assert_eq!(server.head(file), 200, "{file}");
    }
    assert_eq!(get("/docs/nothing.js").status, 404);
    assert_eq!(server.send("POST", "/docs", &BTreeMap::new(), None).status, 405);
}

#[test]
fn the_page_and_the_document_are_not_for_strangers_of_an_open_installation() {
    let server = Server::start(&BTreeMap::new());
    let foreign = [("Host".to_owned(), "evil.example".to_owned())].into();
    for path in ["/openapi.json", "/docs", "/docs/page.js"] {
        assert_eq!(server.send("GET", path, &foreign, None).status, 403, "{path}");
        assert_eq!(server.head(path), 200, "{path}");
    }
}
