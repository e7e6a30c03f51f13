//! The collector: moves what the broker put aside into the store's dead letters, where a person sees it and can
//! replay it. Nothing is settled before it is kept.

use std::sync::Arc;

use tracing::{debug, warn};

use crate::ports::{DeadLetter, QueueError, Received, ReturnedMessage, ReturnedMessages};

use super::dead::{bury, facts_of, keep_letter, letter_id};
use super::publish::given_up_postings;
use super::wait::pause;
use super::{DeadReason, WorkerContext, send};

/// Most castoffs taken at once.
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
                    warn!(%error, "what the broker put aside cannot be received: it stays there, and is asked for every second");
                }
                if !pause(&ctx).await {
                    return;
                }
            }
        }
    }
}

/// Keeps a batch and settles what is kept; `false` when the workers were stopped meanwhile. What is not settled comes
/// again and is then known.
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
        debug!(%error, "what is kept could not be removed at the broker and will come again");
    }
    is_running
}

/// Makes a castoff a dead letter, unless it is one, and tells its meeting first, so that a letter that is there means
/// that the meeting knows; `false` when the workers were stopped first.
async fn keep(ctx: &WorkerContext, returned: ReturnedMessage<Received>) -> bool {
    let ReturnedMessage {
        delivery: received,
        reason,
    } = returned;
    let Some(id) = letter_id(ctx, &received).await else {
        return false;
    };
    match kept(ctx, &id).await {
        None => return false,
        Some(None) => {}
        Some(Some(letter)) => {
            debug!(message.id = id, "put aside, and a dead letter already");
            // If a person replays it just now, this is the one that came back, and it must not be removed with the
            // one that was replayed.
            let buried_at = ctx.deps.clock.now();
            return keep_letter(
                ctx,
                DeadLetter {
                    buried_at,
                    ..letter
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

/// The dead letter of this id, asked for until the store answers; `None` when the workers were stopped.
async fn kept(ctx: &WorkerContext, id: &str) -> Option<Option<DeadLetter>> {
    loop {
        match ctx.deps.store.dead_letter(id).await {
            Ok(letter) => return Some(letter),
            Err(error) => {
                if ctx.store_failures.should_log() {
                    warn!(%error, "the store is away: what the broker put aside stays there");
                }
                if !pause(ctx).await {
                    return None;
                }
            }
        }
    }
}
