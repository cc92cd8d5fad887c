//! Traces of campaigns, sent by OTLP over HTTP where `telemetry.otlp_endpoint` says so; elsewhere none is
//! made. A campaign's part on a node is a trace: below it each page, and below that its reading, its
//! pushes and its recording. Sampling and batches are as OpenTelemetry's own environment variables say.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use opentelemetry::{
    Context, KeyValue,
    trace::{SpanBuilder, TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracer, SdkTracerProvider},
};

use super::otlp_client::OtlpClient;
use crate::settings::TelemetrySettings;

/// How long what is left may take to be sent at the end.
const SHUTDOWN: Duration = Duration::from_secs(3);
/// Where a collector takes traces.
const TRACES_PATH: &str = "/v1/traces";

/// Traces cannot be sent to where the settings say.
#[derive(Debug, thiserror::Error)]
#[error("failed to set up telemetry.otlp_endpoint")]
pub struct TracesError(#[from] opentelemetry_otlp::ExporterBuildError);

/// Makes traces and sends them, in a thread of its own.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// For this node; none where the settings name no collector.
    pub fn start(settings: &TelemetrySettings, node: &str) -> Result<Option<Self>, TracesError> {
        let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(OtlpClient::new())
            .with_protocol(Protocol::HttpJson)
            .with_endpoint(format!("{}{TRACES_PATH}", endpoint.trim_end_matches('/')))
            .build()?;
        let resource = Resource::builder()
            .with_attribute(KeyValue::new("service.name", "fanfare"))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", node.to_owned()))
            .build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource);
        let provider = provider.build();
        let tracer = provider.tracer("fanfare");
        Ok(Some(Self { provider, tracer }))
    }

    /// The part of a campaign that begins on this node now.
    pub fn campaign(&self, app: &str, notification: &str, round: u16) -> CampaignTrace {
        let attributes = [
            KeyValue::new("fanfare.app", app.to_owned()),
            KeyValue::new("fanfare.notification", notification.to_owned()),
            KeyValue::new("fanfare.round", i64::from(round)),
        ];
        let span = SpanBuilder::from_name("campaign").with_attributes(attributes);
        let span = self.tracer.build_with_context(span, &Context::new());
        CampaignTrace {
            tracer: self.tracer.clone(),
            context: Context::new().with_span(span),
            pages: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Sends what is left. Blocks.
    pub fn shut_down(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(SHUTDOWN) {
            tracing::warn!(%error, "failed to send the last traces");
        }
    }
}

/// A campaign's part on this node.
#[derive(Debug)]
pub struct CampaignTrace {
    tracer: SdkTracer,
    context: Context,
    pages: AtomicU64,
    accepted: AtomicU64,
    failed: AtomicU64,
}

/// What became of a page's devices here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageCounts {
    /// Devices of it.
    pub devices: u64,
    /// Those that the provider took.
    pub accepted: u64,
    /// Those that failed.
    pub failed: u64,
}

impl CampaignTrace {
    /// A page was recorded whole, or as far as it went before a stop.
    pub fn page(&self, shard: u16, times: &PageTimes, counts: PageCounts) {
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(counts.accepted, Ordering::Relaxed);
        self.failed.fetch_add(counts.failed, Ordering::Relaxed);
        let PageCounts { devices, accepted, failed } = counts;
        let now = SystemTime::now();
        let pushed = times.pushed.get().copied().unwrap_or(times.read_ended);
        let recording = times.recording.get().copied().unwrap_or(pushed).max(pushed);
        let outcomes =
            || vec![number("fanfare.accepted", accepted), number("fanfare.failed", failed)];
        let read = vec![number("fanfare.devices", devices)];
        let whole =
            [vec![number("fanfare.shard", shard.into())], read.clone(), outcomes()].concat();
        let page = self.span(&self.context, "page", times.read_began, whole);
        self.span(&page, "read", times.read_began, read)
            .span()
            .end_with_timestamp(times.read_ended);
        self.span(&page, "push", times.read_ended, outcomes()).span().end_with_timestamp(pushed);
        let recorded = vec![number("fanfare.outcomes", accepted + failed)];
        self.span(&page, "record", recording, recorded).span().end_with_timestamp(now);
        page.span().end_with_timestamp(now);
    }

    /// The part is over: all is sent, or it was stopped.
    pub fn end(&self, stopped: bool) {
        let span = self.context.span();
        let counts = [
            ("fanfare.pages", &self.pages),
            ("fanfare.accepted", &self.accepted),
            ("fanfare.failed", &self.failed),
        ];
        for (name, count) in counts {
            span.set_attribute(number(name, count.load(Ordering::Relaxed)));
        }
        span.set_attribute(KeyValue::new("fanfare.stopped", stopped));
        span.end();
    }

    fn span(
        &self,
        parent: &Context,
        name: &'static str,
        began: SystemTime,
        attributes: Vec<KeyValue>,
    ) -> Context {
        let span = SpanBuilder::from_name(name).with_start_time(began).with_attributes(attributes);
        parent.with_span(self.tracer.build_with_context(span, parent))
    }
}

fn number(name: &'static str, value: u64) -> KeyValue {
    KeyValue::new(name, i64::try_from(value).unwrap_or(i64::MAX))
}

/// When the parts of a page's work began and ended.
#[derive(Debug)]
pub struct PageTimes {
    read_began: SystemTime,
    read_ended: SystemTime,
    pushed: OnceLock<SystemTime>,
    recording: OnceLock<SystemTime>,
}

impl PageTimes {
    /// A page was just read.
    pub fn read_since(began: SystemTime) -> Self {
        let (pushed, recording) = (OnceLock::new(), OnceLock::new());
        Self { read_began: began, read_ended: SystemTime::now(), pushed, recording }
    }

    /// No device of it is with a sender any more.
    pub fn pushed(&self) {
        self.pushed.get_or_init(SystemTime::now);
    }

    /// Its last outcomes go to the ledger.
    pub fn recording(&self) {
        self.recording.get_or_init(SystemTime::now);
    }
}
