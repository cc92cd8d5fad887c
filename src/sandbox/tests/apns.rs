//! Apple's rules, one table row or test each.

use super::*;

const TOKEN: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const PAYLOAD: &[u8] = br#"{"aps":{"alert":"hello"}}"#;

fn path() -> String {
    format!("/3/device/{TOKEN}")
}

/// The header fields of a good request, with some replaced, added or (empty
/// name after `-`) left out.
fn fields<'a>(bearer: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("authorization", bearer),
        ("apns-topic", "com.example.fanfare"),
        ("apns-push-type", "alert"),
        ("apns-priority", "10"),
    ];
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        if *value != "-" {
            fields.push((name, value));
        }
    }
    fields
}

#[tokio::test]
async fn accepts_a_push_and_records_it() {
    let site = site().await;
    let mut client = Client::apns(&site).await;
    let bearer = bearer(&site);
    let id = "123E4567-e89b-12d3-a456-426655440000";
    let changes = [("apns-id", id), ("apns-collapse-id", "campaign")];
    let answer = client.post(&path(), &fields(&bearer, &changes), PAYLOAD).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("apns-id"), id);
    assert_eq!(answer.header("apns-unique-id").len(), 36);
    assert!(answer.body.is_empty());

    let answer = client.post(&path(), &fields(&bearer, &[]), PAYLOAD).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("apns-id").len(), 36);

    let records: Vec<Record> = site.records().collect();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].token, TOKEN);
    assert_eq!(records[0].id, id.to_lowercase());
    assert_eq!(records[0].collapse_id, "campaign");
    assert!(records[0].accepted());
    let stats = site.stats(Provider::Apns);
    assert_eq!((stats.requests, stats.accepted, stats.connections), (2, 2, 1));
}

#[tokio::test]
async fn refuses_what_apple_refuses_about_header_fields() {
    let site = site().await;
    let mut client = Client::apns(&site).await;
    let bearer = bearer(&site);
    let long = "c".repeat(65);
    let rows: [(&[(&str, &str)], &str); 17] = [
        (&[("apns-topic", "-")], "MissingTopic"),
        (&[("apns-topic", "not a topic")], "BadTopic"),
        (&[("apns-topic", "com.example.other")], "DeviceTokenNotForTopic"),
        (&[("apns-push-type", "voip")], "DeviceTokenNotForTopic"),
        (&[("apns-push-type", "-")], "InvalidPushType"),
        (&[("apns-push-type", "Alert")], "InvalidPushType"),
        (&[("apns-priority", "7")], "BadPriority"),
        (&[("apns-push-type", "background")], "BadPriority"),
        (&[("apns-expiration", "tomorrow")], "BadExpirationDate"),
        (&[("apns-expiration", "-1")], "BadExpirationDate"),
        (&[("apns-expiration", "")], "BadExpirationDate"),
        (&[("apns-expiration", "1.5")], "BadExpirationDate"),
        (&[("apns-collapse-id", &long)], "BadCollapseId"),
        (&[("apns-id", "123e4567e89b12d3a456426655440000")], "BadMessageId"),
        (&[("apns-id", "no")], "BadMessageId"),
        (&[("apns-id", "{123e4567-e89b-12d3-a456-426655440000}")], "BadMessageId"),
        (&[("apns-id", "")], "BadMessageId"),
    ];
    for (changes, reason) in rows {
        let answer = client.post(&path(), &fields(&bearer, changes), PAYLOAD).await;
        assert_eq!(answer.reason(), (400, reason.to_owned()), "{changes:?}");
    }
    let mut twice = fields(&bearer, &[]);
    twice.push(("apns-priority", "5"));
    let answer = client.post(&path(), &twice, PAYLOAD).await;
    assert_eq!(answer.reason(), (400, "DuplicateHeaders".to_owned()));
}

#[tokio::test]
async fn accepts_every_push_type_with_its_topic() {
    let site = site().await;
    let mut client = Client::apns(&site).await;
    let bearer = bearer(&site);
    for (push_type, topic) in [
        ("background", "com.example.fanfare"),
        ("location", "com.example.fanfare.location-query"),
        ("voip", "com.example.fanfare.voip"),
        ("complication", "com.example.fanfare.complication"),
        ("fileprovider", "com.example.fanfare.pushkit.fileprovider"),
        ("mdm", "com.example.fanfare"),
        ("liveactivity", "com.example.fanfare.push-type.liveactivity"),
        ("pushtotalk", "com.example.fanfare.voip-ptt"),
        ("widgets", "com.example.fanfare.push-type.widgets"),
        ("controls", "com.example.fanfare.push-type.controls"),
    ] {
        let changes = [
            ("apns-push-type", push_type),
            ("apns-topic", topic),
            ("apns-priority", "5"),
            ("apns-expiration", "0"),
        ];
        let answer = client.post(&path(), &fields(&bearer, &changes), PAYLOAD).await;
        assert_eq!(answer.status, 200, "{push_type}");
    }
}

