//! Dead letters, as the workers keep them.

use sha2::{Digest, Sha256};
use tracing::error;

use crate::domain::{Fact, Job, JobId, Refusal};
use crate::ports::{Body, DeadKind, DeadLetter, Envelope, QueueName, Received};

use super::wait::{ask_store, pause};
use super::{DeadReason, WorkerContext};

/// How much of the digest stands in the id of what cannot be read, in bytes.
const DIGEST_BYTES: usize = 8;

/// Keeps the dead letter, waiting while the store is away; `false` when the workers are stopped first.
pub(super) async fn bury(
    ctx: &WorkerContext,
    received: &Received,
    reason: String,
    label: DeadReason,
) -> bool {
    let Some(id) = letter_id(ctx, received).await else {
        return false;
    };
    let envelope = received.content.as_ref().ok();
    let (kind, meeting) = match envelope.map(|envelope| &envelope.body) {
        Some(Body::Event(event)) => (DeadKind::Event, event.fact.meeting()),
        Some(Body::Job { id, .. }) => (DeadKind::Job, Some(id.meeting)),
        Some(Body::Reply(_)) => (DeadKind::Job, None),
        None => (DeadKind::Unreadable, None),
    };
    let letter = DeadLetter {
        id,
        queue: received.queue.as_str().to_owned(),
        kind,
        meeting,
        reason,
        buried_at: ctx.deps.clock.now(),
        attempts: envelope.map_or(0, |envelope| envelope.tries),
        body: received.raw.to_vec(),
    };
    if !keep_letter(ctx, letter.clone()).await {
        return false;
    }
    ctx.deps.observer.buried(received.queue, label);
    error!(
        message.id = letter.id,
        queue = letter.queue,
        reason = letter.reason,
        meeting.id = letter.meeting.map(|id| id.to_string()),
        "given up: a dead letter waits for a person (`meetrelay dead-letters show`)"
    );
    true
}

/// The letter's id: that of the message. What cannot be read may come without one, or with that of another message:
/// then its content is part of the id, so that no letter takes another's place. An event keeps its own where that is
/// free, because the ledger asks by it what became of the events that were accepted. `None`: the workers were stopped.
pub(super) async fn letter_id(ctx: &WorkerContext, received: &Received) -> Option<String> {
    let id = &received.message_id;
    if received.content.is_ok() {
        return Some(id.clone());
    }
    // Events are buried one after the other: nobody takes the id between the look and the burial.
    if received.queue == QueueName::Events && !id.is_empty() && is_free(ctx, received).await? {
        return Some(id.clone());
    }
    let digest = hex::encode(&Sha256::digest(&received.raw)[..DIGEST_BYTES]);
    let name = if id.is_empty() { "unreadable" } else { id };
    Some(format!("{name}:{digest}"))
}

/// Whether no other message has its letter under this one's id.
async fn is_free(ctx: &WorkerContext, received: &Received) -> Option<bool> {
    let asked = ask_store(ctx, || ctx.deps.store.dead_letter(&received.message_id)).await?;
    Some(asked.is_ok_and(|letter| letter.is_none_or(|letter| letter.body == received.raw)))
}

/// Writes a dead letter, waiting while the store is away; `false` when the workers are stopped first.
pub(super) async fn keep_letter(ctx: &WorkerContext, letter: DeadLetter) -> bool {
    loop {
        let Err(error) = ctx.deps.store.bury(letter.clone()).await else {
            return true;
        };
        if ctx.store_failures.should_log() {
            error!(%error, message.id = letter.id, "a dead letter cannot be kept; it is tried every second");
        }
        if !pause(ctx).await {
            return false;
        }
    }
}

/// The facts that follow when a message is given up without having been worked on to an end.
pub(super) fn facts_of(envelope: &Envelope) -> Vec<Fact> {
    match &envelope.body {
        // Only a create that is given up says something about the room.
        Body::Job { id, .. } => {
            given_up(id, (id.job == Job::CreateRoom).then_some(Refusal::GaveUp))
        }
        Body::Event(_) | Body::Reply(_) => Vec::new(),
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
            for_now: false,
        });
    }
    facts
}
