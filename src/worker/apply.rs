//! The one worker that moves meetings: takes events in batches, applies each batch in one transaction, publishes
//! what is owed, then acknowledges.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tracing::{debug, error, info, warn};

use crate::domain::apply::{Applied, Effect, Fresh};
use crate::domain::{Event, Fact};
use crate::ports::{Body, DeadKind, Incoming, Posting, QueueName, Received, Settled, StoreError};

use super::dead::{Burial, bury};
use super::{DeadReason, JobOutcome, Repair, Shop, publish};

/// Pause before a store or queue that is away is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Runs until the workers are stopped or the queue is closed.
pub(super) async fn run(shop: Arc<Shop>) {
    loop {
        let received = tokio::select! {
            () = shop.stop.cancelled() => return,
            received = shop.deps.mail.receive(QueueName::Events, shop.settings.batch_max) => received,
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

async fn work(shop: &Shop, batch: Vec<Received>) {
    let began = tokio::time::Instant::now();
    let mut events = Vec::with_capacity(batch.len());
    for received in batch {
        match read(shop, received).await {
            Ok(delivered) => events.push(delivered),
            Err(Some(burial)) => give_up(shop, burial).await,
            Err(None) => return,
        }
    }
    if events.is_empty() {
        return;
    }
    let count = events.len() as i64;
    shop.deps.observer.in_flight(QueueName::Events, count);
    apply_batch(shop, events, began).await;
    shop.deps.observer.in_flight(QueueName::Events, -count);
}

/// Applies a batch, or its events singly if the batch is refused, so that one bad event does not stop its neighbours.
async fn apply_batch(shop: &Shop, batch: Vec<Delivered>, began: tokio::time::Instant) {
    match apply(shop, &batch).await {
        Ok(Some(applied)) => finish(shop, batch, &applied, began).await,
        Ok(None) => hand_back(shop, batch).await,
        Err(why) if batch.len() == 1 => {
            for delivered in batch {
                if matches!(delivered.event.fact, Fact::Woken { .. }) {
                    drop_wake(shop, delivered, &why).await;
                    continue;
                }
                let burial = Burial {
                    kind: DeadKind::Event,
                    reason: format!("it cannot be applied: {why}"),
                    label: DeadReason::GivenUp,
                    received: delivered.received,
                };
                give_up(shop, burial).await;
            }
        }
        Err(why) => {
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
    let Received {
        receipt,
        message_id,
        redelivered,
        ..
    } = delivered.received;
    if redelivered {
        forget_mark(shop, &message_id).await;
    }
    if let Err(error) = shop.deps.mail.settle(vec![Settled::Done(receipt)]).await {
        debug!(%error, "a wake could not be removed and will come again");
    }
}

/// Applies until it works, is refused (`Err`), or the workers are stopped (`None`). While the store is away nothing
/// is given back: the events wait where they are.
async fn apply(shop: &Shop, batch: &[Delivered]) -> Result<Option<Vec<Applied>>, String> {
    loop {
        let incoming: Vec<Incoming> = batch
            .iter()
            .map(|delivered| Incoming {
                event: delivered.event.clone(),
                fresh: draw(),
            })
            .collect();
        let now = shop.deps.clock.now();
        let applying = shop
            .deps
            .store
            .apply(incoming, shop.settings.policy.clone(), now);
        match AssertUnwindSafe(applying).catch_unwind().await {
            Ok(Ok(applied)) => return Ok(Some(applied)),
            Ok(Err(StoreError::Refused(why))) => return Err(why),
            Ok(Err(StoreError::Away(why))) => {
                if shop.store_trouble.is_news() {
                    error!(why, "the store is away: events wait, nothing is lost");
                }
                if !pause(shop).await {
                    return Ok(None);
                }
            }
            Err(_) => return Err("applying it panicked".to_owned()),
        }
    }
}

/// Publishes what the batch owes, then acknowledges it.
async fn finish(
    shop: &Shop,
    batch: Vec<Delivered>,
    applied: &[Applied],
    began: tokio::time::Instant,
) {
    let postings = publish::postings(applied, shop.deps.clock.now());
    if !send(shop, postings).await {
        // Unacknowledged events come again and publish the same jobs.
        return;
    }
    for (delivered, applied) in batch.iter().zip(applied) {
        tell(shop, &delivered.event, applied);
        let outcome = match applied.effect {
            Effect::Applied => JobOutcome::Delivered,
            Effect::Duplicate | Effect::Conflict | Effect::Foreign => JobOutcome::Obsolete,
        };
        shop.deps
            .observer
            .settled(QueueName::Events, outcome, began.elapsed());
        if delivered.received.redelivered {
            forget_mark(shop, &delivered.received.message_id).await;
        }
    }
    let settled = batch
        .iter()
        .map(|d| Settled::Done(d.received.receipt))
        .collect();
    if let Err(error) = shop.deps.mail.settle(settled).await {
        debug!(%error, "applied events could not be acknowledged and will come again");
    }
}

fn tell(shop: &Shop, event: &Event, applied: &Applied) {
    shop.deps.observer.applied(event, applied.effect);
    let (meeting, jobs) = (
        applied.meeting.map(|(id, _)| id.to_string()),
        applied.publish.len(),
    );
    let (kind, source) = (event.fact.kind(), event.origin.source.as_str());
    match applied.effect {
        Effect::Applied => {
            info!(event.id = %event.id, event.kind = kind, source, meeting.id = meeting, jobs, "event applied");
            if event.is_caught_up() {
                shop.deps.observer.repaired(Repair::MissedTrigger);
                warn!(event.id = %event.id, meeting.id = meeting, "Mattermost did not reach the relay with this post: the relay found it in its channel");
            }
        }
        Effect::Duplicate if event.is_caught_up() => {
            debug!(event.id = %event.id, meeting.id = meeting, "the post was told in time");
        }
        Effect::Duplicate => {
            info!(event.id = %event.id, event.kind = kind, source, meeting.id = meeting, "event came before");
        }
        Effect::Conflict => {
            warn!(event.id = %event.id, event.kind = kind, source, meeting.id = meeting,
                "event came before with another content: the first one counts");
        }
        Effect::Foreign => {
            debug!(event.id = %event.id, event.kind = kind, source, "event of a foreign room");
        }
    }
}

/// Sends until it works; `false` when the workers are stopped first.
pub(super) async fn send(shop: &Shop, postings: Vec<Posting>) -> bool {
    if postings.is_empty() {
        return true;
    }
    loop {
        match shop.deps.mail.send(postings.clone()).await {
            Ok(()) => return true,
            Err(error) => {
                if shop.queue_trouble.is_news() {
                    warn!(%error, messages = postings.len(), "messages cannot be published: they are tried every second");
                }
                if !pause(shop).await {
                    return false;
                }
            }
        }
    }
}

/// The event in a delivery; `Err(Some)`: it is to be buried; `Err(None)`: the workers were stopped.
async fn read(shop: &Shop, received: Received) -> Result<Delivered, Option<Burial>> {
    let event = match &received.content {
        Ok(envelope) => match &envelope.body {
            Body::Event(event) => Ok(event.clone()),
            Body::Job { .. } | Body::Tell(_) => Err("it is no event".to_owned()),
        },
        Err(why) => Err(why.clone()),
    };
    let event = match event {
        Ok(event) => event,
        Err(reason) => {
            let (kind, label) = (DeadKind::Unreadable, DeadReason::Unreadable);
            return Err(Some(Burial {
                kind,
                reason,
                label,
                received,
            }));
        }
    };
    match suspect(shop, &received).await {
        Suspicion::None => {}
        Suspicion::Poison(reason) => {
            let (kind, label) = (DeadKind::Event, DeadReason::Poison);
            return Err(Some(Burial {
                kind,
                reason,
                label,
                received,
            }));
        }
        Suspicion::Stopped => return Err(None),
    }
    shop.deps.observer.waited(
        QueueName::Events,
        shop.deps.clock.now().since(event.received_at),
    );
    Ok(Delivered { received, event })
}

/// What the poison mark says of a message.
pub(super) enum Suspicion {
    /// Nothing.
    None,
    /// Work on it was begun too often; why, for the dead letter.
    Poison(String),
    /// Unknown: the workers were stopped while the store was away.
    Stopped,
}

/// Counts work on a redelivered message, before it begins. The normal path pays nothing.
pub(super) async fn suspect(shop: &Shop, received: &Received) -> Suspicion {
    if !received.redelivered {
        return Suspicion::None;
    }
    loop {
        match shop.deps.store.mark_redelivered(&received.message_id).await {
            Ok(count) if count > shop.settings.poison_max => {
                let tries = shop.settings.poison_max;
                return Suspicion::Poison(format!(
                    "poison: work on it was begun {tries} times and never ended"
                ));
            }
            Ok(_) => return Suspicion::None,
            Err(StoreError::Refused(why)) => {
                warn!(why, "a redelivered message cannot be marked");
                return Suspicion::None;
            }
            Err(StoreError::Away(why)) => {
                if shop.store_trouble.is_news() {
                    error!(why, "the store is away: messages wait, nothing is lost");
                }
                if !pause(shop).await {
                    return Suspicion::Stopped;
                }
            }
        }
    }
}

pub(super) async fn forget_mark(shop: &Shop, message_id: &str) {
    if let Err(error) = shop.deps.store.clear_mark(message_id).await {
        debug!(%error, "a redelivery mark stays");
    }
}

async fn give_up(shop: &Shop, burial: Burial) {
    let receipt = burial.received.receipt;
    if bury(shop, burial).await
        && let Err(error) = shop.deps.mail.settle(vec![Settled::Done(receipt)]).await
    {
        debug!(%error, "a buried message could not be removed and will come again");
    }
}

async fn hand_back(shop: &Shop, batch: Vec<Delivered>) {
    let settled = batch
        .iter()
        .map(|d| Settled::Return(d.received.receipt))
        .collect();
    if let Err(error) = shop.deps.mail.settle(settled).await {
        debug!(%error, "events could not be given back; they come again by themselves");
    }
}

/// Waits a moment; `false` when the workers are stopped meanwhile.
pub(super) async fn pause(shop: &Shop) -> bool {
    tokio::select! {
        () = shop.stop.cancelled() => false,
        () = tokio::time::sleep(AGAIN_AFTER) => true,
    }
}

fn draw() -> Fresh {
    Fresh {
        room: std::array::from_fn(|_| rand::random_range(0..32)),
    }
}
