//! The keys of the installation: those of the settings, and those that are stored beside them. What a
//! request's headers prove, for every dialect.

use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use subtle::{Choice, ConstantTimeEq};

use super::strangers;
use crate::{
    domain::{
        Error, Result,
        app::{Identity, Scope},
        ids::AppName,
        timestamp::Timestamp,
    },
    services::keys::{self, Digest, KeyRef, KnownKey, StoredKeys, digest_of},
    settings::{AppSettings, Secret, Settings},
};

/// Shown by operators, and by callers of `/internal`.
pub const SERVER_KEY: &str = "X-Server-Key";

/// Every key of the installation.
pub struct Keyring {
    configured: Vec<KnownKey>,
    internal: Vec<KnownKey>,
    stored: StoredKeys,
    /// The caller of requests without a key, where the only app has none.
    open: Option<Arc<Identity>>,
}

/// Why Basic credentials were not taken, for dialects that tell.
#[derive(Debug)]
pub enum BasicRefusal {
    /// There are none.
    Missing,
    /// They do not read as an app's key and a secret.
    Unreadable,
    /// No app has this key.
    UnknownApp,
    /// The app has the key, and not this secret.
    WrongSecret,
    /// The installation is open, and this is not from this machine.
    Foreign(Error),
}

impl Keyring {
    /// The keys of the settings, which have been validated, and those that are stored.
    pub fn new(settings: &Settings, stored: StoredKeys) -> Self {
        let open = settings.open_app().map(|app| Arc::new(Identity::open(AppName::new(app))));
        let internal = (0..).zip(&settings.internal.keys).map(internal_key);
        Self {
            configured: settings.apps.iter().flat_map(keys_of).collect(),
            internal: internal.collect(),
            stored,
            open,
        }
    }

    /// Who calls without a key, where calls need none.
    pub fn open(&self) -> Option<&Arc<Identity>> {
        self.open.as_ref()
    }

    /// Keeps strangers out of an installation without keys; also for those whose callers show none.
    pub fn admit(&self, headers: &HeaderMap) -> Result<()> {
        if self.open.is_some() { strangers::refuse(headers) } else { Ok(()) }
    }

    /// Who shows a key in these headers: `X-Server-Key`, `Authorization: Bearer SECRET`, or Basic with
    /// the app's key and a secret. None where there is none; where calls need none, only those made
    /// here are looked at.
    pub fn shown(&self, headers: &HeaderMap) -> Result<Option<Arc<Identity>>> {
        if headers.contains_key(SERVER_KEY) {
            return self.operator(headers).map(Some);
        }
        let mut values = headers.get_all(AUTHORIZATION);
        let Some(value) = values.next() else { return Ok(None) };
        let is_open = self.open.is_some();
        if values.next().is_some() && !is_open {
            return Err(Error::unauthenticated("one Authorization header is taken, not several"));
        }
        let Some((user, secret)) = credentials(value) else {
            return if is_open { Ok(None) } else { Err(unknown()) };
        };
        if is_open && !secret.starts_with(keys::SECRET_PREFIX) {
            return Ok(None);
        }
        let found = self.find(&secret, user.as_deref()).ok_or_else(unknown)?;
        Ok(Some(found.identity))
    }

    /// Who shows one of the installation's own keys.
    pub fn operator(&self, headers: &HeaderMap) -> Result<Arc<Identity>> {
        let mut values = headers.get_all(SERVER_KEY).map(|value| value.as_bytes());
        // Of two keys, neither counts.
        let key = values.next().filter(|_| values.next().is_none());
        let missing = || Error::unauthenticated("X-Server-Key is required");
        self.operator_of(key.ok_or_else(missing)?)
    }

    /// Whose key this is, of the installation's own.
    pub fn operator_of(&self, key: &[u8]) -> Result<Arc<Identity>> {
        let given = digest_of(key);
        let found = keys::find(&self.internal, &given, None, Timestamp::now());
        found.map(|key| key.identity.clone()).ok_or_else(unknown)
    }

    /// Who sends Basic credentials of an app: its key and one of its secrets. Where calls need no key,
    /// only those made here are looked at.
    pub fn app_caller(&self, headers: &HeaderMap) -> Result<Arc<Identity>, BasicRefusal> {
        self.admit(headers).map_err(BasicRefusal::Foreign)?;
        let mut values = headers.get_all(AUTHORIZATION);
        let value = values.next().filter(|value| !value.is_empty());
        let parts = value.and_then(basic_parts);
        if let Some(open) = &self.open {
            let made_here = parts.filter(|(_, secret)| secret.starts_with(keys::SECRET_PREFIX));
            let Some((user, secret)) = made_here else { return Ok(open.clone()) };
            return self.of_user(&user, &secret);
        }
        value.ok_or(BasicRefusal::Missing)?;
        if values.next().is_some() {
            return Err(BasicRefusal::Unreadable);
        }
        let (user, secret) = parts.ok_or(BasicRefusal::Unreadable)?;
        self.of_user(&user, &secret)
    }

