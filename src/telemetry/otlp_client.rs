//! How traces go out: plain blocking requests by ureq. The exporter waits for them in a thread of its own,
//! so nobody else does.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The client.
#[derive(Debug)]
pub struct OtlpClient {
    agent: ureq::Agent,
}

impl OtlpClient {
    /// Connects when there is something to send.
    pub fn new() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        Self { agent: config.into() }
    }
}

#[async_trait]
impl HttpClient for OtlpClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let answer = self.agent.run(Request::from_parts(head, body.to_vec()))?;
        let (head, mut body) = answer.into_parts();
        Ok(Response::from_parts(head, body.read_to_vec()?.into()))
    }
}
