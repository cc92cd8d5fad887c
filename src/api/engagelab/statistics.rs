//! What became of messages: `/v4/status/detail`, and `/v4/messages/details`, which is the same.

use std::collections::BTreeMap;

use actix_web::web::Data;
use serde::Serialize;

use super::{
    Answer,
    answer::found,
    error::{Failure, PUSH_MISSING, PUSH_WRONG},
    request::{Params, Reader},
};
use crate::{api::ApiState, domain::ErrorKind, services::notifications::NotificationView};

/// Most messages of one question.
const MAX_MESSAGES: usize = 100;

#[derive(Serialize, Clone, Copy)]
struct Counts {
    /// Devices that have their outcome.
    targets: u64,
    /// Taken by a provider.
    sent: u64,
    /// What a provider takes it delivers, as far as it tells.
    delivered: u64,
    /// Devices whose app reported that it arrived.
    impressions: u64,
    /// Devices whose app reported that it was opened.
    clicks: u64,
}

#[derive(Serialize)]
struct Message {
    #[serde(flatten)]
    counts: Counts,
    sub: Sub,
}

#[derive(Serialize)]
struct Sub {
    notification: Counts,
    message: BTreeMap<String, u64>,
}

/// `GET /v4/status/detail?message_ids=1,2`: an object by message id. Ids of no message are left out.
pub async fn details(caller: Reader, state: Data<ApiState>, query: Params) -> Answer {
    let ids = query.all("message_ids");
    if ids.is_empty() {
        return Err(Failure::push(PUSH_MISSING, "message_ids: is required"));
    }
    if ids.len() > MAX_MESSAGES {
        let what = format!("message_ids: has over {MAX_MESSAGES} ids");
        return Err(Failure::push(PUSH_WRONG, what));
    }
    let mut messages = BTreeMap::new();
    for id in ids {
        let wrong = |_| Failure::push(PUSH_WRONG, "message_ids: must be numbers");
        let number: u64 = id.parse().map_err(wrong)?;
        match state.services.notifications.by_number(&caller.0, number).await {
            Ok(view) => {
                let heard = state.services.notifications.heard(view.notification.uuid).await;
                let heard = heard.map_err(Failure::of_push)?;
                messages.insert(number.to_string(), message(&view, heard));
            }
            Err(error) if *error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::of_push(error)),
        }
    }
    found(&messages)
}

fn message(view: &NotificationView, (received, opened): (u64, u64)) -> Message {
    let sent = view.sent().total();
    let counts = Counts {
        targets: view.tally.failed.total().saturating_add(sent),
        sent,
        delivered: sent,
        impressions: received,
        clicks: opened,
    };
    Message { counts, sub: Sub { notification: counts, message: BTreeMap::new() } }
}
