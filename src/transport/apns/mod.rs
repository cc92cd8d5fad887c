//! Apple Push Notification service over HTTP/2.
//!
//! `client` is the transport; `credentials` the signing key or certificate; `payload` what a push
//! carries; `response` what Apple's answers mean. Sources: Apple's "Sending notification requests to
//! APNs", "Establishing a token-based connection to APNs", "Handling notification responses from APNs".

mod client;
pub mod credentials;
mod payload;
mod response;

pub use client::ApnsTransport;
pub(super) use payload::preview;
