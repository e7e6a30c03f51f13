//! The sweep: wakes meetings that still owe, and forgets what is too old to matter. Of several replicas one does it,
//! as long as it renews its duty; another takes over when that has run out or was given back.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use crate::crash_point;
use crate::domain::Fact;
use crate::ports::{Duty, Lease};

use super::{Shop, publish};

/// Most meetings woken in one pass; the rest waits for the next.
const WOKEN_MAX: usize = 500;
/// How often old dedup keys are forgotten.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// The duty to sweep outlasts so many passes without being renewed.
const PASSES_HELD: u32 = 3;

/// Runs until the workers are stopped: at once, then every `sweep_every`.
pub(super) async fn run(shop: Arc<Shop>) {
    let mut pruned_at: Option<tokio::time::Instant> = None;
    loop {
        if takes(&shop, Duty::Sweep, shop.settings.sweep_every * PASSES_HELD).await {
            crash_point::reach("sweep.begun");
            wake(&shop).await;
        }
        if pruned_at.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
            if takes(&shop, Duty::Prune, PRUNE_EVERY).await {
                // Each piece of it is a change of its own: what is left is forgotten the next time.
                tokio::select! {
                    () = shop.stop.cancelled() => {}
                    () = prune(&shop) => {}
                }
            }
            pruned_at = Some(tokio::time::Instant::now());
        }
        tokio::select! {
            () = shop.stop.cancelled() => break,
            () = tokio::time::sleep(shop.settings.sweep_every) => {}
        }
    }
    for duty in [Duty::Sweep, Duty::Prune] {
        // What cannot be given back runs out by itself.
        drop(
            shop.deps
                .store
                .drop_duty(duty, &shop.settings.instance)
                .await,
        );
    }
}

/// Whether the duty is this replica's.
async fn takes(shop: &Shop, duty: Duty, length: Duration) -> bool {
    let (owner, now) = (&shop.settings.instance, shop.deps.clock.now());
    match shop.deps.store.take_duty(duty, owner, now, length).await {
        Ok(Lease::Taken { .. }) => {
            if shop.store_trouble.clear() {
                info!("the store answers again");
            }
            true
        }
        Ok(Lease::Held { until }) => {
            debug!(
                duty = duty.as_str(),
                until = until.millis(),
                "another replica does it"
            );
            false
        }
        Err(error) => {
            if shop.store_trouble.is_news() {
                warn!(%error, duty = duty.as_str(), "the store is away: what is owed waits");
            }
            false
        }
    }
}

async fn wake(shop: &Shop) {
    let now = shop.deps.clock.now();
    let due = match shop.deps.store.due_meetings(now, WOKEN_MAX).await {
        Ok(due) => due,
        Err(error) => {
            warn!(%error, "the sweep cannot look");
            return;
        }
    };
    shop.deps.observer.swept();
    if due.is_empty() {
        return;
    }
    let postings = due
        .iter()
        .map(|(meeting, round)| {
            let fact = Fact::Woken {
                meeting: *meeting,
                round: *round,
            };
            // The same key from another replica, or from the next pass, is a double.
            publish::event_posting(
                publish::own_event(fact, format!("woken:{meeting}:{round}"), now),
                now,
            )
        })
        .collect();
    match shop.deps.mail.send(postings).await {
        Ok(()) => info!(meetings = due.len(), "meetings woken"),
        Err(error) => warn!(%error, "meetings cannot be woken; the next pass tries again"),
    }
}

async fn prune(shop: &Shop) {
    let before = shop.deps.clock.now().minus(shop.settings.keep);
    match shop.deps.store.prune(before).await {
        Ok(0) => {}
        Ok(rows) => info!(rows, "old dedup keys and log lines forgotten"),
        Err(error) => warn!(%error, "old dedup keys cannot be forgotten"),
    }
}
