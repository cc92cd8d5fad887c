//! What the integration tests share.

pub mod server;
pub mod wire_case;
