//! The words of the house and the rules that hold among them.
//!
//! Pure: no I/O, no async, no wire formats of any provider or dialect. Everybody may import this
//! module; it imports nothing of ours. The clock is always passed in.

pub mod app;
pub mod audience;
pub mod audit;
pub mod campaign;
pub mod device;
pub mod error;
pub mod ids;
pub mod labels;
pub mod message;
pub mod notification;
pub mod outcome;
pub mod rate;
pub mod tally;
pub mod timestamp;

pub use error::{Error, ErrorKind, Result};
