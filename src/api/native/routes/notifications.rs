//! `/notifications`

use std::collections::BTreeMap;

use actix_web::web::Data;

use serde_json::json;

use super::Answer;
use crate::{
    api::{
        ApiState,
        extract::Params,
        native::{
            answer,
            request::{Body, Caller, IdempotencyHeader, OptionalBody, Query, Read, Send, Uuid},
            revision::{self, IfMatch},
            wire::{
                audit::TimelineJson,
                enums::WireEnum,
                notifications::{
                    FailureJson, NotificationBody, NotificationJson, PreviewJson, RateBody,
                    ResendBody, StatusBody, TestBody, TrialJson,
                },
            },
        },
    },
    domain::{
        Error, audit::Action, campaign::FailureFilter, device::DevicePlatform,
        notification::Status, timestamp::Timestamp,
    },
    services::{
        NotificationField, NotificationQuery,
        notifications::{CreationKey, Moved, NotificationView},
    },
};

const FIELDS: [(&str, NotificationField); 7] = [
    ("id", NotificationField::Id),
    ("uuid", NotificationField::Uuid),
    ("title", NotificationField::Title),
    ("status", NotificationField::Status),
    ("scheduled_at", NotificationField::ScheduledAt),
    ("created_at", NotificationField::CreatedAt),
    ("modified_at", NotificationField::ModifiedAt),
];

/// Longest text to search titles for.
const MAX_SEARCH_CHARS: usize = 200;

/// `POST /notifications`: writes a DRAFT; safe to repeat with an `Idempotency-Key`.
pub async fn create(
    caller: Caller<Send>,
    state: Data<ApiState>,
    key: IdempotencyHeader,
    body: Body<NotificationBody>,
) -> Answer {
    let (notifications, edit) = (&state.services.notifications, body.0.into_edit());
    let key = key.0.as_deref().map(|key| CreationKey::new(key, &edit));
    shown(&notifications.create(caller.app(), &edit, key, Timestamp::now()).await?)
}

/// `GET /notifications`
pub async fn list(caller: Caller<Read>, state: Data<ApiState>, query: Query) -> Answer {
    let mut params = query.0;
    let (start, size) = params.page()?;
    let statuses = params.words("status", Status::from_text)?;
    let search = searched(&mut params)?;
    let order_by = params.order_bys(&FIELDS)?;
    params.finish()?;
    let query = NotificationQuery { statuses, search, order_by, start, size };
    let found = state.services.notifications.list(caller.app(), &query).await?;
    let rows: Vec<_> = found.items.iter().map(NotificationJson::new).collect();
    Ok(answer::stretch(rows, found.total))
}

/// `GET /notifications/{uuid}`
pub async fn show(caller: Caller<Read>, state: Data<ApiState>, uuid: Uuid) -> Answer {
    shown(&state.services.notifications.get(caller.app(), uuid.0).await?)
}

/// `GET /notifications/{uuid}/timeline`: what befell it, oldest first.
pub async fn timeline(caller: Caller<Read>, state: Data<ApiState>, uuid: Uuid) -> Answer {
    let view = state.services.notifications.get(caller.app(), uuid.0).await?;
    let rows = state.services.audit.timeline(&view.notification, Timestamp::now()).await?;
    Ok(answer::success(rows.iter().map(TimelineJson::new).collect::<Vec<_>>()))
}

/// `PUT /notifications/{uuid}`: changes a DRAFT.
pub async fn edit(
    caller: Caller<Send>,
    state: Data<ApiState>,
    uuid: Uuid,
    seen: IfMatch,
    body: Body<NotificationBody>,
) -> Answer {
    let (notifications, edit) = (&state.services.notifications, body.0.into_edit());
    shown(&notifications.edit(caller.app(), uuid.0, &edit, &seen.0, Timestamp::now()).await?)
}

/// `POST /notifications/{uuid}/:launch`: safe to repeat with an `Idempotency-Key`.
pub async fn launch(
    caller: Caller<Send>,
    state: Data<ApiState>,
    uuid: Uuid,
    key: IdempotencyHeader,
    seen: IfMatch,
) -> Answer {
    let (notifications, key) = (&state.services.notifications, key.0.as_deref());
    let launched = notifications.launch(caller.app(), uuid.0, key, &seen.0, Timestamp::now());
    moved(&caller, launched.await?).await
}

/// `POST /notifications/-/:preview`: what the app's providers would be sent; nothing is stored.
pub async fn preview(
    caller: Caller<Read>,
    state: Data<ApiState>,
    body: Body<NotificationBody>,
) -> Answer {
    let (notifications, edit) = (&state.services.notifications, body.0.into_edit());
    let previews = notifications.preview(caller.app(), &edit, Timestamp::now())?;
    let named = previews.iter().map(|(provider, one)| (provider.name(), PreviewJson::new(one)));
    Ok(answer::success(named.collect::<BTreeMap<_, _>>()))
}

