//! What the store on MongoDB costs: devices registered, a campaign's pages read and recorded, and the
//! layouts that were weighed. Prints a line for each; it judges nothing. What the README states is
//! measured by `scripts/bench --store mongodb`.
//!
//! `cargo bench --bench mongo -- [--uri mongodb://…] [--pid MONGOD] [--devices N]`. With the process id of
//! the server, its processor time is told too. Each run works in a database of its own and drops it.

use std::time::{Duration, Instant};

#[path = "numbers/devices.rs"]
mod devices;

use anyhow::{Context, Result};
use fanfare::{
    demo::processes,
    domain::{
        audience::{ClauseSpec, parse},
        campaign::{PageEntry, PageRecord, RoundPlan, Span},
        ids::{AppName, NotificationId},
        notification::{Notification, Status},
        outcome::Outcome,
        timestamp::Timestamp,
    },
    storage::{
        Stores,
        mongo::{Mongo, MongoOptions},
    },
};
use futures_util::TryStreamExt;
use mongodb::{
    Client, Collection, Database,
    bson::{Document, RawDocumentBuf, doc},
    options::Hint,
};

const PAGE: usize = 500;

/// The server's process, where it is named.
type Server = Option<u32>;

/// Processor time so far; zero where it is not known.
fn cpu_of(process: Server) -> Duration {
    process.and_then(processes::cpu_of).unwrap_or_default()
}

/// Times what `label` did to `count` things.
struct Watch {
    server: Server,
    begin: Instant,
    cpu: Duration,
    own: Duration,
}

impl Watch {
    fn start(server: Server) -> Self {
        let own = cpu_of(Some(std::process::id()));
        Self { server, begin: Instant::now(), cpu: cpu_of(server), own }
    }

