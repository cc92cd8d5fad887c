//! What the document says of sessions and of the feed.

use serde_json::{Value, json};
use utoipa::openapi::{
    Object, ObjectBuilder, OneOfBuilder, Schema, SecurityRequirement,
    schema::{SchemaType, Type},
};

use crate::api::{
    describe::{
        Operation, Part, Shape, choice, delete, get, integer, json_object, post, text, text_list,
    },
    native::{self, done, enveloped},
};

/// Sessions, and the feed.
pub fn parts(access: &[SecurityRequirement]) -> Vec<Part> {
    let sessions = native::part("Session", ABOUT_SESSION, &[], sessions(access));
    vec![Part { headers: Vec::new(), ..sessions }, native::part("Feed", ABOUT_FEED, access, feed())]
}

const ABOUT_SESSION: &str = "A key is exchanged for a cookie, which every native call takes in its place. \
    With the cookie, every method but GET and HEAD carries `X-CSRF-Token`, the session's `csrf`.";
const ABOUT_FEED: &str = "The status of an app, once or as it changes.";

const OR_NONE: &str =
    "`true` for whoever only wants to know: nobody is answered with null then, not refused.";

fn object() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object)
}

fn number() -> Object {
    object().schema_type(Type::Number).build()
}

fn truth(about: &str) -> Object {
    object().schema_type(Type::Boolean).description(Some(about)).build()
}

fn text_or_null(about: &str) -> Object {
    let kinds = SchemaType::from_iter([Type::String, Type::Null]);
    object().schema_type(kinds).description(Some(about)).build()
}

fn moment() -> Object {
    text(Some("RFC 3339."))
}

/// Counts of these names.
fn counts(names: &[&str]) -> ObjectBuilder {
    names.iter().fold(object(), |all, name| all.property(*name, integer(None)).required(*name))
}

/// Names that are always there, with what they are.
fn whole<const N: usize>(schema: ObjectBuilder, named: [(&str, Object); N]) -> ObjectBuilder {
    named.into_iter().fold(schema, |all, (name, one)| all.property(name, one).required(name))
}

fn sessions(access: &[SecurityRequirement]) -> Vec<Operation> {
    let key = text(Some("A secret of an app, or an internal key."));
    let key = whole(object(), [("key", key)]);
    let csrf = "The session's, where the cookie is shown.";
    vec![
        get("/console/session", "get_session", "Who the caller is; prolongs the cookie")
            .access(access.to_vec())
            .query("or_none", OR_NONE, truth("False by default."), true)
            .answers("The session.", enveloped(session_or_none())),
        post("/console/session", "begin_session", "Begins a session with a key")
            .free()
            .about("An address that tries many keys has to wait.")
            .takes(Shape::plain(key, json!({"key": "secret-of-the-app"})))
            .answers("The session.", enveloped(session()))
            .with_header("Set-Cookie", "The cookie; HttpOnly, SameSite=Strict.")
            .refuses(&[401, 429]),
        delete("/console/session", "end_session", "Ends the session")
            .free()
            .header("X-CSRF-Token", csrf, "5f2b0c")
            .answers("There is none any more.", done())
            .refuses(&[401]),
    ]
}

fn session() -> Shape {
    let schema = [
        ("app", text_or_null("The key's app; none is an operator's.")),
        ("operator", truth("Whether it may act on any app.")),
        ("open", truth("Whether calls need no key.")),
        ("key_name", text(None)),
        ("csrf", text(Some("For `X-CSRF-Token`; empty where no cookie was shown."))),
        ("expires_at", text_or_null("When, if nothing is asked before.")),
        ("version", text(None)),
        ("storage", choice(None, &["embedded", "mongodb"])),
        (
            "sealing",
            truth("Whether apps can be given credentials: `internal.sealing_secret` is set."),
        ),
    ];
    let schema = whole(object(), schema)
        .property("apps", text_list(Some("Those that it may look at.")))
        .required("apps")
        .property("scopes", text_list(Some("The key's.")))
        .required("scopes");
    let example = json!({
        "app": "shop", "apps": ["shop"], "operator": false, "open": false, "key_name": "marketing",
        "scopes": ["send", "read"], "csrf": "5f2b0c", "expires_at": "2026-03-01T21:30:00Z",
        "version": "0.1.0", "storage": "embedded", "sealing": true,
    });
    Shape::named("Session", schema, example)
}

fn session_or_none() -> Shape {
    let session = session();
    let none = object().schema_type(Type::Null);
    let either = OneOfBuilder::new().item(session.schema.clone()).item(none).build();
    Shape { schema: Schema::from(either).into(), ..session }
}

const WEBSOCKET: &str = "A websocket of text messages in JSON. The server says `hello` with `resume`, then \
    `snapshot` with a whole status and the `history` of its rates (`rates` by provider, `campaigns` by UUID: a \
    number for each of the last 120 seconds, the oldest first, from the first that is not 0), then `delta` with a \
    JSON merge patch (RFC 7396) against the status of the number before; a watcher that does not keep up gets a \
    snapshot instead. The client may say \
    `{\"type\": \"watch\", \"notification\": UUID or null}`, 30 times within 10 seconds at the most, and \
    `{\"type\": \"ping\"}`. What is refused is answered with `error` and a `reason`. 50 notifications of an app are \
    watched at once at the most. The server sends ping frames every 15 seconds, and closes what is silent for 45, \
    and what its key or session permits no more.";

