//! Firebase Cloud Messaging, its HTTP v1 API.
//!
//! `client` is the transport; `credentials` the service account and `access` the OAuth tokens got with
//! it; `payload` what a push carries; `response` what Google's answers mean. Sources: Firebase's REST
//! reference `projects.messages`, "FCM error codes", "About FCM messages"; Google's "Using OAuth 2.0
//! for server to server applications".

mod access;
mod client;
pub mod credentials;
mod payload;
mod response;

pub use client::FcmTransport;
pub(super) use payload::preview;
