//! Where accepted events go, and by when.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderMap;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::domain::Event;

/// After this the sender is told that its event was not taken (design 3). From the end of the request's body. A queue
/// with a spool turns to it well before.
pub const DURABLE_WITHIN: Duration = Duration::from_millis(900);

/// Makes events durable.
#[async_trait]
pub trait EventSink: Send + Sync + 'static {
    /// `Ok` means: on stable storage. The call may be dropped at any time; the event may then be stored or not.
    async fn accept(&self, event: Event, trace: Option<TraceParent>) -> Result<(), SinkError>;
}

/// Why an event is not on stable storage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event could not be made durable: {0}")]
pub struct SinkError(pub String);

/// The header `traceparent` of W3C Trace Context, version 00.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(String);

impl TraceParent {
    /// Takes the header's value; `None` if it is none, or of a version other than 00.
    pub fn parse(value: &str) -> Option<Self> {
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

    /// The header's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Most events of one source that are handed to the sink at a time; more wait their turn within their own deadline.
const IN_FLIGHT_MAX: usize = 128;

/// One source's share of a sink: a source that sends more than is stored in time holds up itself alone.
pub(super) fn share(sink: &Arc<dyn EventSink>) -> Arc<dyn EventSink> {
    Arc::new(Share {
        sink: Arc::clone(sink),
        places: Semaphore::new(IN_FLIGHT_MAX),
    })
}

struct Share {
    sink: Arc<dyn EventSink>,
    places: Semaphore,
}

#[async_trait]
impl EventSink for Share {
    async fn accept(&self, event: Event, trace: Option<TraceParent>) -> Result<(), SinkError> {
        // The semaphore is never closed; an error is as good as a place.
        let _place = self.places.acquire().await;
        self.sink.accept(event, trace).await
    }
}

/// Hands the event to the sink and waits for it, at most until [`DURABLE_WITHIN`] after `since`.
pub(super) async fn make_durable(
    sink: &Arc<dyn EventSink>,
    event: Event,
    trace: Option<TraceParent>,
    since: Instant,
) -> Result<(), SinkError> {
    let id = event.id;
    let kind = event.fact.kind();
    let accepted = tokio::time::timeout_at(since + DURABLE_WITHIN, sink.accept(event, trace)).await;
    let result = accepted.unwrap_or_else(|_| {
        Err(SinkError(format!(
            "no confirmation within {} ms",
            DURABLE_WITHIN.as_millis()
        )))
    });
    match &result {
        Ok(()) => tracing::debug!(event.id = %id, event.kind = kind, "event accepted"),
        Err(error) => {
            tracing::error!(event.id = %id, event.kind = kind, %error, "event not accepted")
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Fact, MeetingId, Origin, ServerName, Timestamp};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use uuid::Uuid;

    /// Takes everything in and stores nothing.
    #[derive(Default)]
    struct Abyss(AtomicUsize);

    #[async_trait]
    impl EventSink for Abyss {
        async fn accept(&self, _: Event, _: Option<TraceParent>) -> Result<(), SinkError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            std::future::pending().await
        }
    }

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
        let abyss = Arc::new(Abyss::default());
        let sink: Arc<dyn EventSink> = Arc::clone(&abyss) as _;
        let (flooded, other) = (share(&sink), share(&sink));
        let began = Instant::now();
        let flood = (0..IN_FLIGHT_MAX + 50).map(|_| make_durable(&flooded, event(), None, began));
        let flood = futures_util::future::join_all(flood);
        let single = make_durable(&other, event(), None, began);
        let inside = async {
            tokio::time::sleep(DURABLE_WITHIN / 2).await;
            abyss.0.load(Ordering::Relaxed)
        };
        let (flood, single, inside) = tokio::join!(flood, single, inside);
        assert_eq!(inside, IN_FLIGHT_MAX + 1);
        assert!(flood.iter().all(Result::is_err) && single.is_err());
        assert_eq!(began.elapsed(), DURABLE_WITHIN, "all of them, and no later");
    }
}
