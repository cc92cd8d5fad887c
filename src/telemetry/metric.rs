//! Every metric by name: one row each, so that the page, the manual, the dashboard and the tests speak of
//! the same ones. Names follow Prometheus' conventions: base units, `_total` for what is counted.

/// What a metric's figures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Counts up from the start of the process.
    Counter,
    /// How it is now.
    Gauge,
    /// How long something took: buckets, sum and count.
    Histogram,
}

impl Kind {
    /// As the text format says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

macro_rules! metrics {
    ($($variant:ident: $name:literal, $kind:ident, [$($label:literal),*], $help:literal;)*) => {
        /// A metric.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric {
            $(#[doc = $help] $variant,)*
        }

        impl Metric {
            /// Every metric, in the order of the page.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What its figures are.
            pub fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)* }
            }

            /// The labels that each of its figures has.
            pub fn labels(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($label),*],)* }
            }

            /// One sentence on what it says.
            pub fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

metrics! {
    Pushes: "fanfare_pushes_total", Counter, ["app", "provider", "outcome"],
        "Tries of pushes that ended: accepted, failed for good, token_gone, or retried later.";
    PushFailures: "fanfare_push_failures_total", Counter, ["app", "provider", "reason"],
        "Pushes that failed for good or whose token is gone, by the provider's reason.";
    PushDuration: "fanfare_push_duration_seconds", Histogram, ["provider"],
        "How long the provider took to answer a try of a push.";
    PushesWaiting: "fanfare_pushes_waiting", Gauge, ["app", "provider"],
        "Devices that wait to be pushed to, for another try too.";
    PushesInFlight: "fanfare_pushes_in_flight", Gauge, ["app", "provider"],
        "Pushes under way to the provider.";
    BreakerState: "fanfare_breaker_state", Gauge, ["app", "provider", "state"],
        "1 for the state that the provider's circuit breaker is in: closed, half_open or open.";
    CredentialsRefused: "fanfare_credentials_refused", Gauge, ["app", "provider"],
        "1 while the provider refuses the app's credentials.";
    RateLimit: "fanfare_rate_limit_pushes_per_second", Gauge, ["app", "provider"],
        "Rates in force over all nodes; 0 is no limit, an empty label is all of them.";
    Campaigns: "fanfare_campaigns", Gauge, ["app", "state"],
        "Campaigns that the engine has to do with, by state.";
    CampaignsHere: "fanfare_campaigns_here", Gauge, [],
        "Campaigns that this node works on.";
    ActorRestarts: "fanfare_actor_restarts_total", Counter, [],
        "Actors of the engine that crashed and were started again.";
    Nodes: "fanfare_cluster_nodes", Gauge, [],
        "Nodes among which rates are divided, this one included.";
    Watchers: "fanfare_websocket_watchers", Gauge, [],
        "Watchers of the status feed connected to this node.";
    StoreDuration: "fanfare_store_operation_duration_seconds", Histogram, ["role", "operation"],
        "How long the store took for an operation.";
    StoreFailures: "fanfare_store_failures_total", Counter, ["role", "operation"],
        "Operations of the store that failed: it could not be reached, or the fault is ours.";
    HttpRequests: "fanfare_http_requests_total", Counter, ["dialect", "code"],
        "Answered HTTP requests, by the API they belong to and the class of the status.";
    HttpDuration: "fanfare_http_request_duration_seconds", Histogram, ["dialect"],
        "How long an HTTP request took, from its head to the head of the answer.";
    BuildInfo: "fanfare_build_info", Gauge, ["version", "storage"],
        "1, with what is running in the labels.";
    ProcessStart: "process_start_time_seconds", Gauge, [],
        "When the process began, in seconds since 1970.";
    ProcessCpu: "process_cpu_seconds_total", Counter, [],
        "CPU time used, by the system for us too.";
    ProcessResident: "process_resident_memory_bytes", Gauge, [],
        "Memory held in RAM.";
    ProcessVirtual: "process_virtual_memory_bytes", Gauge, [],
        "Address space taken.";
    ProcessFiles: "process_open_fds", Gauge, [],
        "Open file descriptors.";
    ProcessMostFiles: "process_max_fds", Gauge, [],
        "File descriptors that may be open.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        for metric in Metric::ALL {
            let name = metric.name();
            let fits = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(name.chars().all(fits), "{name}");
            assert!(name.starts_with("fanfare_") || name.starts_with("process_"), "{name}");
            let counts = metric.kind() == Kind::Counter;
            assert_eq!(name.ends_with("_total"), counts, "{name}");
            let times = metric.kind() == Kind::Histogram;
            assert_eq!(name.ends_with("_duration_seconds"), times, "{name}");
            assert!(metric.help().ends_with('.'), "{name}");
            let twice = Metric::ALL.iter().filter(|other| other.name() == name).count();
            assert_eq!(twice, 1, "{name}");
        }
    }
}
