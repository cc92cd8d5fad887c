//! The TLS stream of one connection as the gateways use it. Called by
//! `listener.rs` only.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;

/// A TLS stream that writes few, large records, and can be cut.
///
/// `is_write_vectored` stays false: h2 then gathers its frames in one buffer,
/// and rustls makes one record of it instead of one per frame, which halves
/// what a push costs.
pub(super) struct Wire {
    stream: TlsStream<TcpStream>,
    cut: CutSwitch,
}

/// Makes its [`Wire`] end with a TCP reset instead of an orderly close, and
/// tells the connection that it is time to.
#[derive(Clone, Debug, Default)]
pub(super) struct CutSwitch(Arc<Cut>);

#[derive(Debug, Default)]
struct Cut {
    is_thrown: AtomicBool,
    thrown: Notify,
}

impl CutSwitch {
    pub(super) fn throw(&self) {
        self.0.is_thrown.store(true, Ordering::Relaxed);
        self.0.thrown.notify_one();
    }

    pub(super) fn is_thrown(&self) -> bool {
        self.0.is_thrown.load(Ordering::Relaxed)
    }

    /// Waits until it is thrown.
    pub(super) async fn thrown(&self) {
        self.0.thrown.notified().await;
    }
}

impl Wire {
    pub(super) fn new(stream: TlsStream<TcpStream>, cut: CutSwitch) -> Self {
        Self { stream, cut }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.cut.is_thrown() {
            // Should it fail, the client sees the connection end all the same.
            let _ = self.stream.get_ref().0.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
