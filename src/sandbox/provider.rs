//! The providers whose gateways the sandbox plays.

use serde::Serialize;

/// A push provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    Apns,
    Fcm,
    Mail,
}

impl Provider {
    /// As it is written in records, queries and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apns => "apns",
            Self::Fcm => "fcm",
            Self::Mail => "mail",
        }
    }

    /// The reverse of [`Provider::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "apns" => Some(Self::Apns),
            "fcm" => Some(Self::Fcm),
            "mail" => Some(Self::Mail),
            _ => None,
        }
    }
}