#[tokio::test]
async fn refuses_wrong_methods_paths_and_tokens() {
    let site = site().await;
    let mut client = Client::apns(&site).await;
    let bearer = bearer(&site);
    let fields = fields(&bearer, &[]);
    let get = client.try_send("GET", &path(), &fields, b"").await;
    let get = get.expect("an answer").reason();
    assert_eq!(get, (405, "MethodNotAllowed".to_owned()));
    let odd = format!("/3/device/{TOKEN}0");
    let no_hex = format!("/3/device/{}zz", &TOKEN[2..]);
    for (path, status, reason) in [
        ("/4/device/00", 404, "BadPath"),
        ("/3/device/", 400, "MissingDeviceToken"),
        ("/3/device/0011", 400, "BadDeviceToken"),
        (odd.as_str(), 400, "BadDeviceToken"),
        (no_hex.as_str(), 400, "BadDeviceToken"),
    ] {
        let answer = client.post(path, &fields, PAYLOAD).await;
        assert_eq!(answer.reason(), (status, reason.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn judges_provider_tokens() {
    let site = site().await;
    let credentials = site.credentials();
    let (key_id, team_id) = (&credentials.apns_key_id, &credentials.apns_team_id);
    let sign = |header: Value, claims: Value| provider_token(&site, &header, &claims);
    let header = json!({ "alg": "ES256", "kid": key_id });
    let now = now_secs();
    let good = sign(header.clone(), json!({ "iss": team_id, "iat": now }));
    let padded = format!("{good}=");
    let other_payload = good.replacen('.', ".e", 1);
    let rows = [
        (String::new(), "MissingProviderToken"),
        ("bearer ".to_owned(), "MissingProviderToken"),
        ("bearer x.y.z".to_owned(), "InvalidProviderToken"),
        (padded, "InvalidProviderToken"),
        (other_payload, "InvalidProviderToken"),
        (bearer_at(&site, now - 3605), "ExpiredProviderToken"),
        (bearer_at(&site, now + 600), "InvalidProviderToken"),
        (sign(header.clone(), json!({ "iss": "SOMEONE123", "iat": now })), "InvalidProviderToken"),
        (
            sign(
                json!({ "alg": "ES256", "kid": "OTHERKEY12" }),
                json!({ "iss": team_id, "iat": now }),
            ),
            "InvalidProviderToken",
        ),
        (
            sign(json!({ "alg": "ES256" }), json!({ "iss": team_id, "iat": now })),
            "InvalidProviderToken",
        ),
        (sign(header, json!({ "iss": team_id, "iat": now.to_string() })), "InvalidProviderToken"),
    ];
    for (bearer, reason) in rows {
        let mut client = Client::apns(&site).await;
        let answer = client.post(&path(), &fields(&bearer, &[]), PAYLOAD).await;
        assert_eq!(answer.reason(), (403, reason.to_owned()), "{bearer}");
    }
    let mut client = Client::apns(&site).await;
    let missing = fields(&good, &[("authorization", "-")]);
    let answer = client.post(&path(), &missing, PAYLOAD).await;
    assert_eq!(answer.reason(), (403, "MissingProviderToken".to_owned()));
}

#[tokio::test]
async fn refuses_tokens_that_are_refreshed_too_often() {
    let site = site().await;
    let mut client = Client::apns(&site).await;
    let now = now_secs();
    let old = bearer_at(&site, now - 1800);
    let early = bearer_at(&site, now - 1800 + 1199);
    let due = bearer_at(&site, now - 1800 + 1200);
    for (bearer, status) in [(&old, 200), (&early, 429), (&old, 200), (&due, 200)] {
        let answer = client.post(&path(), &fields(bearer, &[]), PAYLOAD).await;
        assert_eq!(answer.status, status);
        if status == 429 {
            assert_eq!(answer.reason().1, "TooManyProviderTokenUpdates");
        }
    }
}

#[tokio::test]
async fn limits_payloads() {
    let site = site().await;
    let mut client = Client::apns(&site).await;
    let bearer = bearer(&site);
    let of_length = |length: usize| {
        let empty = br#"{"aps":{},"x":""}"#.len();
        format!(r#"{{"aps":{{}},"x":"{}"}}"#, "x".repeat(length - empty))
    };
    let alert = fields(&bearer, &[]);
    let voip =
        fields(&bearer, &[("apns-push-type", "voip"), ("apns-topic", "com.example.fanfare.voip")]);
    for (fields, length, status) in [
        (&alert, 4096, 200),
        (&alert, 4097, 413),
        (&voip, 5120, 200),
        (&voip, 5121, 413),
        (&alert, 300_000, 413),
    ] {
        let answer = client.post(&path(), fields, of_length(length).as_bytes()).await;
        assert_eq!(answer.status, status, "{length}");
    }
    for body in ["", "[]", "{}", "{\"aps\":[]}", "{\"aps\":1}", "{\"aps\":{}"] {
        let answer = client.post(&path(), &alert, body.as_bytes()).await;
        assert_eq!(answer.reason(), (400, "PayloadEmpty".to_owned()), "{body}");
    }
    let rejected = site.stats(Provider::Apns).rejected;
    assert_eq!(rejected["PayloadTooLarge"], 3);
}

#[tokio::test]
async fn takes_a_client_certificate_instead_of_a_token() {
    let site = site().await;
    let mut client = Client::apns_with_certificate(&site).await;
    let bare = [("apns-push-type", "alert")];
    assert_eq!(client.post(&path(), &bare, PAYLOAD).await.status, 200);
    let other = [("apns-push-type", "alert"), ("apns-topic", "com.example.other")];
    let answer = client.post(&path(), &other, PAYLOAD).await;
    assert_eq!(answer.reason(), (400, "TopicDisallowed".to_owned()));
}

#[tokio::test]
async fn speaks_http2_only() {
    let site = site().await;
    let refused = connect(&site, site.sandbox.apns, b"http/1.1", false).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn announces_its_streams() {
    let site = site().await;
    let mut client = Client::apns(&site).await;
    let bearer = bearer(&site);
    client.post(&path(), &fields(&bearer, &[]), PAYLOAD).await;
    assert_eq!(client.send.current_max_send_streams(), 1000);
}
