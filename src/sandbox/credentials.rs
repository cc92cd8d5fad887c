//! The keys and certificates of a sandbox: made at the start, written to its
//! directory for clients, and turned into what the gateways verify with.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use rand::Rng as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
};
use ring::signature::{KeyPair as _, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::Serialize;
use serde_json::json;

use super::SandboxError;
use super::apns::ProviderTokenKey;
use super::fcm::ServiceAccountKey;

/// The private key of the sandbox's service account.
///
/// It is public and protects nothing: only a sandbox accepts its signatures. It is fixed because ring cannot
/// generate RSA keys, and the `rsa` crate, which can, carries
/// RUSTSEC-2023-0071. All other keys are generated at each start.
const SERVICE_ACCOUNT_KEY: &str = include_str!("service_account_key.pem");

const TOPIC: &str = "com.example.fanfare";
const PROJECT_ID: &str = "fanfare-sandbox";

/// What a client needs to reach the sandbox as if it were Apple and Google.
#[derive(Clone, Debug, Serialize)]
pub struct Credentials {
    /// PEM of the authority that signed the gateways' certificates.
    pub ca_file: PathBuf,
    /// The provider token key, PKCS#8 in PEM, as Apple's `.p8` files.
    pub apns_key_file: PathBuf,
    pub apns_key_id: String,
    pub apns_team_id: String,
    pub apns_topic: String,
    /// A client certificate and its key in one PEM file, to use instead of
    /// provider tokens.
    pub apns_cert_file: PathBuf,
    /// The service account as Google's console hands it out.
    pub service_account_file: PathBuf,
    pub project_id: String,
    /// Key of the app in [`Sandbox::config_toml`](super::Sandbox::config_toml).
    pub app_key: String,
    /// Secret of that app.
    pub app_secret: String,
}

/// The gateways' half.
pub(super) struct Secrets {
    pub(super) authority: CertificateDer<'static>,
    pub(super) server_certificate: CertificateDer<'static>,
    pub(super) server_key: PrivateKeyDer<'static>,
    pub(super) apns: ProviderTokenKey,
    pub(super) fcm: ServiceAccountKey,
}

/// Makes everything, and writes the clients' half to `dir`. The gateways' certificate names this
/// machine, and `host` besides.
pub(super) fn create(
    dir: &Path,
    token_uri: &str,
    host: Option<&str>,
) -> Result<(Credentials, Secrets), SandboxError> {
    let dir =
        prepare(dir).map_err(|source| SandboxError::Directory { path: dir.to_owned(), source })?;
    let authority = Authority::generate()?;
    let (server_certificate, server_key) = authority.server(host)?;
    let (client_certificate, client_key) = authority.client()?;
    let provider_key = KeyPair::generate()?;
    let credentials = Credentials::in_dir(&dir);
    let account = ServiceAccount::new(token_uri)?;
    let client_pem = format!("{}{}", client_certificate.pem(), client_key.serialize_pem());
    write(&credentials.ca_file, &authority.certificate.pem())?;
    write(&credentials.apns_key_file, &provider_key.serialize_pem())?;
    write(&credentials.apns_cert_file, &client_pem)?;
    write(&credentials.service_account_file, &account.file)?;
    let apns = ProviderTokenKey {
        key_id: credentials.apns_key_id.clone(),
        team_id: credentials.apns_team_id.clone(),
        public_key: provider_key.der_bytes().to_vec(),
    };
    let secrets = Secrets {
        authority: authority.certificate.der().clone(),
        server_certificate: server_certificate.der().clone(),
        server_key: PrivatePkcs8KeyDer::from(server_key.serialize_der()).into(),
        apns,
        fcm: account.key,
    };
    Ok((credentials, secrets))
}

impl Credentials {
    fn in_dir(dir: &Path) -> Self {
        const CAPITALS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        const SMALL: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        Self {
            ca_file: dir.join("ca.pem"),
            apns_key_file: dir.join("apns.p8"),
            apns_key_id: random_text(10, CAPITALS),
            apns_team_id: random_text(10, CAPITALS),
            apns_topic: TOPIC.to_owned(),
            apns_cert_file: dir.join("apns-client.pem"),
            service_account_file: dir.join("service-account.json"),
            project_id: PROJECT_ID.to_owned(),
            app_key: random_text(24, SMALL),
            app_secret: random_text(40, SMALL),
        }
    }
}

/// Makes the directory, and gives it its full path.
fn prepare(dir: &Path) -> io::Result<PathBuf> {
    std::fs::create_dir_all(dir)?;
    std::path::absolute(dir)
}

/// A certificate authority that lives as long as the sandbox.
struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn generate() -> Result<Self, SandboxError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named("Fanfare Sandbox Authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);
        Ok(Self { certificate, issuer })
    }

    fn server(&self, host: Option<&str>) -> Result<(rcgen::Certificate, KeyPair), SandboxError> {
        let key = KeyPair::generate()?;
        let names = ["localhost"].into_iter().chain(host).map(str::to_owned);
        let mut params = CertificateParams::new(names.collect::<Vec<_>>())?;
        let addresses = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
        params.subject_alt_names.extend(addresses.map(SanType::IpAddress));
        params.distinguished_name = named("localhost");
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Ok((params.signed_by(&key, &self.issuer)?, key))
    }

    /// As Apple's provider certificates: the topic is the subject's user id.
    fn client(&self) -> Result<(rcgen::Certificate, KeyPair), SandboxError> {
        const USER_ID: &[u64] = &[0, 9, 2342, 19_200_300, 100, 1, 1];
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&format!("Apple Push Services: {TOPIC}"));
        params.distinguished_name.push(DnType::from_oid(USER_ID), TOPIC);
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        Ok((params.signed_by(&key, &self.issuer)?, key))
    }
}

struct ServiceAccount {
    file: String,
    key: ServiceAccountKey,
}

impl ServiceAccount {
    fn new(token_uri: &str) -> Result<Self, SandboxError> {
        let private_key_id = random_text(40, b"0123456789abcdef");
        let client_email = format!("sandbox@{PROJECT_ID}.iam.gserviceaccount.com");
        let file = json!({
            "type": "service_account",
            "project_id": PROJECT_ID,
            "private_key_id": private_key_id,
            "private_key": SERVICE_ACCOUNT_KEY,
            "client_email": client_email,
            "client_id": random_text(21, b"123456789"),
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": token_uri,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": format!(
                "https://www.googleapis.com/robot/v1/metadata/x509/{client_email}"
            ),
            "universe_domain": "googleapis.com",
        });
        let der = PrivatePkcs8KeyDer::from_pem_slice(SERVICE_ACCOUNT_KEY.as_bytes())
            .map_err(|_| SandboxError::ServiceAccountKey)?;
        let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
            .map_err(|_| SandboxError::ServiceAccountKey)?;
        let key = ServiceAccountKey {
            client_email,
            private_key_id,
            token_uri: token_uri.to_owned(),
            public_key: pair.public_key().as_ref().to_vec(),
        };
        let file = format!("{file:#}\n");
        Ok(Self { file, key })
    }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Fanfare Sandbox");
    name.push(DnType::CommonName, common_name);
    name
}

fn random_text(length: usize, alphabet: &[u8]) -> String {
    let mut random = rand::rng();
    let mut pick = || char::from(alphabet[random.random_range(0..alphabet.len())]);
    (0..length).map(|_| pick()).collect()
}

/// Writes a file that only its owner may read.
fn write(path: &Path, text: &str) -> Result<(), SandboxError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| SandboxError::Directory { path: path.to_owned(), source })
}
