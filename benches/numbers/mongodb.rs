//! The store on a real MongoDB: what a push costs there, several nodes against one, and devices put one
//! by one. `scripts/bench --store mongodb`.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use fanfare::demo::{
    self,
    mongod::{self, Mongod},
    processes::{Api, Gateways, Server},
};
use serde_json::{Value, json};

use crate::{
    Plan,
    campaign::{UNLIMITED, launch_and_wait},
    single_writes,
    table::Table,
};

/// Nodes of the cluster that one node is compared with.
const NODES: usize = 3;

/// Runs what is asked for and adds its lines.
pub fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mongod = start(directory.path())?;
    if plan.wants("push") {
        measure_push(plan, directory.path(), &mongod, table)?;
    }
    if plan.wants("put") {
        single_writes::measure(plan, &mongod, table)?;
    }
    Ok(())
}

/// The mongod that the environment names, one on the PATH, or the one that the tests fetched.
fn start(directory: &Path) -> Result<Mongod> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let fetched = cache.or_else(home).map(|cache| cache.join("fanfare-test/mongod-6.0.5"));
    Mongod::start(&mongod::program(), directory).or_else(|error| match fetched {
        Some(fetched) if fetched.is_file() => Mongod::start(&fetched, directory),
        _ => Err(error),
    })
}

/// What one campaign showed.
struct Sample {
    took: Duration,
    /// µs of processor time a push.
    engine: f64,
    mongod: f64,
}

/// The same campaign embedded, on one node and on several, in turn.
fn measure_push(plan: &Plan, directory: &Path, mongod: &Mongod, table: &mut Table) -> Result<()> {
    let stores = [Store::Embedded, Store::MongoDb(mongod, 1), Store::MongoDb(mongod, NODES)];
    for store in &stores[..2] {
        let (gateways, servers) = store.open(plan, directory)?;
        demo::register(&servers[0].api(&gateways), plan.devices, |_| {})?;
    }
    let [mut embedded, mut one, mut several] = [vec![], vec![], vec![]];
    let mut matched = vec![];
    for _ in 0..plan.runs {
        embedded.push(stores[0].campaign(plan, directory, everyone)?);
        one.push(stores[1].campaign(plan, directory, everyone)?);
        several.push(stores[2].campaign(plan, directory, everyone)?);
        matched.push(stores[1].campaign(plan, directory, demo::create)?.mongod);
    }
    add_lines(table, &embedded, &one, &several);
    table.add("MongoDB: mongod's CPU a push, the demo's condition", &matched, "µs", "");
    Ok(())
}

fn add_lines(table: &mut Table, embedded: &[Sample], one: &[Sample], several: &[Sample]) {
    let all = |samples: &[Sample], figure: fn(&Sample) -> f64| -> Vec<f64> {
        samples.iter().map(figure).collect()
    };
    let ratio = |over: &[Sample], under: &[Sample], figure: fn(&Sample) -> f64| -> Vec<f64> {
        over.iter().zip(under).map(|(over, under)| figure(over) / figure(under)).collect()
    };
    let engine = |sample: &Sample| sample.engine;
    let mongod = |sample: &Sample| sample.mongod;
    let seconds = |sample: &Sample| sample.took.as_secs_f64();
    table.add("Embedded: engine CPU a push", &all(embedded, engine), "µs", "");
    table.add("MongoDB: engine CPU a push", &all(one, engine), "µs", "");
    table.add("… MongoDB / embedded", &ratio(one, embedded, engine), "", "≤ 1.5");
    table.add("MongoDB: mongod's CPU a push", &all(one, mongod), "µs", "≤ 3");
    table.add("Embedded: time of the campaign", &all(embedded, seconds), "s", "");
    table.add("MongoDB, one node: time of the campaign", &all(one, seconds), "s", "");
    table.add(&format!("MongoDB, {NODES} nodes, same cores"), &all(several, seconds), "s", "");
    table.add(&format!("… {NODES} nodes / one"), &ratio(several, one, seconds), "", "≤ 1");
    table.add(
        &format!("{NODES} nodes: engine CPU a push, in all"),
        &all(several, engine),
        "µs",
        "",
    );
    table.add(&format!("{NODES} nodes: mongod's CPU a push"), &all(several, mongod), "µs", "");
}

/// Creates a notification for every device; its uuid.
fn everyone(api: &Api) -> Result<String> {
    let message = json!({ "title": "Doors open at eight", "body": "See you tonight!" });
    let created = api.post("/notifications", &message)?;
    Ok(created["uuid"].as_str().context("the notification has no uuid")?.to_owned())
}

/// Where a campaign's devices are kept, and by how many nodes it is sent.
#[derive(Clone, Copy)]
enum Store<'a> {
    Embedded,
    MongoDb(&'a Mongod, usize),
}

impl Store<'_> {
    /// Starts gateways and servers on what is there.
    fn open(self, plan: &Plan, directory: &Path) -> Result<(Gateways, Vec<Server>)> {
        let program = &plan.program;
        let gateways = Gateways::start(program, directory, &[])?;
        let servers = match self {
            Self::Embedded => vec![Server::start(program, directory, &gateways, UNLIMITED)?],
            Self::MongoDb(mongod, nodes) => {
                let uri = mongod.uri("campaigns");
                let start = |index: usize| {
                    let name = format!("node-{}", index + 1);
                    Server::start_node(program, directory, &gateways, (&name, &uri), UNLIMITED)
                };
                (0..nodes).map(start).collect::<Result<_>>()?
            }
        };
        Ok((gateways, servers))
    }

    /// Sends the campaign that `create` creates.
    fn campaign(
        self,
        plan: &Plan,
        directory: &Path,
        create: fn(&Api) -> Result<String>,
    ) -> Result<Sample> {
        let (gateways, servers) = self.open(plan, directory)?;
        let api = servers[0].api(&gateways);
        let uuid = create(&api)?;
        let engine = || servers.iter().map(Server::cpu).sum::<Option<Duration>>();
        let database = || match self {
            Self::Embedded => Some(Duration::ZERO),
            Self::MongoDb(mongod, _) => mongod.cpu(),
        };
        let before = engine().zip(database()).context("no CPU figures here")?;
        let started = Instant::now();
        launch_and_wait(&api, &uuid)?;
        let took = started.elapsed();
        let after = engine().zip(database()).context("no CPU figures here")?;
        let pushes = accepted(&api.get(&format!("/notifications/{uuid}"))?)?;
        let each = |before: Duration, after: Duration| {
            after.saturating_sub(before).as_secs_f64() * 1e6 / pushes
        };
        for server in servers {
            // Asked to end, so that the next campaign waits for no lease.
            server.terminate()?;
        }
        Ok(Sample { took, engine: each(before.0, after.0), mongod: each(before.1, after.1) })
    }
}

fn accepted(notification: &Value) -> Result<f64> {
    let sent = notification["sent"].as_object().context("no counts")?;
    let sent: u64 = sent.values().filter_map(Value::as_u64).sum();
    anyhow::ensure!(sent > 0, "nothing was sent");
    Ok(sent as f64)
}