    fn of_user(&self, user: &str, secret: &str) -> Result<Arc<Identity>, BasicRefusal> {
        let found = self.find(secret, Some(user));
        found.map(|key| key.identity).ok_or_else(|| match self.knows_app(user) {
            true => BasicRefusal::WrongSecret,
            false => BasicRefusal::UnknownApp,
        })
    }

    fn knows_app(&self, user: &str) -> bool {
        let given = digest_of(user.as_bytes());
        let stored = self.stored.load();
        let users = self.configured.iter().chain(stored.iter()).filter_map(|key| key.user);
        users.fold(Choice::from(0), |known, user| known | user.ct_eq(&given)).into()
    }

    /// The key of this secret, the installation's own included, for beginning a session.
    pub fn key_of(&self, secret: &str) -> Option<KnownKey> {
        let internal =
            keys::find(&self.internal, &digest_of(secret.as_bytes()), None, Timestamp::now());
        let of_app = self.find(secret, None);
        internal.cloned().or(of_app)
    }

    /// Who holds this key, if a secret of it that `is_it` knows is still valid.
    pub fn holder(&self, key: &KeyRef, is_it: impl Fn(&Digest) -> bool) -> Option<Arc<Identity>> {
        let stored = self.stored.load();
        let now = Timestamp::now();
        let all = self.configured.iter().chain(&self.internal).chain(stored.iter());
        let mut own = all.filter(|known| known.key == *key && known.is_valid(now));
        own.find(|known| is_it(&known.digest)).map(|known| known.identity.clone())
    }

    fn find(&self, secret: &str, user: Option<&str>) -> Option<KnownKey> {
        let secret = digest_of(secret.as_bytes());
        let user = user.map(|user| digest_of(user.as_bytes()));
        let stored = self.stored.load();
        let all = self.configured.iter().chain(stored.iter());
        keys::find(all, &secret, user.as_ref(), Timestamp::now()).cloned()
    }
}

fn unknown() -> Error {
    Error::unauthenticated("the key is not known")
}

/// The user, where one is named, and the secret of an `Authorization` header.
fn credentials(value: &HeaderValue) -> Option<(Option<String>, String)> {
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some((None, rest.trim().to_owned()));
    }
    let (user, secret) = basic_parts(value)?;
    Some((Some(user), secret))
}

