//! What a person does about dead letters and meetings, kept with who did it. Each is durable when it answers `Ok`, and
//! harmless when repeated.

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

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// There is no dead letter of this id.
    #[error("there is no dead letter {0}")]
    Unknown(String),
    /// Nobody can read it, so nobody can replay it.
    #[error(
        "dead letter {0} cannot be read by this version of the relay and so not be replayed; a newer one wrote it, \
         or it is damaged: keep it until that version runs, or discard it"
    )]
    Unreadable(String),
    /// What it belongs to is not in the store.
    #[error(
        "the store knows no meeting of dead letter {0} (was it restored from a backup?), so nothing can be done for \
         it; discard it"
    )]
    NoMeeting(String),
    /// It would end another meeting than was meant.
    #[error(
        "dead letter {0} is an old wish to end what ran at its place then; now it would end whatever runs there: end \
         that with `meetrelay meetings end`, replay it with --now if that is meant, or discard it"
    )]
    OldEnd(String),
    /// It was only just given up.
    #[error(
        "dead letter {0} was given up just now and its meeting does not know it yet; try again in a moment"
    )]
    TooSoon(String),
    /// This process only looks into the files and cannot publish.
    #[error(
        "without a running relay nothing can be put into RabbitMQ: start the relay and repeat this without --offline"
    )]
    NoQueue,
    /// The queue did not take it.
    #[error(transparent)]
    Queue(#[from] PublishError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Repairs {
    /// Repairs with these means; without a `queue` nothing can be published. At most `replays_per_second` dead letters
    /// are replayed in a second.
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

    /// Ends a meeting on an administrator's word.
    ///
    /// # Errors
    /// The order is not durable.
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
    /// There is none, or the store is away.
    pub async fn discard(&self, id: &str, by: &str) -> Result<(), RepairError> {
        let letter = self.find(id).await?;
        if !self.store.remove_dead_letter(id, letter.buried_at).await? {
            return Err(RepairError::Unknown(id.to_owned()));
        }
        info!(
            message.id = id,
            meeting.id = letter.meeting.map(|id| id.to_string()),
            by,
            reason = letter.reason,
            "dead letter discarded"
        );
        self.note(by, "discard", id, letter.meeting).await;
        Ok(())
    }

    fn queue(&self) -> Result<&EnvelopeQueue, RepairError> {
        self.queue.as_ref().ok_or(RepairError::NoQueue)
    }

    /// Puts a fact of our own on the events queue.
    async fn publish_fact(&self, fact: Fact, key: String) -> Result<EventId, RepairError> {
        let now = self.clock.now();
        let event = own_event(fact, key, now);
        let id = event.id;
        self.queue()?.send(&[event_posting(event, now)]).await?;
        Ok(id)
    }

    /// Keeps who did what. It is done already, so a store that is away changes nothing: the log line stands.
    async fn note(&self, by: &str, action: &str, subject: &str, meeting: Option<MeetingId>) {
        let note = Note {
            at: self.clock.now(),
            by: by.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            meeting,
        };
        if let Err(error) = self.store.log_note(note).await {
            debug!(%error, action, "who did it stands in the log alone");
        }
    }

    async fn find(&self, id: &str) -> Result<DeadLetter, RepairError> {
        let letter = self.store.dead_letter(id).await?;
        letter.ok_or_else(|| RepairError::Unknown(id.to_owned()))
    }
}
