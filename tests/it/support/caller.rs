//! A caller of the API, by a key, a cookie, or as the operator.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

/// A key of the installation, for settings to name.
pub const OPERATOR: &str = "a-test-looks-at-its-nodes";

/// A server's API, with whatever headers.
pub struct Caller {
    agent: ureq::Agent,
    /// Its address.
    pub base: String,
    headers: BTreeMap<String, String>,
}

impl Caller {
    /// With these headers.
    pub fn new(base: &str, headers: &[(&str, &str)]) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Self { agent: config.into(), base: base.to_owned(), headers: headers.collect() }
    }

    /// As the operator of [`OPERATOR`].
    pub fn operator(base: &str) -> Self {
        Self::new(base, &[("X-Server-Key", OPERATOR)])
    }

    /// With a key.
    pub fn with_key(base: &str, secret: &str) -> Self {
        Self::new(base, &[("Authorization", &format!("Bearer {secret}"))])
    }

    /// Status, `Set-Cookie` up to its attributes, body.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, String, Value) {
        let uri = format!("{}{path}", self.base);
        let mut request = ureq::http::Request::builder().method(method).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = match body {
            Some(body) => self.agent.run(request.body(body.to_string()).expect("a request")),
            None => self.agent.run(request.body(()).expect("a request")),
        };
        let mut answer = answer.expect("the server answers");
        let cookie = answer.headers().get("set-cookie").and_then(|set| set.to_str().ok());
        let cookie = cookie.and_then(|set| set.split(';').next()).unwrap_or_default().to_owned();
        let text = answer.body_mut().read_to_string().expect("text");
        (answer.status().as_u16(), cookie, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// The status alone.
    pub fn status(&self, method: &str, path: &str) -> u16 {
        self.ask(method, path, None).0
    }

    /// What the envelope holds, of an answer that is a success.
    pub fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, _, mut answer) = self.ask(method, path, Some(body));
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer["result"].take()
    }

    /// What the envelope holds.
    pub fn shown(&self, path: &str) -> Value {
        let (status, _, mut answer) = self.ask("GET", path, None);
        assert_eq!(status, 200, "{path}: {answer}");
        answer["result"].take()
    }
}
