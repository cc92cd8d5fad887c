//! The figures, each under its name. They are gathered when somebody asks; nothing is kept for it.

use std::time::Duration;

use crate::{
    api::{
        ApiState,
        observe::{CLASSES, Dialect, HttpFigures},
    },
    services::{
        Figures, StoreTimes,
        report::{BreakerState, Latency, ProviderReport},
    },
    telemetry::{Exposition, Metric, Process, Spread},
};

/// The page.
pub async fn write(state: &ApiState) -> String {
    let mut page = Exposition::default();
    engine(&mut page, &state.services.status.figures().await);
    store(&mut page, state.services.status.store_times());
    http(&mut page, &state.http);
    page.add(Metric::Watchers, &[], state.services.feed.watchers());
    let build = [env!("CARGO_PKG_VERSION"), state.storage.name()];
    page.add(Metric::BuildInfo, &build, 1);
    process(&mut page);
    page.finish()
}

fn engine(page: &mut Exposition, figures: &Figures) {
    providers(page, &figures.providers);
    for (provider, latency) in &figures.latencies {
        page.add_spread(Metric::PushDuration, &[provider.name()], &spread(latency));
    }
    page.add(Metric::RateLimit, &["", ""], figures.global_rate);
    for (app, rates) in &figures.rates {
        for (provider, rate) in [("", rates.app), ("apns", rates.apns), ("fcm", rates.fcm)] {
            page.add(Metric::RateLimit, &[app.as_str(), provider], rate);
        }
    }
    for ((app, status), count) in figures.campaigns.iter().flatten() {
        let state = status.name().to_ascii_lowercase();
        page.add(Metric::Campaigns, &[app.as_str(), &state], count);
    }
    page.add(Metric::CampaignsHere, &[], figures.campaigns_here);
    page.add(Metric::ActorRestarts, &[], figures.restarts);
    page.add(Metric::Nodes, &[], figures.nodes);
}

/// The format wants each metric's figures together, so every metric goes over all providers.
fn providers(page: &mut Exposition, reports: &[ProviderReport]) {
    let each =
        || reports.iter().map(|report| (report.app.as_str(), report.provider.name(), report));
    for (app, provider, ProviderReport { totals, .. }) in each() {
        // A token that is gone is a failure, and told apart from the others here.
        let gone = totals.answers.token_gone;
        let outcomes = [
            ("accepted", totals.accepted),
            ("failed", totals.failed.saturating_sub(gone)),
            ("token_gone", gone),
            ("retried", totals.retried),
        ];
        for (outcome, count) in outcomes {
            page.add(Metric::Pushes, &[app, provider, outcome], count);
        }
    }
    for (app, provider, report) in each() {
        for (reason, count) in &report.totals.reasons {
            page.add(Metric::PushFailures, &[app, provider, reason], count);
        }
    }
    for (app, provider, report) in each() {
        let waiting = report.waiting + report.waiting_again;
        page.add(Metric::PushesWaiting, &[app, provider], waiting);
    }
    for (app, provider, report) in each() {
        page.add(Metric::PushesInFlight, &[app, provider], report.in_flight);
    }
    for (app, provider, report) in each() {
        let states = [
            ("closed", BreakerState::Closed),
            ("half_open", BreakerState::HalfOpen),
            ("open", BreakerState::Open),
        ];
        for (name, state) in states {
            page.add_bool(Metric::BreakerState, &[app, provider, name], report.breaker == state);
        }
    }
    for (app, provider, report) in each() {
        page.add_bool(Metric::CredentialsRefused, &[app, provider], report.refused);
    }
}

fn spread(latency: &Latency) -> Spread {
    let bounds = Latency::BOUNDS_MS.iter().map(|ms| Duration::from_millis(u64::from(*ms)));
    Spread {
        buckets: bounds.zip(latency.counts).collect(),
        longer: latency.counts[Latency::BUCKETS - 1],
        sum: Duration::from_micros(latency.sum_micros),
    }
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
