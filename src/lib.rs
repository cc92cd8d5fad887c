//! (map to come)
pub mod domain;
pub mod settings;
pub mod storage;
pub mod transport;