/// `POST /notifications/{uuid}/:test`: pushes it to a few named devices, now.
pub async fn test(
    caller: Caller<Send>,
    state: Data<ApiState>,
    uuid: Uuid,
    seen: IfMatch,
    body: Body<TestBody>,
) -> Answer {
    let (notifications, external_ids) = (&state.services.notifications, body.0.external_ids);
    let trials = notifications.try_out(caller.app(), uuid.0, external_ids, &seen.0).await?;
    let named: Vec<_> = trials.iter().map(|trial| &trial.external_id).collect();
    let accepted = trials.iter().filter(|trial| trial.failure.is_none()).count();
    let details = json!({ "external_ids": named, "accepted": accepted });
    caller.note(Action::NotificationTested, uuid.0, details).await;
    Ok(answer::success(trials.iter().map(TrialJson::new).collect::<Vec<_>>()))
}

/// `POST /notifications/{uuid}/:resend`: to those that failed, by reason and platform.
pub async fn resend(
    caller: Caller<Send>,
    state: Data<ApiState>,
    uuid: Uuid,
    body: OptionalBody<ResendBody>,
) -> Answer {
    let (notifications, filter) = (&state.services.notifications, body.0.into_filter());
    let platform = filter.platform.map(DevicePlatform::name);
    let details = json!({ "reason": filter.reason, "platform": platform });
    let view = notifications.resend(caller.app(), uuid.0, filter, Timestamp::now()).await?;
    caller.note(Action::NotificationResent, uuid.0, details).await;
    shown(&view)
}

/// `PUT /notifications/{uuid}/status`
pub async fn set_status(
    caller: Caller<Send>,
    state: Data<ApiState>,
    uuid: Uuid,
    body: Body<StatusBody>,
) -> Answer {
    let (notifications, next) = (&state.services.notifications, body.0.status.0);
    let changed = notifications.set_status(caller.app(), uuid.0, next, Timestamp::now()).await?;
    moved(&caller, changed).await
}

/// `PUT /notifications/{uuid}/rate_limit`
pub async fn set_rate(
    caller: Caller<Send>,
    state: Data<ApiState>,
    uuid: Uuid,
    body: Body<RateBody>,
) -> Answer {
    let (notifications, rate) = (&state.services.notifications, body.0.rate_limit);
    let view = notifications.set_rate(caller.app(), uuid.0, rate, Timestamp::now()).await?;
    caller.note(Action::NotificationRateChanged, uuid.0, json!({ "rate_limit": rate })).await;
    shown(&view)
}

/// `GET /notifications/{uuid}/failures`
pub async fn failures(
    caller: Caller<Read>,
    state: Data<ApiState>,
    uuid: Uuid,
    query: Query,
) -> Answer {
    let mut params = query.0;
    let (start, size) = params.page()?;
    let filter = FailureFilter { reason: params.take("reason")?, platform: platform(&mut params)? };
    params.finish()?;
    let notifications = &state.services.notifications;
    let found = notifications.failures(caller.app(), uuid.0, &filter, start, size).await?;
    let rows: Vec<_> = found.items.iter().map(FailureJson::new).collect();
    Ok(answer::stretch(rows, found.total))
}

/// Takes `search`, empty where it is left out.
fn searched(params: &mut Params) -> Result<String, Error> {
    let text = params.take("search")?.unwrap_or_default();
    if text.chars().count() > MAX_SEARCH_CHARS {
        return Err(Error::invalid("search", format!("is over {MAX_SEARCH_CHARS} characters")));
    }
    Ok(text)
}

fn platform(params: &mut Params) -> Result<Option<DevicePlatform>, Error> {
    let Some(text) = params.take("platform")? else { return Ok(None) };
    let wrong = || Error::invalid("platform", format!("must be {}", DevicePlatform::WHAT));
    DevicePlatform::from_text(&text).map(Some).ok_or_else(wrong)
}

/// Records a move, and shows what was moved. A launch that is asked for again with its key is none.
async fn moved(caller: &Caller<Send>, moved: Moved) -> Answer {
    if moved.is_new() {
        caller.note(moved.action(), moved.view.notification.uuid, moved.details()).await;
    }
    shown(&moved.view)
}

fn shown(view: &NotificationView) -> Answer {
    let mut answer = answer::success(NotificationJson::new(view));
    revision::tag(&mut answer, &view.notification);
    Ok(answer)
}
