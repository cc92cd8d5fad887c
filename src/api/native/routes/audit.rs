//! `/audit`: who did what.

use actix_web::web::Data;

use super::Answer;
use crate::{
    api::{
        ApiState,
        native::{
            answer,
            request::{Admin, Anyone, Query},
            wire::audit::AuditJson,
        },
    },
    domain::{audit::Action, timestamp::Timestamp},
    services::AuditQuery,
};

/// `GET /audit`: newest first; of the caller's app, or for an operator of all.
pub async fn list(caller: Anyone<Admin>, state: Data<ApiState>, query: Query) -> Answer {
    let mut params = query.0;
    let (start, size) = params.page()?;
    let actions = params.words("action", Action::from_name)?;
    let target = params.take("target")?;
    let actor = params.take("actor")?;
    params.finish()?;
    let query = AuditQuery { app: caller.sees(), actions, target, actor, start, size };
    let found = state.services.audit.list(&query, Timestamp::now()).await?;
    let rows: Vec<_> = found.items.iter().map(AuditJson::new).collect();
    Ok(answer::stretch(rows, found.total))
}
