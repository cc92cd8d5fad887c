//! Every fault does what its description says, and nothing else.

use super::super::active::ActiveFaults;
use super::*;

const PAYLOAD: &[u8] = br#"{"aps":{}}"#;

fn token(number: u32) -> String {
    format!("{number:064x}")
}

async fn push(client: &mut Client, bearer: &str, token: &str) -> Result<Answer, h2::Error> {
    let fields = [
        ("authorization", bearer),
        ("apns-topic", "com.example.fanfare"),
        ("apns-push-type", "alert"),
    ];
    let path = format!("/3/device/{token}");
    client.try_send("POST", &path, &fields, PAYLOAD).await
}

fn apns(faults: Faults) -> FaultPlan {
    FaultPlan { apns: faults, ..FaultPlan::default() }
}

#[test]
fn a_share_strikes_the_same_tokens_every_time() {
    let mut rules =
        vec![FaultRule::new(410, "Unregistered"), FaultRule::new(429, "TooManyRequests")];
    rules[0].share = 0.1;
    rules[1].share = 0.2;
    let set = Faults { rules, ..Faults::default() };
    let (first, second) = (ActiveFaults::new(set.clone()), ActiveFaults::new(set));
    let mut struck = [0, 0];
    for number in 0..20_000 {
        let token = token(number);
        let rule = first.strike(&token);
        assert_eq!(rule, second.strike(&token));
        match rule.map(|rule| rule.status) {
            Some(410) => {
                assert!(token_fraction(&token) < 0.1);
                struck[0] += 1;
            }
            Some(_) => struck[1] += 1,
            None => assert!(token_fraction(&token) >= 0.3),
        }
    }
    assert!((1800..2200).contains(&struck[0]), "{struck:?}");
    assert!((3700..4300).contains(&struck[1]), "{struck:?}");
}

