//! The content of the queue, as workers see it: typed envelopes instead of bytes.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::domain::apply::Reply;
use crate::domain::{CLOCKS_DIFFER_BY, Event, Fact, JobId, Timestamp};

use super::{Outgoing, QueueName, Receipt, Settlement};

/// An event, job or reply in the queue, with its delivery data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// When it was first accepted or published, on our clock. A retry keeps this time.
    pub received_at: Timestamp,
    /// The attempt number, from 1, counting only attempts that count against the retry policy.
    pub attempt: u32,
    /// The attempt number, from 1, counting every attempt.
    pub tries: u32,
    /// A worker must not process it before this time, on our clock: some back ends have coarse delays.
    pub not_before: Option<Timestamp>,
    /// When `not_before` was written, on our clock; `None` in messages of older versions.
    pub delayed_at: Option<Timestamp>,
    /// W3C trace context (`traceparent`), if the trigger had one.
    pub trace: Option<String>,
    /// The event, job or reply itself.
    pub body: Body,
}

/// The content of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a worker holds one at a time; a box would be one more allocation for each"
)]
pub enum Body {
    /// An event for apply.
    Event(Event),
    /// A job that a meeting owes.
    Job {
        /// The meeting, the job and its round.
        id: JobId,
        /// Since when the meeting owes it, on our clock.
        since: Timestamp,
    },
    /// A reply to a command that belongs to no meeting.
    Reply(Reply),
}

impl Body {
    /// The name of the delivery mark that counts the redeliveries of message `id` with this body, for as long as it may
    /// be poison. All rounds of a job share one mark, and so do all wakes of a meeting; everything else is counted by
    /// the message's id.
    pub fn mark(&self, id: &str) -> String {
        match self {
            Self::Event(Event {
                fact: Fact::Woken { meeting, .. },
                ..
            }) => format!("woken:{meeting}"),
            Self::Job { id, .. } => format!("{}:{}", id.meeting, id.job.key()),
            Self::Event(_) | Self::Reply(_) => id.to_owned(),
        }
    }
}

impl Envelope {
    /// A first envelope of `body`, published at `now`.
    pub fn first(body: Body, now: Timestamp) -> Self {
        let received_at = match &body {
            Body::Event(event) => event.received_at,
            Body::Job { .. } | Body::Reply(_) => now,
        };
        Self {
            received_at,
            attempt: 1,
            tries: 1,
            not_before: None,
            delayed_at: None,
            trace: None,
            body,
        }
    }

    /// Delays it: a worker must not process it before `delay` has passed since `now`.
    pub fn delayed(mut self, now: Timestamp, delay: Duration) -> Self {
        self.not_before = (!delay.is_zero()).then(|| now.plus(delay));
        self.delayed_at = self.not_before.and(Some(now));
        self
    }

    /// How long it still waits at `now`. Clocks may differ or be set back, so this is never longer than the whole
    /// delay. It is zero if the clock that delayed it was ahead by more than [`CLOCKS_DIFFER_BY`].
    pub fn left_to_wait(&self, now: Timestamp) -> Duration {
        let left = self.not_before.map_or(Duration::ZERO, |at| at.since(now));
        match (self.delayed_at, self.not_before) {
            (Some(delayed_at), _) if delayed_at.since(now) > CLOCKS_DIFFER_BY => Duration::ZERO,
            (Some(delayed_at), Some(not_before)) => left.min(not_before.since(delayed_at)),
            _ => left,
        }
    }

    /// The message's id: that of the event or the job, or `tell:` and the id of the request that is answered.
    pub fn id(&self) -> String {
        match &self.body {
            Body::Event(event) => event.id.to_string(),
            Body::Job { id, .. } => id.to_string(),
            Body::Reply(reply) => format!("tell:{}", reply.request),
        }
    }
}

/// An envelope to be published.
pub type Posting = Outgoing<Envelope>;

/// A decoded delivery. `Debug` shows only the length of the message, as for [`super::Message`].
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// The queue that it was received from.
    pub queue: QueueName,
    /// Identifies it when it is settled.
    pub receipt: Receipt,
    /// The message's id.
    pub message_id: String,
    /// It was delivered before and not settled.
    pub redelivered: bool,
    /// The encoded message, for a dead letter.
    pub raw: Bytes,
    /// The envelope, or why the message cannot be decoded.
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

/// How a decoded delivery is settled.
pub type Settled = Settlement<Envelope>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f2_a_delay_is_never_longer_than_it_was_whatever_the_clock_shows() {
        let at = |seconds: i64| Timestamp::from_seconds(1_795_269_720 + seconds);
        let job = Body::Job {
            id: JobId {
                meeting: crate::domain::MeetingId::from_uuid(uuid::Uuid::nil()),
                job: crate::domain::Job::CreateRoom,
                round: 0,
            },
            since: at(0),
        };
        let seconds = Duration::from_secs;
        let delayed = Envelope::first(job, at(0)).delayed(at(100), seconds(30));
        for (now, left) in [(100, 30), (110, 20), (130, 0), (500, 0)] {
            assert_eq!(delayed.left_to_wait(at(now)), seconds(left), "at {now}");
        }
        // The clock is set back by an hour, and by 70 s.
        for now in [-3_500, 30] {
            assert_eq!(delayed.left_to_wait(at(now)), Duration::ZERO, "at {now}");
        }
        // Another replica's clock is a little behind.
        let left = delayed.left_to_wait(at(99).plus(Duration::from_millis(500)));
        assert_eq!(left, seconds(30));
    }

    #[test]
    fn debug_output_of_a_delivery_holds_nothing_of_its_message() {
        let received = Received {
            queue: QueueName::Events,
            receipt: Receipt(1),
            message_id: "id".to_owned(),
            redelivered: false,
            raw: Bytes::from_static(b"CANARY"),
            content: Err("not an envelope".to_owned()),
        };
        let text = format!("{received:?}");
        assert!(
            text.contains("bytes: 6") && !text.contains("CANARY"),
            "{text}"
        );
    }
}
