//! Settles a message: makes what follows from it durable first, then acknowledges it.

use std::time::Duration;

use tracing::{debug, error};

use crate::crash_point;
use crate::domain::retry::Verdict;
use crate::domain::{Event, Fact};
use crate::ports::{Envelope, Posting, QueueName, Received, Settled};
use crate::worker::apply_now::apply_now;
use crate::worker::dead::{bury, facts_of};
use crate::worker::poison::{Poison, PoisonGuard};
use crate::worker::publish::{given_up_events, given_up_postings};
use crate::worker::send::send;
use crate::worker::wait::ask_store;
use crate::worker::{DeadReason, JobOutcome, WorkerContext};

/// Carries out the verdict. `None`: the workers were stopped first.
pub(super) async fn follow(
    ctx: &WorkerContext,
    received: &Received,
    envelope: &Envelope,
    verdict: Verdict,
) -> Option<JobOutcome> {
    match verdict {
        Verdict::Done => done(ctx, received, JobOutcome::Delivered).await,
        Verdict::Obsolete => done(ctx, received, JobOutcome::Obsolete).await,
        Verdict::Again {
            after,
            reason,
            counts,
        } => {
            ctx.deps.observer.retried(received.queue, reason);
            again(ctx, received, envelope, after, counts).await
        }
        Verdict::DeadLetter { reason } => {
            let facts = facts_of(envelope);
            give_up(ctx, received, reason, DeadReason::GivenUp, facts).await
        }
    }
}

/// Removes the message from its queue.
pub(super) async fn done(
    ctx: &WorkerContext,
    received: &Received,
    outcome: JobOutcome,
) -> Option<JobOutcome> {
    settle(ctx, received, Settled::Done(received.receipt)).await;
    Some(outcome)
}

/// Publishes the message again for its next attempt after a pause. Retries of `chat` go to `chat.later`, behind new
/// work.
pub(super) async fn again(
    ctx: &WorkerContext,
    received: &Received,
    envelope: &Envelope,
    after: Duration,
    counts: bool,
) -> Option<JobOutcome> {
    let queue = match received.queue {
        QueueName::Chat => QueueName::ChatLater,
        other => other,
    };
    let next = Envelope {
        attempt: envelope.attempt + u32::from(counts),
        tries: envelope.tries.saturating_add(1),
        ..envelope.clone()
    }
    .delayed(ctx.deps.clock.now(), after);
    let next = Posting {
        queue,
        message: next,
        delay: after,
    };
    let again = Settled::Again {
        receipt: received.receipt,
        next,
    };
    settle(ctx, received, again).await;
    Some(JobOutcome::Retried)
}

/// Stores the message as a dead letter, and publishes `facts`, which report it to apply. `None`: the workers were
/// stopped first.
pub(super) async fn give_up(
    ctx: &WorkerContext,
    received: &Received,
    reason: String,
    label: DeadReason,
    facts: Vec<Fact>,
) -> Option<JobOutcome> {
    let postings = given_up_postings(facts, &received.message_id, ctx.deps.clock.now());
    if !bury(ctx, received, reason, label).await || !send(ctx, postings).await {
        return None;
    }
    done(ctx, received, JobOutcome::DeadLettered).await
}

/// The same for poison, which no other message may begin again. So its meeting records first that the job was given up.
/// The mark is cleared only after the dead letter is stored: if the process ends before that, the next process gives
/// the job up once more.
pub(super) async fn give_up_poison(
    ctx: &WorkerContext,
    received: &Received,
    envelope: &Envelope,
    guard: &PoisonGuard,
    Poison(reason): Poison,
) -> Option<JobOutcome> {
    let now = ctx.deps.clock.now();
    let events: Vec<Event> =
        given_up_events(facts_of(envelope), &received.message_id, now).collect();
    let applied = if events.is_empty() {
        Ok(())
    } else {
        ask_store(ctx, || apply_now(ctx, events.clone())).await?
    };
    if !bury(ctx, received, reason, DeadReason::Poison).await {
        return None;
    }
    match applied {
        Ok(()) => guard.forget(ctx).await,
        // The mark stays, so that another message for the same job is poison too.
        Err(why) => error!(
            why,
            message.id = received.message_id,
            "a meeting cannot record that its job is poison"
        ),
    }
    done(ctx, received, JobOutcome::DeadLettered).await
}

async fn settle(ctx: &WorkerContext, received: &Received, settled: Settled) {
    if let Err(error) = ctx.deps.queue.settle(vec![settled]).await {
        debug!(%error, "a job could not be settled; the queue delivers it again");
    }
    crash_point::reach_for("job.settled", || received.message_id.clone());
}
