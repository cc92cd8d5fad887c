//! The integration tests, one binary: a module per concern, `support` for what they share.

mod command_line;
mod native_api;
mod support;
