//! The one worker that moves meetings: takes events in batches, applies each batch in one transaction, publishes
//! what is owed, then acknowledges.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tracing::{debug, error, info, warn};

use crate::crash_point;
use crate::domain::apply::{Applied, Effect, Fresh};
use crate::domain::{EndSaid, Event, Fact};
use crate::ports::{Body, DeadKind, Incoming, QueueName, Received, Settled, StoreError};

use super::confirm::confirm;
use super::dead::{Burial, bury};
use super::placing::place;
use super::send::send;
use super::suspect::{Alone, Suspicion, forget_mark, suspect};
use super::{DeadReason, JobOutcome, Repair, Shop, publish};

/// Pause before a store or queue that is away is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

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

    /// Whether work on it is counted. The sweep sends a wake anew as long as its meeting owes, so that one which ends
    /// the process would do so for ever, if only the redelivered ones were counted.
    fn is_marked(&self) -> bool {
        self.received.redelivered || self.is_wake()
    }

    /// The name of its mark. The sweep sends a meeting that owes a new event each time, so that the event's own id
    /// would never be counted twice.
    fn mark(&self) -> String {
        match self.event.fact {
            Fact::Woken { meeting, .. } => format!("woken:{meeting}"),
            _ => self.received.message_id.clone(),
        }
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
    let mut together = Vec::with_capacity(batch.len());
    for mut received in batch {
        let is_suspect = shop.suspects.include(&mut received);
        let delivered = match read(shop, received) {
            Ok(delivered) => delivered,
            Err(burial) => {
                give_up(shop, *burial).await;
                continue;
            }
        };
        if !is_suspect {
            together.push(delivered);
            continue;
        }
        // In their order, and nobody but itself is in hand when it is marked.
        let earlier = std::mem::take(&mut together);
        if !apply_together(shop, earlier, began).await || !apply_alone(shop, delivered, began).await
        {
            return;
        }
    }
    apply_together(shop, together, began).await;
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

/// Applies events that are new, in one transaction unless a wake among them was begun before and never ended; `false`:
/// the workers were stopped first. A wake is marked with its neighbours in hand, which costs it one count at most: when
/// they end the process, all come again and are marked alone.
async fn apply_together(shop: &Shop, batch: Vec<Delivered>, began: tokio::time::Instant) -> bool {
    let mut cleared = Vec::with_capacity(batch.len());
    // Held until the last of the marked ones has its verdict.
    let mut held: Option<Alone> = None;
    for delivered in batch {
        if !delivered.is_wake() {
            cleared.push(delivered);
            continue;
        }
        match suspect(shop, &delivered.mark(), held.take()).await {
            Suspicion::Cleared { count, alone } => {
                held = Some(alone);
                if count > 1 {
                    apply_counted(shop, std::mem::take(&mut cleared), began).await;
                    apply_counted(shop, vec![delivered], began).await;
                } else {
                    cleared.push(delivered);
                }
            }
            Suspicion::Poison(reason) => bury_poison(shop, delivered, reason).await,
            Suspicion::Stopped => return false,
        }
    }
    apply_counted(shop, cleared, began).await;
    true
}

/// Applies one event that may be poison; `false`: the workers were stopped first.
async fn apply_alone(shop: &Shop, delivered: Delivered, began: tokio::time::Instant) -> bool {
    match suspect(shop, &delivered.mark(), None).await {
        Suspicion::Cleared { alone, .. } => {
            apply_counted(shop, vec![delivered], began).await;
            drop(alone);
        }
        Suspicion::Poison(reason) => bury_poison(shop, delivered, reason).await,
        Suspicion::Stopped => return false,
    }
    true
}

async fn bury_poison(shop: &Shop, delivered: Delivered, reason: String) {
    let mark = delivered.mark();
    let mut received = delivered.received;
    if received.message_id != mark {
        // One letter for all wakes of a meeting, and the next one is no better: its mark stays.
        received.message_id = mark;
        received.redelivered = false;
    }
    let burial = Burial {
        kind: DeadKind::Event,
        reason,
        label: DeadReason::Poison,
        received,
    };
    give_up(shop, burial).await;
}

async fn apply_counted(shop: &Shop, batch: Vec<Delivered>, began: tokio::time::Instant) {
    if batch.is_empty() {
        return;
    }
    let count = batch.len() as i64;
    shop.deps.observer.in_flight(QueueName::Events, count);
    apply_batch(shop, batch, began).await;
    shop.deps.observer.in_flight(QueueName::Events, -count);
}

/// Applies a batch, or its events singly if the batch is refused, so that one bad event does not stop its neighbours.
async fn apply_batch(shop: &Shop, batch: Vec<Delivered>, began: tokio::time::Instant) {
    match apply(shop, &batch).await {
        Ok(Some(applied)) => finish(shop, batch, &applied, began).await,
        Ok(None) => hand_back(shop, batch).await,
        Err(why) if batch.len() == 1 => {
            for delivered in batch {
                if delivered.is_wake() {
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
    forget_mark(shop, &delivered.mark()).await;
    let receipt = delivered.received.receipt;
    if let Err(error) = shop.deps.queue.settle(vec![Settled::Done(receipt)]).await {
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
        let applying = async {
            for delivered in batch {
                crash_point::reach_for("apply.begun", || delivered.text());
            }
            let policy = shop.settings.policy.clone();
            shop.deps.store.apply(incoming, policy, now).await
        };
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
        tell(shop, &delivered.event, applied);
        let outcome = match applied.effect {
            Effect::Applied => JobOutcome::Delivered,
            Effect::Duplicate | Effect::Conflict | Effect::Foreign => JobOutcome::Obsolete,
        };
        shop.deps
            .observer
            .settled(QueueName::Events, outcome, began.elapsed());
        if delivered.is_marked() {
            forget_mark(shop, &delivered.mark()).await;
        }
    }
    let settled = batch
        .iter()
        .map(|d| Settled::Done(d.received.receipt))
        .collect();
    if let Err(error) = shop.deps.queue.settle(settled).await {
        debug!(%error, "applied events could not be acknowledged and will come again");
    }
}

pub(super) fn tell(shop: &Shop, event: &Event, applied: &Applied) {
    shop.deps.observer.applied(event, applied.effect);
    let (meeting, jobs) = (
        applied.meeting.map(|(id, _)| id.to_string()),
        applied.publish.len(),
    );
    let (kind, source) = (event.fact.kind(), event.origin.source.as_str());
    match applied.effect {
        Effect::Applied => {
            debug!(event.id = %event.id, event.kind = kind, source, meeting.id = meeting, jobs, "event applied");
            if let Some(what) = milestone(&event.fact) {
                info!(event.id = %event.id, meeting.id = meeting, "{what}");
            }
            if let Some(repair) = repair_of(event) {
                shop.deps.observer.repaired(repair);
            }
            if event.is_caught_up() {
                warn!(event.id = %event.id, meeting.id = meeting, "Mattermost did not reach the relay with this post: the relay found it in its channel");
            }
        }
        Effect::Duplicate if event.is_caught_up() => {
            debug!(event.id = %event.id, meeting.id = meeting, "the post was told in time");
        }
        Effect::Duplicate => {
            debug!(event.id = %event.id, event.kind = kind, source, meeting.id = meeting, "event came before");
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

/// What the event repairs: something that no webhook had told, or that was not done in time. Counted when it is
/// applied, so that one that was found twice counts once.
fn repair_of(event: &Event) -> Option<Repair> {
    match &event.fact {
        Fact::RoomPolled { ended: true, .. } => Some(Repair::MissedEnd),
        // A webhook's event is plugNmeet's own.
        Fact::ArtifactCreated { .. } if event.origin.is_relay() => Some(Repair::MissedArtifact),
        Fact::MeetingRequested { via, .. } if via.is_caught_up() => Some(Repair::MissedTrigger),
        Fact::Woken { .. } => Some(Repair::Woken),
        _ => None,
    }
}

/// What a person would want to know of a meeting without asking for each step.
const fn milestone(fact: &Fact) -> Option<&'static str> {
    match fact {
        Fact::PersonJoined { .. } => Some("somebody joined"),
        Fact::EndAllowed { .. } => Some("the end of the meeting is asked for"),
        Fact::SessionEnded {
            said: EndSaid::SessionEnded,
            ..
        }
        | Fact::RoomPolled { ended: true, .. } => Some("the meeting has ended"),
        Fact::RoomRefused { for_now: false, .. } => Some("there will be no room"),
        Fact::ArtifactCreated { .. } => Some("a recording or artifact is there"),
        _ => None,
    }
}

/// The event in a delivery, or why it is to be buried.
fn read(shop: &Shop, received: Received) -> Result<Delivered, Box<Burial>> {
    let event = match &received.content {
        Ok(envelope) => match &envelope.body {
            Body::Event(event) => Ok(event.clone()),
            Body::Job { .. } | Body::Tell(_) => Err("it is no event".to_owned()),
        },
        Err(why) => Err(why.clone()),
    };
    match event {
        Ok(event) => {
            let waited = shop.deps.clock.now().since(event.received_at);
            shop.deps.observer.waited(QueueName::Events, waited);
            Ok(Delivered { received, event })
        }
        Err(reason) => Err(Box::new(Burial {
            kind: DeadKind::Unreadable,
            reason,
            label: DeadReason::Unreadable,
            received,
        })),
    }
}

async fn give_up(shop: &Shop, burial: Burial) {
    let receipt = burial.received.receipt;
    if bury(shop, burial).await
        && let Err(error) = shop.deps.queue.settle(vec![Settled::Done(receipt)]).await
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

/// Waits a moment; `false` when the workers are stopped meanwhile.
pub(super) async fn pause(shop: &Shop) -> bool {
    tokio::select! {
        () = shop.stop.cancelled() => false,
        () = tokio::time::sleep(AGAIN_AFTER) => true,
    }
}

/// What apply must not draw itself.
pub(super) fn draw() -> Fresh {
    Fresh {
        room: std::array::from_fn(|_| rand::random_range(0..32)),
    }
}
