//! `/devices`

use actix_web::web::Data;

use serde_json::json;

use super::Answer;
use crate::{
    api::{
        ApiState,
        native::{
            answer,
            request::{Body, Caller, ExternalId, OptionalBody, Query, Read, Register},
            wire::{
                devices::{
                    BulkBody, BulkRow, CountBody, CountJson, DeviceJson, EditBody, PropertiesBody,
                    RegistrationBody, SearchBody,
                },
                history::{EventBody, HistoryJson},
                internal::EventName,
            },
        },
    },
    domain::{audit::Action, device::Device, timestamp::Timestamp},
    services::{EventField, EventQuery},
};

const EVENT_FIELDS: [(&str, EventField); 3] =
    [("id", EventField::Id), ("event", EventField::Kind), ("created_at", EventField::CreatedAt)];

/// `PUT /devices`: makes a device, or updates the one of this external id.
pub async fn register(
    caller: Caller<Register>,
    state: Data<ApiState>,
    body: Body<RegistrationBody>,
) -> Answer {
    let devices = &state.services.devices;
    let device = devices.put(caller.app(), body.0.into_domain(), Timestamp::now()).await?;
    Ok(answer::success(DeviceJson(&device)))
}

/// `POST /devices/-/:register`: up to a thousand devices at once, each answered for itself.
pub async fn register_many(
    caller: Caller<Register>,
    state: Data<ApiState>,
    body: Body<BulkBody>,
) -> Answer {
    let devices = body.0.devices.into_iter();
    let registrations: Vec<_> = devices.map(RegistrationBody::into_domain).collect();
    let names: Vec<_> = registrations.iter().map(|device| device.external_id.clone()).collect();
    let devices = &state.services.devices;
    let answers = devices.put_many(caller.app(), registrations, Timestamp::now()).await?;
    let rows = names.into_iter().zip(answers).map(|(external_id, answer)| match answer {
        Ok(device) => BulkRow { external_id, id: Some(device.id.0), reason: None },
        Err(error) => BulkRow { external_id, id: None, reason: Some(error.public_message()) },
    });
    Ok(answer::success(rows.collect::<Vec<_>>()))
}

/// `GET /devices/{external_id}`
pub async fn show(caller: Caller<Read>, state: Data<ApiState>, id: ExternalId) -> Answer {
    let device = state.services.devices.get(caller.app(), &id.0).await?;
    Ok(answer::success(DeviceJson(&device)))
}

/// `PATCH /devices/{external_id}`: changes what is known of it, its token apart.
pub async fn edit(
    caller: Caller<Register>,
    state: Data<ApiState>,
    id: ExternalId,
    body: Body<EditBody>,
) -> Answer {
    let (devices, edit) = (&state.services.devices, body.0.into_domain());
    let device = devices.edit(caller.app(), &id.0, edit, Timestamp::now()).await?;
    Ok(answer::success(DeviceJson(&device)))
}

/// `DELETE /devices/{external_id}`
pub async fn remove(caller: Caller<Register>, state: Data<ApiState>, id: ExternalId) -> Answer {
    state.services.devices.remove(caller.app(), &id.0).await?;
    caller.note(Action::DeviceDeleted, &id.0, json!({})).await;
    Ok(answer::done())
}

/// `POST /devices/{external_id}/properties/:add`: sets and removes properties.
pub async fn add_properties(
    caller: Caller<Register>,
    state: Data<ApiState>,
    id: ExternalId,
    body: Body<PropertiesBody>,
) -> Answer {
    let (devices, edit) = (&state.services.devices, body.0.into_domain());
    let device = devices.edit(caller.app(), &id.0, edit, Timestamp::now()).await?;
    Ok(answer::success(DeviceJson(&device)))
}

/// `POST /devices/{external_id}/:restore`: undoes the giving up of its token.
pub async fn restore(caller: Caller<Register>, state: Data<ApiState>, id: ExternalId) -> Answer {
    let restored = state.services.devices.restore(caller.app(), &id.0).await?;
    if restored.changed {
        caller.note(Action::DeviceRestored, &id.0, json!({})).await;
    }
    Ok(answer::success(DeviceJson(&restored.device)))
}

/// `GET /devices/{external_id}/notifications`: what happened to the device.
pub async fn history(
    caller: Caller<Read>,
    state: Data<ApiState>,
    id: ExternalId,
    query: Query,
) -> Answer {
    let mut params = query.0;
    let (start, size) = params.page()?;
    let kinds = params.words("events", EventName::read)?;
    let order_by = params.order_bys(&EVENT_FIELDS)?;
    params.finish()?;
    let query = EventQuery { kinds, order_by, start, size };
    let found = state.services.devices.history(caller.app(), &id.0, &query).await?;
    Ok(answer::success(HistoryJson::new(found.total, &found.items)))
}

/// `POST /devices/{external_id}/events`: the app on the device says that a push arrived or was opened.
pub async fn report_event(
    caller: Caller<Register>,
    state: Data<ApiState>,
    id: ExternalId,
    body: Body<EventBody>,
) -> Answer {
    let (devices, event) = (&state.services.devices, body.0);
    let (notification, kind) = (event.notification, event.event.0);
    devices.report_event(caller.app(), &id.0, notification, kind, Timestamp::now()).await?;
    Ok(answer::done())
}

/// `POST /devices/-/:search`: devices in the order of their numbers.
pub async fn search(
    caller: Caller<Read>,
    state: Data<ApiState>,
    body: OptionalBody<SearchBody>,
) -> Answer {
    let (devices, search) = (&state.services.devices, body.0.into_search());
    let found = devices.search(caller.app(), search, Timestamp::now()).await?;
    let rows: Vec<_> = found.items.iter().map(|device: &Device| DeviceJson(device)).collect();
    Ok(answer::stretch(rows, found.total))
}

/// `POST /devices/-/:count`: the size of an audience, and how much of it can be reached.
pub async fn count(
    caller: Caller<Read>,
    state: Data<ApiState>,
    body: OptionalBody<CountBody>,
) -> Answer {
    let (devices, conditions) = (&state.services.devices, body.0.conditions);
    let count = devices.count(caller.app(), conditions.as_ref(), Timestamp::now()).await?;
    Ok(answer::success(CountJson::new(&count)))
}
