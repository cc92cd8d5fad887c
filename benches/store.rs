//! What the embedded store costs: memory of the index per device, time to open, time to count, and
//! rates of registering, reading pages and recording them. Prints one line each; it judges nothing.
//!
//! `cargo bench --bench store -- --devices 1000000`

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use fanfare::{
    domain::{
        audience::{ClauseSpec, parse},
        campaign::{PageEntry, PageRecord, RoundPlan, Span, TargetPage},
        device::{DeviceEdit, DevicePlatform, PropertyValue, Registration, Scalar, SendPlatform},
        ids::{AppName, NotificationId},
        notification::{Notification, Status},
        outcome::Outcome,
        timestamp::Timestamp,
    },
    storage::{
        CampaignLedger, DeviceStore, NotificationStore,
        embedded::{Embedded, EmbeddedOptions},
    },
};
use serde_json::json;

/// As the program itself has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CALLERS: u64 = 256;
const PAGE: usize = 1000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    if let Some(path) = argument("--open") {
        return open_and_weigh(Path::new(&path)).await;
    }
    let devices = match argument("--devices") {
        Some(number) => number.parse()?,
        None => 100_000,
    };
    let directory = tempfile::tempdir()?;
    let app = AppName::new("bench");
    let store = Embedded::open(directory.path(), EmbeddedOptions::default()).await?;
    fill(&store, &app, devices).await?;
    register_singly(&store, &app, devices).await?;
    drop(store);
    let store = reopen(directory.path()).await?;
    count(&store, &app).await?;
    send(&store, &app).await
}

/// The value after a flag on the command line.
fn argument(flag: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != flag).nth(1)
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
        ("user_id", text(format!("user-{random:010}-{number}"))),
        ("version", text(format!("{}.{}.0", random % 7, random % 13))),
    ];
    let ios = number.is_multiple_of(2);
    Registration {
        external_id: format!("device-{number}"),
        push_token: format!("{random:016x}{number:048x}"),
        send_platform: Some(if ios { SendPlatform::Apns } else { SendPlatform::Fcm }),
        device_platform: Some(if ios { DevicePlatform::Ios } else { DevicePlatform::Android }),
        edit: DeviceEdit {
            properties: properties
                .into_iter()
                .map(|(key, value)| (key.to_owned(), Some(value)))
                .collect(),
            tags: Some(BTreeSet::from([
                format!("t{}", random % 20),
                format!("news{}", random % 5),
            ])),
            ..DeviceEdit::default()
        },
    }
}

async fn fill(store: &Embedded, app: &AppName, devices: u64) -> anyhow::Result<()> {
    let begin = Instant::now();
    let mut number = 0;
    while number < devices {
        let upto = (number + 5000).min(devices);
        let batch = (number..upto).map(registration).collect();
        store.register(app, batch, Timestamp::now()).await?;
        number = upto;
    }
    rate("register, 5000 at a time", devices, "devices", begin.elapsed());
    Ok(())
}

