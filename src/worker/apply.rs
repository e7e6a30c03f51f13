//! Apply, the only worker that changes meetings. It receives events in batches, applies each batch in one transaction,
//! publishes the owed jobs, then acknowledges the events.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tracing::{debug, error, warn};

use crate::crash_point;
use crate::domain::apply::{Applied, Effect};
use crate::domain::{Event, Fact};
use crate::ports::{Body, Incoming, QueueName, Received, Settled, StoreError};

use super::apply_now::{incoming, report};
use super::confirm::confirm;
use super::dead::bury;
use super::placing::place;
use super::send::send;
use super::wait::{ask_store, pause};
use super::{DeadReason, JobOutcome, WorkerContext, poison, publish};

/// Runs until the workers are stopped or the queue is closed.
pub(super) async fn run(ctx: Arc<WorkerContext>) {
    loop {
        let received = tokio::select! {
            () = ctx.stop.cancelled() => return,
            received = ctx.deps.queue.receive(QueueName::Events, ctx.settings.batch_max) => received,
        };
        match received {
            Ok(batch) => work(&ctx, batch).await,
            Err(crate::ports::QueueError::Closed) => return,
            Err(error) => {
                if ctx.queue_failures.should_log() {
                    warn!(%error, "events cannot be received; they stay in the queue, next attempt in 1 s");
                }
                pause(&ctx).await;
            }
        }
    }
}

/// A delivery and the event that was read from it.
struct Delivered {
    received: Received,
    event: Event,
}

impl Delivered {
    /// Whether the sweep published it to wake a meeting that still owes jobs.
    fn is_wake(&self) -> bool {
        matches!(self.event.fact, Fact::Woken { .. })
    }

    /// The text by which tests select it at a crash point.
    fn text(&self) -> String {
        format!("{:?}", self.event)
    }
}

async fn work(ctx: &WorkerContext, mut batch: Vec<Received>) {
    let began = tokio::time::Instant::now();
    // A failure here must not keep the events from being applied.
    let asking = AssertUnwindSafe(ask_peers(ctx, &mut batch)).catch_unwind();
    if asking.await.is_err() {
        warn!(
            "asking the peers before applying events panicked; the events are applied without their answers"
        );
    }
    apply_guarded(ctx, batch, began).await;
}

/// Applies events in their order. New events share one transaction; an event that may be poison is applied alone.
///
/// A new wake is counted while other events of its batch are in work. This costs it one count at most: when one of
/// them ends the process, all are delivered again and are counted alone.
async fn apply_guarded(
    ctx: &WorkerContext,
    batch: Vec<Received>,
    began: tokio::time::Instant,
) -> Option<()> {
    let mut together = Vec::with_capacity(batch.len());
    // Held until the last counted event is settled.
    let mut exclusive = None;
    for mut received in batch {
        ctx.suspects.limit(&mut received);
        let event = match read(ctx, &received) {
            Ok(event) => event,
            Err(reason) => {
                give_up(ctx, &received, reason, DeadReason::Unreadable).await;
                continue;
            }
        };
        let mark = poison::mark_of(&received);
        let delivered = Delivered { received, event };
        let Some(mark) = mark else {
            together.push(delivered);
            continue;
        };
        let is_redelivered = delivered.received.redelivered;
        if is_redelivered {
            // No other event may be in work while it is counted.
            apply_counted(ctx, std::mem::take(&mut together), began).await;
        }
        if exclusive.is_none() {
            exclusive = Some(poison::exclusive(ctx).await?);
        }
        match poison::count(ctx, &mark).await? {
            Ok(1) if !is_redelivered => together.push(delivered),
            Ok(_) => {
                apply_counted(ctx, std::mem::take(&mut together), began).await;
                apply_counted(ctx, vec![delivered], began).await;
            }
            // The mark stays until a replay, because a copy of the event or the next wake of the meeting would fail in
            // the same way. All wakes of a meeting share one dead letter.
            Err(poison::Poison(reason)) => {
                let mut received = delivered.received;
                received.message_id = mark;
                give_up(ctx, &received, reason, DeadReason::Poison).await;
            }
        }
    }
    apply_counted(ctx, together, began).await;
    Some(())
}

/// Asks the peers for what apply needs to know: the thread of a post, and whether an offered meeting still runs.
async fn ask_peers(ctx: &WorkerContext, batch: &mut [Received]) {
    place(ctx, batch.iter_mut().filter_map(event_in_mut)).await;
    confirm(ctx, batch.iter().filter_map(event_in)).await;
}

fn event_in_mut(received: &mut Received) -> Option<&mut Event> {
    match &mut received.content.as_mut().ok()?.body {
        Body::Event(event) => Some(event),
        Body::Job { .. } | Body::Reply(_) => None,
    }
}

fn event_in(received: &Received) -> Option<&Event> {
    match &received.content.as_ref().ok()?.body {
        Body::Event(event) => Some(event),
        Body::Job { .. } | Body::Reply(_) => None,
    }
}

/// Applies a batch, and clears its marks whatever the result is.
async fn apply_counted(ctx: &WorkerContext, batch: Vec<Delivered>, began: tokio::time::Instant) {
    if batch.is_empty() {
        return;
    }
    let marked = batch
        .iter()
        .map(|delivered| poison::mark_of(&delivered.received));
    let marks: Vec<String> = marked.flatten().collect();
    let count = batch.len() as i64;
    ctx.deps.observer.in_flight(QueueName::Events, count);
    apply_batch(ctx, batch, began).await;
    ctx.deps.observer.in_flight(QueueName::Events, -count);
    for mark in marks {
        poison::forget(ctx, &mark).await;
    }
}

