//! The numbers the README states, measured in one run on this machine and printed as a table.
//!
//! `scripts/bench [--store embedded|mongodb] [--runs N] [--only push|memory|put|pause|watchers] [--devices
//! N]`, of which `--store mongodb` knows `push` and `put`. Machines are noisy: read the ratios, which compare things
//! measured side by side, before the absolute figures.

mod campaign;
mod clock;
mod devices;
mod loops;
mod mongodb;
mod put;
mod single_writes;
mod table;
mod watchers;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use table::Table;

/// The program's own allocator, so that the loops are compared on equal terms.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What to measure.
#[derive(Debug)]
pub struct Plan {
    /// The program under measurement.
    pub program: PathBuf,
    /// Runs of each kind.
    pub runs: usize,
    /// Devices of the large campaign.
    pub devices: usize,
    /// One part alone.
    pub only: Option<String>,
    /// On MongoDB, instead of the embedded store.
    pub on_mongodb: bool,
}

impl Plan {
    /// Whether a part is asked for.
    pub fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}

fn main() -> Result<()> {
    let mut plan = Plan {
        program: Path::new(env!("CARGO_BIN_EXE_fanfare")).to_owned(),
        runs: 5,
        devices: 1_000_000,
        only: None,
        on_mongodb: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--runs" => plan.runs = value()?.parse()?,
            "--devices" => plan.devices = value()?.parse()?,
            "--only" => plan.only = Some(value()?),
            "--store" => {
                plan.on_mongodb = match value()?.as_str() {
                    "embedded" => false,
                    "mongodb" => true,
                    other => anyhow::bail!("there is no store {other}"),
                }
            }
            // Another process of this same benchmark, the endpoint that PUT is compared with.
            "--bare-endpoint" => return put::serve_bare(),
            // What `cargo bench` adds by itself.
            "--bench" => {}
            other => anyhow::bail!("unknown argument {other}"),
        }
    }
    let mut table = Table::default();
    if plan.on_mongodb {
        mongodb::measure(&plan, &mut table)?;
    } else {
        measure(&plan, &mut table)?;
    }
    table.print();
    Ok(())
}

/// What is asked for, on the embedded store.
fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    if plan.wants("push") {
        loops::measure(plan, table)?;
    }
    if plan.wants("memory") {
        campaign::measure_memory(plan, table)?;
    }
    if plan.wants("put") {
        put::measure(plan, table)?;
    }
    if plan.wants("pause") {
        campaign::measure_pause(plan, table)?;
    }
    if plan.wants("watchers") {
        watchers::measure(plan, table)?;
    }
    Ok(())
}
