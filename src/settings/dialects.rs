//! `dialects`: the APIs of other systems, spoken so that their clients work unchanged.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Secret, lenient, problems::Problems};

/// Shortest secret that proves tenants, in characters.
const MIN_TENANT_SECRET: usize = 16;
/// Shortest secret that a Moxie user shares, in characters.
const MIN_USER_SECRET: usize = 12;
/// First segments of the paths of the native API, of the console and the operators' pages, and of the
/// dialects that may be at the root. Neither a mount prefix nor a tenant may begin so.
pub const TAKEN_SEGMENTS: [&str; 18] = [
    "apps",
    "audience",
    "audit",
    "clients",
    "console",
    "devices",
    "docs",
    "health",
    "internal",
    "limits",
    "metrics",
    "notifications",
    "openapi.json",
    "ready",
    "status",
    "tenants",
    "v4",
    "ws",
];
/// A tenant's, where the Push Server is at the root.
const RATE_LIMIT_TEST: &str = "rate_limit_test";

/// Every dialect.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialectSettings {
    /// WalletConnect's Push Server.
    pub push_server: PushServerSettings,
    /// Moxie Notifications.
    pub moxie: MoxieSettings,
    /// EngageLab's tags, aliases and pushes.
    pub engagelab: EngageLabSettings,
}

/// Which words the Push Server says of success and failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusWord {
    /// `SUCCESS` and `FAILURE`, which the shipped clients demand.
    Clients,
    /// `OK` and `FAILED`, as its document says.
    Document,
}

/// `dialects.push_server`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushServerSettings {
    /// Whether it is spoken.
    #[serde(deserialize_with = "lenient::flag")]
    pub enabled: bool,
    /// Under which path; empty is the root.
    #[serde(deserialize_with = "lenient::string")]
    pub prefix: String,
    /// The words of its answers.
    pub status_word: StatusWord,
    /// The relay's Ed25519 key, 64 hexadecimal digits; pushes must then be signed.
    #[serde(default, deserialize_with = "lenient::optional")]
    pub relay_public_key: Option<String>,
    /// Proves who may make tenants (HS256) and seals their credentials.
    #[serde(default, deserialize_with = "lenient::optional_secret")]
    pub tenant_secret: Option<Secret>,
    /// Whether clients must prove themselves.
    #[serde(deserialize_with = "lenient::flag")]
    pub require_client_auth: bool,
    /// Whether a relay's signature older than five minutes is refused.
    #[serde(deserialize_with = "lenient::flag")]
    pub strict_timestamps: bool,
}

/// `dialects.moxie`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoxieSettings {
    /// Whether it is spoken.
    #[serde(deserialize_with = "lenient::flag")]
    pub enabled: bool,
    /// Under which path.
    #[serde(deserialize_with = "lenient::string")]
    pub prefix: String,
    /// Shared secrets by API key; without any, what needs a signature is refused.
    #[serde(default, deserialize_with = "lenient::secrets_by_name")]
    pub users: BTreeMap<String, Secret>,
    /// Whether a repeated nonce or a date off by more than five minutes is refused.
    #[serde(deserialize_with = "lenient::flag")]
    pub hmac_freshness: bool,
    /// Where pushes go by e-mail too.
    #[serde(default)]
    pub mail: Option<MailSettings>,
}

/// `dialects.moxie.mail`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    /// `HOST`, `HOST:PORT`, `smtp://…`, or `smtps://…` for TLS from the start; user and password may
    /// stand in a URL.
    #[serde(deserialize_with = "lenient::secret")]
    pub smtp_server: Secret,
    /// From whom.
    #[serde(deserialize_with = "lenient::string")]
    pub sender_email: String,
    /// To whom.
    #[serde(deserialize_with = "lenient::words")]
    pub send_to: Vec<String>,
}

