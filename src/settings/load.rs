//! Layers the three sources and reads them into [`Settings`].
//!
//! Environment values enter as text, never guessed: `0123456789` stays ten characters, and fields of
//! other types read text (see `lenient`). Lists of sections become maps by index, so that the
//! environment can override one app's one key.

use std::path::Path;

use figment::{
    Error, Figment, Metadata, Profile, Provider,
    error::Kind,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use super::{DEFAULTS, Problem, Settings, SettingsErrors};

/// What names of our environment variables begin with.
const PREFIX: &str = "FANFARE__";

impl Settings {
    /// Reads the defaults, `file` over them, and the environment over both.
    pub fn load(file: Option<&Path>) -> Result<Self, SettingsErrors> {
        let readable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::load_with(file, std::env::vars_os().filter_map(readable))
    }

    /// As [`Self::load`], with the environment passed in.
    pub fn load_with(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, SettingsErrors> {
        let mut figment = Figment::from(Indexed(Toml::string(DEFAULTS)));
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).map_err(|error| {
                one_problem("--config", format!("cannot read {}: {error}", path.display()))
            })?;
            figment = figment.merge(Indexed(Toml::string(&text)));
        }
        for (name, value) in environment {
            let Some(key) = name.strip_prefix(PREFIX) else { continue };
            figment = figment.merge((key.to_ascii_lowercase().replace("__", "."), value));
        }
        figment.extract().map_err(|errors| SettingsErrors(errors.into_iter().map(told).collect()))
    }
}

fn one_problem(key: &str, what: String) -> SettingsErrors {
    SettingsErrors(vec![Problem { key: key.to_owned(), what }])
}

fn told(error: Error) -> Problem {
    let mut path = error.path.clone();
    let what = match &error.kind {
        Kind::UnknownField(name, known) => {
            name_last(&mut path, name);
            format!("is not a setting; known here: {}", known.join(", "))
        }
        Kind::MissingField(name) => {
            name_last(&mut path, name);
            "is missing".to_owned()
        }
        kind => kind.to_string(),
    };
    let key = if path.is_empty() { "configuration".to_owned() } else { key_path(&path) };
    Problem { key, what }
}

/// Ends the path in the field's own name, which figment adds in some cases and in others does not.
fn name_last(path: &mut Vec<String>, name: &str) {
    if path.last().is_none_or(|last| last != name) {
        path.push(name.to_owned());
    }
}

/// `apps`, `1`, `name` is `apps[1].name`.
fn key_path(path: &[String]) -> String {
    let mut key = String::new();
    for part in path {
        if part.parse::<usize>().is_ok() {
            key.push_str(&format!("[{part}]"));
        } else {
            if !key.is_empty() {
                key.push('.');
            }
            key.push_str(part);
        }
    }
    key
}

/// A source whose lists of sections are maps by index.
struct Indexed<P>(P);

impl<P: Provider> Provider for Indexed<P> {
    fn metadata(&self) -> Metadata {
        self.0.metadata()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let data = self.0.data()?;
        Ok(data.into_iter().map(|(profile, dict)| (profile, index_dict(dict))).collect())
    }
}

fn index_dict(dict: Dict) -> Dict {
    dict.into_iter().map(|(key, value)| (key, index_value(value))).collect()
}

fn index_value(value: Value) -> Value {
    match value {
        Value::Dict(tag, dict) => Value::Dict(tag, index_dict(dict)),
        Value::Array(tag, items) if items.iter().any(|item| item.as_dict().is_some()) => {
            let items = items.into_iter().enumerate();
            let by_index = items.map(|(index, item)| (index.to_string(), index_value(item)));
            Value::Dict(tag, by_index.collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsErrors> {
        let mut written = tempfile::NamedTempFile::new().expect("a temporary file");
        written.write_all(file.as_bytes()).expect("written");
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Settings::load_with(Some(written.path()), environment)
    }

    #[test]
    fn the_defaults_are_complete_and_good() {
        let settings = load("", &[]).expect("the defaults alone");
        assert_eq!(settings.server.bind, "127.0.0.1:8080");
        assert_eq!(settings.limits.fcm_per_second, 10_000);
        assert_eq!(settings.open_app(), Some("default"));
        assert_eq!(settings.validate(), Ok(()));
    }

    #[test]
    fn the_environment_overrides_one_key_of_one_app_and_keeps_its_text() {
        let file = "[[apps]]\nname = 'a'\n[[apps]]\nname = 'b'\n[apps.apns]\ntopic = 't'\n";
        let settings = load(
            file,
            &[
                ("FANFARE__APPS__1__APNS__KEY_ID", "0123456789"),
                ("FANFARE__APPS__1__KEY", "true"),
                ("FANFARE__APPS__1__API_KEYS__0__NAME", "1"),
                ("FANFARE__APPS__1__API_KEYS__0__SECRET", "1e5"),
                ("FANFARE__APPS__1__API_KEYS__0__SCOPES", "read, send"),
                ("FANFARE__INTERNAL__KEYS", "123,true"),
                ("FANFARE__LIMITS__SHARDS", "4"),
                ("FANFARE__STORAGE__PATH", "7"),
                ("PATH", "/bin"),
            ],
        )
        .expect("good");
        let app = &settings.apps[1];
        assert_eq!((app.name.as_str(), app.key.as_deref()), ("b", Some("true")));
        let apns = app.apns.as_ref().expect("configured");
        assert_eq!((apns.topic.as_str(), apns.key_id.as_deref()), ("t", Some("0123456789")));
        assert_eq!(app.api_keys[0].secret.expose(), "1e5");
        assert_eq!(app.api_keys[0].scopes, ["read", "send"]);
        let keys: Vec<_> =
            settings.internal.keys.iter().map(super::super::Secret::expose).collect();
        assert_eq!(keys, ["123", "true"]);
        assert_eq!((settings.limits.shards, settings.storage.path.to_str()), (4, Some("7")));
    }

    #[test]
    fn a_bare_number_in_a_file_is_text_where_text_is_meant() {
        let file = "[[apps]]\nname = 5\nkey = 123\n[apps.apns]\ntopic = 't'\nkey_id = 1234567890";
        let settings = load(file, &[]).expect("good");
        assert_eq!(settings.apps[0].key.as_deref(), Some("123"));
        let apns = settings.apps[0].apns.as_ref().expect("configured");
        assert_eq!(apns.key_id.as_deref(), Some("1234567890"));
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_named() {
        let told = |file: &str, environment: &[(&str, &str)]| {
            load(file, environment).expect_err("refused").to_string()
        };
        let server = told("[server]\nbnd = 'x'", &[]);
        assert!(server.starts_with("server.bnd: is not a setting"), "{server}");
        let app = "[[apps]]\nname = 'a'\n[[apps]]\nname = 'b'\nsecrt = 'x'";
        assert!(told(app, &[]).starts_with("apps[1].secrt: "), "{}", told(app, &[]));
        assert!(told("[[apps]]\nkey = 'x'", &[]).starts_with("apps[0].name: is missing"));
        let wrong = told("", &[("FANFARE__LIMITS__SHARDS", "many")]);
        assert!(wrong.starts_with("limits.shards: "), "{wrong}");
        assert!(told("", &[("FANFARE__NOPE__X", "1")]).starts_with("nope: "));
    }
}
