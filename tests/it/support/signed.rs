//! Requests signed as Moxie's document says, written from it and not from the server's code.

use std::collections::BTreeMap;

use ring::hmac;
use serde::Deserialize;
use time::{OffsetDateTime, macros::format_description};

/// How a request is to be signed.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// The API key.
    pub user: String,
    /// The shared secret.
    pub secret: String,
    /// Now, unless it says so.
    #[serde(default)]
    pub date: Option<String>,
    /// A new one, unless it says so.
    #[serde(default)]
    pub nonce: Option<String>,
    /// Headers to leave out.
    #[serde(default)]
    pub without: Vec<String>,
}

/// The headers that sign a request.
pub fn headers(method: &str, url: &str, sign: &Sign) -> BTreeMap<String, String> {
    let date = sign.date.clone().unwrap_or_else(now);
    let new = || uuid::Uuid::new_v4().simple().to_string();
    let nonce = sign.nonce.clone().unwrap_or_else(new);
    let text = format!("{method}\n{url}\ndate:{date}\nx-hmac-nonce:{nonce}");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, sign.secret.as_bytes());
    let tag = hmac::sign(&key, text.as_bytes());
    let signature: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let all = [
        ("Date", date),
        ("X-HMAC-Nonce", nonce),
        ("X-Moxie-Key", sign.user.clone()),
        ("Authorization", signature),
    ];
    let kept = all.into_iter().filter(|(name, _)| sign.without.iter().all(|left| left != name));
    kept.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn now() -> String {
    let form = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    OffsetDateTime::now_utc().format(form).expect("a date")
}
