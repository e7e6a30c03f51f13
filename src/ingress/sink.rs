//! Publishes accepted events to the queue within a deadline.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::domain::Event;
use crate::envelope::EnvelopeQueue;
use crate::ports::{Body, Clock, Envelope, Posting, PublishError, QueueName};

use super::observe::IngressObserver;

/// Longest that an event may take to become durable, counted from the end of the request's body. After that the sender
/// gets an answer that the event was not accepted. A queue with a spool uses the spool well before that.
pub(crate) const DURABLE_WITHIN: Duration = Duration::from_millis(900);

/// Why an event is not on stable storage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SinkError {
    /// The queue refused it.
    #[error("the event could not be made durable: {0}")]
    Refused(#[source] PublishError),
    /// It did not become durable within [`DURABLE_WITHIN`].
    #[error("the event could not be made durable: no confirmation within {} ms", DURABLE_WITHIN.as_millis())]
    TooLate,
}

/// The header `traceparent` of W3C Trace Context, version 00.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TraceParent(String);

impl TraceParent {
    /// Parses the header's value; `None` if it is invalid or has a version other than 00.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |part: &str, length: usize| {
            part.len() == length
                && part
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let is_good = version == "00"
            && parts.next().is_none()
            && is_hex(trace, 32)
            && is_hex(span, 16)
            && is_hex(flags, 2)
            && trace.bytes().any(|b| b != b'0')
            && span.bytes().any(|b| b != b'0');
        is_good.then(|| Self(value.to_owned()))
    }

    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        Self::parse(headers.get("traceparent")?.to_str().ok()?)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Most events of one source that are published at the same time. More events wait, each within its own deadline.
const IN_FLIGHT_MAX: usize = 128;

/// Publishes the events of one source. Each source has its own sink, so that a source that sends too much delays only
/// its own events.
pub(super) struct EventSink {
    queue: EnvelopeQueue,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn IngressObserver>,
    places: Semaphore,
}

impl EventSink {
    /// The sink of one source.
    pub(super) fn new(
        queue: EnvelopeQueue,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn IngressObserver>,
    ) -> Self {
        Self {
            queue,
            clock,
            observer,
            places: Semaphore::new(IN_FLIGHT_MAX),
        }
    }

    /// Waits until the event is on stable storage, at most until [`DURABLE_WITHIN`] after `since`. After an error the
    /// event may be stored or not.
    pub(super) async fn accept(
        &self,
        event: Event,
        trace: Option<TraceParent>,
        since: Instant,
    ) -> Result<(), SinkError> {
        let (id, kind) = (event.id, event.fact.kind());
        let mut envelope = Envelope::first(Body::Event(event), self.clock.now());
        envelope.trace = trace.map(|trace| trace.to_string());
        let posting = Posting {
            queue: QueueName::Events,
            message: envelope,
            delay: Duration::ZERO,
        };
        let publishing = async {
            // The semaphore is never closed, so an error cannot occur.
            let _place = self.places.acquire().await;
            self.queue.accept(&posting).await
        };
        let published = tokio::time::timeout_at(since + DURABLE_WITHIN, publishing).await;
        let result = match published {
            Ok(published) => published.map_err(SinkError::Refused),
            Err(_) => Err(SinkError::TooLate),
        };
        match &result {
            Ok(()) => {
                if let Body::Event(event) = &posting.message.body {
                    self.observer.accepted(event);
                }
                tracing::debug!(event.id = %id, event.kind = kind, "event accepted");
            }
            Err(error) => {
                tracing::error!(event.id = %id, event.kind = kind, %error, "event not accepted");
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::atomic::Ordering;

    use super::*;
    use crate::domain::{Fact, MeetingId, Origin, ServerName, Timestamp};
    use crate::ingress::tests::{Notes, Sink, Storage, event_sink};
    use uuid::Uuid;

    fn event() -> Event {
        let meeting = MeetingId::from_uuid(Uuid::from_u128(1));
        Event {
            id: crate::ingress::inbound::fresh_id(Timestamp::from_seconds(1)),
            origin: Origin::plugnmeet(&ServerName::default_server(), "e1"),
            received_at: Timestamp::from_seconds(1),
            fact: Fact::Woken { meeting, round: 1 },
        }
    }

    #[tokio::test(start_paused = true)]
    async fn flood_of_one_source_takes_no_place_from_another_and_is_answered_in_time() {
        let queue = Sink::new(Storage::Hangs);
        let notes = Arc::new(Notes::default());
        let [flooded, other] = std::array::from_fn(|_| event_sink(&queue, &notes));
        let began = Instant::now();
        let flood = (0..IN_FLIGHT_MAX + 50).map(|_| flooded.accept(event(), None, began));
        let flood = futures_util::future::join_all(flood);
        let single = other.accept(event(), None, began);
        let inside = async {
            tokio::time::sleep(DURABLE_WITHIN / 2).await;
            queue.asked.load(Ordering::Relaxed)
        };
        let (flood, single, inside) = tokio::join!(flood, single, inside);
        assert_eq!(inside, IN_FLIGHT_MAX + 1);
        assert!(flood.iter().all(Result::is_err) && single.is_err());
        assert_eq!(began.elapsed(), DURABLE_WITHIN, "all of them, and no later");
    }
}
