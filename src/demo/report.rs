//! What the demo says at its end.

use std::time::Duration;

use serde_json::{Value, json};

use super::proof::Proof;

/// What was measured of the campaign.
pub struct Report {
    /// Registered.
    pub devices: u64,
    /// In the audience, as the API counted it.
    pub matched: u64,
    /// Accepted, as the API says.
    pub accepted: u64,
    /// Failed, as the API says.
    pub failed: u64,
    /// Failures by reason.
    pub reasons: Value,
    /// From launch to SENT.
    pub took: Duration,
    /// What the server's process spent in that time; none where the system does not tell.
    pub cpu: Option<Duration>,
    /// The most memory that the server's process held.
    pub peak_rss_kib: Option<u64>,
    /// How many nodes there were.
    pub nodes: u8,
    /// From the kill of a node until others worked on all it had in hand.
    pub takeover: Option<Duration>,
}

/// A report with its proof.
pub struct Finished<'a> {
    report: Report,
    proof: &'a Proof,
}

impl Report {
    /// Adds the proof.
    pub fn finish(self, proof: &Proof) -> Finished<'_> {
        Finished { report: self, proof }
    }
}

impl Finished<'_> {
    /// Prints it for people, or as one JSON line.
    pub fn print(&self, as_json: bool) {
        if as_json {
            println!("{}", self.to_json());
        } else {
            self.print_table();
        }
    }

    fn pushes(&self) -> u64 {
        self.report.accepted + self.report.failed
    }

    fn per_second(&self) -> f64 {
        self.pushes() as f64 / self.report.took.as_secs_f64().max(0.001)
    }

    fn cpu_us_per_push(&self) -> Option<f64> {
        let cpu = self.report.cpu?;
        Some(cpu.as_secs_f64() * 1e6 / (self.pushes() as f64).max(1.0))
    }

    fn to_json(&self) -> Value {
        let (report, proof) = (&self.report, self.proof);
        let rounded = |number: f64, places: i32| {
            let scale = 10f64.powi(places);
            (number * scale).round() / scale
        };
        let mut line = json!({
            "devices": report.devices,
            "matched": report.matched,
            "accepted": report.accepted,
            "failed": report.failed,
            "missed": proof.missed,
            "duplicates": proof.duplicates,
            "unexpected": proof.unexpected,
            "seconds": rounded(report.took.as_secs_f64(), 3),
            "pushes_per_second": rounded(self.per_second(), 0),
            "engine_cpu_us_per_push": self.cpu_us_per_push().map(|us| rounded(us, 2)),
            "peak_rss_mib": report.peak_rss_kib.map(|kib| rounded(kib as f64 / 1024.0, 1)),
        });
        if report.nodes > 1 {
            line["nodes"] = report.nodes.into();
            let takeover = report.takeover.map(|takeover| rounded(takeover.as_secs_f64(), 1));
            line["takeover_seconds"] = takeover.into();
        }
        line
    }

    fn print_table(&self) {
        let (report, proof) = (&self.report, self.proof);
        println!("\nMatched   {:>9} of {} devices", report.matched, report.devices);
        println!("Accepted  {:>9}", report.accepted);
        println!("Failed    {:>9}", report.failed);
        for (reason, count) in report.reasons.as_object().into_iter().flatten() {
            println!("          {count:>9}   {reason}");
        }
        println!("Missed    {:>9}   by the gateways' own records", proof.missed);
        println!("Twice     {:>9}", proof.duplicates);
        println!("Unasked   {:>9}", proof.unexpected);
        if let Some(takeover) = report.takeover {
            let (nodes, seconds) = (report.nodes, takeover.as_secs_f64());
            println!("Takeover  {seconds:>9.1} s after one of {nodes} nodes was killed half-way");
        }
        let seconds = report.took.as_secs_f64();
        println!("Time      {seconds:>9.2} s, {:.0} pushes/s", self.per_second());
        if let Some(us) = self.cpu_us_per_push() {
            println!("CPU       {us:>9.2} µs of the server's a push");
        }
        if let Some(kib) = report.peak_rss_kib {
            println!("Memory    {:>9.1} MiB at the most", kib as f64 / 1024.0);
        }
    }
}
