//! Returned messages: those that the broker dead-lettered by itself or could not route. The relay collects them and
//! keeps them as dead letters.

use async_trait::async_trait;

use super::{Delivery, QueueError, Receipt};

/// One returned message. It stays in the broker until it is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedMessage<D = Delivery> {
    /// The message. Its queue is the one that it was last in, or that it should have been routed to; `Events` when that
    /// is unknown.
    pub delivery: D,
    /// Why the broker returned it, as far as the broker reports a reason; for the dead letter.
    pub reason: String,
}

/// The queues of returned messages: `meetrelay.dead` (dead-lettered) and `meetrelay.unrouted` (unroutable).
#[async_trait]
pub trait ReturnedMessages: Send + Sync + 'static {
    /// Receives 1 to `max` returned messages; waits until there is one.
    async fn receive(&self, max: usize) -> Result<Vec<ReturnedMessage>, QueueError>;

    /// Removes messages that are stored as dead letters by now.
    async fn settle(&self, done: Vec<Receipt>) -> Result<(), QueueError>;
}
