//! The console: a person's view of the installation, in a browser. This module serves what the browser
//! loads, and exchanges a key for a cookie; what the pages show and do goes through the native API and
//! the feed, as any other client's calls do.

mod assets;
mod operations;
mod session;
mod watch;

use actix_web::{
    Resource,
    dev::{AppService, HttpServiceFactory},
    web::{self, ServiceConfig},
};

pub use operations::parts;

use super::{
    extract::ORDINARY_DEADLINE,
    native::at,
    observe::Dialect,
    table::{Entry, Listed, Table},
};

/// Puts the console on `config`.
pub fn mount(config: &mut ServiceConfig) {
    table().mount(config);
}

/// Every path; `operations` describes those that are no files.
pub fn table() -> Table {
    let session = at("/console/session").counted_as(Dialect::Console);
    let session = session.bodies_up_to(session::MAX_BODY_BYTES, ORDINARY_DEADLINE);
    let session = session.get(session::show).post(session::begin).delete(session::end);
    let files = |path, resource| Files { path, resource };
    let root = web::resource("/").guard(assets::is_browser()).to(assets::to_console);
    Table::default()
        .service(session)
        .service(at("/status").get(watch::status))
        .service(at("/ws/status").get(watch::watch))
        .service(files("/", root))
        .service(files("/console", web::resource("/console").to(assets::to_console)))
        .service(files(FILE, web::resource(FILE).to(assets::serve)))
}

const FILE: &str = "/console/{path:.*}";

/// What a browser loads.
struct Files {
    path: &'static str,
    resource: Resource,
}

impl Entry for Files {
    fn listed(&self) -> Listed {
        Listed { path: self.path.to_owned(), verbs: vec!["GET", "HEAD"] }
    }
}

impl HttpServiceFactory for Files {
    fn register(self, config: &mut AppService) {
        self.resource.app_data(Dialect::Console).register(config);
    }
}
