//! Giving up connections that take nothing of what they are answered. The HTTP server waits for them without
//! end, and holds the answer as long; the kernel is told to wait no longer than this.

use std::{any::Any, time::Duration};

use actix_web::{dev::Extensions, rt::net::TcpStream};

/// How long a connection may take nothing of an answer.
const PATIENCE: Duration = Duration::from_secs(45);

/// Told of each connection when it is made.
pub fn give_up_unread(connection: &dyn Any, _: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<TcpStream>()
        && let Err(error) = give_up_after(stream, PATIENCE)
    {
        tracing::debug!(%error, "failed to bound how long a connection may take nothing");
    }
}

/// Whatever is sent and not taken for so long ends the connection.
#[cfg(target_os = "linux")]
fn give_up_after(stream: &TcpStream, patience: Duration) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;

    let millis = libc::c_uint::try_from(patience.as_millis()).unwrap_or(libc::c_uint::MAX);
    // SAFETY: the descriptor is open while the stream is borrowed, and the option is of the size told.
    let set = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_USER_TIMEOUT,
            (&raw const millis).cast(),
            size_of_val(&millis) as libc::socklen_t,
        )
    };
    if set == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Elsewhere there is no such option that means the same.
#[cfg(not(target_os = "linux"))]
fn give_up_after(_: &TcpStream, _: Duration) -> std::io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::ErrorKind;

    use tokio::{io::AsyncWriteExt, net::TcpListener, time::timeout};

    use super::*;

    #[tokio::test]
    async fn a_connection_that_takes_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let _silent = TcpStream::connect(address).await.expect("connected");
        let (mut stream, _) = listener.accept().await.expect("accepted");
        give_up_after(&stream, Duration::from_millis(300)).expect("set");
        let answer = vec![0; 64 * 1024 * 1024];
        let written = timeout(Duration::from_secs(30), stream.write_all(&answer)).await;
        let error = written.expect("given up in time").expect_err("nobody took it");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    }
}
