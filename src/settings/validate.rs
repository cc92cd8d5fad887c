//! What must hold of a configuration beyond its types. Every problem is gathered, none hides another.
//! Files are looked at (they exist, they read), keys in them are not parsed: transports do that.

use std::{collections::HashSet, ffi::CString, os::unix::ffi::OsStrExt, path::Path};

use tracing_subscriber::filter::{LevelFilter, Targets};

use super::{
    ApnsSettings, AppSettings, FcmSettings, LimitSettings, Settings, SettingsErrors, StorageKind,
    problems::Problems,
};

const SCOPES: [&str; 4] = ["admin", "send", "read", "register"];
const MIN_SECRET_CHARS: usize = 16;
/// Each is a thread with a runtime of its own.
const MAX_WORKERS: usize = 256;

impl Settings {
    /// Checks everything that can be checked without a provider's code; all problems at once.
    pub fn validate(&self) -> Result<(), SettingsErrors> {
        let mut problems = Problems::default();
        self.check_server(&mut problems);
        self.check_storage(&mut problems);
        self.check_apps(&mut problems);
        for (index, key) in self.internal.keys.iter().enumerate() {
            check_secret(&format!("internal.keys[{index}]"), key.expose(), &mut problems);
        }
        if let Some(secret) = &self.internal.sealing_secret {
            let long = secret.expose().chars().count() >= MIN_SECRET_CHARS;
            let what = format!("must have at least {MIN_SECRET_CHARS} characters");
            problems.require(long, "internal.sealing_secret", what);
        }
        let lease_fits = (2..=300).contains(&self.cluster.lease_seconds);
        problems.require(lease_fits, "cluster.lease_seconds", "must be 2 to 300");
        check_limits(&self.limits, &mut problems);
        self.dialects.check(&mut problems);
        let dialect = &self.dialects.push_server;
        let required = dialect.enabled && dialect.require_client_auth;
        let fits = !required || self.server.public_url.is_some();
        let what = "needs server.public_url: without it, a token made for another server would do";
        problems.require(fits, "dialects.push_server.require_client_auth", what);
        let endpoint = self.telemetry.otlp_endpoint.as_deref();
        let fits = endpoint.is_none_or(is_web_address);
        let what = "must be the collector's URL, such as http://127.0.0.1:4318";
        problems.require(fits, "telemetry.otlp_endpoint", what);
        let what = "is not a level (off, error, warn, info, debug, trace) or a list of PART=LEVEL";
        problems.require(is_log_filter(&self.log.level), "log.level", what);
        problems.finish()
    }

    fn check_server(&self, problems: &mut Problems) {
        if let Some(url) = &self.server.public_url {
            let web = url.starts_with("http://") || url.starts_with("https://");
            problems.require(web, "server.public_url", "must begin with http:// or https://");
        }
        let is_address = |text: &String| text.parse::<std::net::IpAddr>().is_ok();
        let fits = self.server.trusted_proxies.iter().all(is_address);
        problems.require(fits, "server.trusted_proxies", "must be IP addresses");
        let fits = self.server.workers <= MAX_WORKERS;
        let what = format!("must be 0 to {MAX_WORKERS}, 0 being one for each core");
        problems.require(fits, "server.workers", what);
        let Some(address) = self.server.address() else {
            problems.add("server.bind", "must be IP:PORT, such as 127.0.0.1:8080");
            return;
        };
        if let Some(app) = self.open_app()
            && !address.ip().is_loopback()
        {
            let what = format!(
                "{address} can be reached from elsewhere, but app `{app}` has no key, so anybody \
                 could send; give the app a secret (apps[0].secret) or bind 127.0.0.1"
            );
            problems.add("server.bind", what);
        }
    }

