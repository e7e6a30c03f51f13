//! The one worker that moves meetings: takes events in batches, applies each batch in one transaction, publishes
//! what is owed, then acknowledges.

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
use super::{DeadReason, JobOutcome, Shop, poison, publish};

/// Runs until the workers are stopped or the queue is closed.
pub(super) async fn run(shop: Arc<Shop>) {
    loop {
        let received = tokio::select! {
            () = shop.stop.cancelled() => return,
            received = shop.deps.queue.receive(QueueName::Events, shop.settings.batch_max) => received,
        };
        match received {
            Ok(batch) => work(&shop, batch).await,
            Err(crate::ports::QueueError::Closed) => return,
            Err(error) => {
                if shop.queue_trouble.is_news() {
                    warn!(%error, "events cannot be received: they wait, and are asked for every second");
                }
                pause(&shop).await;
            }
        }
    }
}

/// One delivery with the event in it.
struct Delivered {
    received: Received,
    event: Event,
}

impl Delivered {
    /// Whether it is the sweep's word that a meeting owes.
    fn is_wake(&self) -> bool {
        matches!(self.event.fact, Fact::Woken { .. })
    }

    /// What tests know it by.
    fn text(&self) -> String {
        format!("{:?}", self.event)
    }
}

async fn work(shop: &Shop, mut batch: Vec<Received>) {
    let began = tokio::time::Instant::now();
    // Whatever goes wrong here, the events themselves are applied.
    let asking = AssertUnwindSafe(ask_peers(shop, &mut batch)).catch_unwind();
    if asking.await.is_err() {
        warn!("asking the peers before events are applied panicked; they are applied unasked");
    }
    apply_guarded(shop, batch, began).await;
}

