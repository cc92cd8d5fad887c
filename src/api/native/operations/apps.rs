//! `/apps`

use serde_json::{Value, json};

use super::{done, enveloped, list, result};
use crate::api::{
    describe::{Operation, Shape, delete, get, post, put},
    native::wire::{
        apps::{
            ApnsBody, AppBody, AppJson, FcmBody, KeyBody, NewAppJson, ProviderJson, RotateBody,
        },
        schemas::new_key,
    },
};

pub const ABOUT: &str = "Apps, their credentials and their keys: one's own, or for an operator all. Those of the \
    configuration get further keys here, and are otherwise changed there. Secrets are shown once.";

pub fn operations() -> Vec<Operation> {
    let mut operations = apps();
    operations.extend(providers());
    operations.extend(keys());
    operations.into_iter().map(|operation| operation.scope("admin")).collect()
}

fn apps() -> Vec<Operation> {
    let made = json!({"app": app(), "key": "Ab3dEf6hIj9kLm2nOp5qRs8t", "secret": "fan_…"});
    vec![
        get("/apps", "list_apps", "The caller's own app, or for an operator all")
            .answers("The apps.", list::<AppJson<'_>>(json!([app()]))),
        post("/apps", "create_app", "Makes an app, with a first key")
            .about("For an operator.")
            .takes(Shape::of::<AppBody>(json!({"name": "news"})))
            .answers("The app, and the key's secret.", result::<NewAppJson<'_>>(made))
            .refuses(&[409]),
        get("/apps/{name}", "get_app", "An app").answers("The app.", one()),
        delete("/apps/{name}", "remove_app", "Removes a stored app")
            .about("For an operator. Keys end, campaigns are withdrawn, devices removed; the name stays taken. A removal that was cut short goes on.")
            .answers("It is gone.", done())
            .refuses(&[409]),
    ]
}

fn providers() -> Vec<Operation> {
    let apns = json!({
        "key_id": "ABC123DEFG", "team_id": "DEF123GHIJ", "private_key": "-----BEGIN PRIVATE KEY-----…",
        "topic": "com.example.shop", "environment": "production",
    });
    let fcm = json!({"service_account": {"type": "service_account", "project_id": "shop"}});
    let about = "Of a stored app; kept sealed, which needs the setting `internal.sealing_secret`.";
    vec![
        put("/apps/{name}/providers/apns", "set_apns", "Gives an app credentials for Apple")
            .about(about)
            .takes(Shape::of::<ApnsBody>(apns))
            .answers("The app.", one())
            .refuses(&[409]),
        delete("/apps/{name}/providers/apns", "unset_apns", "Takes them away")
            .answers("The app.", one())
            .refuses(&[409]),
        put("/apps/{name}/providers/fcm", "set_fcm", "Gives an app credentials for Google")
            .about(about)
            .takes(Shape::of::<FcmBody>(fcm))
            .answers("The app.", one())
            .refuses(&[409]),
        delete("/apps/{name}/providers/fcm", "unset_fcm", "Takes them away")
            .answers("The app.", one())
            .refuses(&[409]),
        post(
            "/apps/{name}/providers/{provider}/:check",
            "check_provider",
            "Asks a provider what it thinks",
        )
        .about("By what reaches no device.")
        .answers("How the provider is.", result::<ProviderJson<'_>>(provider()))
        .refuses(&[409, 429]),
    ]
}

fn keys() -> Vec<Operation> {
    vec![
        post("/apps/{name}/keys", "create_key", "Makes a key")
            .takes(Shape::of::<KeyBody>(json!({"name": "marketing", "scopes": ["send", "read"]})))
            .answers("The key, with its secret.", with_secret())
            .refuses(&[409]),
        post("/apps/{name}/keys/{id}/:rotate", "rotate_key", "Gives a key another secret")
            .about("The earlier one stays valid for a while.")
            .may_take(Shape::of::<RotateBody>(json!({"overlap_hours": 24})))
            .answers("The key, with its secret.", with_secret())
            .refuses(&[409]),
        delete(
            "/apps/{name}/keys/{id}",
            "remove_key",
            "Revokes a key, and the sessions begun with it",
        )
        .answers("It is gone.", done())
        .refuses(&[409]),
    ]
}

fn one() -> Shape {
    result::<AppJson<'_>>(app())
}

fn with_secret() -> Shape {
    let mut example = key();
    example["secret"] = json!("fan_…");
    enveloped(Shape::named("NewKey", new_key(), example).knowing::<super::Time>())
}

fn app() -> Value {
    json!({
        "name": "shop", "source": "stored", "key": "Ab3dEf6hIj9kLm2nOp5qRs8t",
        "created_at": "2026-03-01T09:30:00Z", "providers": [provider()], "keys": [key()],
    })
}

fn provider() -> Value {
    json!({
        "provider": "apns", "state": "ok", "reason": null, "topic": "com.example.shop",
        "environment": "production", "checked_at": "2026-03-01T09:30:00Z",
    })
}

fn key() -> Value {
    json!({
        "id": "k1f0d2a9b", "name": "marketing", "scopes": ["send", "read"], "source": "stored",
        "created_at": "2026-03-01T09:30:00Z", "previous_valid_until": null,
    })
}
