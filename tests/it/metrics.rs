//! `/metrics` of real servers: read by Prometheus' own parser, compared with what campaigns did, and
//! closed to strangers.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use fanfare::telemetry::{Kind, Metric};
use serde_json::{Value, json};

use crate::support::{
    house::{House, total},
    python,
    server::{Answer, Server},
};

const DEVICES: usize = 4_000;
const FAULTS: [&str; 8] = [
    "--fail",
    "apns:400:BadPriority:0.03",
    "--fail",
    "fcm:404:UNREGISTERED:0.02",
    "--fail",
    "fcm:503:UNAVAILABLE:0.02",
    "--fail-times",
    "1",
];
const QUICK: &str = "[limits]\nfcm_per_second = 0\nbackoff_base_ms = 20\nbackoff_max_ms = 200\n";
const KEY: &str = "an-internal-key-1";

/// The figures of a page, by name and labels.
struct Figures(Vec<(String, BTreeMap<String, String>, f64)>);

impl Figures {
    /// Those of a page, as Prometheus' parser reads it.
    fn read(page: &str) -> Self {
        let packages = python::packages("prometheus", &["prometheus_client==0.22.1"]);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/prometheus.py");
        let mut client = Command::new("python3")
            .arg(script)
            .env("PYTHONPATH", packages)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let mut stdin = client.stdin.take().expect("it is piped");
        let page = page.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(page.as_bytes()));
        let read = client.wait_with_output().expect("it ends");
        writer.join().expect("no panic").expect("it reads everything");
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        Self(serde_json::from_slice(&read.stdout).expect("figures"))
    }

    fn of(house: &House) -> Self {
        Self::read(&page(house))
    }

    /// The sum of what has this name and these labels.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |found: &BTreeMap<String, String>| {
            labels.iter().all(|(label, value)| found.get(*label).is_some_and(|own| own == value))
        };
        let found: Vec<_> =
            self.0.iter().filter(|(own, found, _)| own == name && fits(found)).collect();
        assert!(!found.is_empty(), "no {name} with {labels:?}");
        found.iter().map(|(.., value)| value).sum()
    }

    /// Everything that may only grow.
    fn counted(&self) -> BTreeMap<String, f64> {
        let grows = |name: &str| {
            ["_total", "_bucket", "_count", "_sum"].iter().any(|end| name.ends_with(end))
        };
        let counted = self.0.iter().filter(|(name, ..)| grows(name));
        counted.map(|(name, labels, value)| (format!("{name}{labels:?}"), *value)).collect()
    }
}

fn page(house: &House) -> String {
    let url = format!("{}/metrics", house.server.as_ref().expect("a running server").url());
    let mut answer = ureq::get(&url).call().expect("this machine needs no key");
    let kind = answer.headers()["content-type"].to_str().expect("text").to_owned();
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    answer.body_mut().read_to_string().expect("text")
}

#[test]
fn after_a_campaign_the_counters_are_its_tally() {
    let house = House::start(&FAULTS, QUICK);
    house.register(DEVICES);
    let before = Figures::of(&house);
    assert_eq!(before.sum("fanfare_pushes_total", &[]), 0.0);
    let uuid = house.create(&json!({}));
    house.launch(&uuid);
    let mut readings = vec![before];
    let ended = house.wait("SENT", || {
        readings.push(Figures::of(&house));
        Some(house.notification(&uuid)).filter(|now| now["status"] == json!(2))
    });
    readings.push(Figures::of(&house));
    only_grow(&readings);

    let figures = readings.last().expect("one");
    let pushes = |outcome| figures.sum("fanfare_pushes_total", &[("outcome", outcome)]);
    let reasons: BTreeMap<String, f64> =
        serde_json::from_value(ended["reasons"].clone()).expect("numbers by reason");
    assert_eq!(pushes("accepted"), total(&ended["sent"]) as f64);
    assert_eq!(pushes("failed") + pushes("token_gone"), total(&ended["failed"]) as f64);
    assert_eq!(pushes("token_gone"), reasons["UNREGISTERED"]);
    assert!(pushes("retried") > 0.0, "a 503 is tried again");
    for (reason, count) in &reasons {
        let counted = figures.sum("fanfare_push_failures_total", &[("reason", reason)]);
        assert_eq!(counted, *count, "{reason}");
    }
    let answered = figures.sum("fanfare_push_duration_seconds_count", &[]);
    assert!(answered >= total(&ended["sent"]) as f64);
    for empty in ["fanfare_pushes_waiting", "fanfare_pushes_in_flight", "fanfare_campaigns_here"] {
        assert_eq!(figures.sum(empty, &[]), 0.0, "{empty}");
    }
    assert_eq!(figures.sum("fanfare_breaker_state", &[("state", "closed")]), 2.0);
    let read = [("role", "ledger"), ("operation", "read_page")];
    assert!(figures.sum("fanfare_store_operation_duration_seconds_count", &read) >= 16.0);
    assert_eq!(figures.sum("fanfare_store_failures_total", &[]), 0.0);
    let native = [("dialect", "native"), ("code", "2xx")];
    assert!(figures.sum("fanfare_http_requests_total", &native) >= 3.0);
    assert!(figures.sum("process_resident_memory_bytes", &[]) > 1e6);
    assert_eq!(figures.sum("fanfare_build_info", &[("storage", "embedded")]), 1.0);
}

