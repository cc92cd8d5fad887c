//! `/limits`: an app's own rates.

use actix_web::web::Data;

use serde_json::json;

use super::Answer;
use crate::{
    api::{
        ApiState,
        native::{
            answer,
            request::{Admin, Body, Caller},
            wire::internal::LimitsBody,
        },
    },
    domain::audit::Action,
};

/// `GET /limits`
pub async fn show(caller: Caller<Admin>, state: Data<ApiState>) -> Answer {
    Ok(answer::success(state.services.status.rates(caller.app())))
}

/// `PUT /limits`: what is left out stays, null is the settings' own again; `global` is not the app's to
/// change.
pub async fn change(
    caller: Caller<Admin>,
    state: Data<ApiState>,
    body: Body<LimitsBody>,
) -> Answer {
    let change = body.0.into_domain();
    let rates = state.services.status.change_rates(caller.app(), change).await?;
    caller.note(Action::LimitsChanged, caller.app(), json!(rates)).await;
    Ok(answer::success(rates))
}
