//! Putting messages of our own on the queue, until it takes them.

use tracing::{error, warn};

use crate::ports::{Body, DeadKind, DeadLetter, Posting, PublishError};

use super::dead::store_dead_letter;
use super::wait::pause;
use super::{DeadReason, WorkerContext};

/// What became of messages.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// They are durable.
    All,
    /// No queue ever takes one of them; why. Others of them may be durable.
    Never(String),
    /// The workers were stopped first.
    Stopped,
}

/// Sends until it works, or never can.
pub(super) async fn try_send(ctx: &WorkerContext, postings: &[Posting]) -> Sent {
    if postings.is_empty() {
        return Sent::All;
    }
    loop {
        match ctx.deps.queue.send(postings).await {
            Ok(()) => return Sent::All,
            Err(error @ (PublishError::TooLarge { .. } | PublishError::Unwritable(_))) => {
                return Sent::Never(error.to_string());
            }
            Err(error) => {
                if ctx.queue_failures.should_log() {
                    warn!(%error, messages = postings.len(), "messages cannot be published: they are tried every second");
                }
                if !pause(ctx).await {
                    return Sent::Stopped;
                }
            }
        }
    }
}

/// Sends until it works; `false` when the workers are stopped first. What no queue will ever take becomes a dead
/// letter, and the others go out without it.
pub(super) async fn send(ctx: &WorkerContext, mut postings: Vec<Posting>) -> bool {
    match try_send(ctx, &postings).await {
        Sent::All => return true,
        Sent::Stopped => return false,
        Sent::Never(why) if postings.len() == 1 => {
            let posting = postings.remove(0);
            return keep(ctx, &posting, why).await;
        }
        Sent::Never(_) => {}
    }
    for posting in postings {
        if !Box::pin(send(ctx, vec![posting])).await {
            return false;
        }
    }
    true
}

/// A letter without a body: what does not fit into a queue could not be replayed either.
async fn keep(ctx: &WorkerContext, posting: &Posting, why: String) -> bool {
    let envelope = &posting.message;
    let (kind, meeting) = match &envelope.body {
        Body::Job { id, .. } => (DeadKind::Job, Some(id.meeting)),
        Body::Event(event) => (DeadKind::Event, event.fact.meeting()),
        Body::Reply(_) => (DeadKind::Job, None),
    };
    let letter = DeadLetter {
        id: envelope.id(),
        queue: posting.queue.as_str().to_owned(),
        kind,
        meeting,
        reason: format!("it cannot be published: {why}"),
        buried_at: ctx.deps.clock.now(),
        attempts: 0,
        body: Vec::new(),
    };
    error!(
        message.id = letter.id,
        reason = letter.reason,
        "given up before it was published"
    );
    ctx.deps.observer.buried(posting.queue, DeadReason::GivenUp);
    store_dead_letter(ctx, letter).await
}
