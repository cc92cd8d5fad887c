//! (map to come)
pub mod api;
pub mod bootstrap;
pub mod cli;
pub mod domain;
pub mod engine;
pub mod services;
pub mod settings;
pub mod storage;
pub mod telemetry;
pub mod transport;