#[tokio::test]
async fn times_lets_retries_through() {
    let mut rule = FaultRule::new(503, "ServiceUnavailable");
    rule.times = Some(2);
    let rules = vec![rule];
    let site = site_with(apns(Faults { rules, ..Faults::default() })).await;
    let mut client = Client::apns(&site).await;
    let bearer = bearer(&site);
    for status in [503, 503, 200, 200] {
        let answer = push(&mut client, &bearer, &token(1)).await.expect("an answer");
        assert_eq!(answer.status, status);
    }
    let answer = push(&mut client, &bearer, &token(2)).await.expect("an answer");
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn a_gone_token_comes_with_a_timestamp() {
    let mut rule = FaultRule::new(410, "Unregistered");
    rule.token_prefix = Some("dead".to_owned());
    rule.timestamp_ms = Some(1234);
    let rules = vec![rule];
    let site = site_with(apns(Faults { rules, ..Faults::default() })).await;
    let mut client = Client::apns(&site).await;
    let bearer = bearer(&site);
    let dead = format!("dead{}", "0".repeat(60));
    let answer = push(&mut client, &bearer, &dead).await.expect("an answer");
    assert_eq!(answer.json(), json!({ "reason": "Unregistered", "timestamp": 1234 }));
    let answer = push(&mut client, &bearer, &token(1)).await.expect("an answer");
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn goaway_finishes_what_was_accepted() {
    let faults = Faults { goaway_every: 3, ..Faults::default() };
    let site = site_with(apns(faults)).await;
    let mut client = Client::apns(&site).await;
    let bearer = bearer(&site);
    for number in 0..3 {
        let answer = push(&mut client, &bearer, &token(number)).await;
        assert_eq!(answer.expect("an answer").status, 200);
    }
    drop(client.send);
    let ended = soon(client.connection).await.expect("no panic");
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(site.stats(Provider::Apns).goaways, 1);
    let mut client = Client::apns(&site).await;
    assert!(push(&mut client, &bearer, &token(9)).await.is_ok());
}

#[tokio::test]
async fn every_nth_stream_is_reset() {
    for delivered in [false, true] {
        let faults = Faults { reset_every: 2, reset_delivered: delivered, ..Faults::default() };
        let site = site_with(apns(faults)).await;
        let mut client = Client::apns(&site).await;
        let bearer = bearer(&site);
        for number in 0..4 {
            let answer = push(&mut client, &bearer, &token(number)).await;
            match number % 2 {
                0 => assert_eq!(answer.expect("an answer").status, 200),
                _ => {
                    let reason = answer.expect_err("a reset").reason();
                    assert_eq!(reason, Some(h2::Reason::INTERNAL_ERROR));
                }
            }
        }
        let stats = site.stats(Provider::Apns);
        assert_eq!((stats.requests, stats.resets), (4, 2));
        assert_eq!(stats.accepted, if delivered { 4 } else { 2 });
        let lost = site.records().filter(|record| record.status == NO_ANSWER);
        assert_eq!(lost.count(), if delivered { 0 } else { 2 });
    }
}

#[tokio::test]
async fn a_cut_ends_the_connection_without_goodbye() {
    let faults = Faults { cut_every: 2, ..Faults::default() };
    let site = site_with(apns(faults)).await;
    let mut client = Client::apns(&site).await;
    let bearer = bearer(&site);
    assert!(push(&mut client, &bearer, &token(1)).await.is_ok());
    let error = push(&mut client, &bearer, &token(2)).await;
    let error = error.expect_err("a cut connection");
    assert!(!error.is_go_away() && !error.is_reset(), "{error:?}");
    let stats = site.stats(Provider::Apns);
    assert_eq!((stats.cuts, stats.rejected["Cut"]), (1, 1));
}

#[tokio::test]
async fn refuse_closes_the_port_and_opens_it_again() {
    let site = site().await;
    let bearer = bearer(&site);
    let mut client = Client::apns(&site).await;
    assert!(push(&mut client, &bearer, &token(1)).await.is_ok());

    let refusing = apns(Faults { refuse: true, ..Faults::default() });
    site.set_faults(refusing).expect("valid faults");
    // The open connection is dropped after the listener is.
    drop(soon(client.connection).await);
    assert!(push(&mut Client { ..closed(client.send) }, &bearer, &token(2)).await.is_err());
    let refused = TcpStream::connect(site.sandbox.apns).await;
    let kind = refused.expect_err("a refusal").kind();
    assert_eq!(kind, std::io::ErrorKind::ConnectionRefused);

    site.set_faults(FaultPlan::default()).expect("valid faults");
    soon(async {
        while TcpStream::connect(site.sandbox.apns).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut client = Client::apns(&site).await;
    assert!(push(&mut client, &bearer, &token(3)).await.is_ok());
}

fn closed(send: SendRequest<Bytes>) -> Client {
    Client {
        send,
        connection: tokio::spawn(async { Ok(()) }),
        base: "https://127.0.0.1".to_owned(),
    }
}

#[tokio::test]
async fn a_black_hole_answers_nothing_until_it_is_lifted() {
    let site = site_with(apns(Faults { black_hole: true, ..Faults::default() })).await;
    let tls = connect(&site, site.sandbox.apns, b"h2", false).await;
    let (send, mut connection) = h2::client::handshake(tls.expect("TLS")).await.expect("HTTP/2");
    let mut pings = connection.ping_pong().expect("pings");
    let connection = tokio::spawn(connection);
    let mut client = Client { send, connection, base: site.apns_url() };
    let bearer = bearer(&site);
    let pong = pings.ping(h2::Ping::opaque());
    let mut answers = std::pin::pin!(async {
        pong.await.expect("a pong");
        push(&mut client, &bearer, &token(1)).await
    });
    let silence = tokio::time::timeout(Duration::from_millis(100), &mut answers).await;
    assert!(silence.is_err());
    assert_eq!(site.stats(Provider::Apns).connections, 1);
    site.set_faults(FaultPlan::default()).expect("valid faults");
    assert_eq!(soon(answers).await.expect("an answer").status, 200);
}

#[tokio::test]
async fn latency_overlaps_and_streams_are_limited() {
    let faults = Faults {
        latency_ms: 50,
        jitter_ms: 10,
        max_concurrent_streams: Some(20),
        ..Faults::default()
    };
    let site = site_with(apns(faults)).await;
    let mut client = Client::apns(&site).await;
    let bearer = bearer(&site);
    let started = std::time::Instant::now();
    // The first answer comes after SETTINGS, from which h2 learns the limit.
    push(&mut client, &bearer, &token(0)).await.expect("an answer");
    let fields = [
        ("authorization", bearer.as_str()),
        ("apns-topic", "com.example.fanfare"),
        ("apns-push-type", "alert"),
    ];
    let mut answers = Vec::new();
    for number in 1..=60 {
        let path = format!("/3/device/{}", token(number));
        let answer = client.start("POST", &path, &fields, PAYLOAD).await;
        answers.push(tokio::spawn(finish(answer.expect("a stream"))));
    }
    for answer in answers {
        let answer = soon(answer).await.expect("no panic").expect("an answer");
        assert_eq!(answer.status, 200);
    }
    // Four rounds of at least 50 ms, far from 61 of them.
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(200), "{took:?}");
    assert!(took < Duration::from_millis(61 * 50), "{took:?}");
    assert_eq!(site.stats(Provider::Apns).max_streams_seen, 20);
}
