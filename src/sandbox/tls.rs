//! The TLS side of both gateways, with the certificates of `credentials.rs`.

use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier};
use tokio_rustls::TlsAcceptor;

use super::SandboxError;
use super::credentials::Secrets;

/// Apple: HTTP/2 over "TLS 1.2 or later". A client certificate is verified when
/// there is one, and not required.
pub(super) fn apns(secrets: &Secrets) -> Result<TlsAcceptor, SandboxError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(secrets.authority.clone())?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
        .allow_unauthenticated()
        .build()?;
    let config = builder()?.with_client_cert_verifier(verifier).with_single_cert(
        vec![secrets.server_certificate.clone()],
        secrets.server_key.clone_key(),
    )?;
    Ok(acceptor(config, &[b"h2"]))
}

/// As Google's front ends: HTTP/2 or HTTP/1.1, whatever the client prefers.
pub(super) fn fcm(secrets: &Secrets) -> Result<TlsAcceptor, SandboxError> {
    let config = builder()?.with_no_client_auth().with_single_cert(
        vec![secrets.server_certificate.clone()],
        secrets.server_key.clone_key(),
    )?;
    Ok(acceptor(config, &[b"h2", b"http/1.1"]))
}

fn builder() -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
}

fn acceptor(mut config: ServerConfig, protocols: &[&[u8]]) -> TlsAcceptor {
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(config).into()
}
