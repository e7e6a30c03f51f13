//! The repairing commands of the admin API, done by the workers' own means.

use async_trait::async_trait;

use crate::admin::{OperationError, Operations};
use crate::domain::MeetingId;
use crate::ports::DeadLetter;
use crate::queue::envelope;
use crate::worker::{self, Deps, ReplayError};

/// Operations on this relay.
pub(super) struct Repairs {
    pub(super) deps: Deps,
}

#[async_trait]
impl Operations for Repairs {
    async fn end_meeting(&self, meeting: MeetingId) -> Result<(), OperationError> {
        worker::end_meeting(self.deps.mail.as_ref(), self.deps.clock.as_ref(), meeting)
            .await
            .map_err(|error| OperationError::Away(error.to_string()))
    }

    async fn replay(&self, letter: DeadLetter) -> Result<(), OperationError> {
        let read = |body: &[u8]| envelope::decode(body).ok().map(|envelope| envelope.body);
        worker::replay(&self.deps, &letter.id, read)
            .await
            .map_err(refused)
    }

    async fn discard(&self, letter: DeadLetter) -> Result<(), OperationError> {
        worker::discard(self.deps.store.as_ref(), &letter.id)
            .await
            .map_err(refused)
    }
}

fn refused(error: ReplayError) -> OperationError {
    match error {
        ReplayError::Unknown(id) => OperationError::NotFound(format!("dead letter {id}")),
        ReplayError::Unreadable(_) => OperationError::Refused(error.to_string()),
        ReplayError::Queue(_) | ReplayError::Store(_) => OperationError::Away(error.to_string()),
    }
}
