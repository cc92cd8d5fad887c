//! The figures, each under its name. They are gathered when somebody asks; nothing is kept for it.

use crate::{
    api::{
        ApiState,
        observe::{CLASSES, Dialect, HttpFigures},
    },
    services::StoreTimes,
    telemetry::{Exposition, Metric, Process},
};

/// The page.
pub async fn write(state: &ApiState) -> String {
    let mut page = Exposition::default();
    store(&mut page, state.services.status.store_times());
    http(&mut page, &state.http);
    let build = [env!("CARGO_PKG_VERSION"), state.storage];
    page.add(Metric::BuildInfo, &build, 1);
    process(&mut page);
    page.finish()
}

fn store(page: &mut Exposition, times: &StoreTimes) {
    // What this installation never does needs no lines.
    let done: Vec<_> = times
        .all()
        .into_iter()
        .map(|(role, name, timing)| (role, name, timing, timing.took.read()))
        .collect();
    let done = || done.iter().filter(|(.., took)| took.count() > 0);
    for (role, operation, _, took) in done() {
        page.add_spread(Metric::StoreDuration, &[role, operation], took);
    }
    for (role, operation, timing, _) in done() {
        page.add(Metric::StoreFailures, &[role, operation], timing.failures());
    }
}

fn http(page: &mut Exposition, figures: &HttpFigures) {
    for dialect in Dialect::ALL {
        for (class, count) in CLASSES.iter().zip(figures.of(dialect).by_class()) {
            page.add(Metric::HttpRequests, &[dialect.name(), class], count);
        }
    }
    for dialect in Dialect::ALL {
        page.add_spread(Metric::HttpDuration, &[dialect.name()], &figures.of(dialect).took.read());
    }
}

fn process(page: &mut Exposition) {
    let Some(process) = Process::read() else { return };
    page.add(Metric::ProcessStart, &[], process.started_at);
    page.add(Metric::ProcessCpu, &[], process.cpu_seconds);
    page.add(Metric::ProcessResident, &[], process.resident_bytes);
    page.add(Metric::ProcessVirtual, &[], process.virtual_bytes);
    page.add(Metric::ProcessFiles, &[], process.open_files);
    if let Some(most) = process.most_files {
        page.add(Metric::ProcessMostFiles, &[], most);
    }
}
