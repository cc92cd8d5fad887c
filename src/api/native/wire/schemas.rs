//! Schemas of what reads by rules of its own: conditions, enums that take numbers and names, properties,
//! times. The others derive theirs.

use std::borrow::Cow;

use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, KnownFormat, Object, ObjectBuilder, Ref, RefOr, Schema, SchemaFormat,
        schema::{AdditionalProperties, AnyOfBuilder, SchemaType, Type},
    },
};

use super::{Time, apps::KeyJson, enums::WireEnum, internal::EventName, property::OneKeyObjects};
use crate::{
    api::describe::{choice, text},
    domain::{
        audit::Action,
        device::{DevicePlatform, SendPlatform},
        message::Priority,
        notification::Status,
    },
};

/// Who is meant: a branch or a leaf (`domain::audience::ClauseSpec`).
pub struct Conditions;

impl ToSchema for Conditions {
    fn name() -> Cow<'static, str> {
        "Conditions".into()
    }
}

impl PartialSchema for Conditions {
    fn schema() -> RefOr<Schema> {
        let one = Ref::from_schema_name("Conditions");
        let branch = "For a branch, its children: at most 32 levels and 512 leaves in all.";
        let children = ArrayBuilder::new().items(one).schema_type(nullable(Type::Array));
        let what = "A branch (`join_type` and `conditions`) or a leaf (`key`, `operator`, `value`); null or \
            `{}` is everyone. Types never cross: the string \"30\" is not the integer 30. Against a list an \
            operator holds when any element satisfies it.";
        ObjectBuilder::new()
            .description(Some(what))
            .property("conditions", children.description(Some(branch)))
            .property(
                "key",
                text_or_null(
                    "For a leaf, a property's key, or one of `@tag`, `@alias`, \
                `@platform`, `@last_seen`, `@created_at`, `@timezone`, `@locale`, `@id`.",
                ),
            )
            .property("value", value())
            .property("operator", operator())
            .property("join_type", join_type())
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .examples([
                example_conditions(),
                json!({"key": "@tag", "operator": "str_eq", "value": "vip"}),
            ])
            .into()
    }
}

/// The example that is used wherever conditions are.
pub fn example_conditions() -> serde_json::Value {
    json!({"join_type": "AND", "conditions": [
        {"key": "age", "operator": "int_gte", "value": 18},
        {"key": "@platform", "operator": "int_in", "value": [1, 2]},
    ]})
}

fn operator() -> Object {
    const TYPED: [&str; 7] = ["eq", "ne", "gt", "gte", "lt", "lte", "in"];
    const OTHERS: [&str; 12] = [
        "str_eq",
        "str_ne",
        "str_exists",
        "str_in",
        "str_prefix",
        "str_contains",
        "bool_eq",
        "exists",
        "not_exists",
        "time_before",
        "time_after",
        "time_within_days",
    ];
    let numbers = ["int", "float"].into_iter();
    let numbers = numbers.flat_map(|kind| TYPED.map(|operator| format!("{kind}_{operator}")));
    let words = numbers.chain(OTHERS.map(str::to_owned)).map(serde_json::Value::from);
    let words: Vec<_> = words.chain([serde_json::Value::Null]).collect();
    let what = "For a leaf, how it compares. `…_ne` is the exact opposite of `…_eq`, so it holds for a device \
        without the key; `exists` and `not_exists` take no value.";
    ObjectBuilder::new()
        .schema_type(nullable(Type::String))
        .enum_values(Some(words))
        .description(Some(what))
        .build()
}

fn join_type() -> Object {
    let words = ["AND", "OR", "NOT"].into_iter().map(serde_json::Value::from);
    let words: Vec<_> = words.chain([serde_json::Value::Null]).collect();
    let what = "For a branch; NOT means none of its children.";
    let object = ObjectBuilder::new().schema_type(nullable(Type::String));
    object.enum_values(Some(words)).description(Some(what)).build()
}

/// Any JSON, since what fits depends on the operator.
fn value() -> Object {
    let what = "For a leaf, what it compares with: a string, a number, a boolean, a time, or a list for `…_in`. \
        Whole numbers may be text.";
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(what)).build()
}

fn text_or_null(about: &str) -> Object {
    ObjectBuilder::new().schema_type(nullable(Type::String)).description(Some(about)).build()
}

