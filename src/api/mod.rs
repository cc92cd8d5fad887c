//! The HTTP API: the only layer that knows the wire.
//!
//! `mount` puts the dialects and the operators' pages on one actix application; `bootstrap` calls it
//! once for each worker. Who a caller is (`auth`), how bodies and queries are read (`extract`) and
//! where in a body an error lies (`locate`), what an error becomes (`failure`), by which URL a request
//! came (`origin`) and how often an address may register (`pace`) is shared; everything else is a
//! dialect's own. `headers` goes around all of it and adds those that answers have in common, `observe` counts, `unread` gives up
//! connections that take no answer.

mod auth;
mod console;
mod deeds;
mod describe;
mod engagelab;
mod extract;
mod failure;
mod finish;
mod headers;
mod locate;
mod metrics;
mod moxie;
mod native;
mod observe;
mod openapi;
mod ops;
mod origin;
mod pace;
mod page;
mod push_server;
mod state;
mod table;
mod unread;

use actix_web::web::{self, ServiceConfig};

pub use auth::BasicRefusal;
pub use headers::headers;
pub use observe::observe;
pub use state::ApiState;
pub use unread::give_up_unread;

/// Puts everything on `config`. Paths that nobody serves are answered as the native API answers.
pub fn mount(config: &mut ServiceConfig, state: &web::Data<ApiState>) {
    config.app_data(state.clone());
    config.configure(ops::mount);
    config.configure(openapi::mount);
    config.configure(|config| native::mount(config, state.max_body_bytes));
    config.configure(console::mount);
    let dialects = &state.dialects;
    if dialects.engagelab.enabled {
        config.configure(|config| engagelab::mount(config, &dialects.engagelab));
    }
    if dialects.moxie.enabled {
        config.configure(|config| moxie::mount(config, &dialects.moxie, &state.default_app));
    }
    // Last: under the root, its paths would take others'.
    if dialects.push_server.enabled {
        config.configure(|config| push_server::mount(config, &dialects.push_server));
    }
    config.default_service(web::to(native::no_such_path));
}
