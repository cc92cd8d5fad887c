//! `/internal`: for workers of the installation itself, over every app.

use actix_web::web::Data;

use serde_json::json;

use super::Answer;
use crate::{
    api::{
        ApiState,
        native::{
            answer,
            request::{Body, InternalCaller, Uuid},
            wire::internal::{GlobalLimit, LogBody, SentCounts},
        },
    },
    domain::{audit::Action, timestamp::Timestamp},
};

/// `POST /internal/devices/logs/notification:add`: all of them or none; answers how many.
pub async fn log(_: InternalCaller, state: Data<ApiState>, body: Body<LogBody>) -> Answer {
    let (notifications, events) = (&state.services.notifications, body.0.into_domain());
    Ok(answer::success(notifications.log(events, Timestamp::now()).await?))
}

/// `POST /internal/notifications/{uuid}/sent:increase`: answers the totals after it.
pub async fn report(
    _: InternalCaller,
    state: Data<ApiState>,
    uuid: Uuid,
    body: Body<SentCounts>,
) -> Answer {
    let counts = body.0.into_domain();
    let totals = state.services.notifications.report(uuid.0, counts).await?;
    Ok(answer::success(SentCounts::new(&totals)))
}

/// `PUT /internal/limits`: the rate over every app; null is the settings' own again.
pub async fn change_limits(
    caller: InternalCaller,
    state: Data<ApiState>,
    body: Body<GlobalLimit>,
) -> Answer {
    let in_force = state.services.status.change_global_rate(body.0.global).await?;
    caller.note(Action::LimitsChanged, json!({ "global": in_force })).await;
    Ok(answer::success(GlobalLimit { global: Some(in_force) }))
}

/// `GET /internal/state`: what the engine's actors are doing.
pub async fn state(_: InternalCaller, state: Data<ApiState>) -> Answer {
    Ok(answer::success(state.services.status.engine_state().await))
}
