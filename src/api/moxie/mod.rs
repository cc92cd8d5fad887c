//! Moxie Notifications, as its clients speak it. `routes` is the table of endpoints and their handlers,
//! `wire` the JSON shapes, `request` what handlers take from a request, `signature` how a caller proves
//! who it is, `error` how a refusal looks.
//!
//! What Moxie calls a notification is an announcement everywhere else here.

mod error;
mod operations;
mod request;
mod routes;
mod signature;
mod wire;

pub use operations::{part, schemes};
pub use routes::mount;
#[cfg(test)]
pub use routes::table;
