//! Dead letters: kept, replayed, discarded.

use std::time::Duration;

use tracing::{error, info};

use crate::domain::{Fact, Job, JobId, MeetingId, Refusal};
use crate::ports::{
    Body, Clock, DeadKind, DeadLetter, Envelope, Mail, Posting, PublishError, QueueName, Received,
    Store, StoreError,
};

use super::apply::pause;
use super::publish::{event_posting, publish_fact};
use super::{DeadReason, Deps, Shop};

/// A message about to be given up.
pub(super) struct Burial {
    pub(super) kind: DeadKind,
    pub(super) reason: String,
    pub(super) label: DeadReason,
    pub(super) received: Received,
}

/// Keeps the dead letter, waiting while the store is away; `false` when the workers are stopped first.
pub(super) async fn bury(shop: &Shop, burial: Burial) -> bool {
    let envelope = burial.received.content.as_ref().ok();
    let meeting = envelope.and_then(|envelope| match &envelope.body {
        Body::Job { id, .. } => Some(id.meeting),
        Body::Event(event) => event.fact.meeting(),
        Body::Tell(_) => None,
    });
    let letter = DeadLetter {
        id: burial.received.message_id.clone(),
        queue: burial.received.queue.as_str().to_owned(),
        kind: burial.kind,
        meeting,
        reason: burial.reason,
        buried_at: shop.deps.clock.now(),
        attempts: envelope.map_or(0, |envelope| envelope.tries),
        body: burial.received.raw.to_vec(),
    };
    if !keep_letter(shop, letter.clone()).await {
        return false;
    }
    shop.deps
        .observer
        .buried(burial.received.queue, burial.label);
    error!(
        message.id = letter.id,
        queue = letter.queue,
        reason = letter.reason,
        meeting.id = letter.meeting.map(|id| id.to_string()),
        "given up: a dead letter waits for a person (`meetrelay dead-letters show`)"
    );
    if burial.received.redelivered {
        super::suspect::forget_mark(shop, &letter.id).await;
    }
    true
}

/// Writes a dead letter, waiting while the store is away; `false` when the workers are stopped first.
pub(super) async fn keep_letter(shop: &Shop, letter: DeadLetter) -> bool {
    loop {
        let Err(error) = shop.deps.store.bury(letter.clone()).await else {
            return true;
        };
        if shop.store_trouble.is_news() {
            error!(%error, message.id = letter.id, "a dead letter cannot be kept; it is tried every second");
        }
        if !pause(shop).await {
            return false;
        }
    }
}

/// Why a dead letter was not replayed or discarded.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is none of this id.
    #[error("there is no dead letter {0}")]
    Unknown(String),
    /// Nobody can read it, so nobody can replay it.
    #[error("dead letter {0} cannot be read and so not be replayed; discard it")]
    Unreadable(String),
    /// The queue did not take it; the letter stays.
    #[error(transparent)]
    Queue(#[from] PublishError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Replays a dead letter: of a job, publishes what its meeting owes now; of an event, the event as it was. The
/// letter is removed once that is durable. `read` decodes the letter's body.
///
/// # Errors
/// See [`ReplayError`]; the letter stays.
pub async fn replay(
    deps: &Deps,
    id: &str,
    read: impl Fn(&[u8]) -> Option<Body> + Send,
) -> Result<(), ReplayError> {
    let letter = find(deps.store.as_ref(), id).await?;
    let body = match letter.kind {
        DeadKind::Event | DeadKind::Job => read(&letter.body),
        DeadKind::Unreadable => None,
    };
    match body.ok_or_else(|| ReplayError::Unreadable(id.to_owned()))? {
        Body::Event(event) => {
            deps.mail
                .send(vec![event_posting(event, deps.clock.now())])
                .await?;
        }
        Body::Job { id: job, .. } => replay_job(deps, &job).await?,
        Body::Tell(tell) => {
            let envelope = Envelope::first(Body::Tell(tell), deps.clock.now());
            let posting = Posting {
                queue: QueueName::Chat,
                envelope,
                delay: Duration::ZERO,
            };
            deps.mail.send(vec![posting]).await?;
        }
    }
    deps.store.remove_dead_letter(id).await?;
    info!(message.id = id, "dead letter replayed");
    Ok(())
}

async fn replay_job(deps: &Deps, job: &JobId) -> Result<(), PublishError> {
    let fact = Fact::JobReplayed {
        meeting: job.meeting,
        job: job.job.key(),
    };
    let key = format!("replay:{job}:{}", deps.clock.now().millis());
    publish_fact(deps.mail.as_ref(), deps.clock.as_ref(), fact, key)
        .await
        .map(|_| ())
}

/// Removes a dead letter for good.
///
/// # Errors
/// There is none, or the store is away.
pub async fn discard(store: &dyn Store, id: &str) -> Result<(), ReplayError> {
    if store.remove_dead_letter(id).await? {
        info!(message.id = id, "dead letter discarded");
        Ok(())
    } else {
        Err(ReplayError::Unknown(id.to_owned()))
    }
}

/// Ends a meeting on an administrator's word.
///
/// # Errors
/// The wish is not durable.
pub async fn end_meeting(
    mail: &dyn Mail,
    clock: &dyn Clock,
    meeting: MeetingId,
) -> Result<(), PublishError> {
    let key = format!("end:{meeting}:{}", clock.now().millis());
    publish_fact(mail, clock, Fact::EndOrdered { meeting }, key)
        .await
        .map(|_| ())
}

async fn find(store: &dyn Store, id: &str) -> Result<DeadLetter, ReplayError> {
    store
        .dead_letter(id)
        .await?
        .ok_or_else(|| ReplayError::Unknown(id.to_owned()))
}

/// The facts that follow when a message is given up without having been worked on to an end.
pub(super) fn facts_of(envelope: &Envelope) -> Vec<Fact> {
    match &envelope.body {
        // Only a create that is given up says something about the room.
        Body::Job { id, .. } => {
            given_up(id, (id.job == Job::CreateRoom).then_some(Refusal::GaveUp))
        }
        Body::Event(_) | Body::Tell(_) => Vec::new(),
    }
}

/// The facts that follow when a job was given up.
pub(super) fn given_up(job: &JobId, refusal: Option<Refusal>) -> Vec<Fact> {
    let mut facts = vec![Fact::JobGivenUp {
        meeting: job.meeting,
        job: job.job.key(),
    }];
    if let Some(reason) = refusal {
        facts.push(Fact::RoomRefused {
            meeting: job.meeting,
            reason,
        });
    }
    facts
}
