//! The sweep wakes meetings that still owe jobs, and deletes rows that are too old to matter. One of several replicas
//! does it for as long as it renews its duty. Another replica takes over when the duty has expired or was released.

mod ahead;
mod readdress;

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use crate::crash_point;
use crate::domain::{Fact, MeetingId, Timestamp};
use crate::envelope::{event_posting, own_event};
use crate::ports::{Duty, Lease, Posting, StoreError};

use super::WorkerContext;
use ahead::ClockWatch;

/// Most meetings that are woken in one pass; the others wait for the next pass.
const WOKEN_MAX: usize = 500;
/// The interval between two deletions of old dedup keys.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// The interval at which the sweep checks whether the clock was set back.
const CLOCK_EVERY: Duration = Duration::from_secs(5);

/// The duty to sweep expires after this many passes without a renewal.
const PASSES_HELD: u32 = 3;

/// Runs until the workers are stopped: the first pass at once, then one every `sweep_every`.
pub(super) async fn run(ctx: Arc<WorkerContext>) {
    tokio::join!(sweep(&ctx), readdress::run(&ctx));
}

async fn sweep(ctx: &WorkerContext) {
    let mut pruned_at: Option<tokio::time::Instant> = None;
    let mut clock = ClockWatch::default();
    loop {
        if takes(ctx, Duty::Sweep, ctx.settings.sweep_every * PASSES_HELD).await {
            crash_point::reach("sweep.begun");
            wake_due(ctx, &mut clock).await;
        }
        if pruned_at.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
            if takes(ctx, Duty::Prune, PRUNE_EVERY).await {
                // It is deleted in parts, each a transaction of its own; the next time deletes what is left.
                tokio::select! {
                    () = ctx.stop.cancelled() => {}
                    () = prune(ctx) => {}
                }
            }
            pruned_at = Some(tokio::time::Instant::now());
        }
        tokio::select! {
            () = ctx.stop.cancelled() => break,
            () = rest(ctx, &mut clock) => {}
        }
    }
    for duty in [Duty::Sweep, Duty::Prune] {
        // A duty that cannot be released expires by itself.
        drop(
            ctx.deps
                .store
                .drop_lease(duty, &ctx.settings.instance)
                .await,
        );
    }
}

/// Takes or renews the duty. Whether this replica has it.
async fn takes(ctx: &WorkerContext, duty: Duty, length: Duration) -> bool {
    let (owner, now) = (&ctx.settings.instance, ctx.deps.clock.now());
    match ctx.deps.store.take_lease(duty, owner, now, length).await {
        Ok(Lease::Taken { .. }) => {
            if ctx.store_failures.clear() {
                info!("the store is available again");
            }
            true
        }
        Ok(Lease::Held { until }) => {
            debug!(
                %duty,
                until = until.millis(),
                "another replica does it"
            );
            false
        }
        Err(error) => {
            if ctx.store_failures.should_log() {
                warn!(%error, %duty, "the store is unavailable: owed jobs wait");
            }
            false
        }
    }
}

/// Waits until the next pass, which begins at once when the clock was set back.
async fn rest(ctx: &WorkerContext, clock: &mut ClockWatch) {
    let until = tokio::time::Instant::now() + ctx.settings.sweep_every;
    loop {
        let next = tokio::time::Instant::now() + CLOCK_EVERY;
        tokio::time::sleep_until(until.min(next)).await;
        if next >= until || clock.was_set_back(ctx.deps.clock.now()) {
            return;
        }
    }
}

async fn wake_due(ctx: &WorkerContext, clock: &mut ClockWatch) {
    let now = ctx.deps.clock.now();
    match due(ctx, clock, now).await {
        Ok(due) => {
            ctx.deps.observer.swept();
            wake(ctx, due, now).await;
        }
        Err(error) => warn!(%error, "the sweep cannot read the store; the next pass tries again"),
    }
}

async fn due(
    ctx: &WorkerContext,
    clock: &mut ClockWatch,
    now: Timestamp,
) -> Result<Vec<(MeetingId, u32)>, StoreError> {
    let mut due = ctx.deps.store.due_meetings(now, WOKEN_MAX).await?;
    for ahead in clock.meetings_ahead(ctx, now).await? {
        if !due.contains(&ahead) {
            due.push(ahead);
        }
    }
    Ok(due)
}

async fn wake(ctx: &WorkerContext, due: Vec<(MeetingId, u32)>, now: Timestamp) {
    for due in due.chunks(WOKEN_MAX) {
        wake_some(ctx, due, now).await;
    }
}

async fn wake_some(ctx: &WorkerContext, due: &[(MeetingId, u32)], now: Timestamp) {
    let postings: Vec<Posting> = due
        .iter()
        .map(|(meeting, round)| {
            let fact = Fact::Woken {
                meeting: *meeting,
                round: *round,
            };
            // Another replica, or the next pass, uses the same key, so that apply drops the duplicate.
            event_posting(
                own_event(fact, format!("woken:{meeting}:{round}"), now),
                now,
            )
        })
        .collect();
    match ctx.deps.queue.send(&postings).await {
        Ok(()) => debug!(meetings = due.len(), "meetings woken"),
        Err(error) => warn!(%error, "meetings cannot be woken; the next pass tries again"),
    }
}

async fn prune(ctx: &WorkerContext) {
    let before = ctx.deps.clock.now().minus(ctx.settings.keep);
    match ctx.deps.store.prune(before).await {
        Ok(0) => {}
        Ok(rows) => info!(rows, "old dedup keys and event log rows deleted"),
        Err(error) => warn!(%error, "old dedup keys cannot be deleted"),
    }
}
