//! Serves one connection and enforces its deadlines.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::Service;
use warp::reply::Response;
use warp::{Filter, Reply};

use super::body::WatchedBody;
use super::room::{Activity, ConnectionSlot, Phase};
use super::{Authenticated, ListenLimits, PeerAddress};

/// Time to write the 408 after the deadline of a request, and for a connection without a request during a drain.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

pub(super) struct Connection {
    pub(super) slot: ConnectionSlot,
    pub(super) peer: Option<PeerAddress>,
    pub(super) limits: ListenLimits,
    pub(super) drain: CancellationToken,
    pub(super) cut: CancellationToken,
}

impl Connection {
    /// Serves the connection until it ends.
    pub(super) async fn run<S, F>(self, builder: http1::Builder, stream: S, filter: F)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
        F::Extract: Reply,
    {
        let activity = Arc::clone(self.slot.activity());
        // On a busy machine, some time may have passed since it was accepted, in which nothing was read.
        activity.enter(Phase::Head);
        let stream = WatchedStream {
            stream,
            activity: Arc::clone(&activity),
        };
        let service = service_fn(|mut request: Request<Incoming>| {
            if let Some(peer) = self.peer {
                request.extensions_mut().insert(peer);
            }
            super::path::normalize(request.uri_mut());
            let request = request.map(|body| WatchedBody::new(body, &activity));
            let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
            let answer = super::host::checked(request, |it| warp::service(filter.clone()).call(it));
            let (activity, deadline) = (Arc::clone(&activity), self.limits.request_deadline);
            // The future is on the heap, so that a connection that waits for a request needs no memory for its answer.
            Box::pin(async move {
                let mut answer = match tokio::time::timeout(deadline, answer).await {
                    Ok(Ok(answer)) => answer,
                    Err(_) => too_slow(),
                };
                if is_chunked {
                    close_after(&mut answer);
                }
                if answer.extensions().get::<Authenticated>().is_some() {
                    activity.authenticate();
                }
                activity.enter(Phase::Idle);
                Ok::<_, Infallible>(answer)
            })
        });
        let mut http = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut draining = false;
        loop {
            tokio::select! {
                // Reading and writing come before the check whether another connection needs this slot.
                biased;
                ended = http.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(peer = self.peer.map(|peer| tracing::field::display(peer.0)), %error, "connection ended");
                    }
                    return;
                }
                () = self.drain.cancelled(), if !draining => {
                    draining = true;
                    http.as_mut().graceful_shutdown();
                }
                () = self.cut.cancelled() => return,
                () = activity.close_requested.notified() => {
                    if activity.can_be_closed() {
                        tracing::debug!(peer = self.peer.map(|peer| tracing::field::display(peer.0)), "connection closed to make room");
                        return;
                    }
                }
                () = activity.head_began.notified() => {}
                () = tokio::time::sleep_until(self.deadline(draining)) => {
                    if self.deadline(draining) <= Instant::now() {
                        tracing::debug!(peer = self.peer.map(|peer| tracing::field::display(peer.0)), phase = ?activity.state().phase, "connection closed at its deadline");
                        return;
                    }
                }
            }
        }
    }

    fn deadline(&self, draining: bool) -> Instant {
        let state = self.slot.activity().state();
        state.since
            + match state.phase {
                // A connection without a request must not delay the stop.
                Phase::Idle if draining => CLOSE_GRACE,
                Phase::Head if draining => self.limits.head_deadline.min(CLOSE_GRACE),
                Phase::Idle => self.limits.idle_deadline,
                Phase::Head => self.limits.head_deadline,
                Phase::Body | Phase::Request => self.limits.request_deadline + CLOSE_GRACE,
            }
    }
}

fn too_slow() -> Response {
    let mut answer = StatusCode::REQUEST_TIMEOUT.into_response();
    close_after(&mut answer);
    answer
}

/// Closes the connection after this answer, so that no further request is read from it. This is needed after a chunked
/// request that also has a Content-Length. The relay reads it by its chunks alone (RFC 9112 6.3). A proxy may use the
/// length instead, and then the bytes that follow must not be taken for a request. Neither peer sends chunks.
fn close_after(answer: &mut Response) {
    answer
        .headers_mut()
        .insert(header::CONNECTION, http::HeaderValue::from_static("close"));
}

/// The stream, which reports to the connection's [`Activity`] when bytes arrive.
struct WatchedStream<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.note_read();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
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

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}
