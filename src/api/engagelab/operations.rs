//! What the document says of this dialect: an operation for each path and verb of its table.

use serde_json::{Value, json};
use utoipa::openapi::{
    ArrayBuilder, Object, ObjectBuilder, RefOr, Schema, SecurityRequirement,
    schema::{AdditionalProperties, OneOfBuilder, SchemaType, Type},
    security::{HttpAuthScheme, SecurityScheme},
};

use crate::{
    api::describe::{
        Operation, Part, PathParameter, Refusals, Shape, choice, delete, get, http, integer,
        json_object, post, text, text_list,
    },
    settings::EngageLabSettings,
};

const JSON: &str = "application/json";

const PATH_PARAMETERS: &[PathParameter] = &[
    ("id", "A registration id; of a withdrawal, a message id.", "17"),
    ("tag", "A tag.", "vip"),
    ("alias", "An alias.", "anna"),
];

/// What is said of it.
pub fn part(settings: &EngageLabSettings, open: bool) -> Part {
    let basic = SecurityRequirement::new("engagelab", Vec::<String>::new());
    let nothing = open.then(SecurityRequirement::default);
    let mut operations = devices();
    operations.extend(tags());
    operations.extend(pushes());
    Part {
        name: "EngageLab",
        about: "EngageLab's API of devices, tags, aliases and pushes. Several refusals that others would \
            answer with 400 are 401, as its clients expect."
            .to_owned(),
        prefix: format!("{}/v4", settings.prefix),
        access: nothing.into_iter().chain([basic]).collect(),
        headers: Vec::new(),
        refusals: refusals(),
        path_parameters: PATH_PARAMETERS,
        operations,
    }
}

/// How its callers prove themselves.
pub fn schemes() -> Vec<(&'static str, SecurityScheme)> {
    vec![(
        "engagelab",
        http(
            HttpAuthScheme::Basic,
            "An app's key (the appKey) and its secret (the master secret).",
        ),
    )]
}

fn refusals() -> Refusals {
    let error = object()
        .property("code", integer(Some("EngageLab's code.")))
        .required("code")
        .property("message", text(Some("What is wrong, by the field's name.")))
        .required("message")
        .property("data", text(Some("Registration ids of no device: a text of JSON.")));
    let schema = object().property("error", error).required("error");
    let shape = Shape::named(
        "EngageLabRefusal",
        schema,
        failure(27002, "Illegal parameter: tags: is required"),
    );
    Refusals { shape, told, always: &[400, 403, 500, 503] }
}

fn told(status: u16) -> (&'static str, Value) {
    let (why, code, message) = match status {
        400 => (
            "A parameter is wrong (27002), a device or an app is not known (27005, 21008), an alias is \
            taken (27010), or a push is wrong (20101, 21002, 21003, 21005).",
            27002,
            "Illegal parameter: platform",
        ),
        401 => (
            "No or wrong credentials (27001, 27004), a scope that does not suffice (21004), or over a \
            quota (27011 to 27017).",
            27004,
            "the verification failed",
        ),
        403 => ("An installation without keys answers this machine alone.", 27004, "refused"),
        408 => ("The body did not arrive in time; the connection closes.", 27002, "too slow"),
        413 => ("The body is over the limit.", 27002, "the request body is over the limit"),
        503 => ("Ours; try again.", 27000, "the store is not available"),
        _ => ("Ours; try again.", 27000, "internal error"),
    };
    (why, failure(code, message))
}

fn failure(code: u32, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

fn object() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object)
}

fn found(schema: impl Into<RefOr<Schema>>, example: Value) -> Shape {
    Shape::plain(schema, example).sent_as(JSON)
}

/// The bare word, or a JSON string: `success_json` chooses.
fn success() -> Shape {
    found(
        choice(Some("The bare word, or a JSON string where `success_json` is set."), &["success"]),
        json!("success"),
    )
}

fn truth() -> Object {
    object().schema_type(Type::Boolean).build()
}

