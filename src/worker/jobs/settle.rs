//! What becomes of a message: make the next thing durable, then acknowledge this one.

use std::time::Duration;

use tracing::debug;

use crate::crash_point;
use crate::domain::Fact;
use crate::domain::retry::Verdict;
use crate::ports::{Body, DeadKind, Envelope, Posting, QueueName, Received, Settled};
use crate::worker::dead::{Burial, bury, facts_of};
use crate::worker::publish::given_up_postings;
use crate::worker::send::send;
use crate::worker::suspect::forget_mark;
use crate::worker::{DeadReason, JobOutcome, Shop};

/// Does what the verdict says. `None`: the workers were stopped first.
pub(super) async fn follow(
    shop: &Shop,
    received: Received,
    envelope: Envelope,
    verdict: Verdict,
) -> Option<JobOutcome> {
    match verdict {
        Verdict::Done => done(shop, &received, JobOutcome::Delivered).await,
        Verdict::Obsolete => done(shop, &received, JobOutcome::Obsolete).await,
        Verdict::Again {
            after,
            reason,
            counts,
        } => {
            shop.deps.observer.retried(received.queue, reason);
            again(shop, &received, envelope, after, counts).await
        }
        Verdict::DeadLetter { reason } => {
            let facts = facts_of(&envelope);
            let (label, kind) = (DeadReason::GivenUp, DeadKind::Job);
            give_up(shop, received, reason, label, kind, facts).await
        }
    }
}

/// The message is removed.
pub(super) async fn done(
    shop: &Shop,
    received: &Received,
    outcome: JobOutcome,
) -> Option<JobOutcome> {
    settle(shop, received, Settled::Done(received.receipt)).await;
    Some(outcome)
}

/// The message waits for its next attempt; every retry goes behind fresh work.
pub(super) async fn again(
    shop: &Shop,
    received: &Received,
    envelope: Envelope,
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
        ..envelope
    }
    .delayed(shop.deps.clock.now(), after);
    let next = Posting {
        queue,
        message: next,
        delay: after,
    };
    let again = Settled::Again {
        receipt: received.receipt,
        next,
    };
    settle(shop, received, again).await;
    Some(JobOutcome::Retried)
}

/// The message becomes a dead letter, and `facts` tell apply. `None`: the workers were stopped first.
pub(super) async fn give_up(
    shop: &Shop,
    received: Received,
    reason: String,
    label: DeadReason,
    kind: DeadKind,
    facts: Vec<Fact>,
) -> Option<JobOutcome> {
    let now = shop.deps.clock.now();
    if label == DeadReason::Poison
        && let Ok(envelope) = &received.content
        && let Body::Job { id, .. } = &envelope.body
    {
        shop.buried.add(id);
    }
    let postings = given_up_postings(facts, &received.message_id, now);
    let burial = Burial {
        kind,
        reason,
        label,
        received: received.clone(),
    };
    if !bury(shop, burial).await || !send(shop, postings).await {
        return None;
    }
    done(shop, &received, JobOutcome::DeadLettered).await
}

async fn settle(shop: &Shop, received: &Received, settled: Settled) {
    if received.redelivered {
        forget_mark(shop, &received.message_id).await;
    }
    if let Err(error) = shop.deps.queue.settle(vec![settled]).await {
        debug!(%error, "a job could not be settled and will come again");
    }
    crash_point::reach_for("job.settled", || received.message_id.clone());
}
