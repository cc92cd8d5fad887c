//! `/limits` and `/internal`

use serde_json::json;
use utoipa::openapi::{ObjectBuilder, schema::SchemaType};

use super::{enveloped, result};
use crate::api::{
    describe::{Operation, Shape, get, integer, json_object, post, put},
    native::wire::{
        internal::{GlobalLimit, LimitsBody, LogBody, SentCounts},
        schemas::counts_of,
    },
};

pub const ABOUT_LIMITS: &str = "The app's own rates, in pushes a second; 0 is no limit. A rate is over the whole installation, \
    however many nodes there are, and a changed one is stored.";

pub const ABOUT_INTERNAL: &str = "For workers of the installation itself, over every app.";

pub fn limits() -> Vec<Operation> {
    vec![
        get("/limits", "get_limits", "The rates in force")
            .scope("admin")
            .answers("The rates.", rates()),
        put("/limits", "change_limits", "Changes the app's rates")
            .about("What is left out stays; null is the configuration's own again. `global` is not the app's to change.")
            .scope("admin")
            .takes(Shape::of::<LimitsBody>(json!({"app": 1000, "fcm": null})))
            .answers("The rates in force.", rates()),
    ]
}

fn rates() -> Shape {
    let example = json!({"global": 0, "app": 1000, "apns": 0, "fcm": 10000});
    enveloped(Shape::named("Limits", counts_of(&["global", "app", "apns", "fcm"]), example))
}

pub fn internal() -> Vec<Operation> {
    vec![
        post(
            "/internal/devices/logs/notification:add",
            "log_events",
            "Events of devices that other systems saw",
        )
        .about("All of them or none; a device that is named twice gets one event.")
        .takes(Shape::of::<LogBody>(
            json!({"device_ids": [1, 2], "notification_id": 1, "event": "received"}),
        ))
        .answers("How many were named.", enveloped(Shape::plain(integer(None), json!(2))))
        .refuses(&[404]),
        post(
            "/internal/notifications/{uuid}/sent:increase",
            "increase_sent",
            "Adds to what was sent",
        )
        .takes(Shape::of::<SentCounts>(json!({"ios": 3, "android": 5})))
        .answers(
            "The totals after it.",
            result::<SentCounts>(json!({"android": 5, "ios": 3, "web": 0})),
        )
        .refuses(&[404]),
        put("/internal/limits", "change_global_limit", "Changes the rate over every app")
            .about("0 is no limit; null is the configuration's own again.")
            .takes(Shape::of::<GlobalLimit>(json!({"global": 5000})))
            .answers("The rate in force.", result::<GlobalLimit>(json!({"global": 5000}))),
        get("/internal/state", "get_engine_state", "What every actor holds and waits for")
            .about("For people to look at: what an actor tells of itself may change.")
            .answers("The actors by name.", engine_state()),
    ]
}

fn engine_state() -> Shape {
    let anything = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
    let actors = json_object(Some("Each actor's own account, by its name."), anything);
    let schema = ObjectBuilder::new()
        .property("actors", actors)
        .required("actors")
        .property("restarts", integer(Some("How many times an actor had to be started again.")))
        .required("restarts");
    let example = json!({"actors": {"scheduler": {"active": 0}}, "restarts": 0});
    enveloped(Shape::named("EngineState", schema, example))
}