/// The user name and the secret of `Basic …`.
fn basic_parts(value: &HeaderValue) -> Option<(String, String)> {
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    let decoded =
        STANDARD.decode(rest.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"));
    let decoded = String::from_utf8(decoded?).ok()?;
    let (user, secret) = decoded.split_once(':')?;
    Some((user.to_owned(), secret.to_owned()))
}

fn internal_key((index, secret): (usize, &Secret)) -> KnownKey {
    let id = format!("internal.keys[{index}]");
    let identity = Arc::new(Identity::operator(&id));
    let digest = digest_of(secret.expose().as_bytes());
    KnownKey { key: KeyRef { app: None, id }, digest, user: None, until: None, identity }
}

fn keys_of(app: &AppSettings) -> impl Iterator<Item = KnownKey> {
    let name = AppName::new(&app.name);
    let user = app.key.as_ref().map(|key| digest_of(key.as_bytes()));
    app.keys().into_iter().map(move |key| {
        let scopes = key.scopes.iter().filter_map(|scope| Scope::from_name(scope)).collect();
        KnownKey {
            key: KeyRef { app: Some(name.clone()), id: key.id },
            digest: digest_of(key.secret.expose().as_bytes()),
            user,
            until: None,
            identity: Arc::new(Identity::of_app(name.clone(), key.name, scopes)),
        }
    })
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HOST;

    use super::*;

    const MASTER: &str = "0123456789abcdef";
    const READER: &str = "fedcba9876543210";
    const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWX";

    fn keyring(environment: &[(&str, &str)]) -> Keyring {
        let environment =
            environment.iter().map(|(k, v)| (format!("FANFARE__{k}"), (*v).to_owned()));
        let settings = Settings::load_with(None, environment).expect("good settings");
        Keyring::new(&settings, StoredKeys::default())
    }

    fn two_apps() -> Keyring {
        keyring(&[
            ("APPS__0__NAME", "one"),
            ("APPS__0__KEY", KEY),
            ("APPS__0__SECRET", MASTER),
            ("APPS__1__NAME", "two"),
            ("APPS__1__API_KEYS__0__NAME", "reader"),
            ("APPS__1__API_KEYS__0__SECRET", READER),
            ("APPS__1__API_KEYS__0__SCOPES", "read"),
            ("INTERNAL__KEYS", "internal-key-0001,internal-key-0002"),
        ])
    }

    fn with(name: actix_web::http::header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).expect("a plain value"));
        headers
    }

    #[test]
    fn a_secret_names_its_app_and_scopes() {
        let keyring = two_apps();
        let caller = |value: &str| {
            let shown = keyring.shown(&with(AUTHORIZATION, value))?;
            shown.ok_or_else(|| Error::bug("show a key"))
        };
        let app = |identity: &Identity| identity.home.as_ref().map(ToString::to_string);
        let master = caller(&format!("Bearer {MASTER}")).expect("known");
        assert_eq!((app(&master), master.may(Scope::Send)), (Some("one".into()), true));
        let reader = caller(&format!("bearer {READER}")).expect("known");
        assert_eq!((app(&reader), reader.may(Scope::Read)), (Some("two".into()), true));
        assert!(!reader.may(Scope::Send));
        let basic = |user: &str, secret: &str| {
            caller(&format!("Basic {}", STANDARD.encode(format!("{user}:{secret}"))))
        };
        assert_eq!(app(&basic(KEY, MASTER).expect("known")).as_deref(), Some("one"));
        for refused in [basic("other", MASTER), basic(KEY, READER), basic(KEY, "")] {
            assert!(refused.is_err());
        }
        for refused in ["", "Bearer", "Bearer ", "Bearer nope", "Digest x", "Basic %%%"] {
            assert!(caller(refused).is_err(), "{refused}");
        }
        assert!(keyring.shown(&HeaderMap::new()).expect("no key").is_none());
        let mut two = with(AUTHORIZATION, &format!("Bearer {MASTER}"));
        two.append(AUTHORIZATION, HeaderValue::from_static("Bearer other"));
        assert!(keyring.shown(&two).is_err());
    }

    #[test]
    fn a_refused_app_is_told_why() {
        let keyring = two_apps();
        let caller = |value: &str| keyring.app_caller(&with(AUTHORIZATION, value));
        let basic = |user: &str, secret: &str| {
            caller(&format!("Basic {}", STANDARD.encode(format!("{user}:{secret}"))))
        };
        let home = basic(KEY, MASTER).expect("known").home.clone();
        assert_eq!(home, Some(AppName::new("one")));
        assert!(matches!(keyring.app_caller(&HeaderMap::new()), Err(BasicRefusal::Missing)));
        assert!(matches!(caller(""), Err(BasicRefusal::Missing)));
        assert!(matches!(caller("Bearer x"), Err(BasicRefusal::Unreadable)));
        assert!(matches!(basic("other", MASTER), Err(BasicRefusal::UnknownApp)));
        assert!(matches!(basic(KEY, READER), Err(BasicRefusal::WrongSecret)));
        let foreign = keyring_open().app_caller(&with(HOST, "evil.example"));
        assert!(matches!(foreign, Err(BasicRefusal::Foreign(_))));
    }

    fn keyring_open() -> Keyring {
        keyring(&[])
    }

    #[test]
    fn internal_takes_its_own_keys_alone() {
        let keyring = two_apps();
        let shown = |key: &str| {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_str(key).expect("a plain value");
            headers.insert("x-server-key".try_into().expect("a name"), value);
            headers
        };
        let operator = keyring.operator(&shown("internal-key-0002")).expect("known");
        assert!(operator.is_operator && operator.home.is_none());
        assert!(keyring.operator(&HeaderMap::new()).is_err());
        for refused in ["", MASTER] {
            assert!(keyring.operator(&shown(refused)).is_err());
            assert!(keyring.shown(&shown(refused)).is_err());
        }
        let mut twice = shown("internal-key-0001");
        let again = HeaderValue::from_static("internal-key-0001");
        twice.append("x-server-key".try_into().expect("a name"), again);
        assert!(keyring.operator(&twice).is_err());
        assert!(keyring_open().operator(&shown("")).is_err());
    }

    #[test]
    fn where_no_key_is_needed_those_made_here_are_judged_alone() {
        let open = keyring_open();
        let shown = |value: &str| open.shown(&with(AUTHORIZATION, value));
        assert!(shown("Bearer whatever").expect("not looked at").is_none());
        assert!(shown("Bearer fan_revoked").is_err());
    }

    #[test]
    fn a_session_is_begun_with_any_key_and_ends_with_it() {
        let keyring = two_apps();
        for (secret, operator) in [(MASTER, false), (READER, false), ("internal-key-0001", true)] {
            let key = keyring.key_of(secret).expect("known");
            assert_eq!(key.identity.is_operator, operator);
            assert!(keyring.holder(&key.key, |digest| *digest == key.digest).is_some());
            assert!(keyring.holder(&key.key, |_| false).is_none());
        }
        assert!(keyring.key_of("nobody's").is_none());
    }
}
