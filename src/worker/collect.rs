//! The collector. It moves messages that the broker returned into the store's dead letters, where a person sees them
//! and can replay them. A message is settled only after its dead letter is stored.

use std::sync::Arc;

use tracing::{debug, warn};

use crate::ports::{DeadLetter, QueueError, Received, ReturnedMessage, ReturnedMessages};

use super::dead::{bury, dead_letter_id, facts_of, store_dead_letter};
use super::publish::given_up_postings;
use super::wait::pause;
use super::{DeadReason, WorkerContext, send};

/// Most returned messages that are received at once.
const BATCH_MAX: usize = 32;

/// Runs until the workers are stopped or the queue is closed.
pub(super) async fn run(ctx: Arc<WorkerContext>, returned: Arc<dyn ReturnedMessages>) {
    loop {
        let received = tokio::select! {
            () = ctx.stop.cancelled() => return,
            received = ctx.deps.queue.receive_returned(returned.as_ref(), BATCH_MAX) => received,
        };
        match received {
            Ok(batch) => {
                if !collect(&ctx, returned.as_ref(), batch).await {
                    return;
                }
            }
            Err(QueueError::Closed) => return,
            Err(error) => {
                if ctx.queue_failures.should_log() {
                    warn!(%error, "returned messages cannot be received; they stay at the broker, next attempt in 1 s");
                }
                if !pause(&ctx).await {
                    return;
                }
            }
        }
    }
}

/// Stores a batch as dead letters and settles the stored ones. Returns `false` when the workers were stopped meanwhile.
/// A message that is not settled is received again; its dead letter is found then.
async fn collect(
    ctx: &WorkerContext,
    returned: &dyn ReturnedMessages,
    batch: Vec<ReturnedMessage<Received>>,
) -> bool {
    let mut done = Vec::with_capacity(batch.len());
    let mut is_running = true;
    for returned in batch {
        let receipt = returned.delivery.receipt;
        if !keep(ctx, returned).await {
            is_running = false;
            break;
        }
        done.push(receipt);
    }
    if !done.is_empty()
        && let Err(error) = returned.settle(done).await
    {
        debug!(%error, "returned messages could not be removed at the broker and will be received again");
    }
    is_running
}

/// Stores a returned message as a dead letter, unless it is one already. The fact that its job was given up is
/// published first, so that an existing dead letter means that the fact was published. Returns `false` when the workers
/// were stopped first.
async fn keep(ctx: &WorkerContext, returned: ReturnedMessage<Received>) -> bool {
    let ReturnedMessage {
        delivery: received,
        reason,
    } = returned;
    let Some(id) = dead_letter_id(ctx, &received).await else {
        return false;
    };
    match stored_dead_letter(ctx, &id).await {
        None => return false,
        Some(None) => {}
        Some(Some(dead_letter)) => {
            debug!(
                message.id = id,
                "the returned message is a dead letter already"
            );
            // A person may be replaying it now. A new time keeps the replay from removing the dead letter of the
            // message that was returned again.
            let buried_at = ctx.deps.clock.now();
            return store_dead_letter(
                ctx,
                DeadLetter {
                    buried_at,
                    ..dead_letter
                },
            )
            .await;
        }
    }
    let (label, reason) = match &received.content {
        Ok(envelope) => {
            let now = ctx.deps.clock.now();
            let postings = given_up_postings(facts_of(envelope), &id, now);
            if !send::send(ctx, postings).await {
                return false;
            }
            (DeadReason::GivenUp, reason)
        }
        Err(why) => (DeadReason::Unreadable, format!("{reason}; {why}")),
    };
    bury(ctx, &received, reason, label).await
}

/// The dead letter with this id. The store is asked until it answers; `None` when the workers were stopped.
async fn stored_dead_letter(ctx: &WorkerContext, id: &str) -> Option<Option<DeadLetter>> {
    loop {
        match ctx.deps.store.dead_letter(id).await {
            Ok(dead_letter) => return Some(dead_letter),
            Err(error) => {
                if ctx.store_failures.should_log() {
                    warn!(%error, "the store is unavailable: returned messages stay at the broker");
                }
                if !pause(ctx).await {
                    return None;
                }
            }
        }
    }
}
