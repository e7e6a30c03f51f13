//! Moves messages from a spool to the broker: publish, confirm, delete.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::backoff::Backoff;
use crate::crash_point;
use crate::ports::{
    Delivery, Outgoing, PublishError, Queue, QueueError, QueueName, Receipt, Settlement,
};

use super::{Core, Folder};

/// Most messages that wait for the broker's confirm at one time, over all spools. New events need places in the publish
/// window as well.
const WINDOW: usize = 64;
/// The longest wait for one confirm. The broker's back end has its own limit, so this one only matters if that fails.
const FORWARD_WITHIN: Duration = Duration::from_secs(60);
/// The wait for outstanding confirms after a stop was requested. A message that is not confirmed by then is published
/// again later.
const STOP_WITHIN: Duration = Duration::from_secs(1);
/// The pauses between attempts while the broker refuses. Only an attempt shows that the broker is available again, so
/// the longest pause is short.
const PAUSES: Backoff = Backoff {
    initial: Duration::from_millis(100),
    max: Duration::from_secs(2),
};
/// If nothing could be received for this long, an adopted spool is checked again for being empty.
const CHECK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The lock that allows one spool to be forwarded at a time. The holder keeps it while it pauses, so that only one
/// spool tries the broker.
#[derive(Default)]
pub(super) struct ForwardTurn {
    /// Attempts since the broker last confirmed a message.
    refused: u32,
}

/// Why forwarding ended.
pub(super) enum ForwardEnd {
    /// The spool is empty.
    Empty,
    /// A stop was requested.
    Stopped,
    /// The file cannot be read now: it is damaged, or the disk failed.
    Unreadable(String),
}

impl Core {
    /// Forwards the own spool until a stop is requested.
    pub(super) async fn forward_own(self: Arc<Self>) {
        let Some(own) = self.own.clone() else {
            return;
        };
        let mut refused = 0;
        while let ForwardEnd::Unreadable(why) = self.forward(&own, None).await {
            refused += 1;
            if refused == 1 {
                tracing::error!(path = %own.path.display(), why, "the spool cannot be read");
            }
            self.pause(refused).await;
        }
    }

    /// Forwards until a stop is requested. An adopted spool is forwarded until it is empty, and `forwarded` counts its
    /// messages.
    pub(super) async fn forward(
        &self,
        folder: &Folder,
        mut forwarded: Option<&mut u64>,
    ) -> ForwardEnd {
        // Confirmed, but not deleted because the disk refused. Never more than the deliveries of one batch.
        let mut confirmed = HashSet::new();
        loop {
            if forwarded.is_some() && folder.is_empty().await {
                return ForwardEnd::Empty;
            }
            let received = tokio::select! {
                biased;
                () = self.stop.cancelled() => return ForwardEnd::Stopped,
                received = tokio::time::timeout(CHECK_AGAIN_AFTER, receive(folder)) => received,
            };
            let deliveries = match received {
                // Nothing was received in time.
                Err(_) => continue,
                Ok(Ok(deliveries)) => deliveries,
                Ok(Err(QueueError::Closed)) => return ForwardEnd::Stopped,
                Ok(Err(QueueError::Unavailable(why))) => return ForwardEnd::Unreadable(why),
            };
            let count = self.forward_batch(folder, deliveries, &mut confirmed).await;
            if let Some(forwarded) = &mut forwarded {
                **forwarded += count;
            } else {
                let is_drained = folder.is_empty().await;
                self.episode().forwarded(count, is_drained);
            }
        }
    }

