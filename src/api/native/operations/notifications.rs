//! `/notifications`

use serde_json::{Value, json};

use super::{enveloped, list, result, stretch};
use crate::api::{
    describe::{Operation, Shape, get, integer, json_object, post, put, text},
    native::wire::{
        audit::TimelineJson,
        notifications::{
            FailureJson, NotificationBody, NotificationJson, PreviewJson, RateBody, ResendBody,
            StatusBody, TestBody, TrialJson,
        },
        schemas::{Conditions, example_conditions},
    },
};

pub const ABOUT: &str = "Notifications of the app. Moves that a caller may make: DRAFT → QUEUED or LAUNCHED; QUEUED → \
    DRAFT or LAUNCHED (now); LAUNCHED ⇄ PAUSED; ERROR → LAUNCHED; any but SENT → DELETED.";

/// The notification of the examples.
pub const UUID: &str = "3f1c2a52-6a07-4c38-b5c4-2f1f0d2a9b11";

const IDEMPOTENCY: (&str, &str, &str) = (
    "Idempotency-Key",
    "Makes the call safe to repeat: 1 to 255 visible ASCII characters.",
    "order-4711",
);

const IF_MATCH: (&str, &str, &str) = (
    "If-Match",
    "The `ETag` of the draft that was seen, or several; where it is another by now, nothing happens (412).",
    "\"3\"",
);
const ETAG: (&str, &str) = ("ETag", "The draft's revision; what was launched has none.");

pub fn operations() -> Vec<Operation> {
    let mut operations = written();
    operations.extend(moved());
    operations
}

