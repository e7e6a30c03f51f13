//! Events that the relay itself creates and publishes for apply.

use std::time::Duration;

use uuid::Uuid;

use crate::domain::{Event, EventId, Fact, Origin, Timestamp};
use crate::ports::{Body, Envelope, Posting, QueueName};

/// The event of a fact that the relay itself learned. `key` is its dedup key.
pub(crate) fn own_event(fact: Fact, key: impl std::fmt::Display, now: Timestamp) -> Event {
    let id = EventId::from_uuid(Uuid::now_v7());
    Event {
        id,
        origin: Origin::relay(key),
        received_at: now,
        fact,
    }
}

/// The posting that puts an event on the events queue, without delay.
pub(crate) fn event_posting(event: Event, now: Timestamp) -> Posting {
    let envelope = Envelope::first(Body::Event(event), now);
    Posting {
        queue: QueueName::Events,
        message: envelope,
        delay: Duration::ZERO,
    }
}
