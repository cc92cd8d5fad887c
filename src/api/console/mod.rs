//! The console: a person's view of the installation, in a browser. This module serves what the browser
//! loads, and exchanges a key for a cookie; what the pages show and do goes through the native API and
//! the feed, as any other client's calls do.

mod assets;
mod session;
mod watch;

use actix_web::web::{self, ServiceConfig};

use crate::api::observe::Dialect;

/// Puts the console on `config`.
pub fn mount(config: &mut ServiceConfig) {
    let at = |path: &str| web::resource(path).app_data(Dialect::Console);
    let session = at("/console/session")
        .get(session::show)
        .post(session::begin)
        .delete(session::end)
        .default_service(web::to(session::no_such_method));
    config.service(session);
    config.service(watch::status_resource());
    config.service(watch::watch_resource());
    config.service(at("/").guard(assets::is_browser()).to(assets::to_console));
    config.service(at("/console").to(assets::to_console));
    config.service(at("/console/{path:.*}").to(assets::serve));
}
