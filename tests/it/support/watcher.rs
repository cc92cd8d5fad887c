//! A watcher of the feed: a websocket client that is not ours, and the status it puts together from what
//! it is told.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Map, Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderName, HeaderValue},
    },
};

/// How long a message may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A websocket to the feed.
pub struct Watcher {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What it was told of how to come back: the epoch, and the number of the latest status.
    pub epoch: String,
    /// The number of the latest status.
    pub seq: u64,
    /// The status as put together so far.
    pub status: Value,
    /// How many messages of each type came.
    pub counts: BTreeMap<String, u64>,
}

impl Watcher {
    /// Joins at `base` (`http://…`) with these headers; what the server answers where it refuses.
    pub async fn join(
        base: &str,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let url = format!("{}/ws/status{query}", base.replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("a good address");
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).expect("a plain value");
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
        let socket = match timeout(PATIENCE, connect_async(request)).await.expect("in time") {
            Ok((socket, _)) => socket,
            Err(Error::Http(answer)) => return Err(answer.status().as_u16()),
            Err(error) => panic!("the websocket is not made: {error}"),
        };
        let (status, counts) = (Value::Null, BTreeMap::new());
        let mut watcher = Self { socket, epoch: String::new(), seq: 0, status, counts };
        let hello = watcher.hear().await;
        assert_eq!((&hello["type"], &hello["interval_ms"]), (&json!("hello"), &json!(250)));
        assert!(hello["node"].is_string(), "{hello}");
        Ok(watcher)
    }

    /// Takes in the next message, and answers it. Patches must follow each other without a gap.
    pub async fn hear(&mut self) -> Value {
        loop {
            let heard = timeout(PATIENCE, self.socket.next()).await.expect("in time");
            let text = match heard.expect("the socket is open").expect("a message") {
                Message::Text(text) => text,
                Message::Close(reason) => panic!("closed: {reason:?}"),
                _ => continue,
            };
            let told: Value = serde_json::from_str(&text).expect("JSON");
            self.take_in(&told);
            return told;
        }
    }

    fn take_in(&mut self, told: &Value) {
        let kind = told["type"].as_str().expect("a type").to_owned();
        match kind.as_str() {
            "hello" => {
                let resume = told["resume"].as_str().expect("how to come back");
                self.epoch = resume.rsplit_once('.').expect("EPOCH.SEQ").0.to_owned();
            }
            "snapshot" => {
                self.seq = told["seq"].as_u64().expect("a number");
                self.status = told["status"].clone();
            }
            "delta" => {
                self.seq += 1;
                assert_eq!(told["seq"].as_u64(), Some(self.seq), "a gap");
                merge(&mut self.status, &told["patch"]);
            }
            _ => {}
        }
        *self.counts.entry(kind).or_default() += 1;
    }

    /// Takes messages in until the status is as wanted.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) {
        let looked = async {
            while !wanted(&self.status) {
                self.hear().await;
            }
        };
        let found = timeout(4 * PATIENCE, looked).await;
        assert!(found.is_ok(), "waited too long for {what}: {}", self.status);
    }

    /// Takes messages in until one of this type; it.
    pub async fn until_told(&mut self, kind: &str) -> Value {
        loop {
            let told = self.hear().await;
            if told["type"] == kind {
                return told;
            }
        }
    }

    /// Says something.
    pub async fn say(&mut self, message: &Value) {
        let text = Message::text(message.to_string());
        self.socket.send(text).await.expect("the socket is open");
    }

    /// Sends a ping frame and waits for its answer.
    pub async fn ping_frame(&mut self) {
        self.socket.send(Message::Ping("here".into())).await.expect("the socket is open");
        loop {
            let heard = timeout(PATIENCE, self.socket.next()).await.expect("in time");
            match heard.expect("the socket is open").expect("a message") {
                Message::Pong(bytes) => return assert_eq!(&bytes[..], b"here"),
                Message::Text(text) => {
                    self.take_in(&serde_json::from_str(&text).expect("JSON"));
                }
                _ => {}
            }
        }
    }

    /// Waits for the end; the code it is closed with.
    pub async fn end(&mut self) -> Option<u16> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("in time") {
                Some(Ok(Message::Close(reason))) => return reason.map(|reason| reason.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// What to ask with to come back.
    pub fn resume(&self) -> String {
        format!("?resume={}.{}", self.epoch, self.seq)
    }
}

/// RFC 7396, written once more: the server's own must not judge itself.
fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let members = value.as_object_mut().expect("made one");
    for (key, change) in changes {
        if change.is_null() {
            members.remove(key);
        } else {
            merge(members.entry(key).or_insert(Value::Null), change);
        }
    }
}
