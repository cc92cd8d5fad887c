//! The native API. `routes` is the table of endpoints and their handlers, `wire` the JSON shapes,
//! `request` what handlers take from a request, `answer` and `error` the envelope that every answer
//! is: `{success, result, reason}`. The console speaks it too.

pub mod answer;
pub mod error;
pub mod request;
mod routes;
mod wire;

pub use answer::{no_such_method, no_such_path};
pub use error::refused_internal;
pub use routes::mount;

#[cfg(test)]
pub use wire::Time;
