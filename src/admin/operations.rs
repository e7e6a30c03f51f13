//! What the admin API does to a running relay.

use async_trait::async_trait;

use crate::domain::MeetingId;
use crate::ports::DeadLetter;

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// It can never be done to this one.
    #[error("{0}")]
    Refused(String),
    /// The queue or the store is away; later may be better.
    #[error("not now: {0}")]
    Away(String),
}

/// Repairs by a person's hand. Each is durable when it answers `Ok`, and harmless when repeated.
#[async_trait]
pub trait Operations: Send + Sync + 'static {
    /// Publishes `EndOrdered` for a meeting.
    async fn end_meeting(&self, meeting: MeetingId) -> Result<(), OperationError>;

    /// Puts a dead letter back: a job by `JobReplayed`, an event as it was; then removes the letter.
    async fn replay(&self, letter: DeadLetter) -> Result<(), OperationError>;

    /// Removes a dead letter for good.
    async fn discard(&self, letter: DeadLetter) -> Result<(), OperationError>;
}
