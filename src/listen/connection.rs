//! One connection: its deadlines, and its end.

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
use super::room::{ConnectionSlot, Phase, Seat};
use super::{Authenticated, ListenLimits, PeerAddress};

/// Time to write the 408 after the deadline of a request.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(super) struct Connection {
    pub(super) place: ConnectionSlot,
    pub(super) peer: Option<PeerAddress>,
    pub(super) limits: ListenLimits,
    pub(super) drain: CancellationToken,
    pub(super) cut: CancellationToken,
}

impl Connection {
    /// Serves it to its end.
    pub(super) async fn run<S, F>(self, builder: http1::Builder, stream: S, filter: F)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
        F::Extract: Reply,
    {
        let seat = Arc::clone(self.place.seat());
        // On a busy machine it is a while since it was accepted, and nothing was read meanwhile.
        seat.enter(Phase::Head);
        let stream = WatchedStream {
            stream,
            seat: Arc::clone(&seat),
        };
        let service = service_fn(|mut request: Request<Incoming>| {
            if let Some(peer) = self.peer {
                request.extensions_mut().insert(peer);
            }
            super::path::normalize(request.uri_mut());
            let request = request.map(|body| WatchedBody::new(body, &seat));
            let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
            let answer = super::host::checked(request, |it| warp::service(filter.clone()).call(it));
            let (seat, deadline) = (Arc::clone(&seat), self.limits.request_deadline);
            // On the heap, while there is a request: a connection that waits for one holds no room for its answer.
            Box::pin(async move {
                let mut answer = match tokio::time::timeout(deadline, answer).await {
                    Ok(Ok(answer)) => answer,
                    Err(_) => too_slow(),
                };
                if is_chunked {
                    close_after(&mut answer);
                }
                if answer.extensions().get::<Authenticated>().is_some() {
                    seat.authenticate();
                }
                seat.enter(Phase::Idle);
                Ok::<_, Infallible>(answer)
            })
        });
        let mut http = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut draining = false;
        loop {
            tokio::select! {
                // What came in and what goes out is looked at before whether the place is needed.
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
                () = seat.given_up.notified() => {
                    if seat.can_be_spared() {
                        tracing::debug!(peer = self.peer.map(|peer| tracing::field::display(peer.0)), "connection closed to make room");
                        return;
                    }
                }
                () = seat.head_began.notified() => {}
                () = tokio::time::sleep_until(self.deadline(draining)) => {
                    if self.deadline(draining) <= Instant::now() {
                        tracing::debug!(peer = self.peer.map(|peer| tracing::field::display(peer.0)), phase = ?seat.state().phase, "connection closed at its deadline");
                        return;
                    }
                }
            }
        }
    }

    fn deadline(&self, draining: bool) -> Instant {
        let state = self.place.seat().state();
        state.since
            + match state.phase {
                // A connection that says nothing has no claim on the time of a stop.
                Phase::Idle if draining => LAST_WORDS,
                Phase::Head if draining => self.limits.head_deadline.min(LAST_WORDS),
                Phase::Idle => self.limits.idle_deadline,
                Phase::Head => self.limits.head_deadline,
                Phase::Body | Phase::Request => self.limits.request_deadline + LAST_WORDS,
            }
    }
}

fn too_slow() -> Response {
    let mut answer = StatusCode::REQUEST_TIMEOUT.into_response();
    close_after(&mut answer);
    answer
}

/// Nothing more is read of this connection. After a chunked request: one with a Content-Length besides is read by its
/// chunks alone (RFC 9112 6.3), and whatever a proxy that counts the other way believes to follow must not be taken
/// for a request. Neither peer sends chunks.
fn close_after(answer: &mut Response) {
    answer
        .headers_mut()
        .insert(header::CONNECTION, http::HeaderValue::from_static("close"));
}

/// The stream, telling its seat when bytes come.
struct WatchedStream<S> {
    stream: S,
    seat: Arc<Seat>,
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
            self.seat.note_read();
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
