//! A small HTTP/1.1 server side (RFC 9112): one request after the other on a
//! connection that is kept alive, bodies with a length or in chunks.
//!
//! The FCM gateway needs it for client libraries that do not speak HTTP/2, and
//! the control interface is plain HTTP/1.1. It does no more than they need.

use std::io;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version, header};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::active::FaultWatch;
use super::counters::bump;
use super::gateway::{Body, Ending, Gateway, Line, Reply, is_due};
use super::wire::Wire;

const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Serves a gateway's connection until it ends. GOAWAY becomes
/// `Connection: close`, a reset stream a connection closed without an answer.
pub(super) async fn serve<G: Gateway>(
    wire: Wire,
    line: Arc<Line<G>>,
    mut watch: FaultWatch,
) -> io::Result<()> {
    let mut connection = Connection::new(wire);
    let mut accepted = 0;
    loop {
        let Some((head, body)) = connection.receive().await? else {
            break;
        };
        watch.out_of_black_hole().await;
        let faults = watch.now().clone();
        accepted += 1;
        line.state.counters.saw_streams(1);
        let is_last = is_due(faults.set.goaway_every, accepted);
        if is_last {
            bump(&line.state.counters.goaways);
        }
        let ending = line.conclude(&head, &body, &faults);
        if !matches!(ending, Ending::Cut)
            && let Some(delay) = faults.delay()
        {
            tokio::time::sleep(delay).await;
        }
        match ending {
            Ending::Answer(mut reply) if is_last || wants_close(&head) => {
                reply.set(header::CONNECTION, HeaderValue::from_static("close"));
                connection.send(&reply).await?;
                break;
            }
            Ending::Answer(reply) => connection.send(&reply).await?,
            Ending::Reset => break,
            Ending::Cut => {
                line.cut.throw();
                return Ok(());
            }
        }
    }
    connection.shutdown().await
}

/// Whether the client ends the connection after this request.
pub(super) fn wants_close(head: &Parts) -> bool {
    let field = head.headers.get(header::CONNECTION);
    let says = |text: &str| {
        field.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(text.as_bytes()))
    };
    says("close") || (head.version == Version::HTTP_10 && !says("keep-alive"))
}

/// One connection: what was received and not yet used, and the stream.
pub(super) struct Connection<S> {
    stream: S,
    received: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, received: BytesMut::with_capacity(8 * 1024) }
    }

    /// The next request; `None` when the client has closed the connection.
    pub(super) async fn receive(&mut self) -> io::Result<Option<(Parts, Body)>> {
        let end = loop {
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                break end;
            }
            if self.received.len() > MAX_HEAD_BYTES {
                return Err(malformed("the head is too long"));
            }
            if self.fill().await? == 0 {
                return Ok(None);
            }
        };
        let head = self.received.split_to(end + 4);
        let head = parse_head(&head[..end]).ok_or_else(|| malformed("the head is malformed"))?;
        let expects = head.headers.get(header::EXPECT);
        if expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            self.stream.flush().await?;
        }
        let body = self.receive_body(&head.headers).await?;
        Ok(Some((head, body)))
    }

    async fn receive_body(&mut self, headers: &HeaderMap) -> io::Result<Body> {
        let mut kept = BytesMut::new();
        let mut length = 0;
        if headers.contains_key(header::TRANSFER_ENCODING) {
            loop {
                let line = self.receive_line().await?;
                let size = line.split(';').next().unwrap_or_default().trim();
                let size = usize::from_str_radix(size, 16)
                    .map_err(|_| malformed("a chunk has no size"))?;
                if size == 0 {
                    break;
                }
                self.receive_bytes(size, &mut kept).await?;
                length += size;
                self.receive_line().await?;
            }
            while !self.receive_line().await?.is_empty() {}
        } else if let Some(value) = headers.get(header::CONTENT_LENGTH) {
            let size = value.to_str().ok().and_then(|text| text.parse().ok());
            length = size.ok_or_else(|| malformed("the content length is not a number"))?;
            self.receive_bytes(length, &mut kept).await?;
        }
        let bytes = kept.freeze();
        Ok(Body { bytes, length })
    }

    /// Receives so many bytes, and keeps as many of them as a body may keep.
    async fn receive_bytes(&mut self, mut size: usize, kept: &mut BytesMut) -> io::Result<()> {
        while size > 0 {
            if self.received.is_empty() && self.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let taken = self.received.split_to(size.min(self.received.len()));
            size -= taken.len();
            let room = Body::MAX_KEPT_BYTES.saturating_sub(kept.len());
            kept.extend_from_slice(&taken[..taken.len().min(room)]);
        }
        Ok(())
    }

    async fn receive_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.received, b"\r\n") {
                let line = self.received.split_to(end);
                self.received.advance(2);
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if self.received.len() > MAX_HEAD_BYTES || self.fill().await? == 0 {
                return Err(malformed("a line does not end"));
            }
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.stream.read_buf(&mut self.received).await
    }

    /// Sends a complete answer.
    pub(super) async fn send(&mut self, reply: &Reply) -> io::Result<()> {
        let mut out = render_head(reply.status, &reply.headers);
        out.extend_from_slice(format!("content-length: {}\r\n\r\n", reply.body.len()).as_bytes());
        out.extend_from_slice(&reply.body);
        self.stream.write_all(&out).await?;
        self.stream.flush().await
    }

    /// Starts an answer whose body follows in chunks.
    pub(super) async fn start_chunks(&mut self, headers: &HeaderMap) -> io::Result<()> {
        let mut out = render_head(StatusCode::OK, headers);
        out.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
        self.stream.write_all(&out).await
    }

    /// Sends a chunk; an empty one is the last.
    pub(super) async fn send_chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let size = format!("{:x}\r\n", bytes.len());
        self.stream.write_all(size.as_bytes()).await?;
        self.stream.write_all(bytes).await?;
        self.stream.write_all(b"\r\n").await?;
        self.stream.flush().await
    }

    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }
}

fn parse_head(bytes: &[u8]) -> Option<Parts> {
    let mut lines = std::str::from_utf8(bytes).ok()?.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(words.next()?.as_bytes()).ok()?;
    *request.uri_mut() = words.next()?.parse().ok()?;
    *request.version_mut() = match words.next()? {
        "HTTP/1.1" => Version::HTTP_11,
        "HTTP/1.0" => Version::HTTP_10,
        _ => return None,
    };
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = HeaderValue::from_str(value.trim()).ok()?;
        request.headers_mut().append(name, value);
    }
    Some(request.into_parts().0)
}

fn render_head(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or("Unknown");
    let mut out = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

fn malformed(told: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, told)
}
