//! What the document says of the native API: an operation for each path and verb of `routes`, in a file
//! for each concept. A route without its operation fails a test, and the other way about.

mod apps;
mod audience;
mod audit;
mod devices;
mod notifications;
mod running;

use serde_json::{Value, json};
use utoipa::{
    ToSchema,
    openapi::{
        ObjectBuilder, Schema, SecurityRequirement,
        schema::{SchemaType, Type},
    },
};

use super::wire::Time;
use crate::api::describe::{Part, PathParameter, Refusals, Shape, text};

/// Every part of it.
pub fn parts(access: &[SecurityRequirement]) -> Vec<Part> {
    vec![
        part("Devices", devices::ABOUT, access, devices::operations()),
        part("Notifications", notifications::ABOUT, access, notifications::operations()),
        part("Audience", audience::ABOUT, access, audience::operations()),
        part("Apps", apps::ABOUT, access, apps::operations()),
        part("Audit", audit::ABOUT, access, audit::operations()),
        part("Limits", running::ABOUT_LIMITS, access, running::limits()),
        Part {
            access: ["server_key", "console_session"].map(any_scope).to_vec(),
            headers: Vec::new(),
            refusals: refusals(&[403, 500, 503]),
            ..part("Internal", running::ABOUT_INTERNAL, &[], running::internal())
        },
    ]
}

/// A part that speaks as the native API does.
pub fn part(
    name: &'static str,
    about: &str,
    access: &[SecurityRequirement],
    operations: Vec<crate::api::describe::Operation>,
) -> Part {
    Part {
        name,
        about: about.to_owned(),
        prefix: String::new(),
        access: access.to_vec(),
        headers: vec![(
            "X-Fanfare-App",
            "The app that an operator means, who shows one of the internal keys; others may leave it out.",
            "shop",
        )],
        refusals: refusals(&[400, 403, 404, 500, 503]),
        path_parameters: PATH_PARAMETERS,
        operations,
    }
}

/// A way to prove who calls.
fn any_scope(way: &str) -> SecurityRequirement {
    SecurityRequirement::new(way, Vec::<String>::new())
}

const PATH_PARAMETERS: &[PathParameter] = &[
    ("external_id", "The caller's own name for the device, escaped.", "user-1"),
    ("name", "The app's name.", "shop"),
    ("provider", "`apns`, `fcm` or `email`.", "apns"),
    ("id", "The key's id.", "k1f0d2a9b"),
    ("uuid", "The notification's UUID.", "3f1c2a52-6a07-4c38-b5c4-2f1f0d2a9b11"),
];

/// How the native API refuses, which is also how paths outside of every dialect do.
pub fn refusals(always: &'static [u16]) -> Refusals {
    let schema = ObjectBuilder::new()
        .description(Some("Why a request was refused. Nothing was changed."))
        .property("success", yes_or_no(false))
        .required("success")
        .property("result", ObjectBuilder::new().schema_type(Type::Null))
        .required("result")
        .property("reason", text(Some("One sentence; bad input is named by its path.")))
        .required("reason");
    let shape = Shape::named("Refusal", schema, refusal("size: must be 1 to 1000"));
    Refusals { shape, told, always }
}

fn told(status: u16) -> (&'static str, Value) {
    let (why, example) = match status {
        400 => ("Bad input, named by its path.", "external_id: is required"),
        401 => ("No key, or one that is not known.", "the key is not known"),
        403 => (
            "The key lacks the scope, which the reason names; or a page of another site asks, or a session \
             without `X-CSRF-Token`.",
            "this needs a key with the scope `send`",
        ),
        404 => ("There is no such thing, or it is another app's.", "there is no such notification"),
        408 => (
            "The body did not arrive in time; the connection closes.",
            "the request body did not arrive within 30 seconds",
        ),
        409 => ("The state forbids it, or it changed meanwhile.", "it is SENT already"),
        413 => ("The body is over the limit.", "the request body is over the limit"),
        429 => ("Too often; `Retry-After` says when again.", "too many requests from this address"),
        503 => ("The store is away; try again.", "the store is not available"),
        _ => ("Ours.", "internal error"),
    };
    (why, refusal(example))
}

fn refusal(reason: &str) -> Value {
    json!({"success": false, "result": null, "reason": reason})
}

/// Success with a result.
pub fn result<T: ToSchema>(example: Value) -> Shape {
    enveloped(Shape::of::<T>(example))
}

/// Success with a list that is whole.
fn list<T: ToSchema>(example: Value) -> Shape {
    enveloped(Shape::list_of::<T>(example))
}

/// Success with a stretch of a list, and how much there is in all.
fn stretch<T: ToSchema>(example: Value) -> Shape {
    let list = Shape::list_of::<T>(json!([example]));
    let schema = envelope(list.schema)
        .property("total", ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)))
        .required("total");
    let example = list
        .example
        .map(|list| json!({"success": true, "result": list, "reason": null, "total": 1}));
    Shape { schema: schema.into(), example, ..list }
}

/// Success with nothing to tell.
pub fn done() -> Shape {
    enveloped(Shape::plain(ObjectBuilder::new().schema_type(Type::Null), Value::Null))
}

/// Success with this in the envelope.
pub fn enveloped(shape: Shape) -> Shape {
    let told = |result| json!({"success": true, "result": result, "reason": null});
    let example = shape.example.map(told);
    Shape { schema: envelope(shape.schema).into(), example, ..shape }
}

fn envelope(result: impl Into<utoipa::openapi::RefOr<Schema>>) -> ObjectBuilder {
    ObjectBuilder::new()
        .property("success", yes_or_no(true))
        .required("success")
        .property("result", result)
        .required("result")
        .property("reason", ObjectBuilder::new().schema_type(SchemaType::new(Type::Null)))
        .required("reason")
}

fn yes_or_no(said: bool) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([said]))
}
