//! What the document says of this dialect: an operation for each path and verb of its table.

use serde_json::{Value, json};
use utoipa::openapi::{
    ArrayBuilder, Object, ObjectBuilder, Ref, SecurityRequirement,
    schema::{SchemaType, Type},
    security::SecurityScheme,
};

use crate::{
    api::describe::{
        Operation, Part, PathParameter, Refusals, Shape, choice, delete, get, header_key, integer,
        post, text,
    },
    settings::MoxieSettings,
};

const UUID: &str = "3f1c2a52-6a07-4c38-b5c4-2f1f0d2a9b11";

const PATH_PARAMETERS: &[PathParameter] =
    &[("uuid", "The notification's `ident`.", UUID), ("id", "The followup's number.", "1")];

/// What is said of it.
pub fn part(settings: &MoxieSettings) -> Part {
    let mut operations = notifications(&settings.prefix);
    operations.extend(followups(&settings.prefix));
    operations.extend(pushes());
    Part {
        name: "Moxie",
        about: ABOUT.to_owned(),
        prefix: settings.prefix.clone(),
        access: vec![signature()],
        headers: Vec::new(),
        refusals: refusals(),
        path_parameters: PATH_PARAMETERS,
        operations,
    }
}

const ABOUT: &str = "Moxie Notifications: announcements, followups to them, and pushes. Dates are \
    `YYYY-mm-DDTHH:mm:ss`, in UTC. Every path is served with and without a slash at its end. What is signed is \
    the method, the URL, `date:` and the `Date` header, `x-hmac-nonce:` and the nonce, a line each.";

fn signature() -> SecurityRequirement {
    let none = Vec::<String>::new;
    SecurityRequirement::new("moxie_signature", none())
        .add("moxie_key", none())
        .add("moxie_nonce", none())
}

/// How its callers prove themselves: all of these at once.
pub fn schemes() -> Vec<(&'static str, SecurityScheme)> {
    let signature = "The HMAC-SHA1 of what is signed, with the shared secret, in hexadecimal digits. A `Date` header \
        stands beside it.";
    vec![
        ("moxie_signature", header_key("Authorization", signature)),
        ("moxie_key", header_key("X-Moxie-Key", "The user's API key.")),
        ("moxie_nonce", header_key("X-HMAC-Nonce", "Taken once.")),
    ]
}

fn refusals() -> Refusals {
    let schema = object()
        .property("status", choice(None, &["error"]))
        .required("status")
        .property("error", text(Some("What is wrong, by the field's name.")))
        .required("error");
    let shape = Shape::named("MoxieRefusal", schema, refusal("message: is required"));
    Refusals { shape, told, always: &[403, 500, 503] }
}

fn told(status: u16) -> (&'static str, Value) {
    let (why, what) = match status {
        400 => ("Bad input, named.", "message: is required"),
        401 => (
            "Not signed, or not so that it can be taken; the challenge says why.",
            "the signature does not fit",
        ),
        403 => ("An installation without keys answers this machine alone.", "refused"),
        404 => ("There is no such notification or followup.", "there is no such notification"),
        408 => (
            "The body did not arrive in time; the connection closes.",
            "the request body did not arrive within 30 seconds",
        ),
        413 => ("The body is over the limit.", "the request body is over the limit"),
        429 => ("This address registers too often; `Retry-After` says when again.", "too often"),
        503 => ("The store is away; try again.", "the store is not available"),
        _ => ("Ours.", "internal error"),
    };
    (why, refusal(what))
}

fn refusal(what: &str) -> Value {
    json!({"status": "error", "error": what})
}

fn object() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object)
}

