//! The TLS stream as HTTP/2 writes to it: never vectored, and remembering when it last brought bytes.
//!
//! Wraps the stream between `h2` and TLS. Decides nothing: the driver reads [`LastHeard`].

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// When bytes last arrived on a connection; shared by its wire and its driver.
#[derive(Clone, Debug)]
pub(super) struct LastHeard {
    opened: Instant,
    millis: Arc<AtomicU64>,
}

impl LastHeard {
    fn new() -> Self {
        Self { opened: Instant::now(), millis: Arc::default() }
    }

    fn mark(&self) {
        let millis = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Relaxed);
    }

    /// The moment, to the millisecond.
    pub(super) fn at(&self) -> Instant {
        self.opened + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}

/// A stream whose writes are not vectored. `h2` then copies its small frames into one buffer, and
/// rustls makes a few large records of them instead of one per frame: half the cost of a push.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    heard: LastHeard,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, heard: LastHeard::new() }
    }

    pub(super) fn heard(&self) -> LastHeard {
        self.heard.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if poll.is_ready() && buf.filled().len() > before {
            self.heard.mark();
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        false
    }
}