fn nullable(kind: Type) -> SchemaType {
    SchemaType::from_iter([kind, Type::Null])
}

impl ToSchema for Time {}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339. Answered in UTC; without a zone it is read as UTC."))
            .examples(["2026-03-01T09:30:00Z"])
            .into()
    }
}

fn numbers<T: WireEnum>() -> Vec<i64> {
    (0..16).filter(|number| T::numbered(*number).is_some()).collect()
}

/// As requests hold it: a number or a name in any case, or null.
fn named<T: WireEnum>() -> Schema {
    let numbers = numbers::<T>();
    let any = AnyOfBuilder::new().description(Some(T::WHAT));
    let any = match numbers.is_empty() {
        true => any,
        false => {
            any.item(ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some(numbers)))
        }
    };
    Schema::AnyOf(any.item(text_or_null("Its name, in any case.")).build())
}

fn numbered<T: WireEnum>() -> Object {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    number.enum_values(Some(numbers::<T>())).description(Some(T::WHAT)).build()
}

/// A provider, as requests have it.
pub fn named_provider() -> Schema {
    named::<SendPlatform>()
}

/// A kind of device, as requests have it.
pub fn named_platform() -> Schema {
    named::<DevicePlatform>()
}

/// A notification's state, as requests have it.
pub fn named_status() -> Schema {
    named::<Status>()
}

/// How urgent, as requests have it.
pub fn named_priority() -> Schema {
    named::<Priority>()
}

/// A provider, as answers have it.
pub fn send_platform() -> Object {
    numbered::<SendPlatform>()
}

/// A kind of device, as answers have it.
pub fn device_platform() -> Object {
    numbered::<DevicePlatform>()
}

/// A notification's state, as answers have it.
pub fn status() -> Object {
    numbered::<Status>()
}

/// How urgent, as answers have it.
pub fn priority() -> Object {
    choice(Some("How urgent it is."), &["normal", "high"])
}

/// An event, as answers have it.
pub fn event() -> Object {
    choice(Some("What happened."), &["sent", "failed", "received", "opened"])
}

impl ToSchema for EventName {}

impl PartialSchema for EventName {
    fn schema() -> RefOr<Schema> {
        event().into()
    }
}

/// A property's value: a scalar or a list of scalars.
pub struct PropertyValueSchema;

impl ToSchema for PropertyValueSchema {
    fn name() -> Cow<'static, str> {
        "PropertyValue".into()
    }
}

impl PartialSchema for PropertyValueSchema {
    fn schema() -> RefOr<Schema> {
        let what = "A string, a whole number of 64 bits with sign, a float, a boolean, or a list of these.";
        let list = ArrayBuilder::new().items(scalar());
        let examples = [json!("gold"), json!(30), json!(1.5), json!(true), json!(["a", "b"])];
        let any = AnyOfBuilder::new().item(scalar()).item(list).description(Some(what));
        any.examples(examples).into()
    }
}

impl ToSchema for OneKeyObjects<'_> {
    fn name() -> Cow<'static, str> {
        "Properties".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((PropertyValueSchema::name().into_owned(), PropertyValueSchema::schema()));
    }
}

impl PartialSchema for OneKeyObjects<'_> {
    fn schema() -> RefOr<Schema> {
        let value = Ref::from_schema_name(PropertyValueSchema::name());
        let one = ObjectBuilder::new()
            .min_properties(Some(1))
            .max_properties(Some(1))
            .additional_properties(Some(AdditionalProperties::RefOr(value.into())));
        let what = "A device's properties: an object of one key for each.";
        let list = ArrayBuilder::new().items(one).description(Some(what));
        list.examples([json!([{"age": 30}, {"plan": "gold"}])]).into()
    }
}

/// A count for each of these names.
pub fn counts_of(names: &[&str]) -> Object {
    let count = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    let object = names
        .iter()
        .fold(ObjectBuilder::new(), |object, name| object.property(*name, count()).required(*name));
    object.build()
}

/// Devices by platform, as a count has them.
pub fn platform_counts() -> Object {
    counts_of(&["android", "ios", "web", "unknown"])
}

/// Devices that can be reached, by provider.
pub fn reachable() -> Object {
    counts_of(&["apns", "fcm", "email"])
}