/// `dialects.engagelab`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngageLabSettings {
    /// Whether it is spoken.
    #[serde(deserialize_with = "lenient::flag")]
    pub enabled: bool,
    /// Under which path; its own paths begin with `/v4`.
    #[serde(deserialize_with = "lenient::string")]
    pub prefix: String,
    /// Whether success is said as a JSON string, for clients that parse every answer; its document shows
    /// the bare word.
    #[serde(deserialize_with = "lenient::flag")]
    pub success_json: bool,
}

impl DialectSettings {
    /// Checks what the types do not.
    pub(super) fn check(&self, problems: &mut Problems) {
        self.check_prefixes(problems);
        if let Some(key) = &self.push_server.relay_public_key {
            let fits = key.len() == 64 && key.chars().all(|digit| digit.is_ascii_hexdigit());
            let at = "dialects.push_server.relay_public_key";
            problems.require(fits, at, "must be 64 hexadecimal digits");
        }
        let mut long = |at: String, secret: &Secret, least: usize| {
            let fits = secret.expose().chars().count() >= least;
            problems.require(fits, at, format!("must have at least {least} characters"));
        };
        if let Some(secret) = &self.push_server.tenant_secret {
            long("dialects.push_server.tenant_secret".into(), secret, MIN_TENANT_SECRET);
        }
        for (user, secret) in &self.moxie.users {
            long(format!("dialects.moxie.users.{user}"), secret, MIN_USER_SECRET);
        }
        if let Some(mail) = &self.moxie.mail {
            mail.check(problems);
        }
    }
}

impl DialectSettings {
    fn check_prefixes(&self, problems: &mut Problems) {
        let prefixes = [
            ("push_server", self.push_server.enabled, &self.push_server.prefix),
            ("moxie", self.moxie.enabled, &self.moxie.prefix),
            ("engagelab", self.engagelab.enabled, &self.engagelab.prefix),
        ];
        let mut spoken = Vec::new();
        for (dialect, is_spoken, prefix) in prefixes {
            let at = || format!("dialects.{dialect}.prefix");
            let what = "must be empty or segments of letters, digits, - and _, each after a /";
            problems.require(is_path(prefix), at(), what);
            if !is_spoken {
                continue;
            }
            let first = prefix.split('/').nth(1).unwrap_or_default();
            let what = format!("begins with /{first}, which is another API's");
            problems.require(
                !TAKEN_SEGMENTS.contains(&first) && first != RATE_LIMIT_TEST,
                at(),
                what,
            );
            let is_own = prefix.is_empty() || !spoken.contains(&prefix);
            problems.require(is_own, at(), "is another dialect's too");
            spoken.push(prefix);
        }
        let fits = !(self.moxie.enabled && self.moxie.prefix.is_empty());
        let what = "must not be empty: its paths would take others'";
        problems.require(fits, "dialects.moxie.prefix", what);
    }
}

/// Whether a prefix is empty or plain segments; others the router would take for patterns.
fn is_path(prefix: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut segments = prefix.split('/');
    let begins = segments.next() == Some("");
    begins && segments.all(|segment| !segment.is_empty() && segment.chars().all(fits))
}

impl MailSettings {
    fn check(&self, problems: &mut Problems) {
        let server = self.smtp_server.expose();
        let is_url = server.starts_with("smtp://") || server.starts_with("smtps://");
        let fits = is_url || !(server.is_empty() || server.contains("://"));
        let what = "must be HOST, HOST:PORT, smtp://HOST:PORT or smtps://HOST:PORT";
        problems.require(fits, "dialects.moxie.mail.smtp_server", what);
        let what = "must be an e-mail address";
        let is_address = |text: &String| text.contains('@');
        problems.require(is_address(&self.sender_email), "dialects.moxie.mail.sender_email", what);
        let fits = !self.send_to.is_empty() && self.send_to.iter().all(is_address);
        problems.require(fits, "dialects.moxie.mail.send_to", "must be e-mail addresses");
    }
}
