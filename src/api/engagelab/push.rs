//! `/v4/push`: a push is a notification that is created and launched; its message id is the
//! notification's number.

use actix_web::web::{Data, Path};
use serde::Serialize;
use serde_json::Value;

use super::{
    Answer,
    answer::found,
    error::{Failure, PUSH_UNKNOWN_DEVICE, PUSH_WRONG},
    message::{Push, Read},
    request::{Body, Sender},
};
use crate::{
    api::ApiState,
    domain::{
        Error, ErrorKind,
        device::Device,
        ids::AppName,
        notification::{Notification, Status},
        timestamp::Timestamp,
    },
    services::{
        Services,
        notifications::{CreationKey, NotificationEdit, Seen},
    },
};

#[derive(Serialize)]
struct Sent {
    request_id: String,
    msg_id: String,
}

/// `POST /v4/push`
pub async fn send(caller: Sender, state: Data<ApiState>, body: Body<Push>) -> Answer {
    let push = body.0.map_err(Failure::of_push)?;
    found(&launch(&state.services, &caller, push, false).await?)
}

/// `POST /v4/push/validate`: a dry run, through everything but the provider.
pub async fn validate(caller: Sender, state: Data<ApiState>, body: Body<Push>) -> Answer {
    let push = body.0.map_err(Failure::of_push)?;
    found(&launch(&state.services, &caller, push, true).await?)
}

async fn launch(
    services: &Services,
    caller: &Sender,
    push: Push,
    dry_run: bool,
) -> Result<Sent, Failure> {
    let app = &caller.app;
    let request_id = push.request_id.as_ref().map(text);
    let mut read = push.read(app)?;
    // A dry run is no push: it uses up no key.
    let cid = read.cid.take().filter(|_| !dry_run).map(|cid| format!("cid:{cid}"));
    let made = make(services, app, read, cid.as_deref(), dry_run).await?;
    if made.status == Status::Draft {
        let (notifications, now) = (&services.notifications, Timestamp::now());
        let launched = notifications.launch(app, made.uuid, cid.as_deref(), &Seen::ANY, now).await;
        let launched = launched.map_err(Failure::of_push)?;
        if launched.is_new() {
            caller.note(&launched).await;
        }
    }
    let request_id = request_id.unwrap_or_else(|| made.uuid.to_string());
    Ok(Sent { request_id, msg_id: made.id.to_string() })
}

/// The notification of a push: the one that its `cid` made before, or a new one. The `cid` comes first,
/// since devices that were there then may be gone.
async fn make(
    services: &Services,
    app: &AppName,
    read: Read,
    cid: Option<&str>,
    dry_run: bool,
) -> Result<Notification, Failure> {
    let key = cid.map(|cid| {
        let asked = NotificationEdit { dry_run: Some(Some(dry_run)), ..read.asked() };
        CreationKey::new(cid, &asked)
    });
    let notifications = &services.notifications;
    if let Some(key) = &key
        && let Some(made) = notifications.made(app, key).await.map_err(of_cid)?
    {
        return Ok(made);
    }
    let devices = match &read.registration_ids {
        None => Vec::new(),
        Some(ids) => named(services, app, ids).await?,
    };
    let edit = NotificationEdit { dry_run: Some(Some(dry_run)), ..read.edit(&devices) };
    let made = notifications.create(app, &edit, key, Timestamp::now()).await;
    Ok(made.map_err(of_cid)?.notification)
}

/// The devices that a push names, all of them.
async fn named(services: &Services, app: &AppName, ids: &[String]) -> Result<Vec<Device>, Failure> {
    let found = services.devices.named(app, ids.to_vec()).await.map_err(Failure::of_push)?;
    let known = |id: &&String| found.iter().any(|device| device.external_id == **id);
    if let Some(unknown) = ids.iter().find(|id| !known(id)) {
        let shown: String = unknown.chars().take(80).collect();
        let what = format!("to.registration_id: there is no `{shown}`");
        return Err(Failure::push(PUSH_UNKNOWN_DEVICE, what));
    }
    Ok(found)
}

/// A conflict of creating is about the `cid`, which has another name natively.
fn of_cid(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Conflict => {
            Failure::push(PUSH_WRONG, "body.options.cid: was used for another push")
        }
        _ => Failure::of_push(error),
    }
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
    let stored = notifications.by_number(&caller.app, number).await;
    let uuid = stored.map_err(Failure::of_push)?.notification.uuid;
    let gone = notifications.set_status(&caller.app, uuid, Status::Deleted, Timestamp::now()).await;
    caller.note(&gone.map_err(Failure::of_push)?).await;
    found(&Sent { request_id: uuid.to_string(), msg_id: number.to_string() })
}
