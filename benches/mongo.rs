//! What the store on MongoDB costs: a campaign's pages read and recorded, single writes gathered against
//! one command for each, and the layouts that were weighed. Prints a line for each; it judges nothing.
//!
//! `cargo bench --bench mongo -- [--uri mongodb://…] [--pid MONGOD] [--devices N]`. With the process id of
//! the server, its processor time is told too. Each run works in a database of its own and drops it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use fanfare::{
    domain::{
        audience::{ClauseSpec, parse},
        campaign::{PageEntry, PageRecord, RoundPlan, Span},
        device::{DeviceEdit, DevicePlatform, PropertyValue, Registration, Scalar, SendPlatform},
        ids::{AppName, NotificationId},
        message::Message,
        notification::{Notification, Status},
        outcome::Outcome,
        tally::PlatformCounts,
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

const CALLERS: u64 = 256;
const PAGE: usize = 500;

/// Where the server's processor time is read.
#[derive(Clone, Copy)]
struct Server(Option<u32>);

impl Server {
    /// Processor time so far (Linux, proc(5) `stat`); zero where it is not known.
    fn cpu(self) -> Duration {
        let read = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0?)).ok()?;
            let fields: Vec<u64> = stat
                .rsplit_once(')')?
                .1
                .split_whitespace()
                .skip(11)
                .take(2)
                .filter_map(|field| field.parse().ok())
                .collect();
            Some(Duration::from_millis(fields.iter().sum::<u64>() * 10))
        };
        read().unwrap_or_default()
    }
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
        let own = Server(Some(std::process::id())).cpu();
        Self { server, begin: Instant::now(), cpu: server.cpu(), own }
    }

    fn tell(self, label: &str, count: u64, unit: &str) -> f64 {
        let took = self.begin.elapsed();
        let each = |spent: Duration| spent.as_secs_f64() * 1e6 / count.max(1) as f64;
        let server = each(self.server.cpu().saturating_sub(self.cpu));
        let own = each(Server(Some(std::process::id())).cpu().saturating_sub(self.own));
        let rate = count as f64 / took.as_secs_f64();
        println!(
            "{label:<58} {rate:>10.0} {unit}/s  mongod {server:>7.2} µs  client {own:>7.2} µs"
        );
        rate
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let asked = |name: &str| std::env::args().skip_while(|one| one != name).nth(1);
    let uri = asked("--uri").unwrap_or_else(|| "mongodb://127.0.0.1:27017".to_owned());
    let server = Server(asked("--pid").map(|pid| pid.parse()).transpose()?);
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
    single_writes(stores, database, &app, server, devices).await?;
    send(stores, &app, server).await?;
    layouts(database, server).await
}

/// A typical device: six properties, one of them unique, and two tags.
fn registration(number: u64) -> Registration {
    // Knuth's multiplier spreads consecutive numbers.
    let random = number.wrapping_mul(6_364_136_223_846_793_005) >> 33;
    let text = |text: String| PropertyValue::One(Scalar::Text(text));
    let properties = [
        ("age", PropertyValue::One(Scalar::Int((random % 80) as i64))),
        ("country", text(format!("c{}", random % 40))),
        ("premium", PropertyValue::One(Scalar::Bool(random.is_multiple_of(10)))),
        ("score", PropertyValue::One(Scalar::Float((random % 1000) as f64 / 8.0))),
        ("segment", text(format!("s{}", random % 100))),
        ("user_id", text(format!("user-{random:010}-{number}"))),
    ];
    let properties = properties.into_iter().map(|(key, value)| (key.to_owned(), Some(value)));
    Registration {
        external_id: format!("device-{number}"),
        push_token: format!("{random:016x}{number:048x}"),
        send_platform: Some(SendPlatform::Apns),
        device_platform: Some(DevicePlatform::Ios),
        edit: DeviceEdit {
            properties: properties.collect(),
            tags: Some(BTreeSet::from([format!("t{}", random % 20), "all".to_owned()])),
            ..DeviceEdit::default()
        },
    }
}

