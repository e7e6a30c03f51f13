//! The accept loop of the Unix socket through which the commands of this program speak to the relay. Whoever can
//! connect there is the relay's own user, so it needs no more than bounds: few connections, one request on each.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use warp::{Filter, Reply};

use super::ListenLimits;

/// Most connections at a time; others wait until the system takes them out of its queue.
const CONNECTIONS_MAX: usize = 32;
/// Time to write the answer after the deadlines of head and request.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// Pause after an error that is the whole process's, such as too many open files.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Serves `filter` on `listener` until `shutdown` resolves, then finishes the requests in work within the drain
/// deadline. Returns how many connections had to be cut. Of `limits` the number of connections and the idle deadline
/// do not count here: each connection has one request.
pub async fn serve_unix<F>(
    listener: UnixListener,
    filter: F,
    limits: ListenLimits,
    shutdown: impl Future<Output = ()> + Send,
) -> usize
where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: Reply,
{
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_deadline)
        .max_headers(100)
        .keep_alive(false);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (drain, cut) = (CancellationToken::new(), CancellationToken::new());
    let tasks = TaskTracker::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, place) = tokio::select! {
            () = &mut shutdown => break,
            Some(admitted) = admit(&listener, &places) => admitted,
        };
        let connection = Connection {
            _place: place,
            limits: limits.clone(),
            drain: drain.clone(),
            cut: cut.clone(),
        };
        tasks.spawn(connection.run(builder.clone(), stream, filter.clone()));
    }
    drop(listener);
    super::end_connections(&tasks, (&drain, &cut), limits.drain_deadline).await
}

/// The next connection, once there is a place for it.
async fn admit(
    listener: &UnixListener,
    places: &Arc<Semaphore>,
) -> Option<(UnixStream, OwnedSemaphorePermit)> {
    // The semaphore is never closed.
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((stream, place)),
            Err(error) => {
                tracing::debug!(%error, "cannot accept connections on the admin socket");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
}

struct Connection {
    _place: OwnedSemaphorePermit,
    limits: ListenLimits,
    drain: CancellationToken,
    cut: CancellationToken,
}

impl Connection {
    async fn run<F>(self, builder: http1::Builder, stream: UnixStream, filter: F)
    where
        F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
        F::Extract: Reply,
    {
        let has_begun = AtomicBool::new(false);
        let service = service_fn(|mut request: Request<Incoming>| {
            has_begun.store(true, Ordering::Relaxed);
            super::path::normalize(request.uri_mut());
            let answer = warp::service(filter.clone()).call(request);
            let deadline = self.limits.request_deadline;
            Box::pin(async move {
                let answer = match tokio::time::timeout(deadline, answer).await {
                    Ok(Ok(answer)) => answer,
                    Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
                };
                Ok::<_, Infallible>(answer)
            })
        });
        let http = builder.serve_connection(TokioIo::new(stream), service);
        let longest = self.limits.head_deadline + self.limits.request_deadline + WRITE_DEADLINE;
        tokio::select! {
            // An answer that is ready goes out before the connection is cut.
            biased;
            ended = http => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection on the admin socket ended");
                }
            }
            () = self.cut.cancelled() => {}
            () = until_drain_of_idle(&self.drain, &has_begun) => {}
            () = tokio::time::sleep(longest) => {
                tracing::debug!("connection on the admin socket closed at its deadline");
            }
        }
    }
}

/// Resolves at the drain unless a request has begun: a connection without one has no claim on the time of a stop.
async fn until_drain_of_idle(drain: &CancellationToken, has_begun: &AtomicBool) {
    drain.cancelled().await;
    if has_begun.load(Ordering::Relaxed) {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests;
