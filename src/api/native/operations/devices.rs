//! `/devices`

use serde_json::{Value, json};

use super::{done, result, stretch};
use crate::api::{
    describe::{Operation, Shape, delete, get, integer, patch, post, put, text},
    native::wire::{
        devices::{
            BulkBody, BulkRow, CountBody, CountJson, DeviceJson, EditBody, PropertiesBody,
            RegistrationBody, SearchBody,
        },
        history::{EventBody, HistoryJson},
        schemas::{Conditions, PropertyValueSchema, example_conditions},
    },
};

pub const ABOUT: &str =
    "Devices of the app: registering them, what is known of them, and audiences.";

pub fn operations() -> Vec<Operation> {
    let mut operations = single();
    operations.extend(many());
    operations
}

fn single() -> Vec<Operation> {
    vec![
        put(
            "/devices",
            "register_device",
            "Makes a device, or updates the one of this external id",
        )
        .about("What is left out stays. Durable once answered.")
        .scope("register")
        .takes(Shape::of::<RegistrationBody>(registration()).knowing::<PropertyValueSchema>())
        .answers("The device.", result::<DeviceJson<'_>>(device())),
        get("/devices/{external_id}", "get_device", "A device")
            .scope("read")
            .answers("The device.", result::<DeviceJson<'_>>(device()))
            .refuses(&[404]),
        patch(
            "/devices/{external_id}",
            "edit_device",
            "Changes what is known of a device, its token apart",
        )
        .about("What is left out stays; null clears.")
        .scope("register")
        .takes(Shape::of::<EditBody>(json!({"tags": ["vip"], "alias": null})))
        .answers("The device.", result::<DeviceJson<'_>>(device()))
        .refuses(&[404]),
        delete("/devices/{external_id}", "remove_device", "Removes a device")
            .scope("register")
            .answers("It is gone.", done())
            .refuses(&[404]),
        post(
            "/devices/{external_id}/properties/:add",
            "add_properties",
            "Sets and removes properties",
        )
        .scope("register")
        .takes(Shape::of::<PropertiesBody>(json!({"properties": properties()})))
        .answers("The device.", result::<DeviceJson<'_>>(device()))
        .refuses(&[404]),
        post(
            "/devices/{external_id}/:restore",
            "restore_device",
            "Undoes the giving up of its token",
        )
        .scope("register")
        .answers("The device.", result::<DeviceJson<'_>>(device()))
        .refuses(&[404, 409]),
        get(
            "/devices/{external_id}/notifications",
            "get_device_history",
            "What happened to a device",
        )
        .scope("read")
        .query("events", "Only these, a list with commas.", text(None), "received,opened")
        .query(
            "order_bys",
            "`id`, `event`, `created_at`; `-` before what runs downwards.",
            text(None),
            "-id",
        )
        .query("start", "How many to pass over.", integer(None), 0)
        .query("size", "How many to answer: 1 to 1,000, 10 by default.", integer(None), 10)
        .answers("A stretch of its history.", result::<HistoryJson<'_>>(history()))
        .refuses(&[404]),
        post(
            "/devices/{external_id}/events",
            "report_event",
            "A push arrived at a device, or was opened",
        )
        .about("The app on the device reports it.")
        .scope("register")
        .takes(Shape::of::<EventBody>(
            json!({"notification": super::notifications::UUID, "event": "opened"}),
        ))
        .answers("It is counted.", done())
        .refuses(&[404]),
    ]
}

fn many() -> Vec<Operation> {
    let rows = json!([{"external_id": "user-1", "id": 1}, {"external_id": "", "reason": "external_id: must not be empty"}]);
    vec![
        post("/devices/-/:register", "register_devices", "Registers up to 1,000 devices")
            .about("Each is answered for itself. The body may be sixteen times the ordinary limit, and take \
                60 seconds to arrive.")
            .scope("register")
            .takes(Shape::of::<BulkBody>(json!({"devices": [registration()]})))
            .answers("A row for each, in their order.", super::list::<BulkRow>(rows)),
        post("/devices/-/:search", "search_devices", "Finds devices")
            .about("In the order of their numbers. An answer holds about 8 MB at most, so it may have fewer devices \
                than `size` and yet not be the last: go on after the last `id` until nothing is answered.")
            .scope("read")
            .may_take(Shape::of::<SearchBody>(json!({"conditions": example_conditions(), "size": 100}))
                .knowing::<Conditions>())
            .answers("A stretch of those that fit.", stretch::<DeviceJson<'_>>(device())),
        post("/devices/-/:count", "count_devices", "Counts an audience, and how much of it can be reached")
            .scope("read")
            .may_take(Shape::of::<CountBody>(json!({"conditions": example_conditions()})))
            .answers("The counts.", result::<CountJson>(count())),
    ]
}

fn registration() -> Value {
    json!({
        "external_id": "user-1", "push_token": "fcm-registration-token", "send_platform": "FCM",
        "device_platform": 1, "properties": properties(), "tags": ["vip"], "timezone": "Asia/Seoul", "locale": "ko",
    })
}

fn properties() -> Value {
    json!([{"key": "age", "value": 30}, {"key": "plan", "value": null}])
}

fn device() -> Value {
    json!({
        "_id": "65f1c0ffee65f1c0ffee65f1", "random_bucket": 4711, "id": 1, "external_id": "user-1",
        "push_token": "fcm-registration-token", "send_platform": 1, "device_platform": 1,
        "device_properties": [{"age": 30}], "tags": ["vip"], "alias": null, "timezone": "Asia/Seoul",
        "locale": "ko", "created_at": "2026-03-01T09:30:00Z", "last_seen": "2026-03-01T09:30:00Z", "pruned": null,
    })
}

fn history() -> Value {
    let event = json!({
        "id": 7, "notification": super::notifications::notification(), "event": "opened", "reason": null,
        "created_at": "2026-03-01T09:31:00Z",
    });
    json!({"total": 1, "events": [event]})
}

fn count() -> Value {
    json!({
        "total": 3, "platforms": {"android": 2, "ios": 1, "web": 0, "unknown": 0},
        "reachable": {"apns": 1, "fcm": 1, "email": 0},
        "unreachable": {"no_token": 0, "pruned": 1, "no_provider": 0, "no_credentials": 0},
    })
}
