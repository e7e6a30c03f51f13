//! The loop of one job queue: receives as many messages as there are free slots, works on them, and settles them.

mod attempt;
mod record;
mod settle;
mod slots;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{Instrument, debug, info_span, warn};

use crate::crash_point;
use crate::domain::Peer;
use crate::ports::{Body, QueueError, QueueName, Received, Settled};

use super::wait::pause;
use super::{Admission, DeadReason, JobOutcome, WorkerContext};
use attempt::{do_job, do_reply, settle_panicked};
use settle::{again, give_up};

pub(super) use attempt::JobReport;
pub(super) use slots::Slots;

/// Runs until the workers are stopped or the queue is closed. Work that has begun is finished.
pub(super) async fn run(ctx: Arc<WorkerContext>, queue: QueueName, slots: Slots) {
    let peer = match queue {
        QueueName::Conference => Peer::PlugNmeet,
        QueueName::Events | QueueName::Chat | QueueName::ChatLater => Peer::Mattermost,
    };
    let mut jobs = JoinSet::new();
    while let Some(taken) = take(&ctx, queue, &slots).await {
        for received in taken {
            let Some((permits, admission)) = enter(&ctx, peer, &slots).await else {
                give_back(&ctx, &received).await;
                continue;
            };
            let ctx = Arc::clone(&ctx);
            jobs.spawn(async move {
                work(&ctx, received).await;
                if admission == Admission::Probe {
                    ctx.breaker(peer).probe_ended();
                }
                drop(permits);
            });
        }
        while jobs.try_join_next().is_some() {}
    }
    while jobs.join_next().await.is_some() {}
}

/// Receives deliveries, about as many as there are free slots. `None`: the workers were stopped.
async fn take(ctx: &WorkerContext, queue: QueueName, slots: &Slots) -> Option<Vec<Received>> {
    loop {
        let received = tokio::select! {
            () = ctx.stop.cancelled() => return None,
            received = async {
                let count = slots.wait().await;
                ctx.deps.queue.receive(queue, count).await
            } => received,
        };
        match received {
            Ok(received) => return Some(received),
            Err(QueueError::Closed) => return None,
            Err(error) => {
                if ctx.queue_failures.should_log() {
                    warn!(%error, queue = queue.as_str(), "jobs cannot be received from the queue; they wait there, and it is tried again every second");
                }
                pause(ctx).await;
            }
        }
    }
}

/// Takes a slot once the peer's breaker admits a job. `None`: the workers were stopped.
async fn enter(
    ctx: &WorkerContext,
    peer: Peer,
    slots: &Slots,
) -> Option<(Vec<OwnedSemaphorePermit>, Admission)> {
    let enter = async {
        let permits = slots.take().await?;
        let admission = ctx.breaker(peer).admit().await;
        Some((permits, admission))
    };
    tokio::select! {
        biased;
        () = ctx.stop.cancelled() => None,
        permits = enter => permits,
    }
}

async fn give_back(ctx: &WorkerContext, received: &Received) {
    if let Err(error) = ctx
        .deps
        .queue
        .settle(vec![Settled::Return(received.receipt)])
        .await
    {
        debug!(%error, "a job could not be returned to the queue; the queue delivers it again by itself");
    }
}

async fn work(ctx: &WorkerContext, mut received: Received) {
    let observer = Arc::clone(&ctx.deps.observer);
    let queue = received.queue;
    observer.in_flight(queue, 1);
    let began = Instant::now();
    ctx.suspects.limit(&mut received);
    let working = work_on(ctx, &received);
    let outcome = match AssertUnwindSafe(working).catch_unwind().await {
        Ok(outcome) => outcome,
        // A message whose handling panics again stays unsettled, and the queue delivers it again.
        Err(_) => AssertUnwindSafe(settle_panicked(ctx, &received))
            .catch_unwind()
            .await
            .unwrap_or(None),
    };
    observer.in_flight(queue, -1);
    if let Some(outcome) = outcome {
        observer.settled(queue, outcome, began.elapsed());
    }
}

async fn work_on(ctx: &WorkerContext, received: &Received) -> Option<JobOutcome> {
    let envelope = match &received.content {
        Ok(envelope) => envelope,
        Err(reason) => {
            let (reason, label) = (reason.clone(), DeadReason::Unreadable);
            return give_up(ctx, received, reason, label, Vec::new()).await;
        }
    };
    crash_point::reach_for("job.leased", || envelope.id());
    let early = envelope.left_to_wait(ctx.deps.clock.now());
    if !early.is_zero() {
        return again(ctx, received, envelope, early, false).await;
    }
    let due = envelope.not_before.unwrap_or(envelope.received_at);
    let waited = ctx.deps.clock.now().since(due);
    ctx.deps.observer.waited(received.queue, waited);
    match &envelope.body {
        Body::Job { id, since } => {
            let span = info_span!("job", job.id = %id, job.kind = id.job.kind(),
                meeting.id = %id.meeting, event.id = tracing::field::Empty,
                attempt.number = envelope.attempt, tries = envelope.tries);
            Box::pin(do_job(ctx, received, envelope, id, *since))
                .instrument(span)
                .await
        }
        Body::Reply(tell) => Box::pin(do_reply(ctx, received, envelope, tell)).await,
        Body::Event(_) => {
            let (reason, label) = (
                "there was an event in a queue of jobs",
                DeadReason::Unreadable,
            );
            give_up(ctx, received, reason.to_owned(), label, Vec::new()).await
        }
    }
}
