//! Devices put one by one into the store on MongoDB, which gathers them, against the same writes with
//! commands of their own: into the same collection, with the same indexes, by as many callers at once, and
//! confirmed alike.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use fanfare::{
    demo::mongod::Mongod,
    domain::{ids::AppName, timestamp::Timestamp},
    storage::{
        Stores,
        mongo::{Mongo, MongoOptions},
    },
};
use futures_util::TryStreamExt;
use mongodb::{
    Client, Collection,
    bson::{Document, doc},
    options::{ClientOptions, WriteConcern},
};

use crate::{Plan, clock::own_cpu, devices::registration, table::Table};

const CALLERS: u64 = 256;
/// Devices that are there before; fewer where fewer are asked for.
const THERE: usize = 100_000;
/// Writes of one run, gathered and apart.
const GATHERED: u64 = 20_000;
const APART: u64 = 5_000;
/// Numbers that the store does not reach.
const BEYOND: i64 = 1 << 40;

/// Runs the four in turn and adds their lines.
pub fn measure(plan: &Plan, mongod: &Mongod, table: &mut Table) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let bench = Arc::new(Bench::open(plan, mongod).await?);
        for is_new in [false, true] {
            let (mut gathered, mut apart) = (vec![], vec![]);
            for run in 0..plan.runs as u64 {
                gathered.push(bench.gathered(mongod, run, is_new).await?);
                apart.push(bench.apart(mongod, run, is_new).await?);
            }
            add_lines(table, if is_new { "new" } else { "known" }, &gathered, &apart);
        }
        Ok(())
    })
}

/// What one run showed: writes a second, and µs of processor time a write of the client and mongod.
struct Sample {
    rate: f64,
    cpu: f64,
}

fn add_lines(table: &mut Table, kind: &str, gathered: &[Sample], apart: &[Sample]) {
    let all = |samples: &[Sample], figure: fn(&Sample) -> f64| -> Vec<f64> {
        samples.iter().map(figure).collect()
    };
    let pairs = || gathered.iter().zip(apart);
    let rates: Vec<f64> = pairs().map(|(one, other)| one.rate / other.rate).collect();
    let cpus: Vec<f64> = pairs().map(|(one, other)| other.cpu / one.cpu).collect();
    let rate = |sample: &Sample| sample.rate;
    let cpu = |sample: &Sample| sample.cpu;
    table.add(&format!("PUT of {kind} devices, gathered"), &all(gathered, rate), "devices/s", "");
    table.add("… a command for each write", &all(apart, rate), "devices/s", "");
    table.add("… ratio", &rates, "", "≥ 5");
    table.add("… gathered, CPU of client and mongod", &all(gathered, cpu), "µs", "");
    table.add("… a command for each, CPU of client and mongod", &all(apart, cpu), "µs", "");
    table.add("… ratio of CPU", &cpus, "", "");
}

struct Bench {
    stores: Stores,
    app: AppName,
    devices: Collection<Document>,
    /// Documents as the store writes them, to be written anew under other names.
    samples: Vec<Document>,
    there: u64,
}

impl Bench {
    async fn open(plan: &Plan, mongod: &Mongod) -> Result<Self> {
        let uri = mongod.uri("single-writes");
        let stores = Mongo::connect(&uri, MongoOptions::default()).await?.stores();
        let (app, there) = (AppName::new("bench"), plan.devices.min(THERE) as u64);
        let mut number = 0;
        while number < there {
            let upto = (number + 1000).min(there);
            let batch = (number..upto).map(registration).collect();
            stores.devices.register(&app, batch, Timestamp::now()).await?;
            number = upto;
        }
        let mut options = ClientOptions::parse(&uri).await?;
        (options.max_pool_size, options.write_concern) = (Some(64), Some(WriteConcern::majority()));
        let database = Client::with_options(options)?.default_database().context("named above")?;
        let devices: Collection<Document> = database.collection("devices");
        let samples = devices.find(doc! {}).limit(APART as i64).await?.try_collect().await?;
        Ok(Self { stores, app, devices, samples, there })
    }

    /// Through the store.
    async fn gathered(self: &Arc<Self>, mongod: &Mongod, run: u64, is_new: bool) -> Result<Sample> {
        let first = if is_new { self.there + run * GATHERED } else { 0 };
        timed(mongod, GATHERED, |number| {
            let bench = Arc::clone(self);
            async move {
                let number = if is_new { first + number } else { number % bench.there };
                let one = vec![registration(number)];
                bench.stores.devices.register(&bench.app, one, Timestamp::now()).await?;
                Ok(())
            }
        })
        .await
    }

    /// What a store does that does not gather: a look-up, and an update or an insert.
    async fn apart(self: &Arc<Self>, mongod: &Mongod, run: u64, is_new: bool) -> Result<Sample> {
        timed(mongod, APART, |number| {
            let bench = Arc::clone(self);
            async move {
                let sample = &bench.samples[number as usize % bench.samples.len()];
                if is_new {
                    bench.insert(sample.clone(), (run * APART + number) as i64).await
                } else {
                    bench.touch(sample).await
                }
            }
        })
        .await
    }

    async fn insert(&self, mut row: Document, number: i64) -> Result<()> {
        let name = format!("apart-{number}");
        let token = format!("apart-{number:058x}");
        let found = self.devices.find_one(doc! { "a": row.get_i32("a")?, "x": &name }).await?;
        anyhow::ensure!(found.is_none(), "{name} is there already");
        let place = row.get_i64("_id")? - row.get_i64("n")? + BEYOND + number;
        row.extend(doc! { "_id": place, "n": BEYOND + number });
        // As scattered as tokens are.
        row.extend(doc! { "x": name, "t": token.chars().rev().collect::<String>() });
        self.devices.insert_one(row).await?;
        Ok(())
    }

    async fn touch(&self, row: &Document) -> Result<()> {
        let name = doc! { "a": row.get_i32("a")?, "x": row.get_str("x")? };
        let found = self.devices.find_one(name).await?.context("a known device")?;
        let seen = Timestamp::now().0;
        let set = doc! { "$set": { "l": seen, "r": seen }, "$inc": { "v": 1_i64 } };
        self.devices.update_one(doc! { "_id": found.get_i64("_id")? }, set).await?;
        Ok(())
    }
}

/// Has many callers make `count` calls, each its next when its last is answered.
async fn timed<F, Fut>(mongod: &Mongod, count: u64, call: F) -> Result<Sample>
where
    F: Fn(u64) -> Fut,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let spent = || own_cpu() + mongod.cpu().unwrap_or_default();
    let (before, started) = (spent(), Instant::now());
    let next = AtomicU64::new(0);
    let caller = || async {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return anyhow::Ok(());
            }
            tokio::spawn(call(number)).await??;
        }
    };
    futures_util::future::try_join_all((0..CALLERS).map(|_| caller())).await?;
    let took: Duration = started.elapsed();
    let cpu = spent().saturating_sub(before).as_secs_f64() * 1e6 / count as f64;
    Ok(Sample { rate: count as f64 / took.as_secs_f64(), cpu })
}