fn only_grow(readings: &[Figures]) {
    for pair in readings.windows(2) {
        let after = pair[1].counted();
        for (name, before) in pair[0].counted() {
            let now = after.get(&name).copied();
            assert!(now.is_some_and(|now| now >= before), "{name} fell from {before} to {now:?}");
        }
    }
}

#[test]
fn a_campaign_under_way_and_a_provider_out_of_order_are_seen() {
    let house = House::start(&[], QUICK);
    house.register(DEVICES);
    house.api().put("/limits", &json!({"apns": 150})).expect("changed");
    let uuid = house.create(&json!({}));
    house.launch(&uuid);
    house.wait_settled(&uuid, 100);
    let figures = Figures::of(&house);
    assert_eq!(figures.sum("fanfare_campaigns", &[("state", "launched")]), 1.0);
    assert_eq!(figures.sum("fanfare_campaigns_here", &[]), 1.0);
    assert!(figures.sum("fanfare_pushes_waiting", &[("provider", "apns")]) > 0.0);
    let limit = |app, provider| {
        let labels = [("app", app), ("provider", provider)];
        figures.sum("fanfare_rate_limit_pushes_per_second", &labels)
    };
    assert_eq!((limit("sandbox", "apns"), limit("sandbox", "fcm")), (150.0, 0.0));

    house.api().put("/limits", &json!({"apns": null})).expect("changed");
    let down = json!({"apns": {"refuse": true}, "fcm": {"refuse": true}});
    house.gateways.set_faults(&down).expect("set");
    let other = house.create(&json!({}));
    house.launch(&other);
    house.wait("an open breaker", || {
        let figures = Figures::of(&house);
        let closed = figures.sum("fanfare_breaker_state", &[("state", "closed")]);
        assert_eq!(figures.sum("fanfare_breaker_state", &[]), 2.0, "each is in one state");
        (closed < 2.0).then_some(())
    });
    house.gateways.set_faults(&json!({})).expect("mended");
    house.wait_sent(&other);
}

fn get(server: &Server, headers: &[(&str, &str)]) -> Answer {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    server.send("GET", "/metrics", &headers.collect(), None)
}

