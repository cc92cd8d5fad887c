//! Layers the three sources and reads them into [`Settings`].
//!
//! Environment values enter as text, never guessed: `0123456789` stays ten characters, and fields of
//! other types read text (see `lenient`). Lists of sections become maps by index, so that the
//! environment can override one app's one key.

use std::path::Path;

use figment::{
    Error, Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use super::{DEFAULTS, Problem, Settings, SettingsErrors, collect};

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
        let defaults = Figment::from(Indexed(Toml::string(DEFAULTS)));
        let mut figment = defaults.clone();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).map_err(|error| {
                one_problem("--config", format!("cannot read {}: {error}", path.display()))
            })?;
            if text.trim().is_empty() {
                // Whoever names a file means its apps and keys; without them the server would be open.
                let empty = format!("{} is empty; it may still be being written", path.display());
                return Err(one_problem("--config", empty));
            }
            figment = figment.merge(Indexed(Toml::string(&text)));
        }
        for (name, value) in environment {
            let Some(key) = name.strip_prefix(PREFIX) else { continue };
            figment = figment.merge((key.to_ascii_lowercase().replace("__", "."), value));
        }
        collect::read(tree(&figment)?, &tree(&defaults)?)
    }
}

/// The sources over each other, not yet read.
fn tree(figment: &Figment) -> Result<Value, SettingsErrors> {
    let told = |errors: Error| errors.into_iter().map(|error| collect::problem(&error)).collect();
    figment.extract::<Dict>().map(Value::from).map_err(|errors| SettingsErrors(told(errors)))
}

/// Variables that look like settings but are none, for want of an underscore, each with what was
/// likely meant: `FANFARE_SERVER_BIND` and `FANFARE__SERVER__BIND`.
pub fn lookalikes(names: impl Iterator<Item = String>) -> Vec<(String, String)> {
    let meant = |name: &str| {
        let rest = name.strip_prefix("FANFARE_").filter(|rest| !rest.starts_with('_'))?;
        let (section, mut rest) = rest.split_once('_')?;
        if ![
            "SERVER",
            "STORAGE",
            "CLUSTER",
            "APPS",
            "INTERNAL",
            "LIMITS",
            "DIALECTS",
            "LOG",
            "TELEMETRY",
        ]
        .contains(&section)
        {
            return None;
        }
        let mut meant = format!("{PREFIX}{section}");
        rest = rest.trim_start_matches('_');
        // Sections within sections: an app's number, its keys, its providers.
        while let Some((part, behind)) = rest.split_once('_')
            && section == "APPS"
            && (part.parse::<usize>().is_ok() || ["APNS", "FCM"].contains(&part))
        {
            meant = format!("{meant}__{part}");
            rest = behind.trim_start_matches('_');
        }
        Some(format!("{meant}__{rest}"))
    };
    let pair = |name: String| meant(&name).map(|meant| (name, meant));
    names.filter_map(pair).collect()
}

fn one_problem(key: &str, what: String) -> SettingsErrors {
    SettingsErrors(vec![Problem { key: key.to_owned(), what }])
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
        let file = Some(written.path()).filter(|_| !file.is_empty());
        Settings::load_with(file, environment)
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

    #[test]
    fn no_problem_hides_another() {
        let keys = |file: &str, environment: &[(&str, &str)]| {
            let problems = load(file, environment).expect_err("refused").0;
            let mut keys: Vec<_> = problems.into_iter().map(|problem| problem.key).collect();
            keys.sort();
            keys
        };
        let file = "[server]\nbnid = 'x'\n[limits]\nfoo = 1\npage_size = 0\nshards = 0\n";
        let wanted = ["limits.foo", "limits.page_size", "limits.shards", "server.bnid"];
        assert_eq!(keys(file, &[]), wanted);
        let file = "[server]\nbind = 8080\nworkers = 'many'\n[[apps]]\nname = 5\nsecret = true\n\
                    [[apps.api_keys]]\nname = 'k'\nscopes = 'fly'\n[apps.apns]\nenvironment = 'x'\n";
        let wanted = [
            "apps[0].api_keys[0].scopes",
            "apps[0].api_keys[0].secret",
            "apps[0].apns.environment",
            "apps[0].apns.key_file",
            "apps[0].apns.topic",
            "apps[0].secret",
            "server.bind",
            "server.workers",
        ];
        assert_eq!(keys(file, &[]), wanted);
        let file = "[storage]\nkind = 'sqlite'\npath = ''\nretention_days = -1\n";
        let wanted = ["storage.kind", "storage.path", "storage.retention_days"];
        assert_eq!(keys(file, &[]), wanted);
        let file = "server = 5\napps = 'x'\n[internal]\nkeys = ['0123456789abcdef', {}]\n";
        assert!(keys(file, &[]).starts_with(&["apps".to_owned()]), "{:?}", keys(file, &[]));
        let alone = keys("", &[("FANFARE__APPS__5__NAME", "a"), ("FANFARE__LOG__FORMAT", "x")]);
        assert_eq!(alone, ["apps[5]", "log.format"]);
    }

    #[test]
    fn a_wrong_choice_is_told_with_the_right_ones() {
        let told = load("[storage]\nkind = 'sqlite'", &[]).expect_err("refused").to_string();
        assert_eq!(told, "storage.kind: `sqlite` is not one of: embedded, mongodb");
    }

    #[test]
    fn a_name_short_of_an_underscore_is_noticed() {
        let meant = |name: &str| lookalikes(std::iter::once(name.to_owned())).pop().map(|p| p.1);
        let cases = [
            ("FANFARE_SERVER_BIND", "FANFARE__SERVER__BIND"),
            ("FANFARE_SERVER__BIND", "FANFARE__SERVER__BIND"),
            ("FANFARE_LIMITS_PAGE_SIZE", "FANFARE__LIMITS__PAGE_SIZE"),
            ("FANFARE_APPS_0_APNS_KEY_ID", "FANFARE__APPS__0__APNS__KEY_ID"),
        ];
        for (name, wanted) in cases {
            assert_eq!(meant(name).as_deref(), Some(wanted));
        }
        for other in ["FANFARE__SERVER__BIND", "FANFARE_VERSION", "PATH", "FANFARE_HOME_DIR"] {
            assert_eq!(meant(other), None, "{other}");
        }
    }
}
