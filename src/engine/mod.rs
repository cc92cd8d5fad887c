//! The engine: actors that turn a launched notification into pushes and a record of them.

pub mod handle;

pub use handle::{EngineHandle, EngineState, Rates};
