//! Google's rules: the token endpoint, the message's JSON, the errors.

use super::*;

const TOKEN: &str = "fcm-registration_token:0123456789";

fn send_path(site: &Site) -> String {
    format!("/v1/projects/{}/messages:send", site.credentials().project_id)
}

fn form(assertion: &str) -> String {
    let grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
    format!("grant_type={grant}&assertion={assertion}")
}

async fn ask_for_token(client: &mut Client, assertion: &str) -> Answer {
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    client.post("/token", &kind, form(assertion).as_bytes()).await
}

/// A connection and an `authorization` that is good on it.
pub(super) async fn authorised(site: &Site) -> (Client, String) {
    let mut client = Client::fcm(site).await;
    let granted = ask_for_token(&mut client, &assertion(site, |_| {})).await;
    let token = granted.json()["access_token"].as_str().map(str::to_owned);
    (client, format!("Bearer {}", token.expect("a token")))
}

pub(super) async fn send(site: &Site, client: &mut Client, bearer: &str, body: &Value) -> Answer {
    let fields = [("authorization", bearer), ("content-type", "application/json")];
    client.post(&send_path(site), &fields, body.to_string().as_bytes()).await
}

#[tokio::test]
async fn issues_access_tokens() {
    let site = site().await;
    let mut client = Client::fcm(&site).await;
    let answer = ask_for_token(&mut client, &assertion(&site, |_| {})).await;
    assert_eq!(answer.status, 200);
    let granted = answer.json();
    assert_eq!(granted["expires_in"], 3599);
    assert_eq!(granted["token_type"], "Bearer");
    assert_eq!(site.stats(Provider::Fcm).tokens_issued, 1);
    assert_eq!(site.stats(Provider::Fcm).requests, 0);
    let google = assertion(&site, |c| c["aud"] = json!("https://oauth2.googleapis.com/token"));
    assert_eq!(ask_for_token(&mut client, &google).await.status, 200);
}

#[tokio::test]
async fn refuses_bad_assertions() {
    let site = site().await;
    let mut client = Client::fcm(&site).await;
    let now = now_secs();
    type Change = fn(&mut Value, u64);
    let rows: [(Change, &str); 6] = [
        (|c, _| c["iss"] = json!("someone@example.com"), "invalid_grant"),
        (|c, _| c["aud"] = json!("https://example.com/token"), "invalid_grant"),
        (|c, now| c["exp"] = json!(now + 3700), "invalid_grant"),
        (
            |c, now| {
                c["iat"] = json!(now - 4000);
                c["exp"] = json!(now - 400);
            },
            "invalid_grant",
        ),
        (|c, now| c["iat"] = json!(now + 600), "invalid_grant"),
        (|c, _| c["scope"] = json!("email"), "invalid_scope"),
    ];
    for (index, (change, error)) in rows.into_iter().enumerate() {
        let assertion = assertion(&site, |claims| change(claims, now));
        let answer = ask_for_token(&mut client, &assertion).await;
        assert_eq!(answer.status, 400, "row {index}");
        assert_eq!(answer.json()["error"], error, "row {index}");
    }
    let mut forged = assertion(&site, |_| {});
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    let answer = ask_for_token(&mut client, &forged).await;
    assert_eq!(answer.json()["error_description"], "Invalid JWT Signature.");
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let other = client.post("/token", &kind, b"grant_type=password").await;
    assert_eq!(other.json()["error"], "unsupported_grant_type");
    let json = [("content-type", "application/json")];
    assert_eq!(client.post("/token", &json, b"{}").await.status, 400);
}

