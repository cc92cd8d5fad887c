//! Who calls: from the headers of a request to a [`Principal`], for every dialect.
//!
//! Keys are held and compared as SHA-256 digests, each in constant time and all of them every time,
//! so that neither a key's length nor its place in the list shows in how long an answer takes.

use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, ORIGIN};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::{
    domain::{
        Error, Result,
        app::{Principal, Scope},
        ids::AppName,
    },
    settings::{AppSettings, Secret, Settings},
};

type Digest = [u8; 32];

/// Every key of the installation.
pub struct Keyring {
    entries: Vec<Entry>,
    internal: Vec<Digest>,
    /// The caller of requests without a key, where the only app has none.
    open: Option<Arc<Principal>>,
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

struct Entry {
    secret: Digest,
    /// The app's key, the user name of Basic authentication.
    user: Option<Digest>,
    principal: Arc<Principal>,
}

impl Keyring {
    /// The keys of the settings, which have been validated.
    pub fn new(settings: &Settings) -> Self {
        let open = settings.open_app().map(|app| {
            Arc::new(Principal {
                app: AppName::new(app),
                key_name: String::from("open"),
                scopes: vec![Scope::Admin],
            })
        });
        Self {
            entries: settings.apps.iter().flat_map(entries_of).collect(),
            internal: settings.internal.keys.iter().map(secret_digest).collect(),
            open,
        }
    }

    /// Whether calls need no key.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Keeps strangers out of an installation without keys; also for those whose callers show none.
    pub fn admit(&self, headers: &HeaderMap) -> Result<()> {
        if self.is_open() {
            refuse_strangers(headers)?;
        }
        Ok(())
    }

    /// Who sends these headers: `Authorization: Bearer SECRET`, or Basic with the app's key and a
    /// secret.
    pub fn caller(&self, headers: &HeaderMap) -> Result<Arc<Principal>> {
        self.admit(headers)?;
        if let Some(open) = &self.open {
            return Ok(open.clone());
        }
        let missing = || Error::unauthenticated("a key is required: Authorization: Bearer …");
        let mut values = headers.get_all(AUTHORIZATION);
        let value = values.next().ok_or_else(missing)?;
        if values.next().is_some() {
            return Err(Error::unauthenticated("one Authorization header is taken, not several"));
        }
        let found = value.to_str().ok().and_then(|text| {
            let (scheme, rest) = text.split_once(' ')?;
            if scheme.eq_ignore_ascii_case("bearer") {
                return self.find(rest.trim(), None);
            }
            if !scheme.eq_ignore_ascii_case("basic") {
                return None;
            }
            let (user, secret) = basic_parts(value)?;
            self.find(&secret, Some(&user))
        });
        found.ok_or_else(|| Error::unauthenticated("the key is not known"))
    }

    /// Who sends Basic credentials of an app: its key and one of its secrets. Where calls need no key,
    /// none is looked at.
    pub fn app_caller(&self, headers: &HeaderMap) -> Result<Arc<Principal>, BasicRefusal> {
        if self.open.is_some() {
            return self.caller(headers).map_err(BasicRefusal::Foreign);
        }
        let mut values = headers.get_all(AUTHORIZATION);
        let value = values.next().filter(|value| !value.is_empty()).ok_or(BasicRefusal::Missing)?;
        if values.next().is_some() {
            return Err(BasicRefusal::Unreadable);
        }
        let (user, secret) = basic_parts(value).ok_or(BasicRefusal::Unreadable)?;
        let caller = self.find(&secret, Some(&user));
        caller.ok_or_else(|| match self.knows_app(&user) {
            true => BasicRefusal::WrongSecret,
            false => BasicRefusal::UnknownApp,
        })
    }

    fn knows_app(&self, user: &str) -> bool {
        let given = digest_of(user.as_bytes());
        let users = self.entries.iter().filter_map(|entry| entry.user);
        users.fold(Choice::from(0), |known, user| known | user.ct_eq(&given)).into()
    }

