//! The native API, against a real server: every file of `cases/native` is one server's story.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{mongod::Mongod, server::Server, wire_case};

#[test]
fn every_wire_case_answers_as_written() {
    let wrong = wire_case::run_all("native", BTreeMap::new);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_answers_as_written() {
    let wrong = wire_case::run_all("pages", BTreeMap::new);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wire_case_answers_as_written_on_mongodb() {
    let mongod = Mongod::shared().await;
    let cases = move || wire_case::run_all("native", || mongod.settings());
    let wrong = tokio::task::spawn_blocking(cases).await.expect("the cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn of_many_launches_at_once_one_goes_through() {
    let server = Server::start(&BTreeMap::new());
    let none = BTreeMap::new();
    let body = br#"{"title": "t", "body": "b", "scheduled_at": "2999-01-01T00:00:00Z"}"#;
    let created = server.send("POST", "/notifications", &none, Some(body.to_vec()));
    let uuid = created.body["result"]["uuid"].as_str().expect("created").to_owned();
    let path = format!("/notifications/{uuid}/:launch");
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let launch = || server.send("POST", &path, &none, None).status;
        let launches: Vec<_> = (0..8).map(|_| scope.spawn(launch)).collect();
        launches.into_iter().map(|launch| launch.join().expect("no panic")).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
}

#[test]
fn launches_at_once_with_one_key_all_answer() {
    let server = Server::start(&[("SERVER__WORKERS".to_owned(), "4".to_owned())].into());
    for round in 0..20 {
        let body = br#"{"title": "t", "body": "b", "scheduled_at": "2999-01-01T00:00:00Z"}"#;
        let created = server.send("POST", "/notifications", &BTreeMap::new(), Some(body.to_vec()));
        let uuid = created.body["result"]["uuid"].as_str().expect("created").to_owned();
        let path = format!("/notifications/{uuid}/:launch");
        let key = [("Idempotency-Key".to_owned(), "once".to_owned())].into();
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let launch = || server.send("POST", &path, &key, None).status;
            let launches: Vec<_> = (0..16).map(|_| scope.spawn(launch)).collect();
            launches.into_iter().map(|launch| launch.join().expect("no panic")).collect()
        });
        assert_eq!(statuses, [200; 16], "round {round}");
    }
}

#[test]
fn increases_at_once_lose_nothing() {
    let settings = [("INTERNAL__KEYS".to_owned(), "internal-key-0001".to_owned())];
    let server = Server::start(&settings.into());
    let none = BTreeMap::new();
    let body = br#"{"title": "t", "body": "b"}"#.to_vec();
    let created = server.send("POST", "/notifications", &none, Some(body));
    let uuid = created.body["result"]["uuid"].as_str().expect("created").to_owned();
    let path = format!("/internal/notifications/{uuid}/sent:increase");
    let key = [("X-Server-Key".to_owned(), "internal-key-0001".to_owned())].into();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let body = br#"{"ios": 2, "android": 1}"#.to_vec();
                assert_eq!(server.send("POST", &path, &key, Some(body)).status, 200);
            });
        }
    });
    let shown = server.send("GET", &format!("/notifications/{uuid}"), &none, None);
    let sent = &shown.body["result"]["sent"];
    assert_eq!((sent["ios"].as_u64(), sent["android"].as_u64()), (Some(16), Some(8)));
}

