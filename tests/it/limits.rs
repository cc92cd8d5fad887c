//! Rates changed while servers run: they outlast a restart, reach every node, and hold over all of them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use fanfare::demo::{
    self, audience,
    processes::{Gateways, Server as Node},
};
use serde_json::{Value, json};

use crate::support::{
    house::{SENT, expected, program, settled},
    mongod::Mongod,
    server::Server,
};

/// Waits for a condition, for two minutes at most.
fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn changed_rates_outlast_a_restart_and_come_before_the_settings() {
    let directory = tempfile::tempdir().expect("a directory");
    let start = |app_per_second: u32| {
        let settings = [
            ("STORAGE__PATH", directory.path().join("data").display().to_string()),
            ("INTERNAL__KEYS", "internal-key-0001".to_owned()),
            ("LIMITS__APP_PER_SECOND", app_per_second.to_string()),
        ];
        Server::start(&settings.map(|(key, value)| (key.to_owned(), value)).into())
    };
    let put = |server: &Server, path: &str, change: Value| {
        let key = [("X-Server-Key".to_owned(), "internal-key-0001".to_owned())].into();
        let answer = server.send("PUT", path, &key, Some(change.to_string().into_bytes()));
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    let rates = |server: &Server| {
        server.send("GET", "/limits", &BTreeMap::new(), None).body["result"].clone()
    };
    let server = start(100);
    put(&server, "/limits", json!({"app": 50, "apns": 60, "fcm": 0}));
    put(&server, "/internal/limits", json!({"global": 70}));
    assert!(server.terminate().success());
    let server = start(200);
    assert_eq!(rates(&server), json!({"global": 70, "app": 50, "apns": 60, "fcm": 0}));
    put(&server, "/limits", json!({"app": null, "fcm": null}));
    put(&server, "/internal/limits", json!({"global": null}));
    let reset = json!({"global": 0, "app": 200, "apns": 60, "fcm": 10_000});
    assert_eq!(rates(&server), reset);
    assert!(server.terminate().success());
    assert_eq!(rates(&start(200)), reset);
}

const DEVICES: usize = 4000;
const SETTINGS: &str = "[limits]\nfcm_per_second = 0\npage_size = 50\nshards = 16\n";
/// Of the app, over both nodes.
const PER_SECOND: u64 = 100;

struct TwoNodes {
    gateways: Gateways,
    nodes: [Node; 2],
    _directory: tempfile::TempDir,
}

impl TwoNodes {
    fn start(mongod: &Mongod) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let gateways = Gateways::start(program(), directory.path(), &[]).expect("gateways");
        let uri = mongod.uri(&format!("limits_{}", uuid::Uuid::new_v4().simple()));
        let nodes = ["node-0", "node-1"].map(|name| {
            let named = (name, uri.as_str());
            Node::start_node(program(), directory.path(), &gateways, named, SETTINGS)
                .expect("a node")
        });
        Self { gateways, nodes, _directory: directory }
    }

    fn rates(&self, node: usize) -> Value {
        self.nodes[node].api(&self.gateways).get("/limits").expect("answered")
    }

    fn change(&self, node: usize, change: &Value) -> Value {
        self.nodes[node].api(&self.gateways).put("/limits", change).expect("changed")
    }

    /// Launches the demo's notification at one node; its path.
    fn launch(&self) -> String {
        let api = self.nodes[0].api(&self.gateways);
        demo::register(&api, DEVICES, |_| {}).expect("registered");
        let notification = json!({"title": "t", "body": "b", "conditions": audience::conditions()});
        let created = api.post("/notifications", &notification).expect("created");
        let path = format!("/notifications/{}", created["uuid"].as_str().expect("a uuid"));
        api.post(&format!("{path}/:launch"), &json!({})).expect("launched");
        path
    }

    /// When each push came, in milliseconds of the gateways' clock, in order.
    fn pushes(&self) -> Vec<u64> {
        let mut text = String::new();
        let mut reader = self.gateways.records().expect("records");
        std::io::Read::read_to_string(&mut reader, &mut text).expect("text");
        let at = |line: &str| line.rsplit('\t').next().expect("a field").parse().expect("a time");
        let mut pushes: Vec<u64> = text.lines().map(at).collect();
        pushes.sort_unstable();
        pushes
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_changed_at_one_node_holds_over_all() {
    let mongod = Mongod::shared().await;
    let test = move || {
        let two = TwoNodes::start(&mongod);
        let changed = two.change(0, &json!({"app": PER_SECOND}));
        assert_eq!(changed["app"], json!(PER_SECOND), "at once where it was asked");
        assert_eq!(two.rates(0), changed);
        let asked = Instant::now();
        wait("the other node", || (two.rates(1) == changed).then_some(()));
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        let path = two.launch();
        let pushes = wait("some pushes", || {
            let pushes = two.pushes();
            (pushes.len() as u64 > 4 * PER_SECOND).then_some(pushes)
        });
        let (first, last) = (pushes[0], pushes[pushes.len() - 1]);
        let per_second = pushes.len() as u64 * 1000 / (last - first).max(1);
        assert!(per_second <= PER_SECOND * 6 / 5, "{per_second} a second");
        // Reset at the other node while both send: what is left goes much faster.
        assert_eq!(two.change(1, &json!({"app": null}))["app"], json!(0));
        let api = two.nodes[1].api(&two.gateways);
        let ended = wait("SENT", || {
            Some(api.get(&path).expect("answered")).filter(|now| now["status"] == json!(SENT))
        });
        assert_eq!(settled(&ended), expected(DEVICES));
        wait("both nodes", || (two.rates(0) == two.rates(1)).then_some(()));
        let after = two.pushes().into_iter().filter(|at| *at > last).collect::<Vec<_>>();
        let took = Duration::from_millis(after[after.len() - 1] - last);
        let at_the_old_rate = Duration::from_secs(after.len() as u64 / PER_SECOND);
        assert!(took < at_the_old_rate / 2, "{} more in {took:?}", after.len());
    };
    tokio::task::spawn_blocking(test).await.expect("the test");
}