fn written() -> Vec<Operation> {
    let (name, about, example) = IDEMPOTENCY;
    let (seen, about_seen, a_revision) = IF_MATCH;
    vec![
        post("/notifications", "create_notification", "Writes a DRAFT")
            .about("`title` and `body` are needed. What a provider would refuse as too large is refused here.")
            .scope("send")
            .header(name, about, example)
            .takes(Shape::of::<NotificationBody>(draft()).knowing::<Conditions>())
            .answers("The notification.", one())
            .with_header(ETAG.0, ETAG.1)
            .refuses(&[409]),
        get("/notifications", "list_notifications", "The app's notifications")
            .scope("read")
            .query("status", "Only these states, numbers or names with commas.", text(None), "LAUNCHED,PAUSED")
            .query("search", "Only with this text within the title, in whatever case; at most 200 characters.",
                text(None), "ticket")
            .query("order_bys", "`id`, `uuid`, `title`, `status`, `scheduled_at`, `created_at`, `modified_at`; `-` \
                before what runs downwards.", text(None), "-created_at,id")
            .query("start", "How many to pass over.", integer(None), 0)
            .query("size", "How many to answer: 1 to 1,000, 10 by default.", integer(None), 10)
            .answers("A stretch of them.", stretch::<NotificationJson<'_>>(notification())),
        get("/notifications/{uuid}", "get_notification", "A notification")
            .scope("read")
            .answers("The notification.", one())
            .with_header(ETAG.0, ETAG.1)
            .refuses(&[404]),
        put("/notifications/{uuid}", "edit_notification", "Changes a DRAFT")
            .about("What is left out stays; null clears.")
            .scope("send")
            .header(seen, about_seen, a_revision)
            .takes(Shape::of::<NotificationBody>(json!({"body": "Today only", "badge": null})))
            .answers("The notification.", one())
            .with_header(ETAG.0, ETAG.1)
            .refuses(&[404, 409, 412]),
    ]
}

fn moved() -> Vec<Operation> {
    let (name, about, example) = IDEMPOTENCY;
    let (seen, about_seen, a_revision) = IF_MATCH;
    vec![
        post("/notifications/{uuid}/:launch", "launch_notification", "Launches a DRAFT")
            .about("LAUNCHED, or QUEUED until `scheduled_at`.")
            .scope("send")
            .header(name, about, example)
            .header(seen, about_seen, a_revision)
            .answers("The notification.", one())
            .refuses(&[404, 409, 412]),
        post(
            "/notifications/-/:preview",
            "preview_notification",
            "What the app's providers would be sent",
        )
        .about("Nothing is stored.")
        .scope("read")
        .takes(Shape::of::<NotificationBody>(json!({"title": "Sale", "body": "Today only"})))
        .answers("By provider.", previews()),
        post(
            "/notifications/{uuid}/:test",
            "test_notification",
            "Pushes it to a few named devices, now",
        )
        .about("Whatever its state is; counts for nothing else.")
        .scope("send")
        .header(seen, about_seen, a_revision)
        .takes(Shape::of::<TestBody>(json!({"external_ids": ["user-1"]})))
        .answers("A row for each.", list::<TrialJson<'_>>(trials()))
        .refuses(&[404, 409, 412]),
        post(
            "/notifications/{uuid}/:resend",
            "resend_failures",
            "Sends a SENT notification's failures again",
        )
        .about("Each device counts once, whatever became of it before.")
        .scope("send")
        .may_take(Shape::of::<ResendBody>(json!({"reason": "503", "platform": "ANDROID"})))
        .answers("The notification.", one())
        .refuses(&[404, 409]),
        put("/notifications/{uuid}/status", "set_status", "Moves it to another state")
            .scope("send")
            .takes(Shape::of::<StatusBody>(json!({"status": "PAUSED"})))
            .answers("The notification.", one())
            .refuses(&[404, 409]),
        put(
            "/notifications/{uuid}/rate_limit",
            "set_rate_limit",
            "Changes how many a second it may send",
        )
        .about("At once, for what is under way too.")
        .scope("send")
        .takes(Shape::of::<RateBody>(json!({"rate_limit": 500})))
        .answers("The notification.", one())
        .refuses(&[404, 409]),
        get(
            "/notifications/{uuid}/failures",
            "list_failures",
            "Devices whose latest outcome is a failure",
        )
        .scope("read")
        .query("reason", "Only what failed for this reason.", text(None), "no_token")
        .query("platform", "Only devices of this kind, a number or a name.", text(None), "IOS")
        .query("start", "How many to pass over.", integer(None), 0)
        .query("size", "How many to answer: 1 to 1,000, 10 by default.", integer(None), 10)
        .answers("A stretch of them.", stretch::<FailureJson<'_>>(failure()))
        .refuses(&[404]),
        get("/notifications/{uuid}/timeline", "get_timeline", "What befell a notification")
            .about("The oldest first.")
            .scope("read")
            .answers("Its timeline.", list::<TimelineJson<'_>>(timeline()))
            .refuses(&[404]),
    ]
}

fn one() -> Shape {
    result::<NotificationJson<'_>>(notification())
}

fn draft() -> Value {
    json!({
        "title": "Sale", "body": "Everything must go", "conditions": example_conditions(),
        "deep_link": "https://shop.example/sale", "scheduled_at": "2030-03-01T09:00:00+09:00", "priority": "high",
        "time_to_live": 3600, "data": {"campaign": "spring"}, "rate_limit": 1000,
    })
}

/// A notification as answers show it.
pub fn notification() -> Value {
    let none = json!({"android": 0, "ios": 0, "web": 0});
    let leaf = json!({"conditions": null, "key": "age", "value": 18, "operator": "int_gte", "join_type": null});
    json!({
        "id": 1, "uuid": UUID, "title": "Sale", "body": "Everything must go", "sent": none, "failed": none,
        "deep_link": "https://shop.example/sale", "image_url": null, "icon_url": null, "conditions": leaf, "status": 0,
        "scheduled_at": null, "created_at": "2026-03-01T09:30:00Z", "modified_at": "2026-03-01T09:30:00Z",
        "launched_at": null, "finished_at": null, "error": null, "time_to_live": 3600, "priority": "high",
        "collapse_id": null, "sound": null, "badge": null, "data": {"campaign": "spring"}, "dry_run": false,
        "rate_limit": 1000, "round": 0, "settled": 0, "reasons": {},
    })
}

fn timeline() -> Value {
    let row = |at, event, by| json!({"at": at, "event": event, "by": by, "details": {}});
    let (created, launched) = ("2026-03-01T09:30:00Z", "2026-03-01T09:31:00Z");
    json!([row(created, "created", None), row(launched, "launched", Some("marketing"))])
}

fn trials() -> Value {
    json!([{"external_id": "user-1", "outcome": "failed", "reason": "no_token"}])
}

fn previews() -> Shape {
    let payload = json!({"aps": {"alert": {"title": "Sale", "body": "Today only"}}});
    let one = Shape::of::<PreviewJson<'_>>(json!({
        "apns": {"payload": payload, "bytes": 58, "limit": 4096, "problem": null},
    }));
    let schema = json_object(Some("By provider."), one.schema.clone());
    enveloped(Shape { schema: schema.into(), ..one })
}

fn failure() -> Value {
    json!({
        "device_id": 1, "external_id": "user-1", "device_platform": 2, "reason": "Unregistered",
        "created_at": "2026-03-01T09:31:00Z",
    })
}
