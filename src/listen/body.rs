//! The body of a request, which reports to the connection's [`Activity`] when it is complete.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::room::{Activity, Phase};

/// A body that is read from a connection. A client that sends a head and no complete body has no request in work.
pub(super) struct WatchedBody {
    body: Incoming,
    activity: Arc<Activity>,
}

impl WatchedBody {
    pub(super) fn new(body: Incoming, activity: &Arc<Activity>) -> Self {
        let is_complete = body.is_end_stream();
        activity.enter(if is_complete {
            Phase::Request
        } else {
            Phase::Body
        });
        Self {
            body,
            activity: Arc::clone(activity),
        }
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let read = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(read, Poll::Ready(None)) || self.body.is_end_stream() {
            self.activity.complete_body();
        }
        read
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
