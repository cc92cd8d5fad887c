//! The integration tests, one binary: a module per concern, `support` for what they share.

mod access;
mod audience_property;
mod campaign;
mod cluster;
mod command_line;
mod console;
mod crash;
mod direct;
mod engagelab;
mod faults;
mod feed;
mod limits;
mod metrics;
mod mongo;
mod moxie;
mod native_api;
mod nodes;
mod openapi;
mod outages;
mod push_server;
mod removal;
mod storage_contract;
mod supervision;
mod support;
mod traces;
mod trial;
