//! `/v4/tags`, `/v4/tags_count` and `/v4/aliases`.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::web::{Data, Path};
use serde::{Deserialize, Serialize};

use super::{
    Answer,
    answer::{Success, found},
    error::Failure,
    request::{Body, Params, Reader, Registrar},
};
use crate::{
    api::ApiState,
    domain::{ErrorKind, timestamp::Timestamp},
};

#[derive(Serialize)]
struct Counts {
    #[serde(rename = "tagsCount")]
    tags_count: BTreeMap<String, u64>,
}

/// `GET /v4/tags_count`
pub async fn counts(caller: Reader, state: Data<ApiState>, query: Params) -> Answer {
    let tags = query.all("tags");
    for (name, given) in [("tags", tags.is_empty()), ("platform", query.all("platform").is_empty())]
    {
        if given {
            return Err(Failure::illegal(format!("{name}: is required")));
        }
    }
    let platforms = query.platforms()?;
    let counts = state.services.tags.counts(&caller.0, &tags, &platforms).await?;
    found(&Counts { tags_count: tags.into_iter().zip(counts).collect() })
}

#[derive(Serialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

/// `GET /v4/tags`
pub async fn list(caller: Reader, state: Data<ApiState>) -> Answer {
    let tags = state.services.tags.list(&caller.0).await?;
    found(&Tags { tags: Some(tags).filter(|tags| !tags.is_empty()) })
}

#[derive(Serialize)]
struct Quotas {
    data: QuotaData,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QuotaData {
    total_tag_quota: u64,
    use_tag_quota: u64,
    total_alias_quota: u64,
    use_alias_quota: u64,
    tag_uid_quota_detail: Vec<TagQuota>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TagQuota {
    tag_name: String,
    total_uid_quota: u64,
    use_uid_quota: u64,
}

/// `GET /v4/tags/quota-info`
pub async fn quotas(caller: Reader, state: Data<ApiState>, query: Params) -> Answer {
    let (tags, platforms) = (query.all("tags"), query.platforms()?);
    let service = &state.services.tags;
    let counts = service.counts(&caller.0, &tags, &platforms).await?;
    let (usage, quotas) = (service.usage(&caller.0).await?, service.quotas());
    let detail = tags.into_iter().zip(counts).map(|(tag_name, use_uid_quota)| TagQuota {
        tag_name,
        total_uid_quota: quotas.devices_per_tag,
        use_uid_quota,
    });
    found(&Quotas {
        data: QuotaData {
            total_tag_quota: quotas.tags_per_app,
            use_tag_quota: usage.tags,
            total_alias_quota: quotas.aliases_per_app,
            use_alias_quota: usage.aliases,
            tag_uid_quota_detail: detail.collect(),
        },
    })
}

#[derive(Serialize)]
struct IsTagged {
    result: bool,
}

/// `GET /v4/tags/{tag}/registration_ids/{id}`
pub async fn is_tagged(
    caller: Reader,
    state: Data<ApiState>,
    path: Path<(String, String)>,
) -> Answer {
    let (tag, id) = path.into_inner();
    match state.services.devices.get(&caller.0, &id).await {
        Ok(device) => found(&IsTagged { result: device.tags.contains(&tag) }),
        Err(error) if *error.kind() == ErrorKind::NotFound => found(&IsTagged { result: false }),
        Err(error) => Err(error.into()),
    }
}

/// What `POST /v4/tags/{tag}` says.
#[derive(Deserialize)]
pub struct Change {
    registration_ids: Devices,
}

#[derive(Deserialize)]
struct Devices {
    #[serde(default)]
    add: Option<BTreeSet<String>>,
    #[serde(default)]
    remove: Option<BTreeSet<String>>,
}

/// `POST /v4/tags/{tag}`
pub async fn change(
    caller: Registrar,
    state: Data<ApiState>,
    success: Data<Success>,
    tag: Path<String>,
    body: Body<Change>,
) -> Answer {
    let Devices { add, remove } = body.0?.registration_ids;
    let (add, remove) = (add.unwrap_or_default(), remove.unwrap_or_default());
    state.services.tags.change_devices(&caller.0, &tag, add, remove).await?;
    Ok(success.answer())
}

/// `DELETE /v4/tags/{tag}`
pub async fn remove(
    caller: Registrar,
    state: Data<ApiState>,
    success: Data<Success>,
    tag: Path<String>,
    query: Params,
) -> Answer {
    state.services.tags.drop_tag(&caller.0, &tag, &query.platforms()?).await?;
    Ok(success.answer())
}

#[derive(Serialize)]
struct Holders {
    registration_ids: Option<Vec<String>>,
}

/// `GET /v4/aliases/{alias}`
pub async fn of_alias(
    caller: Reader,
    state: Data<ApiState>,
    alias: Path<String>,
    query: Params,
) -> Answer {
    let (tags, platforms) = (&state.services.tags, query.platforms()?);
    let devices = tags.of_alias(&caller.0, &alias, &platforms, Timestamp::now()).await?;
    let ids: Vec<String> = devices.into_iter().map(|device| device.external_id).collect();
    found(&Holders { registration_ids: Some(ids).filter(|ids| !ids.is_empty()) })
}

/// `DELETE /v4/aliases/{alias}`
pub async fn remove_alias(
    caller: Registrar,
    state: Data<ApiState>,
    success: Data<Success>,
    alias: Path<String>,
    query: Params,
) -> Answer {
    state.services.tags.drop_alias(&caller.0, &alias, &query.platforms()?).await?;
    Ok(success.answer())
}
