//! (map to come)
pub mod demo;
pub mod domain;
pub mod engine;
pub mod settings;
pub mod storage;
pub mod transport;
