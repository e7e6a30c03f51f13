//! The envelope: what travels through a queue, and its versioned JSON form.
//!
//! Everything that a worker needs stands in it or in the store, nothing in the queue's own bookkeeping, so that
//! messages can be moved by hand between queues and brokers (faults.md Q22).

mod error;
#[cfg(test)]
mod tests;
mod trace;
mod wire;

use crate::domain::apply::Tell;
use crate::domain::{Event, JobId, Timestamp};
use crate::ports::{MESSAGE_BYTES_MAX, Message};

pub use error::{DecodeError, TooLarge};
pub use trace::{BadTraceParent, TraceParent};

/// The version that [`encode`] writes. [`decode`] reads this one and every earlier one.
pub const VERSION: u64 = 1;

/// Deepest nesting of an envelope that is read; ours have 6 levels.
pub const DEPTH_MAX: usize = 16;

/// One message's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// When we accepted it, on our clock: an event's own time of arrival, else when it was first published.
    pub received_at: Timestamp,
    /// The number of this attempt from 1, of those that count.
    pub attempt: u32,
    /// The number of this try from 1, of all.
    pub tries: u32,
    /// Not to be worked on before this, on our clock: for queues whose delays are too short or too coarse.
    pub not_before: Option<Timestamp>,
    /// The trace that it belongs to.
    pub trace: Option<TraceParent>,
    /// What is to be done.
    pub body: Body,
}

/// What an envelope is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// An event for apply.
    Event(Event),
    /// A job for a worker.
    Job {
        /// Which.
        id: JobId,
        /// Owed since then, on our clock.
        since: Timestamp,
    },
    /// An answer that belongs to no meeting.
    Tell(Tell),
}

impl Envelope {
    /// The first envelope of an event.
    pub fn event(event: Event, trace: Option<TraceParent>) -> Self {
        Self::first(event.received_at, trace, Body::Event(event))
    }

    /// The first envelope of a job that is published at `now`.
    pub fn job(id: JobId, since: Timestamp, now: Timestamp, trace: Option<TraceParent>) -> Self {
        Self::first(now, trace, Body::Job { id, since })
    }

    /// The first envelope of an answer that is published at `now`.
    pub fn tell(tell: Tell, now: Timestamp, trace: Option<TraceParent>) -> Self {
        Self::first(now, trace, Body::Tell(tell))
    }

    fn first(received_at: Timestamp, trace: Option<TraceParent>, body: Body) -> Self {
        Self {
            received_at,
            attempt: 1,
            tries: 1,
            not_before: None,
            trace,
            body,
        }
    }

    /// The event's id, the job's id, or `tell:<request>`: the same for every try.
    pub fn id(&self) -> String {
        match &self.body {
            Body::Event(event) => event.id.to_string(),
            Body::Job { id, .. } => id.to_string(),
            Body::Tell(tell) => format!("{}{}", wire::TELL, tell.request),
        }
    }

    /// The envelope of the next try; `counts` tells whether this one used up an attempt.
    #[must_use]
    pub fn next_try(&self, counts: bool, not_before: Option<Timestamp>) -> Self {
        Self {
            attempt: self.attempt.saturating_add(u32::from(counts)),
            tries: self.tries.saturating_add(1),
            not_before,
            ..self.clone()
        }
    }
}

/// Writes the form of version [`VERSION`].
///
/// # Errors
/// It would be longer than [`MESSAGE_BYTES_MAX`].
pub fn encode(envelope: &Envelope) -> Result<Message, TooLarge> {
    let body = wire::write(envelope);
    if body.len() > MESSAGE_BYTES_MAX {
        return Err(TooLarge { bytes: body.len() });
    }
    Ok(Message {
        id: envelope.id(),
        body: body.into(),
    })
}

/// Reads an envelope from any bytes.
///
/// # Errors
/// Says what is wrong with them, without quoting any of them.
pub fn decode(bytes: &[u8]) -> Result<Envelope, DecodeError> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(DecodeError::TooLong { bytes: bytes.len() });
    }
    if depth(bytes) > DEPTH_MAX {
        return Err(DecodeError::TooDeep);
    }
    wire::read(bytes)
}

/// How deep brackets nest outside of strings.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