    fn check_storage(&self, problems: &mut Problems) {
        match self.storage.kind {
            StorageKind::Mongodb => {
                // Never shown: it may hold a password.
                let uri = self.storage.uri.as_ref().map(|uri| uri.expose()).unwrap_or_default();
                let fits = uri.starts_with("mongodb://") || uri.starts_with("mongodb+srv://");
                let what = "must be a connection string, mongodb://… or mongodb+srv://…, \
                    when storage.kind is mongodb";
                problems.require(fits, "storage.uri", what);
            }
            StorageKind::Embedded => {
                let path = &self.storage.path;
                problems.require(!path.as_os_str().is_empty(), "storage.path", "must not be empty");
                let what = "is a file; the store needs a directory";
                problems.require(!path.is_file(), "storage.path", what);
                if !path.as_os_str().is_empty()
                    && !path.is_file()
                    && let Some(above) = unwritable(path)
                {
                    problems
                        .add("storage.path", format!("{} cannot be written to", above.display()));
                }
            }
        }
        let days = self.storage.retention_days;
        problems.require(days > 0, "storage.retention_days", "must be at least 1");
    }

    fn check_apps(&self, problems: &mut Problems) {
        let (mut names, mut keys, mut secrets) = (HashSet::new(), HashSet::new(), HashSet::new());
        for (index, app) in self.apps.iter().enumerate() {
            let at = |key: &str| format!("apps[{index}].{key}");
            check_app(app, &at, problems);
            problems.require(names.insert(&app.name), at("name"), "is another app's name too");
            if let Some(key) = &app.key {
                problems.require(keys.insert(key), at("key"), "is another app's key too");
            }
            let own = app.secret.iter().map(|secret| (at("secret"), secret));
            let further = app.api_keys.iter().enumerate();
            let further =
                further.map(|(i, key)| (at(&format!("api_keys[{i}].secret")), &key.secret));
            for (key, secret) in own.chain(further) {
                problems.require(secrets.insert(secret), key, "is used by another key too");
            }
            if self.apps.len() > 1 && !app.has_keys() {
                let what = "is missing: with several apps, each needs a secret or an API key";
                problems.add(at("secret"), what);
            }
        }
    }
}

/// Whether it is an absolute URL of the web, without a query.
fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let fits = |url: http::Uri| url.authority().is_some() && url.query().is_none();
    rest.is_some() && text.parse().is_ok_and(fits)
}

/// What keeps a directory from being written to, or made: itself, or the nearest above it that exists.
fn unwritable(path: &Path) -> Option<&Path> {
    let existing = path.ancestors().find(|above| above.as_os_str().is_empty() || above.exists())?;
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let name = CString::new(existing.as_os_str().as_bytes()).ok()?;
    // SAFETY: `access` reads a string that ends in NUL, which `name` is and stays during the call.
    let allowed = unsafe { libc::access(name.as_ptr(), libc::W_OK | libc::X_OK) } == 0;
    (!allowed).then_some(existing)
}

fn check_app(app: &AppSettings, at: &impl Fn(&str) -> String, problems: &mut Problems) {
    let name_fits = !app.name.is_empty()
        && app.name.len() <= 64
        && app.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let what = "must be 1 to 64 letters, digits, `-`, `_` or `.`";
    problems.require(name_fits, at("name"), what);
    if let Some(key) = &app.key {
        let fits = key.len() == 24 && key.chars().all(|c| c.is_ascii_alphanumeric());
        problems.require(fits, at("key"), "must be 24 letters and digits");
    }
    if let Some(secret) = &app.secret {
        check_secret(&at("secret"), secret.expose(), problems);
    }
    for (index, key) in app.api_keys.iter().enumerate() {
        let at = |field: &str| at(&format!("api_keys[{index}].{field}"));
        problems.require(!key.name.is_empty(), at("name"), "must not be empty");
        check_secret(&at("secret"), key.secret.expose(), problems);
        problems.require(!key.scopes.is_empty(), at("scopes"), "must name at least one scope");
        for scope in &key.scopes {
            let what = format!("`{scope}` is not a scope; known: {}", SCOPES.join(", "));
            problems.require(SCOPES.contains(&scope.as_str()), at("scopes"), what);
        }
    }
    if let Some(apns) = &app.apns {
        check_apns(apns, &|key| at(&format!("apns.{key}")), problems);
    }
    if let Some(fcm) = &app.fcm {
        check_fcm(fcm, &|key| at(&format!("fcm.{key}")), problems);
    }
}

