//! The control interface: plain HTTP/1.1 on loopback, through which tests and
//! the demo read what was pushed and change the faults.
//!
//! | request | answer |
//! |---|---|
//! | `GET /health` | `{"status":"ok"}` |
//! | `GET /stats` | the counters of every provider |
//! | `DELETE /stats` | counters back to nothing |
//! | `GET /records?provider=apns\|fcm\|mail&status=accepted\|rejected\|all` | a line per push: provider, token, status, reason, id, collapse id, milliseconds, between tabs |
//! | `GET /mails` | the last mails: `[{from, to, data}]` |
//! | `DELETE /records` | all records and mails forgotten |
//! | `GET /faults` | the faults of every provider |
//! | `PUT /faults` | replaces them; what is left out is healthy |

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::faults::FaultPlan;
use super::gateway::{Body, ProviderState, Reply};
use super::http1::{Connection, wants_close};
use super::journal::{Journal, Record};
use super::provider::Provider;
use super::smtp::Mailbox;

/// Lines are gathered into chunks of about this size.
const CHUNK_BYTES: usize = 64 * 1024;

/// What the control interface works on.
#[derive(Clone, Debug)]
pub(super) struct Control {
    pub(super) apns: Arc<ProviderState>,
    pub(super) fcm: Arc<ProviderState>,
    pub(super) mail: Arc<ProviderState>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) journal: Arc<Journal>,
}

/// Which records a request asks for.
#[derive(Debug, Default)]
struct Filter {
    provider: Option<Provider>,
    accepted: Option<bool>,
}

impl Control {
    pub(super) fn new(project_id: &str, faults: FaultPlan) -> Self {
        let journal = Arc::new(Journal::new(project_id));
        let state = |provider, faults| {
            let journal = journal.clone();
            Arc::new(ProviderState::new(provider, faults, journal))
        };
        Self {
            apns: state(Provider::Apns, faults.apns),
            fcm: state(Provider::Fcm, faults.fcm),
            mail: state(Provider::Mail, faults.mail),
            mailbox: Arc::default(),
            journal,
        }
    }

    /// Takes connections until it is aborted.
    pub(super) async fn run(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((tcp, _)) => {
                        connections.spawn(self.clone().serve(tcp));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "failed to accept a control connection");
                        tokio::task::yield_now().await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn serve(self, tcp: TcpStream) {
        if let Err(error) = self.try_serve(tcp).await {
            tracing::debug!(%error, "a control connection ended");
        }
    }

    async fn try_serve(self, tcp: TcpStream) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        let mut connection = Connection::new(tcp);
        while let Some((head, body)) = connection.receive().await? {
            let is_records = head.method == Method::GET && head.uri.path() == "/records";
            match is_records.then(|| Filter::parse(head.uri.query().unwrap_or_default())) {
                Some(Ok(filter)) => self.send_records(&mut connection, &filter).await?,
                Some(Err(told)) => connection.send(&refuse(400, &told)).await?,
                None => connection.send(&self.answer(&head, &body)).await?,
            }
            if wants_close(&head) {
                break;
            }
        }
        connection.shutdown().await
    }

    fn answer(&self, head: &Parts, body: &Body) -> Reply {
        match (head.method.as_str(), head.uri.path()) {
            ("GET", "/health") => Reply::json(200, &json!({ "status": "ok" })),
            ("GET", "/stats") => Reply::json(200, &self.stats()),
            ("DELETE", "/stats") => {
                self.apns.counters.clear();
                self.fcm.counters.clear();
                self.mail.counters.clear();
                Reply::empty(StatusCode::NO_CONTENT)
            }
            ("DELETE", "/records") => {
                self.forget();
                Reply::empty(StatusCode::NO_CONTENT)
            }
            ("GET", "/mails") => Reply::json(200, &json!(self.mailbox.list())),
            ("GET", "/faults") => Reply::json(200, &json!(self.faults())),
            ("PUT", "/faults") => self.put_faults(body),
            (_, "/health" | "/stats" | "/records" | "/mails" | "/faults") => {
                refuse(405, "this resource does not support the method")
            }
            _ => refuse(404, "there is no such resource"),
        }
    }

