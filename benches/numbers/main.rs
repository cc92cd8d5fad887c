//! The numbers the README states, measured in one run on this machine and printed as a table.
//!
//! `scripts/bench [--runs N] [--only push|memory|put|pause] [--devices N]`. Machines are noisy: read the
//! ratios, which compare things measured side by side, before the absolute figures.

mod campaign;
mod clock;
mod loops;
mod put;
mod table;

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
}

fn main() -> Result<()> {
    let mut plan = Plan {
        program: Path::new(env!("CARGO_BIN_EXE_fanfare")).to_owned(),
        runs: 5,
        devices: 1_000_000,
        only: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--runs" => plan.runs = value()?.parse()?,
            "--devices" => plan.devices = value()?.parse()?,
            "--only" => plan.only = Some(value()?),
            // Another process of this same benchmark, the endpoint that PUT is compared with.
            "--bare-endpoint" => return put::serve_bare(),
            // What `cargo bench` adds by itself.
            "--bench" => {}
            other => anyhow::bail!("unknown argument {other}"),
        }
    }
    let mut table = Table::default();
    let wanted = |part: &str| plan.only.as_deref().is_none_or(|only| only == part);
    if wanted("push") {
        loops::measure(&plan, &mut table)?;
    }
    if wanted("memory") {
        campaign::measure_memory(&plan, &mut table)?;
    }
    if wanted("put") {
        put::measure(&plan, &mut table)?;
    }
    if wanted("pause") {
        campaign::measure_pause(&plan, &mut table)?;
    }
    table.print();
    Ok(())
}
