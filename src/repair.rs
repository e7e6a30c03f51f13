//! Actions of an administrator on dead letters and meetings. Each action is recorded with the person who took it. It is
//! durable when it returns `Ok`, and harmless when repeated.

#[cfg(test)]
pub(crate) mod recording;
mod replay;
mod turns;

use std::fmt;
use std::sync::Arc;

use tracing::{debug, info};

use crate::domain::{EventId, Fact, MeetingId};
use crate::envelope::{EnvelopeQueue, event_posting, own_event};
use crate::ports::{Clock, DeadLetter, Note, PublishError, Store, StoreError};

pub use replay::Replayed;
use turns::Turns;

/// Repairs on the store and queue of a relay.
pub struct Repairs {
    store: Arc<dyn Store>,
    queue: Option<EnvelopeQueue>,
    clock: Arc<dyn Clock>,
    turns: Turns,
}

impl fmt::Debug for Repairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repairs").finish_non_exhaustive()
    }
}

/// Why an action was not completed. It may be repeated.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// There is no dead letter of this id.
    #[error("there is no dead letter {0}")]
    Unknown(String),
    /// The message cannot be decoded, so it cannot be replayed.
    #[error(
        "dead letter {0} cannot be read by this version of the relay, so it cannot be replayed: a newer version wrote \
         it, or it is damaged; keep it until that version runs, or discard it"
    )]
    Unreadable(String),
    /// The store does not have the meeting of the dead letter.
    #[error(
        "the store does not have the meeting of dead letter {0} (was the store restored from a backup?), so it cannot \
         be replayed; discard it"
    )]
    NoMeeting(String),
    /// A replay could end another meeting than the one that was meant.
    #[error(
        "dead letter {0} is an old request to end the meeting that ran in its conversation then; now it would end \
         whichever meeting runs there: end that one with `meetrelay meetings end`, replay the dead letter with --now \
         if that is meant, or discard it"
    )]
    OldEnd(String),
    /// The meeting has not yet recorded that the job was given up.
    #[error(
        "dead letter {0} was given up a moment ago and its meeting has not recorded that yet; try again in a moment"
    )]
    TooSoon(String),
    /// This process only opens the store's files (`--offline`) and cannot publish.
    #[error(
        "without a running relay nothing can be published to RabbitMQ: start the relay and repeat this without --offline"
    )]
    NoQueue,
    /// The queue did not accept the message.
    #[error(transparent)]
    Queue(#[from] PublishError),
    /// The store is unavailable, or refused the change.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Repairs {
    /// Repairs on this store and queue. Without a `queue` nothing can be published. At most `replays_per_second` dead
    /// letters are replayed in a second.
    pub fn new(
        store: Arc<dyn Store>,
        queue: Option<EnvelopeQueue>,
        clock: Arc<dyn Clock>,
        replays_per_second: u32,
    ) -> Self {
        Self {
            store,
            queue,
            clock,
            turns: Turns::per_second(replays_per_second),
        }
    }

    /// Orders the end of a meeting for an administrator.
    ///
    /// # Errors
    /// The order could not be published.
    pub async fn end_meeting(&self, meeting: MeetingId, by: &str) -> Result<(), RepairError> {
        let key = format!("end:{meeting}:{}", self.clock.now().millis());
        let event = self.publish_fact(Fact::EndOrdered { meeting }, key).await?;
        info!(meeting.id = %meeting, event.id = %event, by, "end ordered");
        self.note(by, "end", &meeting.to_string(), Some(meeting))
            .await;
        Ok(())
    }

    /// Removes a dead letter for good.
    ///
    /// # Errors
    /// There is no such dead letter, or the store is unavailable.
    pub async fn discard(&self, id: &str, by: &str) -> Result<(), RepairError> {
        let dead_letter = self.find(id).await?;
        if !self
            .store
            .remove_dead_letter(id, dead_letter.buried_at)
            .await?
        {
            return Err(RepairError::Unknown(id.to_owned()));
        }
        info!(
            message.id = id,
            meeting.id = dead_letter.meeting.map(|id| id.to_string()),
            by,
            reason = dead_letter.reason,
            "dead letter discarded"
        );
        self.note(by, "discard", id, dead_letter.meeting).await;
        Ok(())
    }

    fn queue(&self) -> Result<&EnvelopeQueue, RepairError> {
        self.queue.as_ref().ok_or(RepairError::NoQueue)
    }

    /// Publishes a fact that the relay itself creates to the events queue.
    async fn publish_fact(&self, fact: Fact, key: String) -> Result<EventId, RepairError> {
        let now = self.clock.now();
        let event = own_event(fact, key, now);
        let id = event.id;
        self.queue()?.send(&[event_posting(event, now)]).await?;
        Ok(id)
    }

    /// Records who took which action. The action is durable already, so a failure of the store is only logged: the
    /// action's own log line names the person too.
    async fn note(&self, by: &str, action: &str, subject: &str, meeting: Option<MeetingId>) {
        let note = Note {
            at: self.clock.now(),
            by: by.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            meeting,
        };
        if let Err(error) = self.store.log_note(note).await {
            debug!(%error, action, "the action could not be recorded in the store; only the log has it");
        }
    }

    async fn find(&self, id: &str) -> Result<DeadLetter, RepairError> {
        let dead_letter = self.store.dead_letter(id).await?;
        dead_letter.ok_or_else(|| RepairError::Unknown(id.to_owned()))
    }
}
