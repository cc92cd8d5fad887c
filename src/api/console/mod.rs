//! What the console needs besides the native API: signing in and out.

mod session;

use actix_web::web::{self, ServiceConfig};

/// Puts the console on `config`.
pub fn mount(config: &mut ServiceConfig) {
    let session = web::resource("/console/session")
        .get(session::show)
        .post(session::begin)
        .delete(session::end)
        .default_service(web::to(session::no_such_method));
    config.service(session);
}
