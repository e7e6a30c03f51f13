//! The durable queue between ingress, which accepts messages, and the workers, which process them.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::label::labels;

labels! {
    /// The four queues. The word is also the last part of the queue's name at a broker.
    pub enum QueueName {
        /// Events. Only the apply worker receives from it.
        Events = "events",
        /// Jobs that call plugNmeet.
        Conference = "conference",
        /// Jobs that make first cards and answer commands: people wait for them.
        Chat = "chat",
        /// Card refreshes, artifacts and every retry. They may wait behind a fresh "meet now", so they have their own
        /// queue.
        ChatLater = "chat.later",
    }
}

/// Longest body of a message, in bytes. The largest message is an event with one summary text, which stays far below.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// One message: an id, for logs and delivery marks, and an encoded envelope. `Debug` shows only the length of the body,
/// because it may hold a response hook (a secret) and what people wrote.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The event id or the job id. A message that is published twice has the same id both times.
    pub id: String,
    /// The encoded envelope, at most [`MESSAGE_BYTES_MAX`].
    pub body: Bytes,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// A message to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing<M = Message> {
    /// The queue that it is published to.
    pub queue: QueueName,
    /// The message, encoded or still typed (`Envelope`).
    pub message: M,
    /// How long the message stays invisible to [`Queue::receive`]; zero: not at all.
    pub delay: Duration,
}

/// Identifies one delivery to the queue that made it (a delivery tag). It is invalid after a restart or reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(pub u64);

/// A message delivered to a worker; it stays in the queue until it is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The queue that it was received from.
    pub queue: QueueName,
    /// The message as it was published.
    pub message: Message,
    /// Identifies this delivery in [`Queue::settle`].
    pub receipt: Receipt,
    /// It was delivered before and not settled (a crash, a lost connection). Only such a message may be poison.
    pub redelivered: bool,
    /// Its bytes are no longer those that were published, as far as the back end can detect that: it must not be
    /// processed.
    pub damaged: bool,
}

/// How a delivery is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement<M = Message> {
    /// Acknowledged: the message is removed.
    Done(Receipt),
    /// Returned unprocessed (the relay drains, or the store is unavailable): the message is visible again at once and
    /// does not count as redelivered.
    Return(Receipt),
    /// Replaced by `next`, which is durable before the message is removed. Every retry is settled like this.
    Again {
        /// The delivery that is settled.
        receipt: Receipt,
        /// The message that replaces it, with its delay.
        next: Outgoing<M>,
    },
}

/// The number of messages in one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Messages that can be delivered now.
    pub ready: u64,
    /// Messages whose delay has not passed.
    pub delayed: u64,
    /// Messages delivered and not settled yet.
    pub in_flight: u64,
}

/// The number of messages in all queues of a back end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Depths {
    /// The depth of each queue.
    pub queues: Vec<(QueueName, Depth)>,
    /// Messages whose delay has not passed and which wait in storage that the queues share: to which queue they belong
    /// cannot be counted.
    pub shared_delayed: u64,
}

impl Depths {
    /// All messages: ready, delayed and in flight.
    pub fn total(&self) -> u64 {
        let own = |depth: &Depth| depth.ready + depth.delayed + depth.in_flight;
        self.queues.iter().map(|(_, depth)| own(depth)).sum::<u64>() + self.shared_delayed
    }
}

/// Why a message was not made durable. In every case nothing was accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The queue cannot be reached now; a later attempt may succeed.
    #[error("the queue is unavailable: {0}")]
    Unavailable(String),
    /// The queue refuses the message, because the queue or its disk is full.
    #[error("the queue is full: {0}")]
    Full(String),
    /// The message cannot be encoded; trying again does not help.
    #[error("the message cannot be encoded: {0}")]
    Unwritable(String),
    /// The body is longer than [`MESSAGE_BYTES_MAX`]; trying again does not help.
    #[error("a message of {bytes} bytes is over the limit of {MESSAGE_BYTES_MAX}")]
    TooLarge {
        /// The length of the body.
        bytes: usize,
    },
}

/// Why deliveries could not be received or settled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The queue cannot be reached; the caller tries again after a pause.
    #[error("the queue is unavailable: {0}")]
    Unavailable(String),
    /// This process closed the queue; the caller ends its loop.
    #[error("the queue is closed")]
    Closed,
}

/// A durable queue. Concurrent callers of `publish` share one group commit, or one window of publisher confirms.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Publishes a message that comes from outside; `Ok` means that it is on stable storage.
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError>;

    /// Publishes messages of the relay's own, in one commit where the back end can. After an error some of them may be
    /// durable. They follow from messages that were accepted, so they are still taken when [`Queue::publish`] already
    /// answers [`PublishError::Full`]: otherwise a full queue could never be drained.
    async fn publish_all(&self, outgoing: Vec<Outgoing>) -> Result<(), PublishError>;

    /// Receives 1 to `max` messages of `queue`, oldest first; waits until there is one.
    async fn receive(&self, queue: QueueName, max: usize) -> Result<Vec<Delivery>, QueueError>;

    /// Settles deliveries. A receipt from before a restart or reconnect is ignored.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), QueueError>;

    /// Counts the messages in each queue.
    async fn depths(&self) -> Result<Depths, QueueError>;

    /// Ends every waiting `receive` with [`QueueError::Closed`] and releases the storage.
    async fn close(&self);
}