    /// Whether `key` opens `/internal`.
    pub fn check_internal(&self, key: Option<&[u8]>) -> Result<()> {
        let Some(key) = key else {
            return Err(Error::unauthenticated("X-Server-Key is required"));
        };
        let given = digest_of(key);
        let known = self
            .internal
            .iter()
            .fold(Choice::from(0), |known, digest| known | digest.ct_eq(&given));
        if known.into() { Ok(()) } else { Err(Error::unauthenticated("the key is not known")) }
    }

    fn find(&self, secret: &str, user: Option<&str>) -> Option<Arc<Principal>> {
        let secret = digest_of(secret.as_bytes());
        let user = user.map(|user| digest_of(user.as_bytes()));
        let mut found = u32::MAX;
        for (index, entry) in (0_u32..).zip(&self.entries) {
            let user_fits = match (&user, &entry.user) {
                (None, _) => Choice::from(1),
                (Some(given), Some(known)) => given.ct_eq(known),
                (Some(_), None) => Choice::from(0),
            };
            found.conditional_assign(&index, entry.secret.ct_eq(&secret) & user_fits);
        }
        self.entries.get(found as usize).map(|entry| entry.principal.clone())
    }
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

fn entries_of(app: &AppSettings) -> impl Iterator<Item = Entry> {
    let name = AppName::new(&app.name);
    let user = app.key.as_ref().map(|key| digest_of(key.as_bytes()));
    let entry = move |secret: &Secret, key_name: &str, scopes: Vec<Scope>| Entry {
        secret: secret_digest(secret),
        user,
        principal: Arc::new(Principal { app: name.clone(), key_name: key_name.to_owned(), scopes }),
    };
    let further = app.api_keys.iter().map({
        let entry = entry.clone();
        move |key| {
            let scopes = key.scopes.iter().filter_map(|scope| scope_named(scope)).collect();
            entry(&key.secret, &key.name, scopes)
        }
    });
    let master = app.secret.iter();
    master.map(move |secret| entry(secret, "master", vec![Scope::Admin])).chain(further)
}

fn scope_named(name: &str) -> Option<Scope> {
    [Scope::Admin, Scope::Send, Scope::Read, Scope::Register]
        .into_iter()
        .find(|scope| scope.name() == name)
}

fn secret_digest(secret: &Secret) -> Digest {
    digest_of(secret.expose().as_bytes())
}

fn digest_of(bytes: &[u8]) -> Digest {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Refuses requests without a key that are made for others than a user of this machine.
pub fn refuse_strangers(headers: &HeaderMap) -> Result<()> {
    refuse_foreign_names(headers)?;
    refuse_foreign_pages(headers)
}

/// Without keys, what keeps strangers out is the loopback address; a page of some other site in a
/// browser on this machine comes from there too, and names itself in `Origin`.
fn refuse_foreign_pages(headers: &HeaderMap) -> Result<()> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let host = origin.to_str().ok().and_then(|text| text.split_once("://"));
    if host.is_some_and(|(_, host)| is_this_machine(host)) {
        return Ok(());
    }
    Err(Error::forbidden("without keys, pages of other sites are refused"))
}

/// A foreign name that was made to lead here (DNS rebinding) comes without a foreign `Origin`, but the
/// browser still says which name it asked.
fn refuse_foreign_names(headers: &HeaderMap) -> Result<()> {
    let ours = |value: &HeaderValue| value.to_str().is_ok_and(is_this_machine);
    if headers.contains_key(HOST) && headers.get_all(HOST).all(ours) {
        return Ok(());
    }
    Err(Error::forbidden("without keys, Host must be localhost or a loopback address"))
}

/// Whether `HOST` or `HOST:PORT` is the loopback.
fn is_this_machine(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => v6.split_once(']').unwrap_or_default(),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port_fits = port
        .strip_prefix(':')
        .map_or(port.is_empty(), |digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let address = host.parse::<std::net::IpAddr>();
    let ours = host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback());
    ours && port_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASTER: &str = "0123456789abcdef";
    const READER: &str = "fedcba9876543210";
    const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWX";

    fn keyring(environment: &[(&str, &str)]) -> Keyring {
        let environment =
            environment.iter().map(|(k, v)| (format!("FANFARE__{k}"), (*v).to_owned()));
        Keyring::new(&Settings::load_with(None, environment).expect("good settings"))
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
        let caller = |value: &str| keyring.caller(&with(AUTHORIZATION, value));
        let master = caller(&format!("Bearer {MASTER}")).expect("known");
        assert_eq!((master.app.as_str(), master.may(Scope::Send)), ("one", true));
        let reader = caller(&format!("bearer {READER}")).expect("known");
        assert_eq!((reader.app.as_str(), reader.may(Scope::Read)), ("two", true));
        assert!(!reader.may(Scope::Send));
        let basic = |user: &str, secret: &str| {
            caller(&format!("Basic {}", STANDARD.encode(format!("{user}:{secret}"))))
        };
        assert_eq!(basic(KEY, MASTER).expect("known").app.as_str(), "one");
        for refused in [basic("other", MASTER), basic(KEY, READER), basic(KEY, "")] {
            assert!(refused.is_err());
        }
        for refused in ["", "Bearer", "Bearer ", "Bearer nope", "Digest x", "Basic %%%"] {
            assert!(caller(refused).is_err(), "{refused}");
        }
        assert!(keyring.caller(&HeaderMap::new()).is_err());
        let mut two = with(AUTHORIZATION, &format!("Bearer {MASTER}"));
        two.append(AUTHORIZATION, HeaderValue::from_static("Bearer other"));
        assert!(keyring.caller(&two).is_err());
    }

    #[test]
    fn a_refused_app_is_told_why() {
        let keyring = two_apps();
        let caller = |value: &str| keyring.app_caller(&with(AUTHORIZATION, value));
        let basic = |user: &str, secret: &str| {
            caller(&format!("Basic {}", STANDARD.encode(format!("{user}:{secret}"))))
        };
        assert_eq!(basic(KEY, MASTER).expect("known").app.as_str(), "one");
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
        assert!(keyring.check_internal(Some(b"internal-key-0002")).is_ok());
        for refused in [None, Some(b"".as_slice()), Some(MASTER.as_bytes())] {
            assert!(keyring.check_internal(refused).is_err());
        }
        let none = super::super::Keyring::new(
            &Settings::load_with(None, std::iter::empty()).expect("the defaults"),
        );
        assert!(none.check_internal(Some(b"")).is_err());
    }

    #[test]
    fn an_open_installation_serves_this_machine_but_no_foreign_page() {
        let open = keyring(&[]);
        let local = with(HOST, "127.0.0.1:8080");
        assert_eq!(open.caller(&local).expect("open").app.as_str(), "default");
        for ours in ["localhost", "LOCALHOST:1", "127.9.9.9:80", "[::1]", "[::1]:8080"] {
            assert!(open.caller(&with(HOST, ours)).is_ok(), "{ours}");
        }
        for foreign in ["evil.example", "localhost.evil.example:80", "10.0.0.1", "", "127.0.0.1@x"]
        {
            assert!(open.caller(&with(HOST, foreign)).is_err(), "{foreign}");
        }
        let from = |origin: &str| {
            let mut headers = local.clone();
            headers.insert(ORIGIN, HeaderValue::from_str(origin).expect("a plain value"));
            open.caller(&headers)
        };
        for ours in ["http://localhost:8080", "http://127.0.0.1:3000", "http://[::1]:8080"] {
            assert!(from(ours).is_ok(), "{ours}");
        }
        for foreign in ["https://evil.example", "null", "http://localhost.evil.example"] {
            assert!(from(foreign).is_err(), "{foreign}");
        }
    }
}
