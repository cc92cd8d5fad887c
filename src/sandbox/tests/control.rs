//! The control interface, the printed configuration, the flags.

use clap::Parser as _;

use super::*;

async fn push_one(site: &Site) {
    let (mut client, bearer) = fcm::authorised(site).await;
    for token in ["token-that-is-long-enough", "short"] {
        let body = json!({ "message": { "token": token } });
        fcm::send(site, &mut client, &bearer, &body).await;
    }
}

#[tokio::test]
async fn shows_health_stats_and_records() {
    let site = site().await;
    push_one(&site).await;
    let (status, health) = control(&site, "GET", "/health", "").await;
    assert_eq!((status, health.as_str()), (200, r#"{"status":"ok"}"#));
    let (_, stats) = control(&site, "GET", "/stats", "").await;
    let stats: Value = serde_json::from_str(&stats).expect("JSON");
    assert_eq!(stats["fcm"]["requests"], 2);
    assert_eq!(stats["fcm"]["rejected"]["INVALID_ARGUMENT"], 1);

    let (_, all) = control(&site, "GET", "/records?status=all", "").await;
    assert_eq!(all.lines().count(), 2);
    let query = "/records?provider=fcm&status=accepted";
    let (_, accepted) = control(&site, "GET", query, "").await;
    let columns: Vec<&str> = accepted.trim_end().split('\t').collect();
    assert_eq!(columns[..4], ["fcm", "token-that-is-long-enough", "200", ""]);
    assert_eq!(columns.len(), 7);
    let (_, rejected) = control(&site, "GET", "/records?status=rejected", "").await;
    assert!(rejected.starts_with("fcm\tshort\t400\tINVALID_ARGUMENT\t\t\t"));
    let (_, none) = control(&site, "GET", "/records?provider=apns", "").await;
    assert_eq!(none, "");
    let (status, _) = control(&site, "GET", "/records?provider=x", "").await;
    assert_eq!(status, 400);

    assert_eq!(control(&site, "DELETE", "/records", "").await.0, 204);
    assert_eq!(site.records().count(), 0);
    assert_eq!(control(&site, "DELETE", "/stats", "").await.0, 204);
    assert_eq!(site.stats(Provider::Fcm).requests, 0);
}

#[tokio::test]
async fn is_called_by_another_name_where_it_is_given_one() {
    let site = site_of(|options| options.host = Some("gateways".to_owned())).await;
    for name in ["gateways", "localhost", "127.0.0.1"] {
        connect_to(name, &site, site.sandbox.fcm, b"h2", false).await.expect(name);
    }
    connect_to("elsewhere", &site, site.sandbox.fcm, b"h2", false).await.expect_err("unknown");
    let port = site.sandbox.fcm.port();
    assert_eq!(site.token_uri(), format!("https://gateways:{port}/token"));
    let config = site.config_toml();
    assert!(config.contains(&format!("endpoint = \"https://gateways:{port}\"")), "{config}");
    // The token endpoint expects to be addressed by that name too.
    fcm::authorised(&site).await;
}

#[tokio::test]
async fn changes_faults_and_names_unknown_fields() {
    let site = site().await;
    let plan = r#"{"fcm":{"rules":[{"status":503,"reason":"UNAVAILABLE","retry_after":7}]}}"#;
    let (status, _) = control(&site, "PUT", "/faults", plan).await;
    assert_eq!(status, 200);
    let (_, shown) = control(&site, "GET", "/faults", "").await;
    let shown: FaultPlan = serde_json::from_str(&shown).expect("a plan");
    assert_eq!(shown.fcm.rules[0].retry_after_secs, Some(7));
    assert_eq!(shown, site.faults());

    let (mut client, bearer) = fcm::authorised(&site).await;
    let body = json!({ "message": { "token": "token-that-is-long-enough" } });
    let answer = fcm::send(&site, &mut client, &bearer, &body).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "7"));

    for (plan, told) in [
        (r#"{"apns":{"latency":1}}"#, "unknown field `latency`"),
        (r#"{"pigeon":{}}"#, "unknown field `pigeon`"),
        (r#"{"apns":{"rules":[{"status":200,"reason":"x"}]}}"#, "status 200"),
    ] {
        let (status, answer) = control(&site, "PUT", "/faults", plan).await;
        assert_eq!(status, 400);
        assert!(answer.contains(told), "{answer}");
    }
    assert_eq!(control(&site, "GET", "/nothing", "").await.0, 404);
    assert_eq!(control(&site, "PUT", "/health", "").await.0, 405);
}

#[tokio::test]
async fn prints_a_configuration() {
    let site = site().await;
    let config = site.config_toml();
    let credentials = site.credentials();
    assert!(config.contains(&format!("endpoint = \"{}\"", site.apns_url())));
    assert!(config.contains(&format!("token_uri = \"{}\"", site.token_uri())));
    assert!(config.contains(&format!("key_id = \"{}\"", credentials.apns_key_id)));
    assert_eq!((credentials.apns_key_id.len(), credentials.app_key.len()), (10, 24));
    for file in [
        &credentials.ca_file,
        &credentials.apns_key_file,
        &credentials.apns_cert_file,
        &credentials.service_account_file,
    ] {
        assert!(file.is_absolute() && file.exists());
    }
    let line = super::super::run::announce_json(&site.sandbox).expect("a line");
    let announced: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(line.matches('\n').count(), 1);
    assert_eq!(announced["control_url"], site.control_url());
    assert_eq!(announced["config_toml"], config);
    assert_eq!(announced["ca_file"], json!(credentials.ca_file));
    site.sandbox.stop().await;
}

#[derive(clap::Parser)]
struct Command {
    #[command(flatten)]
    args: SandboxArgs,
}

#[test]
fn flags_make_faults() {
    let flags = "sandbox --latency-ms 5 --fail apns:410:Unregistered:0.01 \
                 --fail-prefix apns:400:BadDeviceToken:dead --fail fcm:503:UNAVAILABLE:0.5 \
                 --retry-after 3 --goaway-every 7 --refuse";
    let command = Command::try_parse_from(flags.split_whitespace()).expect("flags");
    let plan = command.args.options().expect("options").faults;
    assert_eq!(plan.apns.rules.len(), 2);
    assert_eq!(plan.apns.rules[0].token_prefix.as_deref(), Some("dead"));
    assert_eq!(plan.apns.rules[1].share, 0.01);
    assert_eq!(plan.fcm.rules[0].retry_after_secs, Some(3));
    assert_eq!((plan.fcm.latency_ms, plan.apns.goaway_every), (5, 7));
    assert!(plan.apns.refuse && plan.fcm.refuse);
    for flag in ["apns:410:Unregistered", "pigeon:400:x:0.5", "apns:x:y:1", "apns:410:x:y"] {
        assert!(Command::try_parse_from(["sandbox", "--fail", flag]).is_err());
    }
    let command = Command::try_parse_from(["sandbox", "--fail", "apns:410:x:2"]);
    assert!(command.expect("flags").args.options().is_err());
}