async fn register_singly(store: &Embedded, app: &AppName, devices: u64) -> anyhow::Result<()> {
    for (label, first) in [("new", devices), ("known, unchanged", 0)] {
        let next = Arc::new(AtomicU64::new(first));
        let end = first + devices.min(100_000);
        let begin = Instant::now();
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (store, app, next) = (store.clone(), app.clone(), Arc::clone(&next));
                tokio::spawn(async move {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= end {
                            return anyhow::Ok(());
                        }
                        let one = vec![registration(number)];
                        store.register(&app, one, Timestamp::now()).await?;
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await??;
        }
        let label = format!("register one by one, {CALLERS} callers, {label}");
        rate(&label, end - first, "devices", begin.elapsed());
    }
    Ok(())
}

/// Opens in a new process, whose memory holds nothing else; then here.
async fn reopen(path: &Path) -> anyhow::Result<Embedded> {
    let mut child = std::process::Command::new(std::env::current_exe()?);
    anyhow::ensure!(child.arg("--open").arg(path).status()?.success(), "the child failed");
    Ok(Embedded::open(path, EmbeddedOptions::default()).await?)
}

async fn open_and_weigh(path: &Path) -> anyhow::Result<()> {
    // A small page cache, so that what is weighed is the index.
    let options = EmbeddedOptions { cache_mib: 1, ..EmbeddedOptions::default() };
    let before = resident_bytes();
    let begin = Instant::now();
    let store = Embedded::open(path, options).await?;
    let took = begin.elapsed();
    let grown = resident_bytes().saturating_sub(before);
    let app = AppName::new("bench");
    let total = store.count(&app, None, &[], Timestamp::now()).await?.platforms.total();
    println!("open with {total} devices: {:.2} s", took.as_secs_f64());
    println!("memory grown by opening: {} bytes a device", grown / total.max(1));
    Ok(())
}

async fn count(store: &Embedded, app: &AppName) -> anyhow::Result<()> {
    let young = ClauseSpec::leaf("age", "int_lt", 30);
    let country = ClauseSpec::leaf("country", "str_in", json!(["c1", "c2", "c3"]));
    let tag = ClauseSpec::leaf("@tag", "str_eq", "news1");
    let premium = ClauseSpec::leaf("premium", "bool_eq", true);
    let seen = ClauseSpec::leaf("@last_seen", "time_within_days", 30);
    let either = ClauseSpec::branch("OR", vec![young, country]);
    let none = ClauseSpec::branch("NOT", vec![premium]);
    let spec = ClauseSpec::branch("AND", vec![either, tag, none, seen]);
    let clause = parse(&spec, "conditions")?;
    let mut times = Vec::new();
    let mut total = 0;
    for _ in 0..50 {
        let begin = Instant::now();
        let counted =
            store.count(app, Some(&clause), &[SendPlatform::Apns], Timestamp::now()).await?;
        times.push(begin.elapsed());
        total = counted.platforms.total();
    }
    times.sort_unstable();
    let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
    println!("count of 5 nested leaves ({total} match): median {median:.2?}, worst {most:.2?}");
    Ok(())
}

fn notification(app: &AppName, conditions: Option<ClauseSpec>) -> Notification {
    let now = Timestamp::now();
    let draft = Notification::draft(app, NotificationId(uuid::Uuid::new_v4()), now);
    Notification { conditions, status: Status::Launched, launched_at: Some(now), ..draft }
}

async fn send(store: &Embedded, app: &AppName) -> anyhow::Result<()> {
    let sparse = ClauseSpec::leaf("user_id", "str_contains", "77-");
    for (label, conditions) in [("everyone", None), ("about 1 in 100", Some(sparse))] {
        let notification = store.create(notification(app, conditions), None).await?;
        let plan = RoundPlan {
            notification: notification.uuid,
            app: app.clone(),
            round: 0,
            shards: 16,
            failures: None,
        };
        let shards = store.plan(&plan, None, Timestamp::now()).await?;
        store.read_page(shards[0].key, shards[0].span, 1).await?;
        let begin = Instant::now();
        let mut pages = Vec::new();
        for shard in &shards {
            let mut span = shard.span;
            while !span.is_empty() {
                let page = store.read_page(shard.key, span, PAGE).await?;
                let upto = page.upto;
                pages.push((shard.clone(), Span { after: span.after, upto }, page));
                span.after = upto;
            }
        }
        let targets = pages.iter().map(|(_, _, page)| page.targets.len() as u64).sum();
        rate(
            &format!("read pages one after another, {label}"),
            targets,
            "devices",
            begin.elapsed(),
        );
        record(store, pages, targets).await?;
    }
    Ok(())
}

async fn record(
    store: &Embedded,
    pages: Vec<(fanfare::domain::campaign::Shard, Span, TargetPage)>,
    devices: u64,
) -> anyhow::Result<()> {
    let count = pages.len() as u64;
    let begin = Instant::now();
    let writes: Vec<_> = pages
        .into_iter()
        .map(|(mut shard, span, page)| {
            let entries = page.targets.into_iter().map(|target| PageEntry {
                device: target.device,
                position: target.position,
                platform: target.platform,
                outcome: Outcome::Accepted,
                failed_before: None,
            });
            let entries = entries.collect();
            let page =
                PageRecord { shard: shard.key, span, done: true, entries, at: Timestamp::now() };
            shard.cursor = span.upto;
            let store = store.clone();
            tokio::spawn(async move { store.record(page, shard).await })
        })
        .collect();
    for write in writes {
        write.await??;
    }
    rate("record pages, all at once", count, "pages", begin.elapsed());
    rate("  which is", devices, "outcomes", begin.elapsed());
    Ok(())
}

fn rate(label: &str, count: u64, unit: &str, took: Duration) {
    println!("{label}: {:.0} {unit}/s", count as f64 / took.as_secs_f64());
}

/// The process's resident memory, from the kernel; 0 where it does not say.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}
