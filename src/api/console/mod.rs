//! The console: a person's view of the installation, in a browser. This module serves what the browser
//! loads; what the pages show and do goes through the native API and the feed, as any other client's
//! calls do.

mod assets;

use actix_web::{
    Resource,
    dev::{AppService, HttpServiceFactory},
    web::{self, ServiceConfig},
};

use super::table::{Entry, Listed, Table};

/// Puts the console on `config`.
pub fn mount(config: &mut ServiceConfig) {
    table().mount(config);
}

/// Every path.
pub fn table() -> Table {
    let files = |path, resource| Files { path, resource };
    let root = web::resource("/").guard(assets::is_browser()).to(assets::to_console);
    Table::default()
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
        self.resource.register(config);
    }
}
