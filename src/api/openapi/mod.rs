//! The OpenAPI document of what this server answers, as it is configured: `/openapi.json`, and pages to read
//! it and try it at `/docs` (`ui`). What each part of the API says of itself is the part's own; this
//! module gathers it. No key is needed, since no data is shown; strangers are kept out of an
//! installation without keys as everywhere.

mod operators;
#[cfg(test)]
mod tests;
mod ui;

use std::sync::OnceLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Bytes, Data, ServiceConfig},
};
use utoipa::openapi::{
    Components, Info, OpenApi, OpenApiBuilder, Paths, SecurityRequirement, Server,
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, SecurityScheme},
};

use super::{
    ApiState, console,
    describe::{Part, header_key, http},
    engagelab, moxie, native,
    page::{Page, guarded},
    push_server,
    table::Table,
};
use crate::settings::{DialectSettings, ServerSettings};

/// What the document depends on.
pub struct Spoken<'a> {
    /// How callers reach the server.
    pub server: &'a ServerSettings,
    /// The other systems' APIs.
    pub dialects: &'a DialectSettings,
    /// Whether calls need no key.
    pub open: bool,
}

/// The document as it is sent: written for whoever asks first, and kept for all workers. Writing it takes
/// some 10 MiB for a moment, which a worker that has nothing else to do would hold on to.
#[derive(Default)]
pub struct Written(OnceLock<Bytes>);

impl Written {
    /// The document of a server that is configured so.
    fn of(&self, spoken: &Spoken<'_>) -> Bytes {
        let write = || document(spoken).to_json().expect("a document of plain data is JSON");
        self.0.get_or_init(|| write().into()).clone()
    }
}

/// Puts the document and its pages on `config`.
pub fn mount(config: &mut ServiceConfig) {
    table().mount(config);
}

/// Every page.
pub fn table() -> Table {
    ui::table(Table::default().service(Page::at("/openapi.json", show)))
}

async fn show(request: HttpRequest, state: Data<ApiState>) -> HttpResponse {
    guarded(&request, &state, || {
        let (server, dialects) = (&state.server, &state.dialects);
        let spoken = Spoken { server, dialects, open: state.keyring.open().is_some() };
        HttpResponse::Ok()
            .content_type("application/json")
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .body(state.openapi.of(&spoken))
    })
}

/// The document of a server that is configured so.
pub fn document(spoken: &Spoken<'_>) -> OpenApi {
    let (mut paths, mut components, mut tags) = (Paths::new(), Components::new(), Vec::new());
    for part in parts(spoken) {
        part.write(&mut paths, &mut components, &mut tags);
    }
    for (name, scheme) in schemes(spoken.dialects) {
        components.add_security_scheme(name, scheme);
    }
    let mut info = Info::new("Fanfare", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.to_owned());
    OpenApiBuilder::new()
        .info(info)
        .servers(Some(servers(spoken.server)))
        .paths(paths)
        .components(Some(components))
        .tags(Some(tags))
        .build()
}

const ABOUT: &str = "A self-hosted push engine: describe an audience, launch a notification, reach every matching \
    device. This document is of this server as it is configured: other systems' APIs are here when they are \
    switched on, under the paths that they have here.";

fn servers(settings: &ServerSettings) -> Vec<Server> {
    let public = settings.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
    [Some("/".to_owned()), public].into_iter().flatten().map(Server::new).collect()
}

fn parts(spoken: &Spoken<'_>) -> Vec<Part> {
    let dialects = spoken.dialects;
    let access = native_access(spoken.open);
    let mut parts = native::parts(&access);
    parts.extend(console::parts(&access));
    parts.push(operators::part());
    if dialects.engagelab.enabled {
        parts.push(engagelab::part(&dialects.engagelab, spoken.open));
    }
    if dialects.moxie.enabled {
        parts.push(moxie::part(&dialects.moxie));
    }
    if dialects.push_server.enabled {
        parts.extend(push_server::parts(&dialects.push_server));
    }
    parts
}

/// Any of these; in an open installation nothing will do as well.
fn native_access(open: bool) -> Vec<SecurityRequirement> {
    let none = Vec::<String>::new;
    let nothing = open.then(SecurityRequirement::default);
    let ways = ["bearer", "basic", "console_session", "server_key"];
    let ways = ways.into_iter().map(|way| SecurityRequirement::new(way, none()));
    nothing.into_iter().chain(ways).collect()
}

fn schemes(dialects: &DialectSettings) -> Vec<(&'static str, SecurityScheme)> {
    let mut schemes = vec![
        (
            "bearer",
            http(
                HttpAuthScheme::Bearer,
                "A secret of an app; it names the app, and its scopes bound what it may do.",
            ),
        ),
        ("basic", http(HttpAuthScheme::Basic, "An app's key and one of its secrets.")),
        (
            "server_key",
            header_key(
                "X-Server-Key",
                "One of the installation's internal keys: an operator's. `X-Fanfare-App` names the app, where one is meant.",
            ),
        ),
        (
            "console_session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                "fanfare_session",
                "A session of the console. Every method but GET and HEAD carries `X-CSRF-Token` besides.",
            ))),
        ),
    ];
    if dialects.engagelab.enabled {
        schemes.extend(engagelab::schemes());
    }
    if dialects.moxie.enabled {
        schemes.extend(moxie::schemes());
    }
    if dialects.push_server.enabled {
        schemes.extend(push_server::schemes());
    }
    schemes
}