/// Devices that cannot, by reason.
pub fn unreachable() -> Object {
    counts_of(&["no_token", "pruned", "no_provider", "no_credentials"])
}

/// One part of conditions, and what is said of it (`wire::audience`).
pub struct NodeSchema;

impl ToSchema for NodeSchema {
    fn name() -> Cow<'static, str> {
        "ExplainedClause".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((PropertyValueSchema::name().into_owned(), PropertyValueSchema::schema()));
    }
}

impl PartialSchema for NodeSchema {
    fn schema() -> RefOr<Schema> {
        let said = || {
            let matches = ObjectBuilder::new().schema_type(Type::Boolean);
            ObjectBuilder::new()
                .property("path", text(Some("Where in the conditions it lies.")))
                .required("path")
                .property("matches", matches)
                .required("matches")
        };
        let branch = said()
            .property("join_type", choice(None, &["AND", "OR", "NOT"]))
            .required("join_type")
            .property("conditions", ArrayBuilder::new().items(Ref::from_schema_name(Self::name())))
            .required("conditions");
        let own = AnyOfBuilder::new()
            .item(ObjectBuilder::new().schema_type(Type::Null))
            .item(Ref::from_schema_name(PropertyValueSchema::name()))
            .description(Some(
                "The device's own value: of a text at most 200 characters and `…`, of a list at most 5 \
                 elements, those that satisfy the comparison first where it has more.",
            ));
        let more = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0))
            .description(Some("How many further elements a list has."));
        let leaf = said()
            .property("key", text_or_null("What it looks at."))
            .required("key")
            .property("operator", operator())
            .required("operator")
            .property("value", value())
            .required("value")
            .property("actual", own)
            .required("actual")
            .property("actual_more", more)
            .required("actual_more");
        AnyOfBuilder::new().item(branch).item(leaf).into()
    }
}

/// A scalar's type.
pub fn scalar_type() -> Object {
    choice(None, &["string", "integer", "float", "boolean"])
}

/// The types of a key's values.
pub fn scalar_types() -> Schema {
    ArrayBuilder::new().items(scalar_type()).build().into()
}

/// A scalar.
pub fn scalar() -> Object {
    let kinds = [Type::String, Type::Integer, Type::Number, Type::Boolean];
    ObjectBuilder::new().schema_type(SchemaType::from_iter(kinds)).build()
}

/// What was done.
pub fn audit_action() -> Object {
    let names: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
    choice(Some("What was done."), &names)
}

/// How the doer was known.
pub fn audit_via() -> Object {
    let ways = ["key", "session", "internal", "open"];
    choice(Some("How it was known who it is."), &ways)
}

/// What befell a notification.
pub fn timeline_event() -> Object {
    let names = [
        "created",
        "edited",
        "scheduled",
        "launched",
        "paused",
        "resumed",
        "resent",
        "rate_changed",
        "finished",
        "failed",
        "deleted",
        "tested",
    ];
    choice(None, &names)
}

/// What became of a test send to a device.
pub fn trial() -> Object {
    choice(None, &["accepted", "failed"])
}

/// What a key permits.
pub fn scopes() -> Schema {
    let scope = choice(None, &["admin", "send", "read", "register"]);
    ArrayBuilder::new().items(scope).build().into()
}

/// Which of Apple's services.
pub fn environment() -> Object {
    choice(None, &["production", "sandbox"])
}

/// Where an app or a key comes from.
pub fn source() -> Object {
    choice(None, &["configuration", "stored"])
}

/// A provider by its name.
pub fn provider() -> Object {
    choice(None, &["apns", "fcm", "email"])
}

/// What a provider thinks of an app's credentials.
pub fn provider_state() -> Object {
    choice(None, &["ok", "refused", "out_of_order", "unknown"])
}

/// A key with its secret, which is shown once: the fields of a key, and it.
pub fn new_key() -> Schema {
    let secret = ObjectBuilder::new().property("secret", text(Some("Shown this once.")));
    match KeyJson::schema() {
        RefOr::T(Schema::Object(mut key)) => {
            key.properties.extend(secret.build().properties);
            key.required.push("secret".to_owned());
            Schema::Object(key)
        }
        _ => unreachable!("a struct's schema is an object"),
    }
}