async fn fill(stores: &Stores, app: &AppName, server: Server, devices: u64) -> Result<()> {
    let watch = Watch::start(server);
    let mut number = 0;
    while number < devices {
        let upto = (number + 1000).min(devices);
        let batch = (number..upto).map(registration).collect();
        stores.devices.register(app, batch, Timestamp::now()).await?;
        number = upto;
    }
    watch.tell("register new devices, 1000 a call", devices, "devices");
    Ok(())
}

/// The same writes, gathered by the store and one command for each, in the same run.
async fn single_writes(
    stores: &Stores,
    database: &Database,
    app: &AppName,
    server: Server,
    devices: u64,
) -> Result<()> {
    let count = devices.min(20_000);
    for (label, first) in [("known", 0), ("new", devices)] {
        let watch = Watch::start(server);
        let (devices, app) = (Arc::clone(&stores.devices), app.clone());
        callers(count, move |number| {
            let (devices, app) = (Arc::clone(&devices), app.clone());
            async move {
                let one = vec![registration(first + number)];
                devices.register(&app, one, Timestamp::now()).await?;
                Ok(())
            }
        })
        .await?;
        let gathered =
            watch.tell(&format!("PUT {label}, gathered, {CALLERS} callers"), count, "devices");
        let apart = one_command_each(database, server, label, count.min(5000), first).await?;
        println!("  ratio, {label}: {:.1}", gathered / apart);
    }
    Ok(())
}

async fn callers<F, Fut>(count: u64, call: F) -> Result<()>
where
    F: Fn(u64) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<()>> + Send,
{
    let next = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (next, call) = (Arc::clone(&next), call.clone());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return anyhow::Ok(());
                    }
                    call(number).await?;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    Ok(())
}

/// What a store without group commit does: a look-up and an update or an insert for each device.
async fn one_command_each(
    database: &Database,
    server: Server,
    label: &str,
    count: u64,
    first: u64,
) -> Result<f64> {
    let devices: Collection<Document> = database.collection("devices");
    let apart: Collection<Document> = database.collection("apart");
    apart
        .create_index(
            mongodb::IndexModel::builder()
                .keys(doc! { "a": 1, "p.k": 1, "p.v": 1, "_id": 1 })
                .build(),
        )
        .await?;
    apart.create_index(mongodb::IndexModel::builder().keys(doc! { "x": 1 }).build()).await?;
    apart.create_index(mongodb::IndexModel::builder().keys(doc! { "t": 1 }).build()).await?;
    apart.create_index(mongodb::IndexModel::builder().keys(doc! { "n": 1 }).build()).await?;
    let sample = devices.find_one(doc! {}).await?.context("there are devices")?;
    let is_new = first > 0;
    let watch = Watch::start(server);
    callers(count, move |number| {
        let (devices, apart, mut row) = (devices.clone(), apart.clone(), sample.clone());
        async move {
            let name = format!("device-{number}");
            let find = devices.find_one(doc! { "a": 1, "x": &name }).await?;
            if is_new {
                row.insert("_id", number as i64);
                row.insert("x", name);
                row.insert("t", format!("token-{number}"));
                row.insert("n", number as i64);
                apart.insert_one(row).await?;
            } else {
                let key = find.context("a known device")?.get_i64("_id")?;
                let seen = Timestamp::now().0;
                let set = doc! { "$set": { "l": seen, "r": seen }, "$inc": { "v": 1_i64 } };
                devices.update_one(doc! { "_id": key }, set).await?;
            }
            Ok(())
        }
    })
    .await?;
    Ok(watch.tell(&format!("PUT {label}, one command each, {CALLERS} callers"), count, "devices"))
}

fn notification(app: &AppName, conditions: Option<ClauseSpec>) -> Notification {
    let now = Timestamp::now();
    Notification {
        id: 0,
        uuid: NotificationId(uuid::Uuid::new_v4()),
        app: app.clone(),
        message: Message::default(),
        conditions,
        status: Status::Launched,
        error: None,
        scheduled_at: None,
        created_at: now,
        modified_at: now,
        launched_at: Some(now),
        finished_at: None,
        round: 0,
        reported: PlatformCounts::default(),
        version: 0,
    }
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
