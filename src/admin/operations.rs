//! What the admin API does to a running relay.

use std::time::Duration;

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

/// What a replay put back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replayed {
    /// The event that carries it.
    pub event: Option<String>,
    /// The request is older than its rule's worth by so much: its person is told that it is too late.
    pub too_late: Option<Duration>,
}

/// Repairs by a person's hand, kept with who did it. Each is durable when it answers `Ok`, and harmless when repeated.
#[async_trait]
pub trait Operations: Send + Sync + 'static {
    /// Publishes `EndOrdered` for a meeting.
    async fn end_meeting(&self, meeting: MeetingId, by: &str) -> Result<(), OperationError>;

    /// Waits for its turn, puts a dead letter back (a job by `JobReplayed`, an event as it was), then removes the
    /// letter. With `anew` a person's request counts as received now.
    async fn replay(
        &self,
        letter: DeadLetter,
        by: &str,
        anew: bool,
    ) -> Result<Replayed, OperationError>;

    /// Removes a dead letter for good.
    async fn discard(&self, letter: DeadLetter, by: &str) -> Result<(), OperationError>;
}