fn texts_or_null() -> Schema {
    let kinds = SchemaType::from_iter([Type::Array, Type::Null]);
    ArrayBuilder::new().items(text(None)).schema_type(kinds).build().into()
}

fn text_or_null() -> Object {
    object().schema_type(SchemaType::from_iter([Type::String, Type::Null])).build()
}

fn anything(about: &str) -> Object {
    object().schema_type(SchemaType::AnyValue).description(Some(about)).build()
}

fn change_of(what: &str) -> Object {
    let about = format!("Which {what} to add and to remove.");
    object()
        .description(Some(about))
        .property("add", texts_or_null())
        .property("remove", texts_or_null())
        .build()
}

fn devices() -> Vec<Operation> {
    let change = OneOfBuilder::new()
        .item(change_of("tags"))
        .item(choice(Some("The empty text: every tag goes."), &[""]))
        .item(object().schema_type(Type::Null));
    let change = object().property("tags", change).property("alias", text_or_null());
    let shown = object()
        .property("tags", texts_or_null())
        .required("tags")
        .property("alias", text_or_null())
        .required("alias");
    let asked = object()
        .property("registration_ids", text_list(Some("At most 1,000.")))
        .required("registration_ids");
    vec![
        post(
            "/devices/token/registration_id",
            "engagelab_register",
            "Registers 1 to 500 tokens of one platform",
        )
        .scope("register")
        .takes(found(tokens(), json!({"platform": "ios", "tokens": ["00ffab"]})))
        .answers("A row for each token, in their order.", registered()),
        get("/devices/{id}", "engagelab_get_device", "A device's tags and alias")
            .scope("read")
            .answers(
                "Null where there are none.",
                found(shown, json!({"tags": ["vip"], "alias": null})),
            ),
        post("/devices/{id}", "engagelab_change_device", "Changes a device's tags and alias")
            .about("What is left out stays. An empty alias takes it away.")
            .scope("register")
            .takes(found(
                change,
                json!({"tags": {"add": ["vip"], "remove": ["new"]}, "alias": "anna"}),
            ))
            .answers("It is changed.", success()),
        delete("/devices/{id}", "engagelab_remove_device", "Removes a device")
            .scope("register")
            .answers("It is gone.", success()),
        post("/devices/status", "engagelab_device_status", "Who was seen within ten minutes")
            .scope("read")
            .takes(found(asked, json!({"registration_ids": ["17"]})))
            .answers("A row for each; when it was seen, for two days.", statuses()),
    ]
}

fn tokens() -> ObjectBuilder {
    object()
        .property("platform", choice(None, &["android", "ios", "web", "hmos"]))
        .required("platform")
        .property("tokens", text_list(None))
        .required("tokens")
}

fn registered() -> Shape {
    let row = object()
        .property("token", text(None))
        .required("token")
        .property(
            "registration_id",
            text(Some("The device; left out where the token was refused.")),
        )
        .property("is_new", truth())
        .required("is_new")
        .property("code", integer(Some("0, or why it was refused.")))
        .required("code")
        .property("message", text(None))
        .required("message");
    let schema = object().property("results", ArrayBuilder::new().items(row)).required("results");
    let row = json!({"token": "00ffab", "registration_id": "17", "is_new": true, "code": 0, "message": "success"});
    found(schema, json!({"results": [row]}))
}

fn statuses() -> Shape {
    let row = object()
        .property("regid", text(None))
        .required("regid")
        .property("online", truth())
        .required("online")
        .property("last_online_time", text(Some("`YYYY-MM-DD HH:MM:SS`, in UTC.")));
    let rows = ArrayBuilder::new().items(row).build();
    found(
        Schema::from(rows),
        json!([{"regid": "17", "online": false, "last_online_time": "2026-03-01 09:30:00"}]),
    )
}

const PLATFORM: &str = "`android`, `ios`, `web`, `hmos` or `all`; repeated, or joined by commas.";

