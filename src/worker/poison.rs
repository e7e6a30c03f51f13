//! Poison: work that ends the process. Work that may be poison is counted in the store before it begins, under one mark
//! for a job, an event or the wakes of a meeting, whichever message calls for it. The mark is cleared once the work has
//! come to an end. What was counted before is worked on while no other counted work is: so a count tells of its own work
//! and not of its neighbours'.

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

/// Most redelivered messages of one queue that are counted after a start; the others are worked on like new ones. What
/// ended the last process was in its hands, and so it is among the first that come again, while all that lay in an
/// embedded queue counts as redelivered: marks for 100 000 would take minutes. Twice what a process has in hand.
const SUSPECTS_MAX: usize = 128;

/// The right to count work, and to do what was counted before; one at a time.
pub(super) type Exclusive = OwnedMutexGuard<()>;

/// Why work is not begun again, for the dead letter.
pub(super) struct Poison(pub(super) String);

/// How many redelivered messages were counted, and who may count.
#[derive(Default)]
pub(super) struct SuspectCounts {
    counts: [AtomicUsize; QueueName::ALL.len()],
    exclusive: Arc<Mutex<()>>,
}

impl SuspectCounts {
    /// A redelivered message beyond [`SUSPECTS_MAX`] counts as new from here on.
    pub(super) fn limit(&self, received: &mut Received) {
        let count = &self.counts[received.queue as usize];
        let is_one_more = || count.fetch_add(1, Ordering::Relaxed) < SUSPECTS_MAX;
        received.redelivered = received.redelivered && is_one_more();
    }
}

/// What stands between a message and the work that it calls for.
pub(super) struct PoisonGuard {
    /// None: the work is not suspected.
    mark: Option<String>,
    exclusive: Option<Exclusive>,
}

impl PoisonGuard {
    /// Waits for other work that was counted before, if this is to be counted. `None`: the workers were stopped first.
    pub(super) async fn enter(ctx: &WorkerContext, received: &Received) -> Option<Self> {
        let mark = mark_of(received);
        let exclusive = match mark {
            Some(_) => Some(exclusive(ctx).await?),
            None => None,
        };
        Some(Self { mark, exclusive })
    }

    /// Does `work` unless it is poison. `None`: the workers were stopped first.
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
            // Whatever was in hand when the process ended comes again once, and is done side by side.
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

/// The mark of the work that a message calls for, if it is to be counted: redelivered work, because the last process may
/// have died of it, and what the sweep calls for. Each round's message and each wake has an id of its own and is new, so
/// that counts of messages would never add up when a process that dies is started only now and then.
pub(super) fn mark_of(received: &Received) -> Option<String> {
    let body = &received.content.as_ref().ok()?.body;
    let is_called_for = match body {
        Body::Event(event) => matches!(event.fact, Fact::Woken { .. }),
        Body::Job { id, .. } => id.round > 0,
        Body::Reply(_) => false,
    };
    (received.redelivered || is_called_for).then(|| body.mark(&received.message_id))
}

/// Waits for the right to count work. `None`: the workers were stopped first.
pub(super) async fn exclusive(ctx: &WorkerContext) -> Option<Exclusive> {
    tokio::select! {
        biased;
        () = ctx.stop.cancelled() => None,
        exclusive = Arc::clone(&ctx.suspects.exclusive).lock_owned() => Some(exclusive),
    }
}

/// Counts work before it begins: how often it has, this time included. The caller holds [`Exclusive`]. `None`: the
/// workers were stopped first.
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
        let reason = format!("poison: work on it was begun {begun_max} times and never ended");
        return Some(Err(Poison(reason)));
    }
    if count > 1 {
        warn!(
            message.id = mark,
            count, "work on this was begun before and never ended: it is done alone"
        );
    }
    Some(Ok(count))
}

/// Clears a mark: the work came to an end.
pub(super) async fn forget(ctx: &WorkerContext, mark: &str) {
    if let Err(error) = ctx.deps.store.clear_mark(mark).await {
        debug!(%error, "a redelivery mark stays");
    }
}