/// Applies events in their order: in one transaction those that are new, and alone what may be poison. A wake that is
/// new is counted with its neighbours in hand, which costs it one count at most: when they end the process, all come
/// again and are counted alone.
async fn apply_guarded(
    shop: &Shop,
    batch: Vec<Received>,
    began: tokio::time::Instant,
) -> Option<()> {
    let mut together = Vec::with_capacity(batch.len());
    // Held until the last of those that were counted has its verdict.
    let mut exclusive = None;
    for mut received in batch {
        shop.suspects.limit(&mut received);
        let event = match read(shop, &received) {
            Ok(event) => event,
            Err(reason) => {
                give_up(shop, &received, reason, DeadReason::Unreadable).await;
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
            // Nobody but itself is in hand when it is counted.
            apply_counted(shop, std::mem::take(&mut together), began).await;
        }
        if exclusive.is_none() {
            exclusive = Some(poison::exclusive(shop).await?);
        }
        match poison::count(shop, &mark).await? {
            Ok(1) if !is_redelivered => together.push(delivered),
            Ok(_) => {
                apply_counted(shop, std::mem::take(&mut together), began).await;
                apply_counted(shop, vec![delivered], began).await;
            }
            // The mark stays until a replay: neither a copy of it nor the next wake of the meeting is any better. All
            // of its wakes have one letter.
            Err(poison::Poison(reason)) => {
                let mut received = delivered.received;
                received.message_id = mark;
                give_up(shop, &received, reason, DeadReason::Poison).await;
            }
        }
    }
    apply_counted(shop, together, began).await;
    Some(())
}

/// Learns from the peers what decides where an event belongs.
async fn ask_peers(shop: &Shop, batch: &mut [Received]) {
    place(shop, batch.iter_mut().filter_map(event_in_mut)).await;
    confirm(shop, batch.iter().filter_map(event_in)).await;
}

fn event_in_mut(received: &mut Received) -> Option<&mut Event> {
    match &mut received.content.as_mut().ok()?.body {
        Body::Event(event) => Some(event),
        Body::Job { .. } | Body::Tell(_) => None,
    }
}

fn event_in(received: &Received) -> Option<&Event> {
    match &received.content.as_ref().ok()?.body {
        Body::Event(event) => Some(event),
        Body::Job { .. } | Body::Tell(_) => None,
    }
}

/// Applies a batch; whatever became of it, its marks are cleared.
async fn apply_counted(shop: &Shop, batch: Vec<Delivered>, began: tokio::time::Instant) {
    if batch.is_empty() {
        return;
    }
    let marked = batch.iter().map(|it| poison::mark_of(&it.received));
    let marks: Vec<String> = marked.flatten().collect();
    let count = batch.len() as i64;
    shop.deps.observer.in_flight(QueueName::Events, count);
    apply_batch(shop, batch, began).await;
    shop.deps.observer.in_flight(QueueName::Events, -count);
    for mark in marks {
        poison::forget(shop, &mark).await;
    }
}

/// Applies a batch, or its events singly if the batch is refused, so that one bad event does not stop its neighbours.
async fn apply_batch(shop: &Shop, batch: Vec<Delivered>, began: tokio::time::Instant) {
    match apply(shop, &batch).await {
        Some(Ok(applied)) => finish(shop, batch, &applied, began).await,
        None => hand_back(shop, batch).await,
        Some(Err(why)) if batch.len() == 1 => {
            for delivered in batch {
                if delivered.is_wake() {
                    drop_wake(shop, delivered, &why).await;
                    continue;
                }
                let reason = format!("it cannot be applied: {why}");
                give_up(shop, &delivered.received, reason, DeadReason::GivenUp).await;
            }
        }
        Some(Err(why)) => {
            warn!(
                why,
                events = batch.len(),
                "a batch is refused; its events are applied singly"
            );
            for delivered in batch {
                Box::pin(apply_batch(shop, vec![delivered], began)).await;
            }
        }
    }
}

/// A meeting that cannot be woken is tried again by the sweep as long as it owes: a dead letter for each pass would
/// bury the one that tells why.
async fn drop_wake(shop: &Shop, delivered: Delivered, why: &str) {
    error!(why, meeting = ?delivered.event.fact.meeting(), "a meeting cannot be woken");
    let receipt = delivered.received.receipt;
    if let Err(error) = shop.deps.queue.settle(vec![Settled::Done(receipt)]).await {
        debug!(%error, "a wake could not be removed and will come again");
    }
}

/// Applies until it works, is refused (`Err`), or the workers are stopped (`None`). While the store is away nothing
/// is given back: the events wait where they are.
async fn apply(shop: &Shop, batch: &[Delivered]) -> Option<Result<Vec<Applied>, String>> {
    let apply_once = || async {
        let events = batch.iter().map(|delivered| delivered.event.clone());
        let events: Vec<Incoming> = events.map(incoming).collect();
        let now = shop.deps.clock.now();
        let applying = async {
            for delivered in batch {
                crash_point::reach_for("apply.begun", || delivered.text());
            }
            let policy = shop.settings.policy.clone();
            shop.deps.store.apply(events, policy, now).await
        };
        let applied = AssertUnwindSafe(applying).catch_unwind().await;
        applied.unwrap_or_else(|_| Err(StoreError::Refused("applying it panicked".to_owned())))
    };
    ask_store(shop, apply_once).await
}

/// Publishes what the batch owes, then acknowledges it.
async fn finish(
    shop: &Shop,
    batch: Vec<Delivered>,
    applied: &[Applied],
    began: tokio::time::Instant,
) {
    for delivered in &batch {
        crash_point::reach_for("apply.committed", || delivered.text());
    }
    let postings = publish::postings(applied, shop.deps.clock.now());
    if !send(shop, postings).await {
        // Unacknowledged events come again and publish the same jobs.
        return;
    }
    for delivered in &batch {
        crash_point::reach_for("apply.published", || delivered.text());
    }
    for (delivered, applied) in batch.iter().zip(applied) {
        report(shop, &delivered.event, applied);
        let outcome = match applied.effect {
            Effect::Applied => JobOutcome::Delivered,
            Effect::Duplicate | Effect::Conflict | Effect::Foreign => JobOutcome::Obsolete,
        };
        shop.deps
            .observer
            .settled(QueueName::Events, outcome, began.elapsed());
    }
    let settled = batch
        .iter()
        .map(|d| Settled::Done(d.received.receipt))
        .collect();
    if let Err(error) = shop.deps.queue.settle(settled).await {
        debug!(%error, "applied events could not be acknowledged and will come again");
    }
}

/// The event in a delivery, or why it is to be buried.
fn read(shop: &Shop, received: &Received) -> Result<Event, String> {
    let Body::Event(event) = &received.content.as_ref().map_err(Clone::clone)?.body else {
        return Err("it is no event".to_owned());
    };
    let waited = shop.deps.clock.now().since(event.received_at);
    shop.deps.observer.waited(QueueName::Events, waited);
    Ok(event.clone())
}

async fn give_up(shop: &Shop, received: &Received, reason: String, label: DeadReason) {
    if bury(shop, received, reason, label).await
        && let Err(error) = shop
            .deps
            .queue
            .settle(vec![Settled::Done(received.receipt)])
            .await
    {
        debug!(%error, "a buried message could not be removed and will come again");
    }
}

async fn hand_back(shop: &Shop, batch: Vec<Delivered>) {
    let settled = batch
        .iter()
        .map(|d| Settled::Return(d.received.receipt))
        .collect();
    if let Err(error) = shop.deps.queue.settle(settled).await {
        debug!(%error, "events could not be given back; they come again by themselves");
    }
}