fn tags() -> Vec<Operation> {
    let tags_shape = object().property("tags", texts_or_null()).required("tags");
    let counts =
        object().property("tagsCount", json_object(None, integer(None))).required("tagsCount");
    let tagged = object().property("result", truth()).required("result");
    let change =
        object().property("registration_ids", change_of("devices")).required("registration_ids");
    let holders =
        object().property("registration_ids", texts_or_null()).required("registration_ids");
    vec![
        get("/tags_count", "engagelab_count_tags", "How many devices have tags")
            .scope("read")
            .query_needed("tags", "Repeated, or joined by commas.", text(None), "vip,new")
            .query_needed("platform", PLATFORM, text(None), "ios")
            .answers(
                "A count for each.",
                found(counts, json!({"tagsCount": {"vip": 2, "new": 0}})),
            ),
        get("/tags", "engagelab_list_tags", "All tags").scope("read").answers(
            "Null where there are none.",
            found(tags_shape, json!({"tags": ["new", "vip"]})),
        ),
        get("/tags/quota-info", "engagelab_quotas", "How much of the quotas is used")
            .scope("read")
            .query("tags", "Tags to tell of, repeated or joined by commas.", text(None), "vip")
            .query("platform", PLATFORM, text(None), "all")
            .answers("The quotas.", quotas()),
        post("/tags/{tag}", "engagelab_change_tag", "Changes who has a tag")
            .about("All the devices that it names, or none.")
            .scope("register")
            .takes(found(change, json!({"registration_ids": {"add": ["17"], "remove": ["18"]}})))
            .answers("It is changed.", success()),
        delete("/tags/{tag}", "engagelab_remove_tag", "Takes a tag away from every device")
            .scope("register")
            .query("platform", PLATFORM, text(None), "all")
            .answers("It is gone.", success()),
        get(
            "/tags/{tag}/registration_ids/{id}",
            "engagelab_is_tagged",
            "Whether a device has a tag",
        )
        .scope("read")
        .answers("Whether it has.", found(tagged, json!({"result": true}))),
        get("/aliases/{alias}", "engagelab_get_alias", "Who has an alias")
            .scope("read")
            .query("platform", PLATFORM, text(None), "all")
            .answers(
                "Null where nobody has it.",
                found(holders, json!({"registration_ids": ["17"]})),
            ),
        delete("/aliases/{alias}", "engagelab_remove_alias", "Takes an alias away")
            .scope("register")
            .query("platform", PLATFORM, text(None), "all")
            .answers("It is gone.", success()),
    ]
}

fn quotas() -> Shape {
    let numbers = |names: &[&str]| {
        names
            .iter()
            .fold(object(), |object, name| object.property(*name, integer(None)).required(*name))
    };
    let tag = numbers(&["totalUidQuota", "useUidQuota"])
        .property("tagName", text(None))
        .required("tagName");
    let data = numbers(&["totalTagQuota", "useTagQuota", "totalAliasQuota", "useAliasQuota"])
        .property("tagUidQuotaDetail", ArrayBuilder::new().items(tag))
        .required("tagUidQuotaDetail");
    let schema = object().property("data", data).required("data");
    let example = json!({"data": {
        "totalTagQuota": 100_000, "useTagQuota": 2, "totalAliasQuota": 100_000, "useAliasQuota": 1,
        "tagUidQuotaDetail": [{"tagName": "vip", "totalUidQuota": 100_000, "useUidQuota": 2}],
    }});
    found(schema, example)
}

