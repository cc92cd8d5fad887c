//! The pool against a real server over TLS: windows, GOAWAY, refusals, silence, outages.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use http::HeaderMap;

use super::*;
use crate::transport::testing::{Authority, Reply, Seen, TestServer, bounded, eventually};

fn quick() -> PoolConfig {
    PoolConfig {
        request_timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(5),
        backoff_base: Duration::from_millis(20),
        backoff_max: Duration::from_millis(200),
        ..PoolConfig::default()
    }
}

fn pool(server: &TestServer, config: PoolConfig) -> Pool {
    let tls = tls_config(Some(server.ca_pem().as_bytes()), None).unwrap();
    Pool::new(Origin::parse(&server.url()).unwrap(), tls, config)
}

async fn post(pool: &Pool, path: &str) -> Result<Response, Failure> {
    let call = Call {
        path: path.parse().unwrap(),
        headers: &HeaderMap::new(),
        own_headers: &[],
        body: "hello".into(),
    };
    pool.send(&call).await
}

async fn post_many(pool: &Pool, count: usize) -> Vec<Result<Response, Failure>> {
    join_all((0..count).map(|index| async move { post(pool, &format!("/{index}")).await })).await
}

#[tokio::test]
async fn a_response_comes_whole() {
    let server = TestServer::start(100, |received| {
        let body = format!("{} {}", received.path, received.body.len());
        Reply::Answer(201, vec![("x-a", "b".into())], body)
    })
    .await;
    let pool = pool(&server, quick());
    let response = bounded(post(&pool, "/a?b=c")).await.unwrap();
    assert_eq!(response.status, 201);
    assert_eq!(response.headers["x-a"], "b");
    assert_eq!(response.body, "/a?b=c 5");
    assert_eq!(pool.state(), PoolState { connections: 1, in_flight: 0, trouble: None });
}

#[tokio::test]
async fn a_long_body_is_cut() {
    let server =
        TestServer::start(100, |_| Reply::Answer(200, Vec::new(), "x".repeat(200_000))).await;
    let pool = pool(&server, quick());
    assert_eq!(bounded(post(&pool, "/")).await.unwrap().body.len(), 64 * 1024);
    assert!(bounded(post(&pool, "/")).await.is_ok());
}

#[tokio::test]
async fn the_peers_stream_limit_holds_from_the_first_request() {
    let server = TestServer::start(3, |_| Reply::ok()).await;
    let pool = pool(&server, quick());
    for result in bounded(post_many(&pool, 200)).await {
        result.unwrap();
    }
    assert!(server.peak() <= 3, "{}", server.peak());
    assert_eq!((server.requests(), server.connections()), (200, 1));
    assert_eq!(pool.window(), 3);
}

#[tokio::test]
async fn our_own_window_holds_and_load_opens_connections() {
    let server = TestServer::start(1000, |_| Reply::Hold).await;
    let config = PoolConfig { connections: 3, streams_per_connection: 2, ..quick() };
    let pool = pool(&server, config);
    let sending = post_many(&pool, 10);
    let watching = async {
        eventually("six streams on three connections", || server.requests() == 6).await;
        assert_eq!(pool.state().in_flight, 6);
        server.release();
    };
    let (results, ()) = bounded(async { tokio::join!(sending, watching) }).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!((server.connections(), server.peak(), pool.window()), (3, 6, 6));
}