fn check_secret(key: &str, secret: &str, problems: &mut Problems) {
    let long = secret.chars().count() >= MIN_SECRET_CHARS;
    problems.require(long, key, format!("must have at least {MIN_SECRET_CHARS} characters"));
    let plain = secret.chars().all(|c| c.is_ascii_graphic());
    problems.require(plain, key, "must be visible ASCII characters, to fit a header");
}

fn check_apns(apns: &ApnsSettings, at: &impl Fn(&str) -> String, problems: &mut Problems) {
    let signing = [
        ("key_file", apns.key_file.is_some()),
        ("key_id", apns.key_id.is_some()),
        ("team_id", apns.team_id.is_some()),
    ];
    let any_signing = signing.iter().any(|(_, given)| *given);
    if apns.cert_file.is_some() {
        let what = "a signing key (key_file, key_id, team_id) excludes it; give one of the two";
        problems.require(!any_signing, at("cert_file"), what);
    } else if any_signing {
        for (key, given) in signing {
            let what = "is missing: key_file, key_id and team_id go together";
            problems.require(given, at(key), what);
        }
    } else {
        let what = "is missing: give key_file, key_id and team_id, or cert_file";
        problems.add(at("key_file"), what);
    }
    for (key, value) in [("key_id", &apns.key_id), ("team_id", &apns.team_id)] {
        let fits =
            |text: &String| text.len() == 10 && text.chars().all(|c| c.is_ascii_alphanumeric());
        let fits = value.as_ref().is_none_or(fits);
        problems.require(fits, at(key), "must be the ten letters and digits that Apple shows");
    }
    problems.require(!apns.topic.is_empty(), at("topic"), "must not be empty");
    check_endpoint(&at("endpoint"), apns.endpoint.as_deref(), problems);
    let files =
        [("key_file", &apns.key_file), ("cert_file", &apns.cert_file), ("ca_file", &apns.ca_file)];
    for (key, path) in files {
        if let Some(path) = path {
            check_file(&at(key), path, problems);
        }
    }
}

fn check_fcm(fcm: &FcmSettings, at: &impl Fn(&str) -> String, problems: &mut Problems) {
    check_endpoint(&at("endpoint"), fcm.endpoint.as_deref(), problems);
    check_endpoint(&at("token_uri"), fcm.token_uri.as_deref(), problems);
    if let Some(path) = &fcm.ca_file {
        check_file(&at("ca_file"), path, problems);
    }
    let key = at("service_account_file");
    let Some(text) = check_file(&key, &fcm.service_account_file, problems) else { return };
    let shown = fcm.service_account_file.display();
    let Ok(account) = serde_json::from_slice::<serde_json::Value>(&text) else {
        problems.add(key, format!("{shown} is not JSON"));
        return;
    };
    let needs_project = fcm.project_id.is_none().then_some("project_id");
    for field in ["client_email", "private_key"].into_iter().chain(needs_project) {
        let given = account.get(field).is_some_and(serde_json::Value::is_string);
        problems.require(given, key.clone(), format!("{shown} has no `{field}`"));
    }
}

fn check_endpoint(key: &str, url: Option<&str>, problems: &mut Problems) {
    let fits = |url: &str| {
        let uri = url.parse::<http::Uri>().ok();
        uri.is_some_and(|uri| uri.scheme_str() == Some("https") && uri.host().is_some())
    };
    problems.require(url.is_none_or(fits), key, "must be an https:// URL");
}

fn check_file(key: &str, path: &Path, problems: &mut Problems) -> Option<Vec<u8>> {
    match std::fs::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            problems.add(key, format!("no such file {}", path.display()));
            None
        }
        Err(error) => {
            problems.add(key, format!("cannot read {}: {error}", path.display()));
            None
        }
    }
}