fn date(about: &str) -> Object {
    let text = object().schema_type(Type::String).description(Some(about));
    text.pattern(Some(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$")).build()
}

fn text_or_null(about: &str) -> Object {
    let kinds = SchemaType::from_iter([Type::String, Type::Null]);
    object().schema_type(kinds).description(Some(about)).build()
}

fn links() -> ObjectBuilder {
    let place = object().property("href", text(None)).required("href");
    object().property("self", place).required("self")
}

fn links_to(place: &str) -> Value {
    json!({"self": {"href": place}})
}

const LOCATION: (&str, &str) = ("Location", "Where it is.");

fn notifications(prefix: &str) -> Vec<Operation> {
    let made = object()
        .property("status", choice(None, &["created"]))
        .required("status")
        .property("ident", text(Some("Its UUID.")))
        .required("ident");
    let made = Shape::plain(made, json!({"status": "created", "ident": UUID}));
    vec![
        get("", "moxie_list", "The notifications that are ongoing")
            .free()
            .query("history", "`true` tells of all.", text(None), "true")
            .answers("The earliest first.", list(prefix)),
        post("", "moxie_create", "Makes a notification")
            .takes(Shape::named(
                "MoxieNotificationEdit",
                body(),
                json!({"message": "Fire", "label": "Alarm"}),
            ))
            .answers_with(201, "It is made.", Some(made))
            .with_header(LOCATION.0, LOCATION.1),
        get("/{uuid}", "moxie_get", "A notification")
            .free()
            .answers("The notification.", notification(prefix))
            .refuses(&[404]),
        post("/{uuid}", "moxie_update", "Changes what it names")
            .about("What is left out stays; null removes `url` and `label`.")
            .takes(Shape::named("MoxieNotificationEdit", body(), json!({"url": null})))
            .answers("The notification.", notification(prefix))
            .with_header(LOCATION.0, LOCATION.1)
            .refuses(&[404]),
        delete("/{uuid}", "moxie_remove", "Removes a notification")
            .answers("It is gone.", deleted())
            .refuses(&[404]),
    ]
}

fn body() -> ObjectBuilder {
    object()
        .property(
            "message",
            text_or_null("What it says; a new one needs it. At most 4,000 characters."),
        )
        .property("timestamp", nullable_date("From when it is shown; now, if left out."))
        .property("expires", nullable_date("Until when it is shown."))
        .property("url", text_or_null("Where there is more."))
        .property("label", text_or_null("One line."))
}

fn nullable_date(about: &str) -> Object {
    let mut date = date(about);
    date.schema_type = SchemaType::from_iter([Type::String, Type::Null]);
    date
}

fn deleted() -> Shape {
    let schema = object().property("status", choice(None, &["deleted"])).required("status");
    Shape::plain(schema, json!({"status": "deleted"}))
}

fn followup_schema() -> ObjectBuilder {
    object()
        .property("id", integer(Some("It counts from 1 within its notification.")))
        .required("id")
        .property("timestamp", date("When it was."))
        .required("timestamp")
        .property("message", text(None))
        .required("message")
        .property("_links", links())
        .required("_links")
}

fn followup_example(prefix: &str) -> Value {
    let place = format!("{prefix}/{UUID}/followup/1");
    json!({"id": 1, "timestamp": "2026-03-01T09:35:00", "message": "It is out", "_links": links_to(&place)})
}

fn followup(prefix: &str) -> Shape {
    Shape::named("MoxieFollowup", followup_schema(), followup_example(prefix))
}

fn notification(prefix: &str) -> Shape {
    let followups = || ArrayBuilder::new().items(Ref::from_schema_name("MoxieFollowup"));
    let embedded = object().property("followups", followups()).required("followups");
    let id = || text(Some("Its UUID."));
    let names =
        ["uuid", "ident", "timestamp", "message", "expires", "followups", "_links", "_embedded"];
    let schema = object()
        .property("uuid", id())
        .property("ident", id())
        .property("timestamp", date("From when it is shown."))
        .property("message", text(None))
        .property("expires", date("Until when it is shown."))
        .property("followups", followups())
        .property("_links", links())
        .property("_embedded", embedded)
        .property("url", text(None))
        .property("label", text(None));
    let schema = names.into_iter().fold(schema, ObjectBuilder::required);
    let mut shape = Shape::named("MoxieNotification", schema, notification_example(prefix));
    shape.components.extend(followup(prefix).components);
    shape
}

fn notification_example(prefix: &str) -> Value {
    let followups = json!([followup_example(prefix)]);
    json!({
        "uuid": UUID, "ident": UUID, "timestamp": "2026-03-01T09:30:00", "message": "Fire",
        "expires": "2026-03-01T21:30:00", "followups": followups, "_links": links_to(&format!("{prefix}/{UUID}")),
        "_embedded": {"followups": followups}, "label": "Alarm",
    })
}

fn list(prefix: &str) -> Shape {
    let one = notification(prefix);
    let all = || ArrayBuilder::new().items(Ref::from_schema_name("MoxieNotification"));
    let embedded = object().property("notifications", all()).required("notifications");
    let schema = object()
        .property("notifications", all())
        .required("notifications")
        .property("_embedded", embedded)
        .required("_embedded")
        .property("_links", links())
        .required("_links");
    let told = json!([notification_example(prefix)]);
    let example = json!({
        "notifications": told, "_embedded": {"notifications": told}, "_links": links_to(&format!("{prefix}/")),
    });
    Shape { components: one.components, ..Shape::plain(schema, example) }
}

fn followups(prefix: &str) -> Vec<Operation> {
    let body = object()
        .property("message", text(Some("At most 4,000 characters.")))
        .required("message")
        .property("timestamp", nullable_date("When it was; now, if left out."));
    let body = Shape::named("MoxieFollowupEdit", body, json!({"message": "It is out"}));
    let made = object()
        .property("status", choice(None, &["created"]))
        .required("status")
        .property("id", integer(None))
        .required("id");
    let made = Shape::plain(made, json!({"status": "created", "id": 1}));
    vec![
        post("/{uuid}/followup", "moxie_add_followup", "Adds a followup")
            .takes(body.clone())
            .answers_with(201, "It is made.", Some(made))
            .with_header(LOCATION.0, LOCATION.1)
            .refuses(&[404]),
        get("/{uuid}/followup/{id}", "moxie_get_followup", "A followup")
            .free()
            .answers("The followup.", followup(prefix))
            .refuses(&[404]),
        post("/{uuid}/followup/{id}", "moxie_update_followup", "Changes a followup")
            .takes(body)
            .answers("The followup.", followup(prefix))
            .with_header(LOCATION.0, LOCATION.1)
            .refuses(&[404]),
        delete("/{uuid}/followup/{id}", "moxie_remove_followup", "Removes a followup")
            .about("Its number is not given again.")
            .answers("It is gone.", deleted())
            .refuses(&[404]),
    ]
}

fn pushes() -> Vec<Operation> {
    let push = object()
        .property("notification", text(Some("The notification that it is about.")))
        .required("notification")
        .property("message", text(Some("What it says.")))
        .required("message");
    let push = Shape::plain(push, json!({"notification": UUID, "message": "Avoid the area"}));
    let pushed = object().property("status", choice(None, &["success"])).required("status");
    let pushed = Shape::plain(pushed, json!({"status": "success"}));
    vec![
        post("/push", "moxie_push", "Pushes to every registered phone and mailbox")
            .takes(push)
            .answers_with(202, "It is launched.", Some(pushed)),
        register(
            "/register/gcm",
            "moxie_register_gcm",
            "Registers a phone with Google's services",
            "registration_id",
        ),
        register(
            "/register/apns",
            "moxie_register_apns",
            "Registers an Apple device",
            "device_token",
        ),
    ]
}

/// Phones sign nothing; they are refused where nobody could push to them.
fn register(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    field: &'static str,
) -> Operation {
    let body = object().property(field, text(Some("Its token."))).required(field);
    let done = object().property("success", integer(None)).required("success");
    post(path, id, summary)
        .free()
        .about("A hundred times a minute from one address. 401 where no users are configured.")
        .takes(Shape::plain(body, json!({field: "00ffab"})))
        .answers_with(202, "It is registered.", Some(Shape::plain(done, json!({"success": 1}))))
        .refuses(&[401, 429])
}
