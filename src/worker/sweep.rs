//! The sweep: wakes meetings that still owe, and forgets what is too old to matter.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use crate::crash_point;
use crate::domain::Fact;

use super::{Shop, publish};

/// Most meetings woken in one pass; the rest waits for the next.
const WOKEN_MAX: usize = 500;
/// How often old dedup keys are forgotten.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// Runs until the workers are stopped: at once, then every `sweep_every`.
pub(super) async fn run(shop: Arc<Shop>) {
    let mut pruned_at: Option<tokio::time::Instant> = None;
    loop {
        crash_point::reach("sweep.begun");
        wake(&shop).await;
        if pruned_at.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
            prune(&shop).await;
            pruned_at = Some(tokio::time::Instant::now());
        }
        tokio::select! {
            () = shop.stop.cancelled() => return,
            () = tokio::time::sleep(shop.settings.sweep_every) => {}
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
