//! The integration tests, one binary: a module per concern, `support` for what they share.

mod audience_property;
mod campaign;
mod cluster;
mod command_line;
mod crash;
mod engagelab;
mod faults;
mod limits;
mod mongo;
mod native_api;
mod nodes;
mod storage_contract;
mod supervision;
mod support;