/// Applies a batch. If the store refuses it, its events are applied one by one, so that one bad event does not stop the
/// others.
async fn apply_batch(ctx: &WorkerContext, batch: Vec<Delivered>, began: tokio::time::Instant) {
    match apply(ctx, &batch).await {
        Some(Ok(applied)) => finish(ctx, batch, &applied, began).await,
        None => return_all(ctx, batch).await,
        Some(Err(why)) if batch.len() == 1 => {
            for delivered in batch {
                if delivered.is_wake() {
                    drop_wake(ctx, delivered, &why).await;
                    continue;
                }
                let reason = format!("it cannot be applied: {why}");
                give_up(ctx, &delivered.received, reason, DeadReason::GivenUp).await;
            }
        }
        Some(Err(why)) => {
            warn!(
                why,
                events = batch.len(),
                "the store refused a batch; its events are applied one by one"
            );
            for delivered in batch {
                Box::pin(apply_batch(ctx, vec![delivered], began)).await;
            }
        }
    }
}

/// Logs and removes a wake that cannot be applied. The sweep wakes the meeting again as long as it owes jobs, and a
/// dead letter for each wake would hide the one that has the reason.
async fn drop_wake(ctx: &WorkerContext, delivered: Delivered, why: &str) {
    error!(why, meeting = ?delivered.event.fact.meeting(), "a meeting cannot be woken; the sweep tries again");
    let receipt = delivered.received.receipt;
    if let Err(error) = ctx.deps.queue.settle(vec![Settled::Done(receipt)]).await {
        debug!(%error, "a wake could not be acknowledged and will be redelivered");
    }
}

/// Applies a batch until the store has done it, refuses it (`Err`), or the workers are stopped (`None`). While the
/// store is unavailable the events are not returned to the queue: they wait here.
async fn apply(ctx: &WorkerContext, batch: &[Delivered]) -> Option<Result<Vec<Applied>, String>> {
    let apply_once = || async {
        let events = batch.iter().map(|delivered| delivered.event.clone());
        let events: Vec<Incoming> = events.map(incoming).collect();
        let now = ctx.deps.clock.now();
        let applying = async {
            for delivered in batch {
                crash_point::reach_for("apply.begun", || delivered.text());
            }
            let policy = ctx.settings.policy.clone();
            ctx.deps.store.apply(events, policy, now).await
        };
        let applied = AssertUnwindSafe(applying).catch_unwind().await;
        applied.unwrap_or_else(|_| Err(StoreError::Refused("applying it panicked".to_owned())))
    };
    ask_store(ctx, apply_once).await
}

/// Publishes the jobs that the batch made owed, then acknowledges the batch.
async fn finish(
    ctx: &WorkerContext,
    batch: Vec<Delivered>,
    applied: &[Applied],
    began: tokio::time::Instant,
) {
    for delivered in &batch {
        crash_point::reach_for("apply.committed", || delivered.text());
    }
    let postings = publish::postings(applied, ctx.deps.clock.now());
    if !send(ctx, postings).await {
        // Unacknowledged events are redelivered and publish the same jobs.
        return;
    }
    for delivered in &batch {
        crash_point::reach_for("apply.published", || delivered.text());
    }
    for (delivered, applied) in batch.iter().zip(applied) {
        report(ctx, &delivered.event, applied);
        let outcome = match applied.effect {
            Effect::Applied => JobOutcome::Delivered,
            Effect::Duplicate | Effect::Conflict | Effect::Foreign => JobOutcome::Obsolete,
        };
        ctx.deps
            .observer
            .settled(QueueName::Events, outcome, began.elapsed());
    }
    let settled = batch
        .iter()
        .map(|d| Settled::Done(d.received.receipt))
        .collect();
    if let Err(error) = ctx.deps.queue.settle(settled).await {
        debug!(%error, "applied events could not be acknowledged and will be redelivered");
    }
}

/// The event in a delivery, or the reason for its dead letter.
fn read(ctx: &WorkerContext, received: &Received) -> Result<Event, String> {
    let Body::Event(event) = &received.content.as_ref().map_err(Clone::clone)?.body else {
        return Err("it is not an event".to_owned());
    };
    let waited = ctx.deps.clock.now().since(event.received_at);
    ctx.deps.observer.waited(QueueName::Events, waited);
    Ok(event.clone())
}

async fn give_up(ctx: &WorkerContext, received: &Received, reason: String, label: DeadReason) {
    if bury(ctx, received, reason, label).await
        && let Err(error) = ctx
            .deps
            .queue
            .settle(vec![Settled::Done(received.receipt)])
            .await
    {
        debug!(%error, "a message could not be acknowledged after its dead letter was stored; it will be redelivered");
    }
}

async fn return_all(ctx: &WorkerContext, batch: Vec<Delivered>) {
    let settled = batch
        .iter()
        .map(|d| Settled::Return(d.received.receipt))
        .collect();
    if let Err(error) = ctx.deps.queue.settle(settled).await {
        debug!(%error, "events could not be returned to the queue; they are redelivered anyway");
    }
}
