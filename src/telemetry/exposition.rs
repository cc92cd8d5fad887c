//! The page that Prometheus reads, in its text format 0.0.4: for every metric its help and kind, and its
//! figures below.

use std::fmt::{Display, Write};

use super::{Metric, Spread};

/// The media type of the page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page being written.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    begun: Option<Metric>,
}

impl Exposition {
    /// Adds a figure. Those of one metric are added one after the other; `labels` are the values of the
    /// labels it has.
    pub fn add(&mut self, metric: Metric, labels: &[&str], value: impl Display) {
        self.begin(metric);
        self.line(metric.name(), "", &pairs(metric, labels), value);
    }

    /// Adds 1 or 0.
    pub fn add_bool(&mut self, metric: Metric, labels: &[&str], value: bool) {
        self.add(metric, labels, u8::from(value));
    }

    /// Adds the figures of a histogram.
    pub fn add_spread(&mut self, metric: Metric, labels: &[&str], spread: &Spread) {
        self.begin(metric);
        let (pairs, mut below) = (pairs(metric, labels), 0);
        for (bound, count) in &spread.buckets {
            below += count;
            let bound = bound.as_secs_f64().to_string();
            self.line(metric.name(), "_bucket", &with(&pairs, "le", &bound), below);
        }
        let count = spread.count();
        self.line(metric.name(), "_bucket", &with(&pairs, "le", "+Inf"), count);
        self.line(metric.name(), "_sum", &pairs, spread.sum.as_secs_f64());
        self.line(metric.name(), "_count", &pairs, count);
    }

    /// The page.
    pub fn finish(self) -> String {
        self.text
    }

    fn begin(&mut self, metric: Metric) {
        if self.begun.replace(metric) == Some(metric) {
            return;
        }
        let (name, kind, help) = (metric.name(), metric.kind().name(), metric.help());
        // Writing to a string cannot fail.
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn line(&mut self, name: &str, suffix: &str, pairs: &str, value: impl Display) {
        let _ = match pairs {
            "" => writeln!(self.text, "{name}{suffix} {value}"),
            _ => writeln!(self.text, "{name}{suffix}{{{pairs}}} {value}"),
        };
    }
}

fn pairs(metric: Metric, values: &[&str]) -> String {
    debug_assert_eq!(metric.labels().len(), values.len(), "{}", metric.name());
    let pairs = metric.labels().iter().zip(values);
    pairs.fold(String::new(), |text, (label, value)| with(&text, label, value))
}

fn with(pairs: &str, label: &str, value: &str) -> String {
    let comma = if pairs.is_empty() { "" } else { "," };
    let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    format!("{pairs}{comma}{label}=\"{value}\"")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn figures_stand_under_one_head() {
        let mut page = Exposition::default();
        page.add(Metric::PushesWaiting, &["a\"b\\c\nd", "apns"], 3);
        page.add(Metric::PushesWaiting, &["shop", "fcm"], 0);
        page.add(Metric::ActorRestarts, &[], 7);
        let expected = "\
            # HELP fanfare_pushes_waiting Devices that wait to be pushed to, for another try too.\n\
            # TYPE fanfare_pushes_waiting gauge\n\
            fanfare_pushes_waiting{app=\"a\\\"b\\\\c\\nd\",provider=\"apns\"} 3\n\
            fanfare_pushes_waiting{app=\"shop\",provider=\"fcm\"} 0\n\
            # HELP fanfare_actor_restarts_total Actors of the engine that crashed and were started again.\n\
            # TYPE fanfare_actor_restarts_total counter\n\
            fanfare_actor_restarts_total 7\n";
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn buckets_are_cumulative_and_in_seconds() {
        let mut page = Exposition::default();
        let spread = Spread {
            buckets: vec![(Duration::from_millis(5), 2), (Duration::from_secs(1), 1)],
            longer: 1,
            sum: Duration::from_millis(2500),
        };
        page.add_spread(Metric::PushDuration, &["apns"], &spread);
        let page = page.finish();
        let lines: Vec<_> = page.lines().skip(2).collect();
        let name = "fanfare_push_duration_seconds";
        let bucket = |le, count| format!("{name}_bucket{{provider=\"apns\",le=\"{le}\"}} {count}");
        let expected = [
            bucket("0.005", 2),
            bucket("1", 3),
            bucket("+Inf", 4),
            format!("{name}_sum{{provider=\"apns\"}} 2.5"),
            format!("{name}_count{{provider=\"apns\"}} 4"),
        ];
        assert_eq!(lines, expected);
    }
}
