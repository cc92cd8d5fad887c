//! A collector of traces: takes OTLP over HTTP as JSON, and keeps the spans.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::{Map, Value};

/// A running collector; it ends with the test's process.
pub struct Collector {
    address: String,
    requests: Arc<Mutex<Vec<Value>>>,
}

/// A span, its attributes as a map.
#[derive(Clone, Debug)]
pub struct Span {
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty where it has none.
    pub parent: String,
    pub began: u64,
    pub ended: u64,
    pub attributes: Map<String, Value>,
}

impl Span {
    /// The number that an attribute says.
    pub fn number(&self, name: &str) -> u64 {
        let value = &self.attributes[name]["intValue"];
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.parse().unwrap_or_else(|_| panic!("{name} is {value}"))
    }
}

impl Collector {
    /// Listens on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let requests = Arc::<Mutex<Vec<Value>>>::default();
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(stream, &kept));
            }
        });
        Self { address, requests }
    }

    /// Its URL, as the settings want it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything it was sent.
    pub fn requests(&self) -> Vec<Value> {
        self.requests.lock().expect("no panic").clone()
    }

    /// The spans it was sent.
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.requests();
        let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
        let resources = requests.iter().flat_map(|request| list(request, "resourceSpans"));
        let scopes = resources.flat_map(|resource| list(&resource, "scopeSpans"));
        scopes.flat_map(|scope| list(&scope, "spans")).map(|span| span_of(&span)).collect()
    }
}

fn serve(stream: TcpStream, kept: &Mutex<Vec<Value>>) {
    let mut reader = BufReader::new(stream);
    while let Some(body) = request(&mut reader) {
        kept.lock().expect("no panic").push(serde_json::from_slice(&body).expect("JSON"));
        let answer =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The body of the next request; none where the connection has ended.
fn request(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let (mut line, mut length) = (String::new(), None);
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    assert!(line.starts_with("POST /v1/traces "), "{line}");
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let header = line.to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok();
        }
        let json = header.strip_prefix("content-type:").is_none_or(|kind| kind.contains("json"));
        assert!(json, "{line}");
    }
    let mut body = vec![0; length.expect("a length")];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn span_of(span: &Value) -> Span {
    let text = |name: &str| span[name].as_str().unwrap_or_default().to_owned();
    let time = |name: &str| text(name).parse().expect("nanoseconds as text");
    let attributes = span["attributes"].as_array().expect("attributes").iter();
    let pair =
        |pair: &Value| (pair["key"].as_str().expect("text").to_owned(), pair["value"].clone());
    Span {
        name: text("name"),
        trace: text("traceId"),
        id: text("spanId"),
        parent: text("parentSpanId"),
        began: time("startTimeUnixNano"),
        ended: time("endTimeUnixNano"),
        attributes: attributes.map(pair).collect(),
    }
}