#[test]
fn beyond_this_machine_a_key_is_needed() {
    let settings = [
        ("APPS__0__NAME", "shop"),
        ("APPS__0__SECRET", "the-master-secret"),
        ("INTERNAL__KEYS", KEY),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut settings = BTreeMap::from(settings);
    let server = Server::start(&settings);
    assert_eq!(get(&server, &[]).status, 200);
    let bearer = format!("Bearer {KEY}");
    let from_afar = ("x-forwarded-for", "203.0.113.9");
    for headers in [
        &[from_afar][..],
        &[from_afar, ("x-server-key", "a-wrong-internal-key")],
        &[from_afar, ("authorization", "Bearer the-master-secret")],
        &[from_afar, ("authorization", "Basic c2hvcDp0aGUtbWFzdGVyLXNlY3JldA==")],
        &[("x-forwarded-for", "not an address")],
        &[("x-forwarded-for", "127.0.0.1")],
        &[("via", "1.1 proxy")],
        &[("x-server-key", "a-wrong-internal-key")],
        &[("x-server-key", KEY), ("authorization", &bearer)],
    ] {
        let refused = get(&server, headers);
        assert_eq!(refused.status, 401, "{headers:?}");
        assert_eq!(refused.body["success"], json!(false));
        assert!(refused.headers.contains_key("www-authenticate"));
    }
    assert_eq!(get(&server, &[("host", "evil.example")]).status, 403);
    for headers in [("x-server-key", KEY), ("authorization", &bearer)] {
        let answer = get(&server, &[from_afar, headers]);
        assert_eq!(answer.status, 200);
        let page = answer.body.as_str().expect("text").to_owned();
        let refused = r#"fanfare_http_requests_total{dialect="operations",code="4xx"} 10"#;
        assert!(page.contains(refused), "{page}");
    }
    let answer = server.send("POST", "/metrics", &BTreeMap::new(), None);
    assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, "GET, HEAD"));

    // A proxy may say nothing of itself.
    settings.insert("SERVER__TRUSTED_PROXIES".to_owned(), "127.0.0.1".to_owned());
    assert_eq!(get(&Server::start(&settings), &[]).status, 401);
}

#[test]
fn every_dialect_counts_its_own_requests() {
    let server = Server::start(&BTreeMap::new());
    for (path, times) in [
        ("/devices/x", 1),
        ("/clients/x", 2),
        ("/moxie/notifications/", 3),
        ("/v4/tags", 4),
        ("/health", 5),
        ("/console/", 7),
        ("/nowhere", 6),
    ] {
        (0..times).for_each(|_| drop(server.send("GET", path, &BTreeMap::new(), None)));
    }
    let page = get(&server, &[]).body.as_str().expect("text").to_owned();
    let figures = Figures::read(&page);
    let count = |dialect| figures.sum("fanfare_http_requests_total", &[("dialect", dialect)]);
    let dialects =
        ["native", "push_server", "moxie", "engagelab", "operations", "console", "other"];
    assert_eq!(dialects.map(count), [1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 6.0]);
    let duration = |dialect| {
        figures.sum("fanfare_http_request_duration_seconds_count", &[("dialect", dialect)])
    };
    assert_eq!(dialects.map(duration), dialects.map(count));
}

/// Every name that a text speaks of which looks like one of ours.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let ours = |word: &&str| {
        let of_process = [
            "process_cpu",
            "process_res",
            "process_open",
            "process_max",
            "process_start",
            "process_virtual",
        ];
        word.starts_with("fanfare_") || of_process.iter().any(|begin| word.starts_with(begin))
    };
    words.filter(ours).map(str::to_owned).collect()
}

/// Every name that the page has.
fn known_names() -> BTreeSet<String> {
    let named = |metric: &Metric| {
        let ends: &[&str] = match metric.kind() {
            Kind::Histogram => &["", "_bucket", "_sum", "_count"],
            Kind::Counter | Kind::Gauge => &[""],
        };
        ends.iter().map(|end| format!("{}{end}", metric.name())).collect::<Vec<_>>()
    };
    Metric::ALL.iter().flat_map(named).collect()
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text =
        std::fs::read_to_string(root.join("scripts/grafana/fanfare.json")).expect("it is there");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries: Vec<_> = targets.map(|target| target["expr"].as_str().expect("a query")).collect();
    assert!(queries.len() >= 15, "only {} queries", queries.len());
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    let variables = variables.iter().filter_map(|variable| variable["definition"].as_str());
    for query in queries.into_iter().chain(variables) {
        let names = names_in(query);
        assert!(!names.is_empty(), "{query} asks for nothing of ours");
        let unknown: Vec<_> = names.difference(&known_names()).cloned().collect();
        assert!(unknown.is_empty(), "{query}: there is no {unknown:?}");
    }
}

#[test]
fn the_manual_names_every_metric_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manual = std::fs::read_to_string(root.join("docs/metrics.md")).expect("it is there");
    let named = names_in(&manual);
    for metric in Metric::ALL {
        assert!(named.contains(metric.name()), "{} is not in the manual", metric.name());
    }
    let unknown: Vec<_> = named.difference(&known_names()).cloned().collect();
    assert!(unknown.is_empty(), "the manual speaks of {unknown:?}");
}
