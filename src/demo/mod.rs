//! `fanfare demo`: the whole house at work on this machine, with its own proof.
//!
//! It runs the sandbox gateways and the server as processes of their own and talks to them as anyone
//! would, over HTTP; nothing here reaches into the engine. What was missed or sent twice is worked out
//! from the gateways' records and from [`audience::expects`], a second telling of the condition in
//! plain Rust that shares nothing with the engine's.

pub mod audience;
mod installation;
pub mod mongod;
pub mod processes;
mod progress;
pub mod proof;
mod report;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use self::{
    installation::Installation,
    processes::{Api, Gateways},
    progress::Bar,
    report::Report,
};

/// Devices registered in one request.
const BATCH: usize = 1000;
/// How often the campaign is looked at.
const POLL: Duration = Duration::from_millis(50);

/// What to show.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// How many devices to register
    #[arg(long, default_value_t = 100_000)]
    pub devices: usize,
    /// End when the campaign has, instead of staying up to be played with
    #[arg(long)]
    pub exit: bool,
    /// Print one JSON line at the end instead of pictures
    #[arg(long)]
    pub json: bool,
    /// Run so many nodes on one MongoDB, and kill one of them half-way
    #[arg(long, value_name = "NODES", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub cluster: u8,
    /// The MongoDB of a cluster; without it a mongod is started, from FANFARE_MONGOD or the PATH
    #[arg(long, value_name = "URI")]
    pub uri: Option<String>,
    /// A fault of the gateways, PROVIDER:STATUS:REASON:SHARE; may be given again
    #[arg(long = "fail", value_name = "FAULT", default_values = ["apns:410:Unregistered:0.005", "fcm:404:UNREGISTERED:0.005"])]
    pub faults: Vec<String>,
}

/// Runs the demo to its end, or until Ctrl-C.
pub fn run(args: &DemoArgs) -> Result<()> {
    let directory = tempfile::tempdir().context("failed to make a temporary directory")?;
    let program = std::env::current_exe().context("failed to find this program")?;
    let faults = args.faults.iter().filter(|fault| !fault.is_empty());
    let faults: Vec<&str> = faults.flat_map(|fault| ["--fail", fault]).collect();
    let gateways = Gateways::start(&program, directory.path(), &faults)?;
    let mut servers = match usize::from(args.cluster) {
        1 => Installation::single(&program, directory.path(), &gateways)?,
        nodes => {
            let uri = args.uri.as_deref();
            Installation::cluster(&program, directory.path(), &gateways, nodes, uri)?
        }
    };
    let api = servers.api(&gateways)?;
    if !args.json {
        println!("Gateways  APNs {}   FCM {}", gateways.apns_url, gateways.fcm_url);
        println!("Server    {}\n", api.base);
    }
    let mut bar = Bar::new("Registering", args.devices as u64, !args.json);
    register(&api, args.devices, |done| bar.show(done))?;
    bar.end();
    let uuid = create(&api)?;
    let matched = count(&api)?;
    let report = launch(&api, &mut servers, &gateways, (&uuid, matched), args)?;
    let proof = proof::compare(&gateways, args.devices)?;
    report.finish(&proof).print(args.json);
    if proof.missed > 0 {
        bail!("{} devices were missed", proof.missed);
    }
    if args.exit {
        return Ok(());
    }
    if !args.json {
        invite(&api, &gateways, &uuid);
    }
    wait_for_interrupt()
}

/// Registers the demo's devices through the API; tells how many are done.
pub fn register(api: &Api, devices: usize, mut tell: impl FnMut(u64)) -> Result<()> {
    let mut done = 0;
    while done < devices {
        let upto = (done + BATCH).min(devices);
        let batch: Vec<Value> = (done..upto).map(audience::registration).collect();
        api.post("/devices/-/:register", &json!({ "devices": batch }))?;
        done = upto;
        tell(done as u64);
    }
    Ok(())
}

/// Creates the demo's notification; its uuid.
pub fn create(api: &Api) -> Result<String> {
    let notification = json!({
        "title": "Doors open at eight",
        "body": "Your section is on the left. See you tonight!",
        "deep_link": "fanfare://tonight",
        "conditions": audience::conditions(),
    });
    let created = api.post("/notifications", &notification)?;
    Ok(created["uuid"].as_str().context("the notification has no uuid")?.to_owned())
}

/// Counts the demo's audience.
pub fn count(api: &Api) -> Result<u64> {
    let counted =
        api.post("/devices/-/:count", &json!({ "conditions": audience::conditions() }))?;
    counted["total"].as_u64().context("the count has no total")
}

/// Launches and watches until the campaign has ended; in a cluster, kills a node half-way.
fn launch(
    api: &Api,
    servers: &mut Installation,
    gateways: &Gateways,
    (uuid, matched): (&str, u64),
    args: &DemoArgs,
) -> Result<Report> {
    let path = format!("/notifications/{uuid}");
    let mut bar = Bar::new("Sending", matched, !args.json);
    let (cpu_before, started) = (servers.cpu(), Instant::now());
    api.post(&format!("{path}/:launch"), &json!({}))?;
    let ended = loop {
        let now = api.get(&path)?;
        let settled = settled(&now);
        bar.show(settled);
        match now["status"].as_i64().unwrap_or_default() {
            SENT => break now,
            ERROR => bail!("the campaign ended in an error: {}", now["error"]),
            _ if servers.may_kill() && settled * 2 >= matched => servers.kill_one(gateways)?,
            _ => servers.watch_takeover(gateways)?,
        }
        std::thread::sleep(POLL);
    };
    let took = started.elapsed();
    bar.end();
    Ok(Report {
        devices: args.devices as u64,
        matched,
        accepted: total(&ended["sent"]),
        failed: total(&ended["failed"]),
        reasons: ended["reasons"].clone(),
        took,
        cpu: servers.cpu().zip(cpu_before).map(|(after, before)| after.saturating_sub(before)),
        peak_rss_kib: servers.peak_rss_kib(),
        nodes: args.cluster,
        takeover: servers.takeover(),
    })
}

/// The native API's numbers.
const SENT: i64 = 2;
const ERROR: i64 = 3;

fn settled(notification: &Value) -> u64 {
    total(&notification["sent"]) + total(&notification["failed"])
}

fn total(counts: &Value) -> u64 {
    let counts = counts.as_object().into_iter().flat_map(|counts| counts.values());
    counts.filter_map(Value::as_u64).sum()
}

fn invite(api: &Api, gateways: &Gateways, uuid: &str) {
    let auth = format!("-H 'Authorization: Bearer {}'", gateways.secret);
    println!("\nIt stays up until Ctrl-C. Try:\n");
    println!("  curl {auth} {}/notifications/{uuid}", api.base);
    println!("  curl {auth} '{}/notifications/{uuid}/failures?size=3'", api.base);
    println!(
        "  curl {auth} -H 'Content-Type: application/json' {}/devices/-/:count -d \
         '{{\"conditions\": {{\"key\": \"country\", \"operator\": \"str_eq\", \"value\": \"KR\"}}}}'",
        api.base
    );
    println!("\nWhat the gateways saw: curl {}/stats", gateways.control_url);
}

fn wait_for_interrupt() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c()).context("failed to wait for Ctrl-C")
}
