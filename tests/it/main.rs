//! The integration tests, one binary: a module per concern, `support` for what they share.

mod audience_property;
mod storage_contract;
mod support;
