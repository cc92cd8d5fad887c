//! Whole campaigns: memory by audience size, opening and counting, and how fast a pause holds.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use fanfare::demo::{
    self,
    processes::{Gateways, Server},
};
use serde_json::{Value, json};

use crate::{
    Plan,
    table::{Table, median},
};

/// The gateways know no quota.
pub const UNLIMITED: &str = "[limits]\nfcm_per_second = 0\n";
const MIB: f64 = 1024.0;

/// Runs the demo once; its JSON line.
pub fn demo(plan: &Plan, arguments: &[&str]) -> Result<Value> {
    let output = Command::new(&plan.program)
        .args(["demo", "--exit", "--json"])
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .context("failed to run the demo")?;
    anyhow::ensure!(output.status.success(), "the demo failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What one size of audience showed.
struct Sample {
    idle_kib: f64,
    peak_kib: f64,
    open_seconds: f64,
    count_ms: Vec<f64>,
}

/// Registers, restarts so that memory holds the index and nothing left over, counts, and launches.
fn sample(plan: &Plan, devices: usize) -> Result<Sample> {
    let directory = tempfile::tempdir()?;
    let gateways = Gateways::start(&plan.program, directory.path(), &[])?;
    let server = Server::start(&plan.program, directory.path(), &gateways, UNLIMITED)?;
    demo::register(&server.api(&gateways), devices, |_| {})?;
    server.terminate()?;
    let started = Instant::now();
    let server = Server::start(&plan.program, directory.path(), &gateways, UNLIMITED)?;
    let open_seconds = started.elapsed().as_secs_f64();
    let api = server.api(&gateways);
    let count_ms = (0..9).map(|_| {
        let asked = Instant::now();
        api.post("/devices/-/:count", &json!({ "conditions": five_leaves() }))?;
        Ok(asked.elapsed().as_secs_f64() * 1e3)
    });
    let count_ms = count_ms.collect::<Result<_>>()?;
    settle(&server, &gateways)?;
    let idle_kib = server.rss_kib().context("no memory figures here")? as f64;
    // Opening the store may have taken more than the campaign will.
    server.forget_peak().context("the peak of opening cannot be told from the campaign's")?;
    let uuid = demo::create(&api)?;
    launch_and_wait(&api, &uuid)?;
    let peak_kib = server.peak_rss_kib().context("no memory figures here")? as f64;
    Ok(Sample { idle_kib, peak_kib, open_seconds, count_ms })
}

/// Has every worker do something after a pause. The allocator gives back what a thread has freed when
/// that thread next asks it for memory, a hundredth of a second later or more.
fn settle(server: &Server, gateways: &Gateways) -> Result<()> {
    let workers = std::thread::available_parallelism()?.get();
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(200));
        // Connections go to the workers in turn.
        for _ in 0..2 * workers {
            demo::count(&server.api(gateways))?;
        }
    }
    Ok(())
}

fn five_leaves() -> Value {
    let leaf = |key: &str, operator: &str, value: Value| json!({"key": key, "operator": operator, "value": value});
    json!({"join_type": "AND", "conditions": [
        {"join_type": "OR", "conditions": [
            leaf("country", "str_in", json!(["KR", "JP", "VN"])),
            leaf("sports", "str_exists", json!("football")),
        ]},
        leaf("age", "int_gte", json!(18)),
        {"join_type": "NOT", "conditions": [
            leaf("plan", "str_eq", json!("free")),
            leaf("@platform", "str_eq", json!("web")),
        ]},
    ]})
}

/// Launches, and waits until all is sent.
pub fn launch_and_wait(api: &demo::processes::Api, uuid: &str) -> Result<()> {
    api.post(&format!("/notifications/{uuid}/:launch"), &json!({}))?;
    while api.get(&format!("/notifications/{uuid}"))?["status"] != json!(2) {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Memory, opening and counting.
pub fn measure_memory(plan: &Plan, table: &mut Table) -> Result<()> {
    let (mut idle, mut small, mut large) = (vec![], vec![], vec![]);
    let (mut index, mut open, mut count) = (vec![], vec![], vec![]);
    for _ in 0..plan.runs {
        let empty = sample(plan, 0)?;
        let few = sample(plan, plan.devices / 10)?;
        let many = sample(plan, plan.devices)?;
        // What the devices' index takes is apart: it is there before the campaign.
        let campaign =
            |sample: &Sample| (sample.peak_kib - (sample.idle_kib - empty.idle_kib)) / MIB;
        idle.push(empty.idle_kib / MIB);
        small.push(campaign(&few));
        large.push(campaign(&many));
        index.push((many.idle_kib - empty.idle_kib) * 1024.0 / plan.devices as f64);
        open.push(many.open_seconds);
        count.push(median(&many.count_ms));
    }
    let ratio: Vec<f64> = large.iter().zip(&small).map(|(large, small)| large / small).collect();
    table.add(
        "Memory of a server that has nothing to do, part of the peaks below",
        &idle,
        "MiB",
        "",
    );
    table.add(
        &format!("Peak memory, {} devices, index apart", plan.devices / 10),
        &small,
        "MiB",
        "",
    );
    table.add(&format!("Peak memory, {} devices, index apart", plan.devices), &large, "MiB", "");
    table.add("… ratio", &ratio, "", "≤ 1.25");
    table.add("Memory of the index", &index, "bytes a device", "");
    table.add(&format!("Opening a store of {} devices", plan.devices), &open, "s", "≤ 5");
    table.add(&format!("Counting a nested condition over {}", plan.devices), &count, "ms", "≤ 20");
    Ok(())
}

/// How long after a pause is asked for the gateways still see pushes begin.
pub fn measure_pause(plan: &Plan, table: &mut Table) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let gateways = Gateways::start(&plan.program, directory.path(), &[])?;
    let server = Server::start(&plan.program, directory.path(), &gateways, UNLIMITED)?;
    let api = server.api(&gateways);
    demo::register(&api, 400_000, |_| {})?;
    let mut held = Vec::new();
    for _ in 0..plan.runs {
        let uuid = demo::create(&api)?;
        let path = format!("/notifications/{uuid}/status");
        api.post(&format!("/notifications/{uuid}/:launch"), &json!({}))?;
        std::thread::sleep(Duration::from_millis(300));
        let asked = Instant::now();
        api.put(&path, &json!({"status": "PAUSED"}))?;
        held.push(quiet_since(&gateways)?.saturating_duration_since(asked).as_secs_f64() * 1e3);
        api.put(&path, &json!({"status": "DELETED"}))?;
    }
    table.add("Last push after a pause is asked for", &held, "ms", "≤ 100");
    Ok(())
}

/// The moment at which the gateways last saw a request, once half a second has passed without one.
fn quiet_since(gateways: &Gateways) -> Result<Instant> {
    let requests = |stats: &Value| {
        let of = |provider: &str| stats[provider]["requests"].as_u64().unwrap_or_default();
        of("apns") + of("fcm")
    };
    let (mut seen, mut changed) = (requests(&gateways.stats()?), Instant::now());
    while changed.elapsed() < Duration::from_millis(500) {
        let now = requests(&gateways.stats()?);
        if now != seen {
            (seen, changed) = (now, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(changed)
}
