//! The sweep: wakes meetings that still owe, and forgets what is too old to matter. Of several replicas one does it,
//! as long as it renews its duty; another takes over when that has run out or was given back.

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

/// Most meetings woken in one pass; the rest waits for the next.
const WOKEN_MAX: usize = 500;
/// How often old dedup keys are forgotten.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// How often it is noticed that the clock was set back.
const CLOCK_EVERY: Duration = Duration::from_secs(5);

/// The duty to sweep outlasts so many passes without being renewed.
const PASSES_HELD: u32 = 3;

/// Runs until the workers are stopped: at once, then every `sweep_every`.
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
                // Each piece of it is a change of its own: what is left is forgotten the next time.
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
        // What cannot be given back runs out by itself.
        drop(
            ctx.deps
                .store
                .drop_lease(duty, &ctx.settings.instance)
                .await,
        );
    }
}

/// Whether the duty is this replica's.
async fn takes(ctx: &WorkerContext, duty: Duty, length: Duration) -> bool {
    let (owner, now) = (&ctx.settings.instance, ctx.deps.clock.now());
    match ctx.deps.store.take_lease(duty, owner, now, length).await {
        Ok(Lease::Taken { .. }) => {
            if ctx.store_failures.clear() {
                info!("the store answers again");
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
                warn!(%error, %duty, "the store is away: what is owed waits");
            }
            false
        }
    }
}

/// Until the next pass, which is at once when the clock was set back.
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
        Err(error) => warn!(%error, "the sweep cannot look"),
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
            // The same key from another replica, or from the next pass, is a double.
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
        Ok(rows) => info!(rows, "old dedup keys and log lines forgotten"),
        Err(error) => warn!(%error, "old dedup keys cannot be forgotten"),
    }
}
