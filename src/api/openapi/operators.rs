//! The operators' pages, and the document's own.

use serde_json::json;
use utoipa::openapi::{ObjectBuilder, SecurityRequirement, schema::Type};

use crate::api::{
    describe::{Operation, Part, Shape, choice, get, text, text_list},
    native,
};

/// What is said of them.
pub fn part() -> Part {
    Part {
        name: "Operators",
        about: "For operators and load balancers.".to_owned(),
        prefix: String::new(),
        access: Vec::new(),
        headers: Vec::new(),
        refusals: native::refusals(&[]),
        path_parameters: &[("file", "A file of the page.", "swagger-ui.css")],
        operations: operations(),
    }
}

fn operations() -> Vec<Operation> {
    vec![
        get("/health", "get_health", "It lives")
            .about("One line of text instead for whoever does not accept JSON, where the Push Server is spoken at the root.")
            .answers("It lives.", health())
            .answers("It lives.", line()),
        get("/ready", "get_readiness", "It can do its work")
            .answers("The store answers and the providers take the credentials.", readiness("ready", json!([])))
            .answers_with(503, "It cannot, for these reasons.",
                Some(readiness("not ready", json!(["the store does not answer"])))),
        get("/metrics", "get_metrics", "What Prometheus reads")
            .about("For whoever asks on this machine itself, and elsewhere with one of the internal keys.")
            .access(vec![SecurityRequirement::default(), server_key()])
            .answers("The figures.", figures())
            .refuses(&[403]),
        get("/openapi.json", "get_document", "This document")
            .answers("The document.", document())
            .refuses(&[403]),
        get("/docs", "get_docs", "A page to read this document, and to try it")
            .answers("The page.", page())
            .refuses(&[403]),
        get("/docs/{file}", "get_docs_file", "What the page is made of")
            .answers("The file.", page().sent_as("*/*"))
            .refuses(&[403, 404]),
    ]
}

fn server_key() -> SecurityRequirement {
    SecurityRequirement::new("server_key", Vec::<String>::new())
}

fn figures() -> Shape {
    Shape::plain(text(None), json!("fanfare_up 1\n")).sent_as("text/plain")
}

fn health() -> Shape {
    let schema = ObjectBuilder::new()
        .property("status", choice(None, &["ok"]))
        .required("status")
        .property("version", text(None))
        .required("version");
    Shape::named("Health", schema, json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
}

fn line() -> Shape {
    Shape::plain(text(None), json!("OK, fanfare v0.1.0")).sent_as("text/plain")
}

fn readiness(status: &str, reasons: serde_json::Value) -> Shape {
    let schema = ObjectBuilder::new()
        .property("status", choice(None, &["ready", "not ready"]))
        .required("status")
        .property("reasons", text_list(Some("What is wrong, of parts and apps by name.")))
        .required("reasons");
    Shape::named("Readiness", schema, json!({"status": status, "reasons": reasons}))
}

fn document() -> Shape {
    let any = ObjectBuilder::new().schema_type(Type::Object);
    Shape::plain(any, json!({"openapi": "3.1.0"}))
}

fn page() -> Shape {
    Shape::plain(text(None), json!("<!doctype html>…")).sent_as("text/html")
}
