//! The rates that can be changed while the installation runs, and their names.

use super::{device::SendPlatform, ids::AppName};

/// What a rate is over. Rates are in pushes per second of the whole installation, 0 meaning no limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rate {
    /// Every app.
    Global,
    /// One app.
    App(AppName),
    /// One app's pushes through APNs.
    Apns(AppName),
    /// One app's pushes through FCM.
    Fcm(AppName),
}

/// A change of one rate: to so many per second, or with none back to what the settings say.
pub type RateChange = (Rate, Option<u32>);

impl Rate {
    /// An app's rate through a provider; e-mail has none of its own.
    pub fn of(app: &AppName, provider: SendPlatform) -> Option<Self> {
        let kind = match provider {
            SendPlatform::Apns => Self::Apns,
            SendPlatform::Fcm => Self::Fcm,
            SendPlatform::Unknown | SendPlatform::Email => return None,
        };
        Some(kind(app.clone()))
    }

    /// The one text that names it, as the stores keep it.
    pub fn key(&self) -> String {
        match self {
            Self::Global => "global".to_owned(),
            Self::App(app) => format!("app/{app}"),
            Self::Apns(app) => format!("apns/{app}"),
            Self::Fcm(app) => format!("fcm/{app}"),
        }
    }

    /// The rate of this name; none where a newer program has named another.
    pub fn from_key(key: &str) -> Option<Self> {
        if key == "global" {
            return Some(Self::Global);
        }
        let (kind, app) = key.split_once('/')?;
        let kind = match kind {
            "app" => Self::App,
            "apns" => Self::Apns,
            "fcm" => Self::Fcm,
            _ => return None,
        };
        Some(kind(AppName::new(app)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rate_is_found_by_its_name() {
        let app = || AppName::new("a.b/c");
        for rate in [Rate::Global, Rate::App(app()), Rate::Apns(app()), Rate::Fcm(app())] {
            assert_eq!(Rate::from_key(&rate.key()), Some(rate));
        }
        assert_eq!(Rate::from_key("webpush/shop"), None);
    }
}