fn feed() -> Vec<Operation> {
    let uuid = "3f1c2a52-6a07-4c38-b5c4-2f1f0d2a9b11";
    let app = "The app, for an operator: browsers send no headers of their own here.";
    let notification = "One notification, with what the engine does for it.";
    let resume = "What `hello` said: the deltas since then, if they are still held.";
    vec![
        get("/status", "get_status", "An app's status")
            .scope("read")
            .answers("The status; what is not known is left out.", enveloped(status())),
        get("/ws/status", "watch_status", "An app's status, as it changes")
            .about(WEBSOCKET)
            .scope("read")
            .query("app", app, text(None), "shop")
            .query("notification", notification, text(None), uuid)
            .query("resume", resume, text(None), "1.17")
            .answers_with(101, "It is a websocket now.", None)
            .refuses(&[429]),
    ]
}

fn status() -> Shape {
    let rate = whole(counts(&["accepted", "failed"]), [("per_second", number())]);
    let limits = counts(&["global", "app", "apns", "fcm"]).build();
    let errors = Some("By reason, of campaigns active or ended within the hour.");
    let schema = [
        ("app", text(None)),
        ("at", moment()),
        ("rates", json_object(Some("By provider, of the last second, over all nodes."), rate)),
        ("queue", counts(&["waiting", "in_flight"]).build()),
        ("providers", json_object(None, provider())),
        ("limits", limits),
        ("nodes", json_object(Some("By the node's id."), node())),
        ("errors", json_object(errors, integer(None))),
        ("campaigns", json_object(Some("By UUID."), campaign())),
    ];
    let actors = "What the engine's actors do for the one notification that is watched.";
    let schema = whole(object(), schema).property("actors", object().description(Some(actors)));
    Shape::named("Status", schema, status_example())
}

fn provider() -> ObjectBuilder {
    let latency = whole(object(), [("p50", number()), ("p99", number())]);
    let schema = [
        ("state", choice(None, &["closed", "open", "half_open"])),
        ("refused", truth("Whether the provider refuses the app's credentials.")),
    ];
    whole(counts(&["waiting", "in_flight"]), schema)
        .property("reason", text(Some("Why nothing is sent now.")))
        .property("retry_at", moment())
        .property("latency_ms", latency)
}

fn node() -> ObjectBuilder {
    let schema = [
        ("name", text(None)),
        ("version", text(None)),
        ("here", truth("Whether it is the one that answers.")),
        ("last_seen", moment()),
        ("per_second", number()),
    ];
    whole(counts(&["restarts", "shards"]), schema)
}

fn campaign() -> ObjectBuilder {
    let by_reason = || json_object(None, integer(None));
    let platforms = || {
        let unknown = integer(Some("Left out where there are none."));
        counts(&["android", "ios", "web"]).property("unknown", unknown).build()
    };
    let shards = whole(counts(&["total", "done"]), [("by_node", by_reason())]).build();
    let schema = [
        ("title", text(None)),
        ("sent", platforms()),
        ("failed", platforms()),
        ("reasons", by_reason()),
        ("per_second", number()),
        ("shards", shards),
    ];
    whole(counts(&["status"]), schema)
        .property("expected", integer(Some("How many devices it is for.")))
        .property("eta_seconds", integer(None))
        .property("started_at", moment())
        .property("rate_limit", integer(None))
}

fn status_example() -> Value {
    let at = "2026-03-01T09:30:00Z";
    let provider = json!({
        "state": "closed", "refused": false, "waiting": 0, "in_flight": 3,
        "latency_ms": {"p50": 12.5, "p99": 40.0},
    });
    let node = json!({
        "name": "push-1", "version": "0.1.0", "here": true, "last_seen": at, "per_second": 950.0,
        "restarts": 0, "shards": 16,
    });
    let campaign = json!({
        "title": "Sale", "status": 1, "expected": 100_000, "sent": {"android": 4000, "ios": 0, "web": 0},
        "failed": {"android": 2, "ios": 0, "web": 0}, "reasons": {"UNREGISTERED": 2},
        "per_second": 950.0, "eta_seconds": 102, "started_at": at,
        "shards": {"total": 16, "done": 0, "by_node": {"1f0d2a9b": 16}},
    });
    json!({
        "app": "shop", "at": at, "rates": {"fcm": {"per_second": 950.0, "accepted": 4000, "failed": 2}},
        "queue": {"waiting": 0, "in_flight": 3}, "providers": {"fcm": provider},
        "limits": {"global": 0, "app": 0, "apns": 0, "fcm": 1000}, "nodes": {"1f0d2a9b": node},
        "errors": {"UNREGISTERED": 2}, "campaigns": {"3f1c2a52-6a07-4c38-b5c4-2f1f0d2a9b11": campaign},
    })
}
