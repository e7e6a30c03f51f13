//! The accept loop of both listeners. warp 0.4.3 has no deadline for headers and no limit of connections: a client that
//! sent half a head kept its connection for ever (measured).
//!
//! Every connection is HTTP/1.x. When the limit is reached, connections without a complete request are closed, those
//! that have waited longest first. Connections that carried an authenticated request are closed last. So many idle or
//! slow unauthenticated clients cannot lock out the others.

mod body;
mod connection;
mod host;
mod path;
mod room;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpSocket, unix};
use tokio_util::net::Listener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warp::{Filter, Reply};

use connection::Connection;
use room::ConnectionLimiter;

/// Connections that the system keeps until they are accepted, as far as `net.core.somaxconn` allows. A client that
/// finds the backlog full waits at least a second before it tries again.
const BACKLOG: u32 = 4096;

/// Listens at an address.
///
/// # Errors
/// The system refuses the address.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    // Each answer is one small write. Accepted connections inherit this option.
    socket.set_nodelay(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The limits of one listener. Every number bounds what an unauthenticated client can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListenLimits {
    /// Most connections at a time.
    pub connections: usize,
    /// From the first byte of a request (or the connect) to the end of its head.
    pub head_deadline: Duration,
    /// From the end of the head to the answer, the reading of the body included; then 408.
    pub request_deadline: Duration,
    /// Between two requests on one connection. Longer than the 90 s after which Go's clients (both peers) close a
    /// connection themselves, because a POST that is sent while the relay closes the connection is lost.
    pub idle_deadline: Duration,
    /// For everything in work when the stop is requested. After it connections are cut.
    pub drain_deadline: Duration,
    /// Longest request head, in bytes. A longer one is answered with 431.
    pub head_bytes: usize,
}

impl Default for ListenLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head_deadline: Duration::from_secs(10),
            request_deadline: Duration::from_secs(12),
            idle_deadline: Duration::from_secs(120),
            drain_deadline: Duration::from_secs(10),
            head_bytes: 32 * 1024,
        }
    }
}

/// An extension of an answer: its request was authenticated. When the limit of connections is reached, such a
/// connection is closed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Authenticated;

/// The client's address, as an extension of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeerAddress(pub SocketAddr);

/// The client's end of a connection, in the type that each kind of listener uses.
pub(crate) trait OtherEnd {
    /// The client's address. A Unix socket has none.
    fn address(&self) -> Option<PeerAddress>;
}

impl OtherEnd for SocketAddr {
    fn address(&self) -> Option<PeerAddress> {
        Some(PeerAddress(*self))
    }
}

impl OtherEnd for unix::SocketAddr {
    fn address(&self) -> Option<PeerAddress> {
        None
    }
}

/// Serves `filter` on `listener` until `shutdown` resolves. Then it finishes the requests in work within the drain
/// deadline. Returns how many connections had to be cut.
pub(crate) async fn serve<L, F>(
    mut listener: L,
    filter: F,
    limits: ListenLimits,
    shutdown: impl Future<Output = ()> + Send,
) -> usize
where
    L: Listener,
    L::Io: Send + Unpin + 'static,
    L::Addr: OtherEnd,
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: Reply,
{
    let builder = http_builder(&limits);
    let limiter = ConnectionLimiter::new(limits.connections);
    let drain = CancellationToken::new();
    let cut = CancellationToken::new();
    let tasks = TaskTracker::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let admitted = async {
            let (stream, other_end) = accept(&mut listener).await;
            let slot = limiter.take().await;
            (stream, other_end, slot)
        };
        let (stream, other_end, slot) = tokio::select! {
            () = &mut shutdown => break,
            admitted = admitted => admitted,
        };
        let connection = Connection {
            slot,
            peer: other_end.address(),
            limits: limits.clone(),
            drain: drain.clone(),
            cut: cut.clone(),
        };
        tasks.spawn(connection.run(builder.clone(), stream, filter.clone()));
    }
    drop(listener);
    drain.cancel();
    tasks.close();
    let drained = tokio::time::timeout(limits.drain_deadline, tasks.wait()).await;
    if drained.is_ok() {
        return 0;
    }
    let left = tasks.len();
    cut.cancel();
    tasks.wait().await;
    left
}

fn http_builder(limits: &ListenLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // hyper's timer also runs between requests, so it is set to the longer idle deadline. `connection` enforces the
        // deadline of the head.
        .header_read_timeout(limits.idle_deadline.max(limits.head_deadline))
        .max_header_size(limits.head_bytes)
        .max_headers(100)
        // Bytes that are read and not processed yet. 8 KiB is the least that hyper accepts.
        .max_buf_size(limits.head_bytes.max(8 * 1024));
    builder
}

/// The next connection. After an error that concerns the whole process (no file descriptors or buffers), it waits and
/// tries again.
async fn accept<L: Listener>(listener: &mut L) -> (L::Io, L::Addr) {
    let mut pause = Duration::from_millis(10);
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, pause_ms = pause.as_millis(), "cannot accept connections; is the limit of open files too low?");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests;
