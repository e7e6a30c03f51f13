//! What the broker itself put aside: messages that it gave up or could not route.

use async_trait::async_trait;

use super::{Delivery, QueueError, Receipt};

/// One message that the broker put aside. It stays there until it is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedMessage<D = Delivery> {
    /// The message. Its queue is the one it was last in, or should have come into; `Events` when that is unknown.
    pub delivery: D,
    /// Why it was put aside, as far as the broker tells; for the dead letter.
    pub reason: String,
}

/// Where the broker puts aside what it cannot deliver: the queues `meetrelay.dead` and `meetrelay.unrouted`.
#[async_trait]
pub trait ReturnedMessages: Send + Sync + 'static {
    /// Hands out 1 to `max`, waiting until there is one.
    async fn receive(&self, max: usize) -> Result<Vec<ReturnedMessage>, QueueError>;

    /// Removes what is kept elsewhere now.
    async fn settle(&self, done: Vec<Receipt>) -> Result<(), QueueError>;
}