fn pushes() -> Vec<Operation> {
    let details = |path, id| {
        get(path, id, "What became of messages")
            .about("Ids of no message are left out.")
            .scope("read")
            .query_needed(
                "message_ids",
                "1 to 100 message ids, joined by commas.",
                text(None),
                "1,2",
            )
            .answers("By message id.", messages())
    };
    vec![
        post("/push", "engagelab_push", "Sends a push")
            .about(
                "A notification that is created and launched. Two pushes with one `cid` are one.",
            )
            .scope("send")
            .takes(push())
            .answers("It is launched.", sent()),
        post("/push/validate", "engagelab_validate", "Everything but the provider")
            .scope("send")
            .takes(push())
            .answers("It would be sent.", sent()),
        delete("/push/withdraw/{id}", "engagelab_withdraw", "Sends nothing more of a push")
            .scope("send")
            .answers("It is withdrawn.", sent()),
        details("/messages/details", "engagelab_message_details"),
        details("/status/detail", "engagelab_status_detail"),
    ]
}

fn sent() -> Shape {
    let schema = object()
        .property("request_id", text(None))
        .required("request_id")
        .property("msg_id", text(Some("The notification's number.")))
        .required("msg_id");
    found(schema, json!({"request_id": "3f1c2a52-6a07-4c38-b5c4-2f1f0d2a9b11", "msg_id": "1"}))
}

/// Fields that are not named are about channels that are not served, and are passed over.
fn push() -> Shape {
    let audience = ["tag", "tag_and", "tag_not", "alias", "registration_id"];
    let audience =
        audience.iter().fold(object(), |object, name| object.property(*name, texts_or_null()));
    let audience = audience.additional_properties(Some(AdditionalProperties::FreeForm(false)));
    let to = OneOfBuilder::new().item(choice(Some("Everyone."), &["all"])).item(audience);
    let message = object()
        .property("title", text_or_null())
        .property("msg_content", anything("What it says."))
        .property("content_type", text_or_null())
        .property("extras", anything("For the app."));
    let options = object()
        .property(
            "time_to_live",
            object().schema_type(SchemaType::from_iter([Type::Integer, Type::Null])),
        )
        .property("apns_collapse_id", text_or_null())
        .property("cid", text_or_null());
    let body = object()
        .property("platform", anything("`all`, or a list of `android`, `ios`, `web`, `hmos`."))
        .required("platform")
        .property("notification", content())
        .property("message", message)
        .property("options", options);
    let schema = object()
        .property("from", text(None))
        .property("to", to.description(Some("All parts must hold.")))
        .required("to")
        .property("body", body)
        .required("body")
        .property("request_id", anything("The caller's own name for it."));
    let example = json!({
        "from": "push", "to": {"tag": ["vip"]},
        "body": {"platform": "all", "notification": {"alert": "Everything must go"}, "options": {"cid": "once"}},
    });
    Shape::named("EngageLabPush", schema, example)
}

fn content() -> ObjectBuilder {
    let alert = || anything("Text, or an object of `title` and `body`.");
    let section = || {
        let texts = ["title", "url", "image", "icon", "big_pic_path", "large_icon"];
        let section =
            texts.iter().fold(object(), |object, name| object.property(*name, text_or_null()));
        section
            .property("alert", alert())
            .property("sound", anything("A sound's name."))
            .property("badge", anything("A number."))
            .property("extras", anything("For the app, an object."))
            .property("intent", anything("An object with a `url`."))
    };
    let platforms = ["android", "ios", "web", "hmos"].into_iter();
    let content = object().property("alert", alert());
    platforms.fold(content, |content, name| content.property(name, section()))
}

fn messages() -> Shape {
    let numbers = || {
        let names = ["targets", "sent", "delivered", "impressions", "clicks"];
        names
            .iter()
            .fold(object(), |object, name| object.property(*name, integer(None)).required(*name))
    };
    let sub = object()
        .property("notification", numbers())
        .required("notification")
        .property("message", json_object(None, integer(None)))
        .required("message");
    let message = numbers().property("sub", sub).required("sub");
    let counts = json!({"targets": 2, "sent": 2, "delivered": 2, "impressions": 1, "clicks": 0});
    let mut example = counts.clone();
    example["sub"] = json!({"notification": counts, "message": {}});
    found(json_object(None, message), json!({"1": example}))
}
