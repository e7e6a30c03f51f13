//! Storing dead letters.

use sha2::{Digest, Sha256};
use tracing::error;

use crate::domain::{Fact, Job, JobId, Refusal};
use crate::ports::{Body, DeadKind, DeadLetter, Envelope, QueueName, Received};

use super::wait::{ask_store, pause};
use super::{DeadReason, WorkerContext};

/// Length of the digest in the id of an unreadable message, in bytes.
const DIGEST_BYTES: usize = 8;

/// Stores the dead letter of a message, and waits while the store is unavailable. Returns `false` when the workers are
/// stopped first.
pub(super) async fn bury(
    ctx: &WorkerContext,
    received: &Received,
    reason: String,
    label: DeadReason,
) -> bool {
    let Some(id) = dead_letter_id(ctx, received).await else {
        return false;
    };
    let envelope = received.content.as_ref().ok();
    let (kind, meeting) = match envelope.map(|envelope| &envelope.body) {
        Some(Body::Event(event)) => (DeadKind::Event, event.fact.meeting()),
        Some(Body::Job { id, .. }) => (DeadKind::Job, Some(id.meeting)),
        Some(Body::Reply(_)) => (DeadKind::Job, None),
        None => (DeadKind::Unreadable, None),
    };
    let dead_letter = DeadLetter {
        id,
        queue: received.queue.as_str().to_owned(),
        kind,
        meeting,
        reason,
        buried_at: ctx.deps.clock.now(),
        attempts: envelope.map_or(0, |envelope| envelope.tries),
        body: received.raw.to_vec(),
    };
    if !store_dead_letter(ctx, dead_letter.clone()).await {
        return false;
    }
    ctx.deps.observer.buried(received.queue, label);
    error!(
        message.id = dead_letter.id,
        queue = dead_letter.queue,
        reason = dead_letter.reason,
        meeting.id = dead_letter.meeting.map(|id| id.to_string()),
        "given up: a dead letter waits for a person (`meetrelay dead-letters show`)"
    );
    true
}

/// The id of a dead letter, which is the id of the message. An unreadable message may have no id, or the id of another
/// message. Its content is then part of the id, so that no dead letter replaces another one. An unreadable event keeps
/// its own id where that is free, because the ledger uses it to find out what became of accepted events. `None`: the
/// workers were stopped.
pub(super) async fn dead_letter_id(ctx: &WorkerContext, received: &Received) -> Option<String> {
    let id = &received.message_id;
    if received.content.is_ok() {
        return Some(id.clone());
    }
    // Dead letters of events are stored one after the other, so the id cannot be taken between this check and the
    // write.
    if received.queue == QueueName::Events && !id.is_empty() && is_free(ctx, received).await? {
        return Some(id.clone());
    }
    let digest = hex::encode(&Sha256::digest(&received.raw)[..DIGEST_BYTES]);
    let name = if id.is_empty() { "unreadable" } else { id };
    Some(format!("{name}:{digest}"))
}

/// Whether no other message has a dead letter under this message's id.
async fn is_free(ctx: &WorkerContext, received: &Received) -> Option<bool> {
    let stored = ask_store(ctx, || ctx.deps.store.dead_letter(&received.message_id)).await?;
    Some(stored.is_ok_and(|stored| stored.is_none_or(|letter| letter.body == received.raw)))
}

/// Writes a dead letter, and waits while the store is unavailable. Returns `false` when the workers are stopped first.
pub(super) async fn store_dead_letter(ctx: &WorkerContext, dead_letter: DeadLetter) -> bool {
    loop {
        let Err(error) = ctx.deps.store.bury(dead_letter.clone()).await else {
            return true;
        };
        if ctx.store_failures.should_log() {
            error!(%error, message.id = dead_letter.id, "a dead letter cannot be stored; next attempt in 1 s");
        }
        if !pause(ctx).await {
            return false;
        }
    }
}

/// The facts to publish when a message is given up before its work has ended.
pub(super) fn facts_of(envelope: &Envelope) -> Vec<Fact> {
    match &envelope.body {
        // Of all jobs only a create that is given up decides about the room.
        Body::Job { id, .. } => {
            given_up(id, (id.job == Job::CreateRoom).then_some(Refusal::GaveUp))
        }
        Body::Event(_) | Body::Reply(_) => Vec::new(),
    }
}

/// The facts to publish when a job was given up.
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