#[test]
fn devices_are_of_bounded_size_and_so_is_what_a_search_answers() {
    let server = Server::start(&BTreeMap::new());
    let none = BTreeMap::new();
    let send = |method: &str, path: &str, body: &Value| {
        let answer = server.send(method, path, &none, Some(body.to_string().into_bytes()));
        (answer.status, answer.body)
    };
    let device = |name: String, elements: usize| {
        let list = vec!["x".repeat(1000); elements];
        json!({ "external_id": name, "push_token": name, "properties": [{ "key": "k", "value": list }] })
    };
    let (status, answer) = send("PUT", "/devices", &device("large".into(), 70));
    assert_eq!(status, 400, "{answer}");
    let reason = answer["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("properties: "), "{reason}");

    let many: Vec<_> = (0..160).map(|number| device(format!("d{number}"), 60)).collect();
    let (status, _) = send("POST", "/devices/-/:register", &json!({ "devices": many }));
    assert_eq!(status, 200);
    let (mut after, mut seen, mut answers) = (0, 0, 0);
    loop {
        let search = json!({ "size": 1000, "after": after });
        let (status, answer) = send("POST", "/devices/-/:search", &search);
        assert_eq!((status, answer["total"].as_u64()), (200, Some(160)));
        assert!(answer.to_string().len() < 9_000_000, "{} bytes", answer.to_string().len());
        let rows = answer["result"].as_array().expect("rows");
        let Some(last) = rows.last() else { break };
        after = last["id"].as_u64().expect("a number");
        seen += rows.len();
        answers += 1;
    }
    assert_eq!((seen, answers), (160, 2));
}

#[test]
fn who_calls_is_settled_before_what_is_wrong_with_the_call() {
    let settings = [("APPS__0__NAME", "one"), ("APPS__0__SECRET", "master-secret-one")];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let server = Server::start(&settings.into());
    let none = BTreeMap::new();
    let document = server.send("GET", "/openapi.json", &none, None).body;
    let begun_with = |path: &str| {
        let native = ["/devices", "/audience", "/notifications", "/apps", "/audit", "/limits"];
        native.iter().any(|begin| path.starts_with(begin)) || path.starts_with("/internal")
    };
    let mut asked = 0;
    for (path, verbs) in document["paths"].as_object().expect("paths") {
        if !begun_with(path) {
            continue;
        }
        // No UUID, and no text either.
        let path = path.replace('{', "").replace('}', "%ff");
        for verb in verbs.as_object().expect("verbs").keys() {
            let cookie = ("Cookie".to_owned(), "fanfare_session=no-such-session".to_owned());
            for mut headers in [BTreeMap::new(), BTreeMap::from([cookie])] {
                headers.insert("If-Match".to_owned(), "no tag".to_owned());
                let verb = verb.to_uppercase();
                let body = (verb != "GET" && verb != "DELETE").then(|| b"[".to_vec());
                let answer = server.send(&verb, &format!("{path}?size=x"), &headers, body);
                assert_eq!(answer.status, 401, "{verb} {path} {headers:?}: {}", answer.body);
                asked += 1;
            }
        }
    }
    assert!(asked > 60, "{asked}");
}

#[test]
fn a_sign_in_is_refused_before_its_body_is_there() {
    let server = Server::start(
        &[
            ("APPS__0__NAME".to_owned(), "one".to_owned()),
            ("APPS__0__SECRET".to_owned(), "master-secret-one".to_owned()),
        ]
        .into(),
    );
    let answered = |length: usize| {
        let mut stream = TcpStream::connect(server.address()).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        let host = server.address();
        let head = "POST /console/session HTTP/1.1\r\nContent-Type: application/json\r\n";
        let head = format!("{head}Host: {host}\r\nContent-Length: {length}\r\n\r\n{{");
        stream.write_all(head.as_bytes()).expect("sent");
        let mut begin = [0; 12];
        let read = stream.read_exact(&mut begin);
        read.map(|()| String::from_utf8_lossy(&begin).into_owned())
    };
    for _ in 0..20 {
        assert_eq!(answered(5000).expect("answered"), "HTTP/1.1 413");
    }
    assert_eq!(answered(100).expect("answered"), "HTTP/1.1 429");
}

/// The kernel's part of it is Linux's.
#[cfg(target_os = "linux")]
#[test]
fn a_connection_that_takes_nothing_of_its_answer_is_closed() {
    let server = Server::start(&BTreeMap::new());
    let mut idle = TcpStream::connect(server.address()).expect("connected");
    idle.set_write_timeout(Some(Duration::from_secs(1))).expect("set");
    // More answers than the sockets between the two hold, so that the server has some left.
    let request = format!("GET /openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    for _ in 0..500 {
        if idle.write(request.as_bytes()).is_err() {
            break;
        }
    }
    // Nothing more is sent: each byte would show that somebody is there. Nor does the kernel tell this end.
    let begun = Instant::now();
    assert!(has_other_end(&idle), "it was closed at once");
    while has_other_end(&idle) {
        assert!(begun.elapsed() < Duration::from_secs(150), "it is still open");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(begun.elapsed() > Duration::from_secs(30), "it had time: {:?}", begun.elapsed());
}

/// Whether the socket that this one is connected to, on the same machine, is open still.
#[cfg(target_os = "linux")]
fn has_other_end(socket: &TcpStream) -> bool {
    let port = |address: std::io::Result<std::net::SocketAddr>| address.expect("connected").port();
    let (local, remote) = (port(socket.peer_addr()), port(socket.local_addr()));
    let sockets = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's list");
    sockets.lines().any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_of = |field: usize, port: u16| {
            fields.get(field).is_some_and(|address| address.ends_with(&format!(":{port:04X}")))
        };
        is_of(1, local) && is_of(2, remote)
    })
}

#[test]
fn a_server_asked_to_end_ends_well() {
    assert!(Server::start(&BTreeMap::new()).terminate().success());
}

#[test]
fn half_a_body_does_not_hold_up_the_end() {
    let server = Server::start(&BTreeMap::new());
    let mut half = TcpStream::connect(server.address()).expect("connected");
    let head = "POST /notifications HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{";
    half.write_all(head.as_bytes()).expect("written");
    // An answer to a later request shows that the server reads what it is sent.
    assert_eq!(server.send("GET", "/health", &BTreeMap::new(), None).status, 200);
    let asked = Instant::now();
    assert!(server.terminate().success());
    assert!(asked.elapsed() < Duration::from_secs(22), "it took {:?}", asked.elapsed());
}

#[test]
fn no_answer_says_a_header_of_its_own_twice() {
    let server = Server::start(&BTreeMap::new());
    for path in ["/notifications", "/console/session", "/console/", "/docs", "/openapi.json"] {
        let mut stream = TcpStream::connect(server.address()).expect("connected");
        let host = server.address();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answered");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, _) = answer.split_once("\r\n\r\n").expect("a head");
        for name in ["x-content-type-options: ", "cache-control: "] {
            let lines = head.lines().filter(|line| line.to_ascii_lowercase().starts_with(name));
            assert_eq!(lines.count(), 1, "{path}: {name}\n{head}");
        }
    }
}
