//! Poison is work that ends the process. Work that may be poison is counted in the store before it begins. The count
//! has one mark for a job, an event, or the wakes of a meeting, whichever message asks for the work. The mark is
//! cleared when the work has ended. Work that was counted before runs while no other counted work runs, so that a
//! count is never caused by other work.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::{debug, warn};

use crate::domain::Fact;
use crate::ports::{Body, QueueName, Received};

use super::WorkerContext;
use super::wait::ask_store;

/// Most redelivered messages of one queue that are counted after a start; the others are handled like new ones. The
/// message that ended the last process was being worked on, so that it is among the first that are delivered again. In
/// an embedded queue every message counts as redelivered after a start, and marks for 100 000 of them would take
/// minutes. This is twice the number of messages that a process works on at the same time.
const SUSPECTS_MAX: usize = 128;

/// The right to count work, and to do work that was counted before. Only one task has it at a time.
pub(super) type Exclusive = OwnedMutexGuard<()>;

/// The reason why work does not begin again, for the dead letter.
pub(super) struct Poison(pub(super) String);

/// Counts the redelivered messages of each queue, and holds the right to count work.
#[derive(Default)]
pub(super) struct SuspectCounts {
    counts: [AtomicUsize; QueueName::ALL.len()],
    exclusive: Arc<Mutex<()>>,
}

impl SuspectCounts {
    /// Makes a redelivered message beyond [`SUSPECTS_MAX`] count as new.
    pub(super) fn limit(&self, received: &mut Received) {
        let count = &self.counts[received.queue as usize];
        let is_one_more = || count.fetch_add(1, Ordering::Relaxed) < SUSPECTS_MAX;
        received.redelivered = received.redelivered && is_one_more();
    }
}

/// Guards the work that a message asks for: counts it if it may be poison.
pub(super) struct PoisonGuard {
    /// `None`: the work is not counted.
    mark: Option<String>,
    exclusive: Option<Exclusive>,
}

impl PoisonGuard {
    /// Makes the guard for a message. If its work is to be counted, waits until no other counted work runs. `None`: the
    /// workers were stopped first.
    pub(super) async fn enter(ctx: &WorkerContext, received: &Received) -> Option<Self> {
        let mark = mark_of(received);
        let exclusive = match mark {
            Some(_) => Some(exclusive(ctx).await?),
            None => None,
        };
        Some(Self { mark, exclusive })
    }

    /// Runs `work` unless it is poison. `None`: the workers were stopped first.
    pub(super) async fn run<T>(
        &mut self,
        ctx: &WorkerContext,
        work: impl Future<Output = Option<T>>,
    ) -> Option<Result<T, Poison>> {
        let Some(mark) = &self.mark else {
            return work.await.map(Ok);
        };
        match count(ctx, mark).await? {
            Err(poison) => return Some(Err(poison)),
            // Everything that was in work when the process ended is delivered again once; it may run concurrently.
            Ok(1) => self.exclusive = None,
            Ok(_) => {}
        }
        let done = AssertUnwindSafe(work).catch_unwind().await;
        forget(ctx, mark).await;
        done.unwrap_or_else(|panic| resume_unwind(panic)).map(Ok)
    }

    /// Clears the mark of work that was given up.
    pub(super) async fn forget(&self, ctx: &WorkerContext) {
        if let Some(mark) = &self.mark {
            forget(ctx, mark).await;
        }
    }
}

/// The mark of the work that a message asks for, if that work is to be counted. Redelivered work is, because it may
/// have ended the last process. So is work that the sweep asks for: each round and each wake has a message of its own,
/// which is never redelivered, so that counting messages would not find poison in a process that is restarted rarely.
pub(super) fn mark_of(received: &Received) -> Option<String> {
    let body = &received.content.as_ref().ok()?.body;
    let is_of_the_sweep = match body {
        Body::Event(event) => matches!(event.fact, Fact::Woken { .. }),
        Body::Job { id, .. } => id.round > 0,
        Body::Reply(_) => false,
    };
    (received.redelivered || is_of_the_sweep).then(|| body.mark(&received.message_id))
}

/// Waits for the right to count work. `None`: the workers were stopped first.
pub(super) async fn exclusive(ctx: &WorkerContext) -> Option<Exclusive> {
    tokio::select! {
        biased;
        () = ctx.stop.cancelled() => None,
        exclusive = Arc::clone(&ctx.suspects.exclusive).lock_owned() => Some(exclusive),
    }
}

/// Counts work before it begins, and returns how many times it has begun, this time included. The caller holds
/// [`Exclusive`]. `None`: the workers were stopped first.
pub(super) async fn count(ctx: &WorkerContext, mark: &str) -> Option<Result<u32, Poison>> {
    let begun_max = ctx.settings.poison_max;
    let count = match ask_store(ctx, || ctx.deps.store.mark_redelivered(mark)).await? {
        Ok(count) => count,
        Err(why) => {
            warn!(why, "work that may be poison cannot be counted");
            1
        }
    };
    if count > begun_max {
        let reason = format!("poison: work on it began {begun_max} times and never ended");
        return Some(Err(Poison(reason)));
    }
    if count > 1 {
        warn!(
            message.id = mark,
            count, "work on this message began before and never ended; it runs alone now"
        );
    }
    Some(Ok(count))
}

/// Clears a mark, because the work has ended.
pub(super) async fn forget(ctx: &WorkerContext, mark: &str) {
    if let Err(error) = ctx.deps.store.clear_mark(mark).await {
        debug!(%error, "a delivery mark could not be cleared");
    }
}
