//! A tenant as the store keeps it: its credentials sealed, the rest in the open.

use serde::{Deserialize, Serialize};

use crate::{
    domain::{ids::AppName, timestamp::Timestamp},
    services::credentials::Credentials,
};

/// What the document of a tenant says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The app it is to the rest of the house. A tenant made anew under the same id is another app.
    pub app: AppName,
    /// When it was made.
    pub created_at: Timestamp,
    /// Why it may not send, where it may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<String>,
    /// How it proves itself to the providers.
    #[serde(flatten)]
    pub credentials: Credentials,
}

impl Record {
    /// A tenant that can do nothing yet.
    pub fn new(app: AppName, now: Timestamp) -> Self {
        Self { app, created_at: now, suspended: None, credentials: Credentials::default() }
    }
}
