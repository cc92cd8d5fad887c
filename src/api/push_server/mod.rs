//! WalletConnect's Push Server, as its clients and its relay speak it.
//!
//! `routes` is the table of paths, `clients` and `tenants` hold the handlers; `wire` reads bodies,
//! `payload` makes a message of what the relay sends, `proof` and `jwt` say who calls, `answer` writes
//! the words of its answers. A client is an ordinary device whose external id is the client's.

mod answer;
mod clients;
mod jwt;
mod multipart;
mod operations;
mod payload;
mod proof;
mod request;
mod routes;
mod tenants;
mod wire;

pub use answer::health;
pub use operations::{parts, schemes};
#[cfg(test)]
pub use routes::table;
pub use routes::{PushServer, mount};
