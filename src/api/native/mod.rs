//! The native API. `routes` is the table of endpoints and their handlers, `wire` the JSON shapes,
//! `operations` what the document says of them, `request` what handlers take from a request, `answer` and
//! `error` the envelope that every answer is: `{success, result, reason}`. The console speaks it too.

pub mod answer;
pub mod error;
mod operations;
pub mod request;
mod revision;
mod routes;
mod wire;

pub use answer::{no_such_method, no_such_path};
pub use error::{refused, refused_internal};
pub use operations::{done, enveloped, part, parts, refusals};
#[cfg(test)]
pub use routes::table;
pub use routes::{at, mount};

#[cfg(test)]
pub use wire::Time;
