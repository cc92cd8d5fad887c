//! `/v4/devices`: what a device's tags and alias are, who is online, and how devices register.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actix_web::web::{Data, Path};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, macros::format_description};

use super::{
    Answer,
    answer::{Success, found},
    error::{Failure, PUSH_WRONG},
    request::{Body, Reader, Registrar, platform},
};
use crate::{
    api::ApiState,
    domain::{
        Error, ErrorKind,
        device::{Device, SendPlatform},
        labels::LabelEdit,
        timestamp::Timestamp,
    },
    services::tokens::Named,
};

/// Seen within this time, a device is online.
const ONLINE: Duration = Duration::from_secs(10 * 60);
/// When it was seen is told for this long.
const TOLD: Duration = Duration::from_secs(2 * 24 * 3600);
/// Most devices of one question.
const MAX_ASKED: usize = 1000;

#[derive(Serialize)]
struct Shown<'a> {
    tags: Option<&'a BTreeSet<String>>,
    alias: Option<&'a str>,
}

/// `GET /v4/devices/{id}`
pub async fn show(caller: Reader, state: Data<ApiState>, id: Path<String>) -> Answer {
    let device = state.services.devices.get(&caller.0, &id).await;
    let device = device.map_err(|error| unknown(error, &id))?;
    let tags = Some(&device.tags).filter(|tags| !tags.is_empty());
    found(&Shown { tags, alias: device.alias.as_deref() })
}

/// `DELETE /v4/devices/{id}`
pub async fn remove(
    caller: Registrar,
    state: Data<ApiState>,
    success: Data<Success>,
    id: Path<String>,
) -> Answer {
    let removed = state.services.devices.remove(&caller.0, &id).await;
    removed.map_err(|error| unknown(error, &id))?;
    Ok(success.answer())
}

/// What `POST /v4/devices/{id}` may say.
#[derive(Deserialize)]
pub struct Change {
    #[serde(default)]
    tags: Option<TagsChange>,
    #[serde(default)]
    alias: Option<String>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "`tags` must be an empty text, or `add` and `remove` with lists of text"
)]
enum TagsChange {
    /// The empty text: every tag goes.
    Text(String),
    Lists {
        #[serde(default)]
        add: Option<BTreeSet<String>>,
        #[serde(default)]
        remove: Option<BTreeSet<String>>,
    },
}

/// `POST /v4/devices/{id}`
pub async fn change(
    caller: Registrar,
    state: Data<ApiState>,
    success: Data<Success>,
    id: Path<String>,
    body: Body<Change>,
) -> Answer {
    let Change { tags, alias } = body.0?;
    let alias = alias.map(|alias| Some(alias).filter(|alias| !alias.is_empty()));
    let mut edit = LabelEdit { external_id: id.into_inner(), alias, ..LabelEdit::default() };
    match tags {
        None => {}
        Some(TagsChange::Text(text)) if text.is_empty() => edit.clear_tags = true,
        Some(TagsChange::Text(_)) => {
            return Err(Failure::illegal(
                "tags: must be empty, or an object of `add` and `remove`",
            ));
        }
        Some(TagsChange::Lists { add, remove }) => {
            (edit.add, edit.remove) = (add.unwrap_or_default(), remove.unwrap_or_default());
        }
    }
    state.services.tags.change(&caller.0, edit).await?;
    Ok(success.answer())
}

/// Which devices `POST /v4/devices/status` is about.
#[derive(Deserialize)]
pub struct Asked {
    registration_ids: Vec<String>,
}

#[derive(Serialize)]
struct Status<'a> {
    regid: &'a str,
    online: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_online_time: Option<String>,
}

/// `POST /v4/devices/status`
pub async fn status(caller: Reader, state: Data<ApiState>, body: Body<Asked>) -> Answer {
    let asked = body.0?.registration_ids;
    if asked.len() > MAX_ASKED {
        let what = format!("registration_ids: has over {MAX_ASKED} registration ids");
        return Err(Failure::illegal(what));
    }
    let devices = state.services.devices.named(&caller.0, asked.clone()).await?;
    let devices: BTreeMap<&str, &Device> =
        devices.iter().map(|device| (device.external_id.as_str(), device)).collect();
    let missing: Vec<String> =
        asked.iter().filter(|id| !devices.contains_key(id.as_str())).cloned().collect();
    if !missing.is_empty() {
        return Err(Failure::unknown_devices(&missing));
    }
    let now = Timestamp::now();
    let shown = asked.iter().filter_map(|id| devices.get(id.as_str()));
    found(&shown.map(|device| seen(device, now)).collect::<Vec<_>>())
}

fn seen(device: &Device, now: Timestamp) -> Status<'_> {
    let ago = device.last_seen.until(now);
    let online = ago <= ONLINE;
    let told = !online && ago <= TOLD;
    let last_online_time = told.then(|| written(device.last_seen)).flatten();
    Status { regid: &device.external_id, online, last_online_time }
}

fn written(at: Timestamp) -> Option<String> {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    OffsetDateTime::from_unix_timestamp(at.seconds()).ok()?.format(format).ok()
}

/// What `POST /v4/devices/token/registration_id` may say. EngageLab's `apns_production` is the app's own
/// setting here.
#[derive(Deserialize)]
pub struct Tokens {
    platform: String,
    tokens: Vec<String>,
}

#[derive(Serialize)]
struct Registered<'a> {
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_id: Option<String>,
    is_new: bool,
    code: u32,
    message: String,
}

impl<'a> Registered<'a> {
    fn of(token: &'a str, named: Result<Named, Error>) -> Self {
        match named {
            Ok(Named { external_id, is_new }) => Self {
                token,
                registration_id: Some(external_id),
                is_new,
                code: 0,
                message: "success".to_owned(),
            },
            Err(error) => Self {
                token,
                registration_id: None,
                is_new: false,
                code: PUSH_WRONG,
                message: error.public_message(),
            },
        }
    }
}

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<Registered<'a>>,
}

/// `POST /v4/devices/token/registration_id`
pub async fn register(caller: Registrar, state: Data<ApiState>, body: Body<Tokens>) -> Answer {
    let body = body.0?;
    let known = || Failure::illegal("platform: must be android, ios, web or hmos");
    let (device, provider) = platform(&body.platform).ok_or_else(known)?;
    let tokens = &state.services.tokens;
    let now = Timestamp::now();
    let meant: Vec<String> = body.tokens.iter().map(|token| meant(provider, token)).collect();
    let named = tokens.register(&caller.0, provider, device, &meant, now).await?;
    let results = body.tokens.iter().zip(named).map(|(token, named)| Registered::of(token, named));
    found(&Results { results: results.collect() })
}

/// A token as it is kept: Apple's are hexadecimal, so the same in upper case and in lower.
fn meant(provider: SendPlatform, token: &str) -> String {
    let hexadecimal = token.bytes().all(|byte| byte.is_ascii_hexdigit());
    match provider {
        SendPlatform::Apns if hexadecimal => token.to_ascii_lowercase(),
        _ => token.to_owned(),
    }
}

fn unknown(error: Error, id: &str) -> Failure {
    match error.kind() {
        ErrorKind::NotFound => Failure::unknown_devices(&[id.to_owned()]),
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_document_shows_them() {
        assert_eq!(written(Timestamp(1_418_727_427_999)).as_deref(), Some("2014-12-16 10:57:07"));
    }
}
