//! A small TCP proxy before one server: it forwards, can be cut (open connections end, new ones are
//! refused), and can be mended.

use std::net::SocketAddr;

use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// A running proxy. Must be used within a tokio runtime.
pub struct Proxy {
    address: SocketAddr,
    target: SocketAddr,
    serving: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Forwards to `target` from a free port.
    pub fn start(target: SocketAddr) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut proxy = Self { address: any, target, serving: None };
        proxy.mend();
        proxy
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection and refuses new ones.
    pub fn cut(&mut self) {
        self.serving.take().expect("not cut already").abort();
    }

    /// Forwards again, at the same address.
    pub fn mend(&mut self) {
        let listener = std::net::TcpListener::bind(self.address).expect("the port is free");
        listener.set_nonblocking(true).expect("a listener for tokio");
        self.address = listener.local_addr().expect("an address");
        let listener = TcpListener::from_std(listener).expect("a tokio listener");
        self.serving = Some(tokio::spawn(serve(listener, self.target)));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.iter().for_each(JoinHandle::abort);
    }
}

/// The connections end with this future.
async fn serve(listener: TcpListener, target: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        connections.spawn(forward(stream, target));
        while connections.try_join_next().is_some() {}
    }
}

async fn forward(mut near: TcpStream, target: SocketAddr) {
    // Either side may go away at any time; both ends are closed then.
    if let Ok(mut far) = TcpStream::connect(target).await {
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    }
}
