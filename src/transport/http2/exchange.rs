//! One request and its response on one stream.
//!
//! Called by the pool with a slot already taken. The cost of a push is mostly spent here, so nothing
//! is parsed, spawned or copied that need not be.

use std::{fmt, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, uri::PathAndQuery,
};
use tokio::time::timeout;

use super::{
    Shared,
    failure::{Failure, FailureKind},
    lane::Slot,
};

/// Longest response body kept; the rest is discarded. Providers' answers have a few hundred bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A POST request. Everything shared is borrowed or counted, so that sending it again costs little.
#[derive(Clone)]
pub struct Call<'a> {
    /// The path on the pool's origin.
    pub path: PathAndQuery,
    /// The headers that many requests share.
    pub headers: &'a HeaderMap,
    /// The headers of this request; cheapest when `headers` has a placeholder for each name.
    pub own_headers: &'a [(HeaderName, HeaderValue)],
    /// The body, sent as one DATA frame where it fits.
    pub body: Bytes,
}

/// What the provider answered.
#[derive(Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most 64 KiB of it.
    pub body: Bytes,
}

/// Without the contents: a token server's answer is a secret.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Sends the call on the slot's connection. A response that does not come in time resets the stream.
pub(super) async fn exchange(
    shared: &Arc<Shared>,
    slot: &mut Slot,
    call: &Call<'_>,
) -> Result<Response, Failure> {
    let request = call.request(shared);
    // A clone has no memory of earlier streams that `h2` had to queue.
    let started = slot.lane().sender.clone().send_request(request, false);
    let Ok((response, mut body)) = started else {
        // Closing, broken, or out of stream ids (RFC 9113 section 5.1.1).
        shared.retire(slot.lane().id, false);
        return Err(Failure::closing());
    };
    body.send_data(call.body.clone(), true).map_err(|error| Failure::of_stream(&error))?;
    drop(body);
    match timeout(shared.config.request_timeout, receive(response)).await {
        Ok(Ok(response)) => {
            slot.answered();
            Ok(response)
        }
        Ok(Err(error)) => Err(Failure::of_stream(&error)),
        // Dropping the response has reset the stream.
        Err(_) => Err(Failure::sent(FailureKind::Timeout)),
    }
}

impl Call<'_> {
    fn request(&self, shared: &Shared) -> Request<()> {
        let mut parts = shared.origin.uri_parts();
        parts.path_and_query = Some(self.path.clone());
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() =
            Uri::from_parts(parts).expect("scheme, authority and path make a complete URI");
        let mut headers = self.headers.clone();
        for (name, value) in self.own_headers {
            headers.insert(name, value.clone());
        }
        *request.headers_mut() = headers;
        request
    }
}

async fn receive(response: h2::client::ResponseFuture) -> Result<Response, h2::Error> {
    let (head, mut stream) = response.await?.into_parts();
    let mut body = Bytes::new();
    while let Some(chunk) = stream.data().await {
        let chunk = chunk?;
        // Without this the peer's flow-control windows would run dry (RFC 9113 section 5.2).
        stream.flow_control().release_capacity(chunk.len())?;
        if body.is_empty() {
            body = chunk;
        } else {
            let mut whole = BytesMut::from(body);
            whole.extend_from_slice(&chunk);
            body = whole.freeze();
        }
        if body.len() > MAX_BODY_BYTES {
            body.truncate(MAX_BODY_BYTES);
            break;
        }
    }
    Ok(Response { status: head.status, headers: head.headers, body })
}
