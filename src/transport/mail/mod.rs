//! E-mail, over SMTP (RFC 5321).
//!
//! `client` is the transport; `credentials` the server's address and who may be written to; `payload`
//! what a message looks like (RFC 5322); `response` what the server's replies mean.

mod client;
pub mod credentials;
mod payload;
mod response;

pub use client::MailTransport;