    fn tell(self, label: &str, count: u64, unit: &str) {
        let took = self.begin.elapsed();
        let each = |spent: Duration| spent.as_secs_f64() * 1e6 / count.max(1) as f64;
        let server = each(cpu_of(self.server).saturating_sub(self.cpu));
        let own = each(cpu_of(Some(std::process::id())).saturating_sub(self.own));
        let rate = count as f64 / took.as_secs_f64();
        println!(
            "{label:<58} {rate:>10.0} {unit}/s  mongod {server:>7.2} µs  client {own:>7.2} µs"
        );
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let asked = |name: &str| std::env::args().skip_while(|one| one != name).nth(1);
    let uri = asked("--uri").unwrap_or_else(|| "mongodb://127.0.0.1:27017".to_owned());
    let server: Server = asked("--pid").map(|pid| pid.parse()).transpose()?;
    let devices: u64 = asked("--devices").map_or(Ok(100_000), |number| number.parse())?;
    let name = format!("bench-{}", uuid::Uuid::new_v4().simple());
    let (root, options) = uri.split_once('?').unwrap_or((&uri, ""));
    let root = root.trim_end_matches('/');
    let client = Client::with_uri_str(&uri).await?;
    let database = client.database(&name);
    let uri = format!("{root}/{name}?{options}");
    let stores = Mongo::connect(&uri, MongoOptions::default());
    let stores = stores.await.context("failed to open the store")?.stores();
    let measured = measure(&stores, &database, server, devices).await;
    database.drop().await?;
    measured
}

async fn measure(stores: &Stores, database: &Database, server: Server, devices: u64) -> Result<()> {
    let app = AppName::new("bench");
    fill(stores, &app, server, devices).await?;
    send(stores, &app, server).await?;
    layouts(database, server).await
}

async fn fill(stores: &Stores, app: &AppName, server: Server, devices: u64) -> Result<()> {
    let watch = Watch::start(server);
    let mut number = 0;
    while number < devices {
        let upto = (number + 1000).min(devices);
        let batch = (number..upto).map(devices::registration).collect();
        stores.devices.register(app, batch, Timestamp::now()).await?;
        number = upto;
    }
    watch.tell("register new devices, 1000 a call", devices, "devices");
    Ok(())
}

fn notification(app: &AppName, conditions: Option<ClauseSpec>) -> Notification {
    let now = Timestamp::now();
    let draft = Notification::draft(app, NotificationId(uuid::Uuid::new_v4()), now);
    Notification { conditions, status: Status::Launched, launched_at: Some(now), ..draft }
}

async fn send(stores: &Stores, app: &AppName, server: Server) -> Result<()> {
    let half = ClauseSpec::leaf("age", "int_lt", 40);
    let country = ClauseSpec::leaf("country", "str_eq", "c7");
    let segment = ClauseSpec::leaf("segment", "str_eq", "s7");
    let audiences = [
        ("everyone", None),
        ("half, by a range", Some(half)),
        ("1 in 40", Some(country)),
        ("1 in 100", Some(segment)),
    ];
    for (label, conditions) in audiences {
        if let Some(spec) = &conditions {
            let clause = parse(spec, "conditions")?;
            let watch = Watch::start(server);
            let counted = stores.devices.count(app, Some(&clause), &[], Timestamp::now()).await?;
            watch.tell(&format!("count, {label}"), counted.platforms.total(), "devices");
        }
        let sent = stores.notifications.create(notification(app, conditions), None).await?;
        let plan = RoundPlan {
            notification: sent.uuid,
            app: app.clone(),
            round: 0,
            shards: 16,
            failures: None,
        };
        let shards = stores.ledger.plan(&plan, None, Timestamp::now()).await?;
        let watch = Watch::start(server);
        // Four at a time, as the engine's shards read.
        let (mut pages, mut read) = (Vec::new(), 0);
        for four in shards.chunks(4) {
            let reads = four.iter().map(|shard| async move {
                let (mut span, mut pages) = (shard.span, Vec::new());
                while !span.is_empty() {
                    let page = stores.ledger.read_page(shard.key, span, PAGE).await?;
                    let upto = page.upto;
                    pages.push((shard.clone(), Span { after: span.after, upto }, page));
                    span.after = upto;
                }
                anyhow::Ok(pages)
            });
            for one in futures_util::future::try_join_all(reads).await? {
                read += one.iter().map(|(_, _, page)| page.targets.len() as u64).sum::<u64>();
                pages.push(one);
            }
        }
        watch.tell(&format!("read pages of {PAGE}, {label}"), read, "devices");
        let watch = Watch::start(server);
        let records = pages.into_iter().map(|pages| record(stores, pages));
        futures_util::future::try_join_all(records).await?;
        watch.tell(&format!("record pages of {PAGE}, {label}"), read, "outcomes");
    }
    Ok(())
}

type Page = (fanfare::domain::campaign::Shard, Span, fanfare::domain::campaign::TargetPage);

async fn record(stores: &Stores, pages: Vec<Page>) -> Result<()> {
    let mut tally = fanfare::domain::tally::Tally::default();
    for (mut shard, span, page) in pages {
        let entries = page.targets.into_iter().map(|target| PageEntry {
            device: target.device,
            position: target.position,
            platform: target.platform,
            outcome: Outcome::Accepted,
            failed_before: None,
        });
        let entries = entries.collect();
        let page = PageRecord { shard: shard.key, span, done: true, entries, at: Timestamp::now() };
        tally.add(&page.tallies().0);
        (shard.cursor, shard.tally) = (span.upto, tally.clone());
        shard.done = span.upto == shard.span.upto;
        stores.ledger.record(page, shard).await?;
    }
    Ok(())
}

/// The layouts weighed, over the devices that are there: everyone's tokens in a stable order, and those
/// of one segment in a hundred.
async fn layouts(database: &Database, server: Server) -> Result<()> {
    use mongodb::IndexModel;
    let plain: Collection<RawDocumentBuf> = database.collection("plain");
    let copy = [doc! { "$match": {} }, doc! { "$out": "plain" }];
    let devices: Collection<RawDocumentBuf> = database.collection("devices");
    database.collection::<Document>("devices").aggregate(copy).await?;
    let all = doc! { "_id": 1 };
    let covered = doc! { "a": 1, "_id": 1, "t": 1, "s": 1, "d": 1, "r": 1, "g": 1 };
    for (name, keys) in [
        ("app", doc! { "a": 1, "n": 1 }),
        ("covered", covered),
        ("attribute", doc! { "a": 1, "p.k": 1, "p.v": 1, "_id": 1 }),
    ] {
        let options = mongodb::options::IndexOptions::builder().name(name.to_owned()).build();
        plain.create_index(IndexModel::builder().keys(keys).options(options).build()).await?;
    }
    let everyone = doc! { "a": 1, "_id": { "$gt": 0_i64 } };
    let mut segment = everyone.clone();
    segment.insert("p", doc! { "$elemMatch": { "k": "segment", "v": "s7" } });
    let by_number = Hint::Keys(doc! { "a": 1, "n": 1 });
    let fields = doc! { "_id": 1, "s": 1, "d": 1, "r": 1, "t": 1, "g": 1 };
    let ways = [
        ("everyone: clustered, range of _id", &devices, &everyone, Hint::Keys(all.clone()), "_id"),
        (
            "everyone: plain collection, covering index",
            &plain,
            &everyone,
            Hint::Name("covered".into()),
            "_id",
        ),
        ("everyone: plain collection, index and fetch", &plain, &everyone, by_number, "n"),
        ("1 in 100: clustered, range of _id", &devices, &segment, Hint::Keys(all), "_id"),
        (
            "1 in 100: clustered, attribute index",
            &devices,
            &segment,
            Hint::Name("by_attribute".into()),
            "_id",
        ),
        (
            "1 in 100: plain, attribute index",
            &plain,
            &segment,
            Hint::Name("attribute".into()),
            "_id",
        ),
    ];
    for (label, collection, filter, hint, order) in ways {
        let watch = Watch::start(server);
        let find = collection.find(filter.clone()).projection(fields.clone()).hint(hint);
        let mut batches = find.sort(doc! { order: 1 }).batch_size(5000).batch().await?;
        let mut count = 0;
        while let Some(batch) = batches.try_next().await? {
            count += batch.doc_slices()?.into_iter().count() as u64;
        }
        watch.tell(&format!("layout, {label}"), count, "devices");
    }
    Ok(())
}
