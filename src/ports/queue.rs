//! The queue that stands between what was accepted and what is done about it.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::label::labels;

labels! {
    /// The four queues. The word is also the last part of a broker's queue name.
    pub enum QueueName {
        /// Events, taken by apply alone.
        Events = "events",
        /// Jobs that call plugNmeet.
        Conference = "conference",
        /// First cards and answers.
        Chat = "chat",
        /// Refreshes, artifacts and every retry: what may wait behind a fresh "meet now".
        ChatLater = "chat.later",
    }
}

/// Longest body of a message, in bytes: an event holds at most one summary text and stays far below.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// One message: an identifier for logs and the poison mark, and an encoded envelope. Debug shows its length only:
/// it may hold a response hook, and what people wrote.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The event id or the job id; the same message published twice has the same one.
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

/// A message on its way into a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing<M = Message> {
    /// Where to.
    pub queue: QueueName,
    /// What.
    pub message: M,
    /// Not to be seen before this much time has passed; zero for at once.
    pub delay: Duration,
}

/// Names one delivery towards the queue that made it; void after a restart or reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(pub u64);

/// A message handed out for work; it stays in the queue until it is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The queue it comes from.
    pub queue: QueueName,
    /// What was published.
    pub message: Message,
    /// Names this delivery in [`Queue::settle`].
    pub receipt: Receipt,
    /// It was handed out before and not settled (a crash, a lost connection): only then poison is suspected.
    pub redelivered: bool,
    /// Its bytes are no longer those that were published, as far as the back end can tell: not to be worked on.
    pub damaged: bool,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement<M = Message> {
    /// Done with: the message is removed.
    Done(Receipt),
    /// Not worked on (drain, store away): the message is visible again at once, not counted as redelivered.
    Return(Receipt),
    /// `next` is durable in its place before the message is removed; the way of every retry.
    Again {
        /// The delivery that ends.
        receipt: Receipt,
        /// What takes its place, with its delay.
        next: Outgoing<M>,
    },
}

/// How much lies in one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Messages that could be handed out now.
    pub ready: u64,
    /// Messages that wait for their time.
    pub delayed: u64,
    /// Messages handed out and not settled.
    pub in_flight: u64,
}

/// How much lies in a queue's back end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Depths {
    /// Each queue's own.
    pub queues: Vec<(QueueName, Depth)>,
    /// Messages that wait for their time in places which the queues share, so that nobody can tell whose they are.
    pub shared_delayed: u64,
}

impl Depths {
    /// All messages, whatever they wait for.
    pub fn total(&self) -> u64 {
        let own = |depth: &Depth| depth.ready + depth.delayed + depth.in_flight;
        self.queues.iter().map(|(_, depth)| own(depth)).sum::<u64>() + self.shared_delayed
    }
}

/// Why a message was not made durable. Whatever it is: nothing was accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The queue is known to be out of reach; it may be back later.
    #[error("the queue is away: {0}")]
    Unavailable(String),
    /// The queue refuses more: full, or its disk is.
    #[error("the queue is full: {0}")]
    Full(String),
    /// It cannot be written as a message; it never will.
    #[error("it cannot be written: {0}")]
    Unwritable(String),
    /// The body is longer than [`MESSAGE_BYTES_MAX`]; it will never be taken.
    #[error("a message of {bytes} bytes is over the limit of {MESSAGE_BYTES_MAX}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
}

/// Why deliveries could not be had or settled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The queue is out of reach; try again after a pause.
    #[error("the queue is away: {0}")]
    Unavailable(String),
    /// The queue was closed by this process: end the loop.
    #[error("the queue is closed")]
    Closed,
}

/// A durable queue. Concurrent callers of `publish` share one group commit (or one window of confirms).
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Makes a message from outside durable; `Ok` means it is on stable storage.
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError>;

    /// Makes messages of our own durable, in one commit where the back end can; on an error some may be durable. They
    /// follow from accepted ones, so there is room for them where [`Queue::publish`] already says that it is full:
    /// otherwise a full queue could not even be worked off.
    async fn publish_all(&self, outgoing: Vec<Outgoing>) -> Result<(), PublishError>;

    /// Hands out 1 to `max` messages of `queue`, oldest first, waiting until there is one.
    async fn receive(&self, queue: QueueName, max: usize) -> Result<Vec<Delivery>, QueueError>;

    /// Settles deliveries; a receipt of an earlier run of the queue is ignored.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), QueueError>;

    /// How much lies in each queue.
    async fn depths(&self) -> Result<Depths, QueueError>;

    /// Ends every waiting `receive` with [`QueueError::Closed`] and gives the storage free.
    async fn close(&self);
}