#[tokio::test]
async fn waiting_callers_are_served_in_order() {
    let seen = Seen::<String>::default();
    let log = seen.clone();
    let server = TestServer::start(1, move |received| {
        log.lock().unwrap().push(received.path.clone());
        Reply::ok()
    })
    .await;
    let pool = pool(&server, quick());
    bounded(post_many(&pool, 20)).await;
    let expected: Vec<_> = (0..20).map(|index| format!("/{index}")).collect();
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_goaway_loses_and_repeats_nothing() {
    let seen = Seen::<(String, usize)>::default();
    let log = seen.clone();
    let server = TestServer::start(20, move |received| {
        log.lock().unwrap().push((received.path.clone(), received.connection));
        if received.number % 100 == 50 { Reply::LastOne } else { Reply::ok() }
    })
    .await;
    let pool = pool(&server, quick());
    let results = bounded(post_many(&pool, 1000)).await;
    assert!(results.iter().all(Result::is_ok));
    let mut times = BTreeMap::<_, usize>::new();
    for (path, _) in seen.lock().unwrap().iter() {
        *times.entry(path.clone()).or_default() += 1;
    }
    assert_eq!(times.len(), 1000);
    assert!(times.values().all(|count| *count == 1));
    assert!(server.connections() > 5, "{}", server.connections());
}

#[tokio::test]
async fn refused_streams_are_sent_again_and_other_resets_are_not() {
    let server = TestServer::start(100, |received| match received.number {
        0 | 1 => Reply::Reset(h2::Reason::REFUSED_STREAM),
        3 => Reply::Reset(h2::Reason::INTERNAL_ERROR),
        4.. => Reply::Reset(h2::Reason::REFUSED_STREAM),
        _ => Reply::ok(),
    })
    .await;
    let pool = pool(&server, quick());
    assert!(bounded(post(&pool, "/a")).await.is_ok());
    assert_eq!(server.requests(), 3);
    let failure = bounded(post(&pool, "/b")).await.unwrap_err();
    assert_eq!((failure.kind, failure.retry_at_once), (FailureKind::Reset, false));
    assert_eq!(server.requests(), 4);
    let failure = bounded(post(&pool, "/c")).await.unwrap_err();
    assert_eq!((failure.kind, failure.retry_at_once), (FailureKind::Reset, true));
    assert_eq!(server.requests(), 7);
}

#[tokio::test]
async fn a_silent_connection_is_dropped_and_replaced() {
    let server =
        TestServer::start(
            100,
            |received| {
                if received.path == "/held" { Reply::Hold } else { Reply::ok() }
            },
        )
        .await;
    let config = PoolConfig {
        silence: Duration::from_millis(50),
        pong_timeout: Duration::from_millis(50),
        ..quick()
    };
    let pool = pool(&server, config);
    let watching = async {
        eventually("the request arrives", || server.requests() == 1).await;
        server.black_hole(true);
    };
    let (result, ()) = bounded(async { tokio::join!(post(&pool, "/held"), watching) }).await;
    let failure = result.unwrap_err();
    assert_eq!((failure.kind, failure.unsent), (FailureKind::ConnectionLost, false));
    server.black_hole(false);
    eventually("a new connection answers", || pool.state().connections == 0).await;
    assert!(bounded(post(&pool, "/")).await.is_ok());
    assert_eq!(pool.state().trouble, None);
}

#[tokio::test]
async fn pings_keep_a_slow_answer_and_an_idle_connection_alive() {
    let server =
        TestServer::start(
            100,
            |received| {
                if received.path == "/held" { Reply::Hold } else { Reply::ok() }
            },
        )
        .await;
    let config = PoolConfig {
        idle: Duration::from_millis(20),
        silence: Duration::from_millis(20),
        pong_timeout: Duration::from_secs(2),
        ..quick()
    };
    let pool = pool(&server, config);
    let begun = Instant::now();
    let watching = async {
        eventually("many silences", || begun.elapsed() > Duration::from_millis(300)).await;
        server.release();
    };
    let (result, ()) = bounded(async { tokio::join!(post(&pool, "/held"), watching) }).await;
    assert!(result.is_ok());
    eventually("many idle times", || begun.elapsed() > Duration::from_millis(500)).await;
    assert!(bounded(post(&pool, "/")).await.is_ok());
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_request_without_an_answer_times_out_alone() {
    let server =
        TestServer::start(
            100,
            |received| {
                if received.path == "/held" { Reply::Hold } else { Reply::ok() }
            },
        )
        .await;
    let pool = pool(&server, PoolConfig { request_timeout: Duration::from_millis(100), ..quick() });
    let failure = bounded(post(&pool, "/held")).await.unwrap_err();
    assert_eq!((failure.kind, failure.unsent), (FailureKind::Timeout, false));
    assert!(bounded(post(&pool, "/")).await.is_ok());
    assert_eq!((server.connections(), pool.state().in_flight), (1, 0));
}

#[tokio::test]
async fn an_outage_fails_quickly_and_ends_by_itself() {
    let server = TestServer::start(100, |_| Reply::ok()).await;
    let pool = pool(&server, quick());
    assert!(bounded(post(&pool, "/")).await.is_ok());
    let stopped = server.stop().await;
    eventually("the connection's end is seen", || pool.state().connections == 0).await;
    for _ in 0..5 {
        let failures = bounded(post_many(&pool, 50)).await;
        for failure in failures {
            let failure = failure.unwrap_err();
            assert_eq!((failure.kind, failure.unsent), (FailureKind::ConnectRefused, true));
        }
    }
    assert_eq!((pool.window(), pool.state().trouble), (1, Some(FailureKind::ConnectRefused)));
    let _server = stopped.restart().await;
    let recovery = async {
        while post(&pool, "/").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    bounded(recovery).await;
    assert_eq!(pool.state(), PoolState { connections: 1, in_flight: 0, trouble: None });
}

#[tokio::test]
async fn troubles_of_connecting_have_their_names() {
    let server = TestServer::start(100, |_| Reply::ok()).await;
    let stranger = tls_config(Some(Authority::new().ca_pem.as_bytes()), None).unwrap();
    let pool = Pool::new(Origin::parse(&server.url()).unwrap(), stranger.clone(), quick());
    assert_eq!(bounded(post(&pool, "/")).await.unwrap_err().kind, FailureKind::Tls);
    let nowhere = Origin::parse("https://nowhere.invalid").unwrap();
    let pool = Pool::new(nowhere, stranger.clone(), quick());
    assert_eq!(bounded(post(&pool, "/")).await.unwrap_err().kind, FailureKind::Dns);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = Origin::parse(&format!("https://{}", listener.local_addr().unwrap())).unwrap();
    let config = PoolConfig { connect_timeout: Duration::from_millis(50), ..quick() };
    let pool = Pool::new(silent, stranger, config);
    assert_eq!(bounded(post(&pool, "/")).await.unwrap_err().kind, FailureKind::Timeout);
}

#[tokio::test]
async fn a_caller_that_leaves_gives_its_place_back() {
    let server =
        TestServer::start(
            1,
            |received| {
                if received.path == "/held" { Reply::Hold } else { Reply::ok() }
            },
        )
        .await;
    let pool = pool(&server, quick());
    let mut held = Box::pin(post(&pool, "/held"));
    let mut queued = Box::pin(post(&pool, "/queued"));
    tokio::select! {
        biased;
        _ = &mut held => panic!("held"),
        _ = &mut queued => panic!("queued"),
        () = eventually("the request arrives", || server.requests() == 1) => {}
    }
    drop(queued);
    drop(held);
    assert!(bounded(post(&pool, "/")).await.is_ok());
    assert_eq!((server.connections(), server.requests()), (1, 2));
}

#[tokio::test]
async fn a_dropped_pool_closes_its_connections() {
    let server = TestServer::start(100, |_| Reply::ok()).await;
    let pool = pool(&server, quick());
    bounded(post(&pool, "/")).await.unwrap();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(tasks() > 1);
    drop(pool);
    // What remains is the server's accepting task.
    eventually("the tasks end", || tasks() == 1).await;
}
