//! What the integration tests share.

pub mod caller;
pub mod chromium;
pub mod clock;
pub mod collector;
pub mod house;
pub mod mongod;
pub mod nodes;
pub mod npm;
pub mod proxy;
pub mod python;
pub mod server;
pub mod signed;
pub mod stores;
pub mod watcher;
pub mod wire_case;
