//! The queue as workers see it: typed envelopes instead of bytes.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::apply::Tell;
use crate::domain::{Event, JobId, Timestamp};

use super::{PublishError, QueueError, QueueName, Receipt};

/// What travels through the queue, with what is known of its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// When its first form was accepted or published, on our clock.
    pub received_at: Timestamp,
    /// This attempt's number, from 1, of those that count against the retry policy.
    pub attempt: u32,
    /// This attempt's number, from 1, of all.
    pub tries: u32,
    /// Not to be worked on before this, on our clock: for back ends whose delays are coarse.
    pub not_before: Option<Timestamp>,
    /// W3C trace context (`traceparent`), if the trigger brought one.
    pub trace: Option<String>,
    /// What it is.
    pub body: Body,
}

/// The content of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time in a worker's hand; a box would be one more allocation for each"
)]
pub enum Body {
    /// An event for apply.
    Event(Event),
    /// A job that a meeting owes.
    Job {
        /// Which.
        id: JobId,
        /// Owed since, on our clock.
        since: Timestamp,
    },
    /// An answer that belongs to no meeting.
    Tell(Tell),
}

impl Envelope {
    /// A first envelope of `body`, published at `now`.
    pub fn first(body: Body, now: Timestamp) -> Self {
        let received_at = match &body {
            Body::Event(event) => event.received_at,
            Body::Job { .. } | Body::Tell(_) => now,
        };
        Self {
            received_at,
            attempt: 1,
            tries: 1,
            not_before: None,
            trace: None,
            body,
        }
    }

    /// The message's id: the event's, the job's, or the request's whose answer it is.
    pub fn id(&self) -> String {
        match &self.body {
            Body::Event(event) => event.id.to_string(),
            Body::Job { id, .. } => id.to_string(),
            Body::Tell(tell) => format!("tell:{}", tell.request),
        }
    }
}

/// An envelope on its way into a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Where to.
    pub queue: QueueName,
    /// What.
    pub envelope: Envelope,
    /// Not to be seen before this much time has passed.
    pub delay: Duration,
}

/// A delivery, read. Debug shows only how long the message is, as that of `Message` does.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// The queue it comes from.
    pub queue: QueueName,
    /// Names it in [`Mail::settle`].
    pub receipt: Receipt,
    /// The message's id.
    pub message_id: String,
    /// It was handed out before and not settled.
    pub redelivered: bool,
    /// The message as it is, for a dead letter.
    pub raw: Bytes,
    /// What it says, or why it cannot be read.
    pub content: Result<Envelope, String>,
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("queue", &self.queue)
            .field("receipt", &self.receipt)
            .field("message_id", &self.message_id)
            .field("redelivered", &self.redelivered)
            .field("bytes", &self.raw.len())
            .field("content", &self.content)
            .finish()
    }
}

/// What becomes of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time in a worker's hand; a box would be one more allocation for each"
)]
pub enum Settled {
    /// Removed.
    Done(Receipt),
    /// Visible again at once.
    Return(Receipt),
    /// Replaced.
    Again(Receipt, Posting),
}

/// A queue of envelopes.
#[async_trait]
pub trait Mail: Send + Sync + 'static {
    /// Makes what came from outside durable, as long as the queue has room.
    async fn accept(&self, posting: Posting) -> Result<(), PublishError>;

    /// Makes all of them durable; on an error some may be. For what follows from accepted work: see
    /// `Queue::publish_all`.
    async fn send(&self, postings: Vec<Posting>) -> Result<(), PublishError>;

    /// Hands out 1 to `max`, waiting until there is one.
    async fn receive(&self, queue: QueueName, max: usize) -> Result<Vec<Received>, QueueError>;

    /// Settles deliveries.
    async fn settle(&self, settled: Vec<Settled>) -> Result<(), QueueError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_of_a_delivery_holds_nothing_of_its_message() {
        let received = Received {
            queue: QueueName::Events,
            receipt: Receipt(1),
            message_id: "id".to_owned(),
            redelivered: false,
            raw: Bytes::from_static(b"CANARY"),
            content: Err("it is no envelope".to_owned()),
        };
        let text = format!("{received:?}");
        assert!(
            text.contains("bytes: 6") && !text.contains("CANARY"),
            "{text}"
        );
    }
}
