//! The flags of `fanfare sandbox`, and the options they make.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::faults::{FaultPlan, FaultRule, Faults};
use super::provider::Provider;
use super::{SandboxError, SandboxOptions};

/// Local APNs, FCM and mail gateways, with faults on demand.
#[derive(Args, Clone, Debug)]
pub struct SandboxArgs {
    /// Where keys and certificates are written.
    #[arg(long, default_value = "fanfare-sandbox")]
    pub dir: PathBuf,
    /// Address of the APNs gateway.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub apns_bind: SocketAddr,
    /// Address of the FCM gateway and of its token endpoint.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub fcm_bind: SocketAddr,
    /// Address of the mail gateway (SMTP).
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub smtp_bind: SocketAddr,
    /// Address of the control interface.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub control_bind: SocketAddr,
    /// What clients on other machines call this one; it goes into the certificate and the URLs.
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// Every answer waits this long.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub latency_ms: u64,
    /// Up to this much is added to the latency.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub jitter_ms: u64,
    /// A share of the tokens fails: `apns:410:Unregistered:0.01`. Repeatable.
    #[arg(long, value_name = "PROVIDER:STATUS:REASON:SHARE", value_parser = parse_share_rule)]
    pub fail: Vec<ProviderRule>,
    /// Tokens with a prefix fail: `apns:400:BadDeviceToken:dead`. Repeatable.
    #[arg(long, value_name = "PROVIDER:STATUS:REASON:PREFIX", value_parser = parse_prefix_rule)]
    pub fail_prefix: Vec<ProviderRule>,
    /// Only the first so many tries of each failing token fail.
    #[arg(long, value_name = "N")]
    pub fail_times: Option<u32>,
    /// `Retry-After` of the failures with status 429 and 503.
    #[arg(long, value_name = "SECS")]
    pub retry_after: Option<u64>,
    /// A graceful GOAWAY after so many requests on a connection.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub goaway_every: u64,
    /// Every n-th stream is reset.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub reset_every: u64,
    /// The pushes of reset streams count as delivered.
    #[arg(long)]
    pub reset_delivered: bool,
    /// The n-th request of each connection cuts it.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub cut_every: u64,
    /// Take connections and streams, and never answer, not even PING.
    #[arg(long)]
    pub black_hole: bool,
    /// Refuse connections.
    #[arg(long)]
    pub refuse: bool,
    /// SETTINGS_MAX_CONCURRENT_STREAMS of both gateways [default: APNs 1000, FCM 100].
    #[arg(long, value_name = "N")]
    pub max_concurrent_streams: Option<u32>,
    /// How long FCM's access tokens are valid.
    #[arg(long, value_name = "SECS")]
    pub token_expires_in: Option<u64>,
    /// Print one line of JSON with all addresses and files, then keep running.
    #[arg(long)]
    pub json: bool,
    /// End when standard input ends, as it does with the parent process.
    #[arg(long)]
    pub parent_pipe: bool,
}

/// A rule and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderRule {
    pub provider: Provider,
    pub rule: FaultRule,
}

impl SandboxArgs {
    /// What [`Sandbox::start`](super::Sandbox::start) needs.
    pub fn options(&self) -> Result<SandboxOptions, SandboxError> {
        let mut faults = FaultPlan::all(Faults {
            latency_ms: self.latency_ms,
            jitter_ms: self.jitter_ms,
            goaway_every: self.goaway_every,
            reset_every: self.reset_every,
            reset_delivered: self.reset_delivered,
            cut_every: self.cut_every,
            black_hole: self.black_hole,
            refuse: self.refuse,
            max_concurrent_streams: self.max_concurrent_streams,
            token_expires_in_secs: self.token_expires_in,
            rules: Vec::new(),
        });
        for ProviderRule { provider, rule } in self.fail_prefix.iter().chain(&self.fail) {
            let mut rule = rule.clone();
            rule.times = self.fail_times;
            if matches!(rule.status, 429 | 503) {
                rule.retry_after_secs = self.retry_after;
            }
            match provider {
                Provider::Apns => faults.apns.rules.push(rule),
                Provider::Fcm => faults.fcm.rules.push(rule),
                Provider::Mail => faults.mail.rules.push(rule),
            }
        }
        faults.validate()?;
        Ok(SandboxOptions {
            dir: self.dir.clone(),
            apns_bind: self.apns_bind,
            fcm_bind: self.fcm_bind,
            smtp_bind: self.smtp_bind,
            control_bind: self.control_bind,
            host: self.host.clone(),
            faults,
        })
    }
}

fn parse_share_rule(text: &str) -> Result<ProviderRule, String> {
    let (mut parsed, share) = parse_rule(text)?;
    let told = |_| format!("`{share}` is not a share between 0 and 1");
    parsed.rule.share = share.parse().map_err(told)?;
    Ok(parsed)
}

fn parse_prefix_rule(text: &str) -> Result<ProviderRule, String> {
    let (mut parsed, prefix) = parse_rule(text)?;
    parsed.rule.token_prefix = Some(prefix.to_owned());
    Ok(parsed)
}

/// The first three parts, and what is left.
fn parse_rule(text: &str) -> Result<(ProviderRule, &str), String> {
    let parts: Vec<&str> = text.splitn(4, ':').collect();
    let [provider, status, reason, rest] = parts[..] else {
        return Err("expected PROVIDER:STATUS:REASON: and one more part".to_owned());
    };
    let told = || format!("`{provider}` is none of apns, fcm and mail");
    let provider = Provider::parse(provider).ok_or_else(told)?;
    let told = |_| format!("`{status}` is not an HTTP status");
    let status = status.parse().map_err(told)?;
    let rule = FaultRule::new(status, reason);
    Ok((ProviderRule { provider, rule }, rest))
}
