//! What the installation tells of itself to those who run it: the log, the figures that Prometheus reads,
//! and the traces of campaigns.
//!
//! Every metric is a row of [`Metric`]; whoever has figures writes them to an [`Exposition`] under one of
//! these names. What is timed while it happens goes to a [`Histogram`], which costs two additions.

mod exposition;
mod histogram;
mod log;
mod metric;
mod otlp_client;
mod process;
mod traces;

pub use exposition::{CONTENT_TYPE, Exposition};
pub use histogram::{Histogram, Spread};
pub use log::{TelemetryError, install};
pub use metric::{Kind, Metric};
pub use process::Process;
pub use traces::{CampaignTrace, PageCounts, PageTimes, Traces, TracesError};