    /// Forwards one batch. Returns how many messages the broker confirmed.
    async fn forward_batch(
        &self,
        folder: &Folder,
        deliveries: Vec<Delivery>,
        confirmed: &mut HashSet<String>,
    ) -> u64 {
        let mut turn = self.turn.lock().await;
        if self.stop.is_cancelled() {
            // Not settled: closing the file releases them.
            return 0;
        }
        let (damaged, mut deliveries): (Vec<_>, Vec<_>) = deliveries
            .into_iter()
            .partition(|delivery| delivery.damaged);
        for delivery in damaged {
            self.returned_messages.hold(
                &folder.queue,
                delivery,
                "the spool's copy is damaged".to_owned(),
            );
        }
        if deliveries.is_empty() {
            return 0;
        }
        let mut settlements = Vec::with_capacity(deliveries.len());
        if turn.refused > 0 {
            // One message is enough to test the broker. It is chosen at random: if the broker refuses this message in
            // particular, the next attempt tries another.
            let chosen = rand::random_range(..deliveries.len());
            deliveries.swap(0, chosen);
            settlements.extend(deliveries.drain(1..).map(returned));
        }
        let (deleting, publishing): (Vec<_>, Vec<_>) = deliveries
            .into_iter()
            .partition(|delivery| confirmed.contains(&delivery.message.id));
        let mut done: Vec<(String, Receipt)> = deleting.into_iter().map(id_and_receipt).collect();
        let (mut taken, mut is_refused) = (0, false);
        for (delivery, outcome) in self.publish_together(publishing).await {
            match outcome {
                Ok(()) => {
                    crash_point::reach("spool.forwarded");
                    taken += 1;
                    self.observer.forwarded();
                    done.push(id_and_receipt(delivery));
                }
                Err(PublishError::TooLarge { .. } | PublishError::Unwritable(_)) => {
                    let reason = outcome.map_or_else(|error| error.to_string(), |()| String::new());
                    self.returned_messages.hold(&folder.queue, delivery, reason);
                }
                Err(PublishError::Unavailable(_) | PublishError::Full(_)) => {
                    is_refused = true;
                    settlements.push(returned(delivery));
                }
            }
        }
        settlements.extend(done.iter().map(|(_, receipt)| Settlement::Done(*receipt)));
        if taken > 0 {
            turn.refused = 0;
        }
        // If settling fails, the queue itself waits before it delivers the messages again.
        match folder.queue.settle(settlements).await {
            Ok(()) => confirmed.retain(|id| done.iter().all(|(deleted, _)| deleted != id)),
            Err(_) => confirmed.extend(done.into_iter().map(|(id, _)| id)),
        }
        if is_refused {
            turn.refused = turn.refused.saturating_add(1);
            self.pause(turn.refused).await;
        }
        taken
    }

    /// Publishes all of them concurrently, so that their confirms are pipelined.
    async fn publish_together(
        &self,
        deliveries: Vec<Delivery>,
    ) -> Vec<(Delivery, Result<(), PublishError>)> {
        let mut publishing: FuturesUnordered<_> = deliveries
            .into_iter()
            .map(|delivery| async {
                let publishing = self.inner.publish(Outgoing {
                    queue: delivery.queue,
                    message: delivery.message.clone(),
                    // Its delay has passed in the spool.
                    delay: Duration::ZERO,
                });
                let given_up = async {
                    tokio::select! {
                        () = tokio::time::sleep(FORWARD_WITHIN) => {}
                        () = self.stopped() => {}
                    }
                };
                let outcome = tokio::select! {
                    biased;
                    outcome = publishing => outcome,
                    () = given_up => Err(PublishError::Unavailable("no confirm in time".to_owned())),
                };
                (delivery, outcome)
            })
            .collect();
        let mut outcomes = Vec::with_capacity(publishing.len());
        while let Some(outcome) = publishing.next().await {
            if outcome.1.is_ok() {
                self.is_detoured.store(false, Ordering::Relaxed);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    /// Resolves when outstanding confirms are no longer waited for.
    async fn stopped(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(STOP_WITHIN).await;
    }

    /// Waits before the next attempt. Ends early when the broker confirms a new message, or when a stop is requested.
    async fn pause(&self, refused: u32) {
        let pause = PAUSES.delay(refused, rand::random());
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.confirmed.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Receives from any of the queues. Dropping it loses nothing.
async fn receive(folder: &Folder) -> Result<Vec<Delivery>, QueueError> {
    let receive = |queue| folder.queue.receive(queue, WINDOW);
    tokio::select! {
        received = receive(QueueName::Events) => received,
        received = receive(QueueName::Conference) => received,
        received = receive(QueueName::Chat) => received,
        received = receive(QueueName::ChatLater) => received,
    }
}

fn returned(delivery: Delivery) -> Settlement {
    Settlement::Return(delivery.receipt)
}

fn id_and_receipt(delivery: Delivery) -> (String, Receipt) {
    (delivery.message.id, delivery.receipt)
}
