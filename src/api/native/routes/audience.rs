//! `/audience`: what a person is told who writes conditions.

use actix_web::web::Data;

use super::Answer;
use crate::{
    api::{
        ApiState,
        extract::Params,
        native::{
            answer,
            request::{Body, Caller, Query, Read},
            wire::audience::{ExplainBody, ExplanationJson, KeyJson, ValueJson},
        },
    },
    domain::{Error, Result, timestamp::Timestamp},
};

/// How many keys or values are answered unless asked.
const DEFAULT_LIMIT: u64 = 20;

/// `GET /audience/properties`: property keys by how they begin.
pub async fn properties(caller: Caller<Read>, state: Data<ApiState>, query: Query) -> Answer {
    let mut params = query.0;
    let (prefix, limit) = beginning(&mut params)?;
    params.finish()?;
    let keys = state.services.audience.keys(caller.app(), &prefix, limit).await?;
    Ok(answer::success(keys.iter().map(KeyJson::new).collect::<Vec<_>>()))
}

/// `GET /audience/values`: values of a key by how they begin.
pub async fn values(caller: Caller<Read>, state: Data<ApiState>, query: Query) -> Answer {
    let mut params = query.0;
    let key = params.take("key")?.ok_or_else(|| Error::invalid("key", "is required"))?;
    let (prefix, limit) = beginning(&mut params)?;
    params.finish()?;
    let values = state.services.audience.values(caller.app(), &key, &prefix, limit).await?;
    Ok(answer::success(values.iter().map(ValueJson::new).collect::<Vec<_>>()))
}

/// `POST /audience/:explain`: why a device satisfies conditions, or does not, part by part.
pub async fn explain(
    caller: Caller<Read>,
    state: Data<ApiState>,
    body: Body<ExplainBody>,
) -> Answer {
    let (audience, now) = (&state.services.audience, Timestamp::now());
    let ExplainBody { external_id, conditions } = body.0;
    let conditions = conditions.unwrap_or_default();
    let explanation = audience.explain(caller.app(), &external_id, &conditions, now).await?;
    Ok(answer::success(ExplanationJson::new(&conditions, &explanation)))
}

/// Takes `prefix` and `limit`.
fn beginning(params: &mut Params) -> Result<(String, usize)> {
    let prefix = params.take("prefix")?.unwrap_or_default();
    let limit = params.number("limit")?.unwrap_or(DEFAULT_LIMIT);
    Ok((prefix, usize::try_from(limit).unwrap_or(usize::MAX)))
}