#[tokio::test]
async fn accepts_a_message_and_records_it() {
    let site = site().await;
    let (mut client, bearer) = authorised(&site).await;
    let body = json!({ "message": {
        "token": TOKEN,
        "notification": { "title": "Hello", "body": "World", "image": null },
        "data": { "key": "value" },
        "android": {
            "collapseKey": "older",
            "priority": "HIGH",
            "ttl": "3600s",
            "notification": { "tag": "campaign", "click_action": "OPEN", "color": "#aa00FF" },
        },
        "apns": { "payload": { "aps": { "badge": 1 } }, "headers": { "apns-priority": "5" } },
        "webpush": { "notification": { "any": [1, 2] }, "fcm_options": { "link": "x" } },
        "fcm_options": { "analytics_label": "label" },
    }});
    let answer = send(&site, &mut client, &bearer, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    let name = answer.json()["name"].as_str().map(str::to_owned);
    let records: Vec<Record> = site.records().collect();
    assert_eq!(records.len(), 1);
    assert_eq!(Some(&records[0].id), name.as_ref());
    assert_eq!(records[0].token, TOKEN);
    assert_eq!(records[0].collapse_id, "campaign");
    assert_eq!(client.send.current_max_send_streams(), 100);
}

#[tokio::test]
async fn names_the_field_that_is_wrong() {
    let site = site().await;
    let (mut client, bearer) = authorised(&site).await;
    let unknown = |name: &str, place: &str| {
        format!("Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field.")
    };
    let rows = [
        (json!({ "to": "x" }), "", unknown("to", "")),
        (json!({ "message": { "tokens": [] } }), "message", unknown("tokens", " at 'message'")),
        (
            json!({ "message": { "token": TOKEN, "android": { "notification": { "badge": 1 } } } }),
            "message.android.notification",
            unknown("badge", " at 'message.android.notification'"),
        ),
        (
            json!({ "message": { "token": TOKEN, "data": { "n": 12 } } }),
            "message.data[0].value",
            "Invalid value at 'message.data[0].value' (TYPE_STRING), 12".to_owned(),
        ),
        (
            json!({ "message": { "token": TOKEN, "android": { "priority": "urgent" } } }),
            "message.android.priority",
            "Invalid value at 'message.android.priority' (TYPE_ENUM), \"urgent\"".to_owned(),
        ),
        (
            json!({ "message": { "token": TOKEN, "android": { "ttl": "3600" } } }),
            "message.android.ttl",
            "Invalid value at 'message.android.ttl' \
             (type.googleapis.com/google.protobuf.Duration), \"3600\""
                .to_owned(),
        ),
        (
            json!({ "message": { "token": TOKEN, "android": { "notification": {
                "body_loc_args": ["a", 1] } } } }),
            "message.android.notification.body_loc_args[1]",
            "Invalid value at 'message.android.notification.body_loc_args[1]' (TYPE_STRING), 1"
                .to_owned(),
        ),
        (
            json!({ "message": { "token": TOKEN, "topic": "news" } }),
            "message",
            "Invalid value at 'message' (oneof), oneof field 'target' is already set.".to_owned(),
        ),
    ];
    for (body, field, message) in rows {
        let answer = send(&site, &mut client, &bearer, &body).await;
        assert_eq!(answer.status, 400, "{body}");
        let error = &answer.json()["error"];
        assert_eq!(error["status"], "INVALID_ARGUMENT");
        assert_eq!(error["message"], message);
        let violation = &error["details"][0]["fieldViolations"][0];
        assert_eq!(violation["field"].as_str().unwrap_or_default(), field);
    }
}

#[tokio::test]
async fn refuses_messages_that_fcm_refuses() {
    let site = site().await;
    let (mut client, bearer) = authorised(&site).await;
    let big = "x".repeat(4096);
    let rows = [
        (json!({}), "Recipient of the message is not set."),
        (
            json!({ "token": "too-short" }),
            "The registration token is not a valid FCM registration token",
        ),
        (
            json!({ "token": format!("{TOKEN} {TOKEN}") }),
            "The registration token is not a valid FCM registration token",
        ),
        (json!({ "token": TOKEN, "data": { "from": "x" } }), "Invalid data payload key: from"),
        (json!({ "token": TOKEN, "data": { "k": big } }), "Android message is too big"),
        (json!({ "token": TOKEN, "notification": { "body": big } }), "Android message is too big"),
        (
            json!({ "token": TOKEN, "android": { "ttl": "2419201s" } }),
            "Invalid TTL: the maximum time to live is 4 weeks",
        ),
    ];
    for (message, told) in rows {
        let body = json!({ "message": message });
        let answer = send(&site, &mut client, &bearer, &body).await;
        assert_eq!(answer.status, 400, "{told}");
        let error = &answer.json()["error"];
        assert_eq!(error["message"], told);
        assert_eq!(error["details"][0]["errorCode"], "INVALID_ARGUMENT");
    }
    let fields = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = client.post(&send_path(&site), &fields, b"{\"message\":").await;
    assert_eq!(answer.status, 400);
    let plain = [("authorization", bearer.as_str()), ("content-type", "text/plain")];
    assert_eq!(client.post(&send_path(&site), &plain, b"{}").await.status, 400);
}

#[tokio::test]
async fn checks_access_tokens_and_projects() {
    let site = site().await;
    let (mut client, bearer) = authorised(&site).await;
    let body = json!({ "message": { "token": TOKEN } });
    for wrong in ["Bearer nonsense", "nonsense"] {
        let answer = send(&site, &mut client, wrong, &body).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json()["error"]["status"], "UNAUTHENTICATED");
    }
    let json = ("content-type", "application/json");
    let answer = client.post(&send_path(&site), &[json], b"{}").await;
    assert_eq!(answer.status, 401);
    let fields = [("authorization", bearer.as_str()), json];
    let other = client.post("/v1/projects/other/messages:send", &fields, b"{}").await;
    assert_eq!(other.status, 403);
    assert_eq!(other.json()["error"]["status"], "PERMISSION_DENIED");
    assert_eq!(client.post("/fcm/send", &fields, b"{}").await.status, 404);
}

#[tokio::test]
async fn access_tokens_expire() {
    let mut plan = FaultPlan::default();
    plan.fcm.token_expires_in_secs = Some(0);
    let site = site_with(plan).await;
    let (mut client, bearer) = authorised(&site).await;
    let body = json!({ "message": { "token": TOKEN } });
    let answer = send(&site, &mut client, &bearer, &body).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn speaks_http1_too() {
    let site = site().await;
    let (_client, bearer) = authorised(&site).await;
    let tls = connect(&site, site.sandbox.fcm, b"http/1.1", false).await;
    let mut tls = tls.expect("TLS");
    let path = send_path(&site);
    let body = json!({ "message": { "token": TOKEN } }).to_string();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\n\
         Content-Type: application/json\r\n"
    );
    let whole = format!("{head}Content-Length: {length}\r\n\r\n{body}");
    let chunked = format!(
        "{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
         5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        &body[..5],
        length - 5,
        &body[5..]
    );
    tls.write_all(whole.as_bytes()).await.expect("sent");
    tls.write_all(chunked.as_bytes()).await.expect("sent");
    let mut text = String::new();
    soon(tls.read_to_string(&mut text)).await.expect("answers");
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2, "{text}");
    assert_eq!(site.stats(Provider::Fcm).accepted, 2);
}