    /// Forgets what was recorded.
    pub(super) fn forget(&self) {
        self.journal.clear();
        self.mailbox.clear();
    }

    fn stats(&self) -> serde_json::Value {
        json!({
            "uptime_ms": self.journal.elapsed_ms(),
            "apns": self.apns.counters.stats(),
            "fcm": self.fcm.counters.stats(),
            "mail": self.mail.counters.stats(),
        })
    }

    pub(super) fn faults(&self) -> FaultPlan {
        FaultPlan {
            apns: self.apns.faults.get(),
            fcm: self.fcm.faults.get(),
            mail: self.mail.faults.get(),
        }
    }

    pub(super) fn set_faults(&self, plan: FaultPlan) {
        self.apns.faults.set(plan.apns);
        self.fcm.faults.set(plan.fcm);
        self.mail.faults.set(plan.mail);
    }

    fn put_faults(&self, body: &Body) -> Reply {
        let plan = match serde_json::from_slice::<FaultPlan>(&body.bytes) {
            Ok(plan) => plan,
            Err(error) => return refuse(400, &error.to_string()),
        };
        if let Err(error) = plan.validate() {
            return refuse(400, &error.to_string());
        }
        self.set_faults(plan);
        Reply::json(200, &json!(self.faults()))
    }

    async fn send_records(
        &self,
        connection: &mut Connection<TcpStream>,
        filter: &Filter,
    ) -> io::Result<()> {
        let mut headers = HeaderMap::new();
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, text);
        connection.start_chunks(&headers).await?;
        let mut lines = String::with_capacity(CHUNK_BYTES + 1024);
        for record in self.journal.snapshot().filter(|record| filter.takes(record)) {
            write_line(&mut lines, &record);
            if lines.len() >= CHUNK_BYTES {
                connection.send_chunk(lines.as_bytes()).await?;
                lines.clear();
            }
        }
        if !lines.is_empty() {
            connection.send_chunk(lines.as_bytes()).await?;
        }
        connection.send_chunk(b"").await
    }
}

impl Filter {
    fn parse(query: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("provider", "all") | ("status", "all") => {}
                ("provider", name) => {
                    let provider = Provider::parse(name);
                    let told = || format!("there is no provider `{name}`");
                    filter.provider = Some(provider.ok_or_else(told)?);
                }
                ("status", "accepted") => filter.accepted = Some(true),
                ("status", "rejected") => filter.accepted = Some(false),
                ("status", other) => return Err(format!("there is no status `{other}`")),
                (other, _) => return Err(format!("there is no parameter `{other}`")),
            }
        }
        Ok(filter)
    }

    fn takes(&self, record: &Record) -> bool {
        self.provider.is_none_or(|provider| provider == record.provider)
            && self.accepted.is_none_or(|is| is == record.accepted())
    }
}

/// Tokens, reasons and ids may hold anything; tabs and line ends are replaced.
fn write_line(lines: &mut String, record: &Record) {
    let start = lines.len();
    let provider = record.provider.as_str();
    let columns = [&record.token, &record.reason, &record.id, &record.collapse_id];
    let has_breaks = columns.iter().any(|text| text.contains(['\t', '\n', '\r']));
    let [token, reason, id, collapse_id] = columns.map(|text| match has_breaks {
        true => std::borrow::Cow::Owned(text.replace(['\t', '\n', '\r'], " ")),
        false => std::borrow::Cow::Borrowed(text.as_str()),
    });
    let (status, at_ms) = (record.status, record.at_ms);
    let written =
        writeln!(lines, "{provider}\t{token}\t{status}\t{reason}\t{id}\t{collapse_id}\t{at_ms}");
    if written.is_err() {
        // Writing to a String does not fail; a line is whole or absent.
        lines.truncate(start);
    }
}

fn refuse(status: u16, told: &str) -> Reply {
    Reply::json(status, &json!({ "error": told }))
}
