//! `/v4/push`: a push is a notification that is created and launched; its message id is the
//! notification's number.

use actix_web::web::{Data, Path};
use serde::Serialize;
use serde_json::Value;

use super::{
    Answer,
    answer::found,
    error::{Failure, PUSH_UNKNOWN_DEVICE, PUSH_WRONG},
    message::Push,
    request::{Body, Sender},
};
use crate::{
    api::ApiState,
    domain::{ids::AppName, notification::Status, timestamp::Timestamp},
    services::Services,
};

#[derive(Serialize)]
struct Sent {
    request_id: String,
    msg_id: String,
}

/// `POST /v4/push`
pub async fn send(caller: Sender, state: Data<ApiState>, body: Body<Push>) -> Answer {
    let push = body.0.map_err(Failure::of_push)?;
    found(&launch(&state.services, &caller.0, push, false).await?)
}

/// `POST /v4/push/validate`: a dry run, through everything but the provider.
pub async fn validate(caller: Sender, state: Data<ApiState>, body: Body<Push>) -> Answer {
    let push = body.0.map_err(Failure::of_push)?;
    found(&launch(&state.services, &caller.0, push, true).await?)
}

async fn launch(
    services: &Services,
    app: &AppName,
    push: Push,
    dry_run: bool,
) -> Result<Sent, Failure> {
    let request_id = push.request_id.as_ref().map(text);
    let read = push.read(app)?;
    let devices = match &read.registration_ids {
        None => Vec::new(),
        Some(ids) => {
            let found = services.devices.named(app, ids.clone()).await;
            let found = found.map_err(Failure::of_push)?;
            let known = |id: &&String| found.iter().any(|device| device.external_id == **id);
            if let Some(unknown) = ids.iter().find(|id| !known(id)) {
                let shown: String = unknown.chars().take(80).collect();
                let what = format!("to.registration_id: there is no `{shown}`");
                return Err(Failure::push(PUSH_UNKNOWN_DEVICE, what));
            }
            found
        }
    };
    let cid = read.cid.clone().map(|cid| format!("cid:{cid}"));
    let mut edit = read.edit(&devices);
    edit.dry_run = Some(Some(dry_run));
    let (notifications, now) = (&services.notifications, Timestamp::now());
    let made = notifications.create(app, &edit, cid.as_deref(), now).await;
    let made = made.map_err(Failure::of_push)?.notification;
    if made.status == Status::Draft {
        let launched = notifications.launch(app, made.uuid, cid.as_deref(), now).await;
        launched.map_err(Failure::of_push)?;
    }
    let request_id = request_id.unwrap_or_else(|| made.uuid.to_string());
    Ok(Sent { request_id, msg_id: made.id.to_string() })
}

/// A request id is text; some callers send a number.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `DELETE /v4/push/withdraw/{id}`
pub async fn withdraw(caller: Sender, state: Data<ApiState>, id: Path<String>) -> Answer {
    let wrong = || Failure::push(PUSH_WRONG, "msg_id: there is no such message");
    let number: u64 = id.parse().map_err(|_| wrong())?;
    let notifications = &state.services.notifications;
    let stored = notifications.by_number(&caller.0, number).await;
    let uuid = stored.map_err(Failure::of_push)?.notification.uuid;
    let gone = notifications.set_status(&caller.0, uuid, Status::Deleted, Timestamp::now()).await;
    gone.map_err(Failure::of_push)?;
    found(&Sent { request_id: uuid.to_string(), msg_id: number.to_string() })
}