/// A word alone must be a level, though the log's own syntax would take it for a part's name.
fn is_log_filter(text: &str) -> bool {
    let fits = |part: &str| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok();
    text.split(',').all(fits) && text.parse::<Targets>().is_ok()
}

fn check_limits(limits: &LimitSettings, problems: &mut Problems) {
    let ranges = [
        ("apns_connections", limits.apns_connections as u64, 1, 1000),
        ("fcm_connections", limits.fcm_connections as u64, 1, 1000),
        ("streams_per_connection", limits.streams_per_connection as u64, 1, 10_000),
        ("page_size", limits.page_size as u64, 1, 10_000),
        ("pages_in_flight", limits.pages_in_flight as u64, 1, 10_000),
        ("max_attempts", u64::from(limits.max_attempts), 1, 100),
        ("backoff_base_ms", limits.backoff_base_ms, 1, 3_600_000),
        ("backoff_max_ms", limits.backoff_max_ms, 1, 3_600_000),
        ("request_timeout_ms", limits.request_timeout_ms, 10, 600_000),
        ("save_interval_ms", limits.save_interval_ms, 10, 60_000),
        ("prune_guard_percent", u64::from(limits.prune_guard_percent), 0, 100),
        ("shards", u64::from(limits.shards), 1, 1000),
        ("max_body_bytes", limits.max_body_bytes as u64, 1024, 1 << 30),
    ];
    for (key, value, least, most) in ranges {
        let fits = (least..=most).contains(&value);
        problems.require(fits, format!("limits.{key}"), format!("must be {least} to {most}"));
    }
    let ordered = limits.backoff_base_ms <= limits.backoff_max_ms;
    problems.require(ordered, "limits.backoff_max_ms", "must not be below backoff_base_ms");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(environment: &[(&str, &str)]) -> String {
        let environment =
            environment.iter().map(|(k, v)| (format!("FANFARE__{k}"), (*v).to_owned()));
        let settings = Settings::load_with(None, environment).expect("the types are right");
        settings.validate().map_or_else(|problems| problems.to_string(), |()| String::new())
    }

    #[test]
    fn every_problem_is_told_with_its_key() {
        let told = told(&[
            ("SERVER__BIND", "nowhere"),
            ("STORAGE__KIND", "mongodb"),
            ("APPS__0__NAME", "a"),
            ("APPS__0__KEY", "short"),
            ("APPS__0__SECRET", "0123456789abcdef"),
            ("APPS__1__NAME", "a"),
            ("APPS__1__API_KEYS__0__NAME", "k"),
            ("APPS__1__API_KEYS__0__SECRET", "0123456789abcdef"),
            ("APPS__1__API_KEYS__0__SCOPES", "read,fly"),
            ("APPS__1__APNS__TOPIC", "t"),
            ("APPS__1__APNS__KEY_FILE", "/nonexistent/key.p8"),
            ("APPS__1__APNS__KEY_ID", "TOOSHORT"),
            ("APPS__1__APNS__ENDPOINT", "http://localhost"),
            ("CLUSTER__LEASE_SECONDS", "1"),
            ("LIMITS__SHARDS", "0"),
            ("SERVER__WORKERS", "100000"),
            ("STORAGE__PATH", "/dev/null/data"),
            ("LOG__LEVEL", "loud!"),
            ("INTERNAL__KEYS", "short"),
            ("INTERNAL__SEALING_SECRET", "short too"),
        ]);
        for expected in [
            "server.bind: must be IP:PORT",
            "storage.uri: must be a connection string",
            "server.workers: must be 0 to 256",
            "apps[0].key: must be 24",
            "apps[1].name: is another app's name too",
            "apps[1].api_keys[0].secret: is used by another key too",
            "apps[1].api_keys[0].scopes: `fly` is not a scope",
            "apps[1].apns.key_file: no such file /nonexistent/key.p8",
            "apps[1].apns.key_id: must be the ten",
            "apps[1].apns.team_id: is missing",
            "apps[1].apns.endpoint: must be an https:// URL",
            "cluster.lease_seconds: must be 2 to 300",
            "limits.shards: must be 1 to 1000",
            "log.level: ",
            "internal.keys[0]: must have at least 16",
            "internal.sealing_secret: must have at least 16",
        ] {
            assert!(told.contains(expected), "`{expected}` is not in:\n{told}");
        }
    }

    #[test]
    fn clients_prove_themselves_to_a_server_that_knows_its_name() {
        let required = ("DIALECTS__PUSH_SERVER__REQUIRE_CLIENT_AUTH", "true");
        let key = "dialects.push_server.require_client_auth: needs server.public_url";
        assert!(told(&[required]).contains(key));
        assert!(!told(&[required, ("SERVER__PUBLIC_URL", "")]).is_empty());
        let named = ("SERVER__PUBLIC_URL", "https://push.example");
        assert!(!told(&[required, named]).contains("require_client_auth"));
    }

    #[test]
    fn an_open_app_stays_on_loopback() {
        assert!(told(&[("SERVER__BIND", "0.0.0.0:80")]).starts_with("server.bind: 0.0.0.0:80"));
        let keyed = [
            ("SERVER__BIND", "0.0.0.0:80"),
            ("APPS__0__NAME", "a"),
            ("APPS__0__SECRET", "0123456789abcdef"),
        ];
        assert_eq!(told(&keyed), "");
        assert_eq!(told(&[("SERVER__BIND", "[::1]:0")]), "");
    }

    #[test]
    fn a_collector_of_traces_is_a_url() {
        for fits in ["", "http://127.0.0.1:4318", "https://otlp.example.com/fanfare/"] {
            assert_eq!(told(&[("TELEMETRY__OTLP_ENDPOINT", fits)]), "", "{fits}");
        }
        for wrong in ["127.0.0.1:4318", "grpc://a:4317", "http://", "http://a/?b", "http://a b"] {
            let told = told(&[("TELEMETRY__OTLP_ENDPOINT", wrong)]);
            assert!(told.starts_with("telemetry.otlp_endpoint: "), "`{wrong}`: {told}");
        }
    }

    #[test]
    fn a_dialects_prefix_is_its_own_plain_path() {
        let prefix = |dialect: &'static str, prefix: &'static str| {
            let names = [
                ("moxie", "DIALECTS__MOXIE__PREFIX"),
                ("push_server", "DIALECTS__PUSH_SERVER__PREFIX"),
                ("engagelab", "DIALECTS__ENGAGELAB__PREFIX"),
            ];
            let (_, name) = names.into_iter().find(|(known, _)| *known == dialect).unwrap();
            (name, prefix)
        };
        for fits in ["/m", "/moxie/notifications", "/a_b/C-1", "/moxie/devices"] {
            assert_eq!(told(&[prefix("moxie", fits)]), "", "{fits}");
        }
        let taken = ["/notifications", "/devices/x", "/health", "/v4", "/clients"];
        let malformed = ["m", "/", "/m/", "//m", "/{", "/{id}", "/a b", "/ä", "/m?"];
        for wrong in malformed.into_iter().chain(taken).chain([""]) {
            let told = told(&[prefix("moxie", wrong)]);
            assert!(told.starts_with("dialects.moxie.prefix: "), "`{wrong}`: {told}");
        }
        let twice = told(&[prefix("push_server", "/p"), prefix("engagelab", "/p")]);
        assert_eq!(twice, "dialects.engagelab.prefix: is another dialect's too");
        assert_eq!(told(&[prefix("moxie", ""), ("DIALECTS__MOXIE__ENABLED", "false")]), "");
    }

    #[test]
    fn a_service_account_must_be_one() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), r#"{"client_email": "x"}"#).expect("written");
        let path = file.path().to_str().expect("a plain path");
        let told = told(&[("APPS__0__NAME", "a"), ("APPS__0__FCM__SERVICE_ACCOUNT_FILE", path)]);
        assert!(told.contains("has no `private_key`"), "{told}");
        assert!(told.contains("has no `project_id`"), "{told}");
    }
}
