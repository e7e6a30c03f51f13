//! Messages that the broker will never accept. They stay leased in their file, where they do not delay other messages,
//! until they are stored as dead letters. Until then every start tries them again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::ports::{Delivery, Queue, QueueError, Receipt, ReturnedMessage, Settlement};
use crate::queue::EmbeddedQueue;

/// Most messages that are held here at one time. Further ones stay in their file until the next start.
const HELD_MAX: usize = 64;

#[derive(Default)]
pub(super) struct SpoolReturned {
    held: Mutex<SpoolHeld>,
    arrivals: Notify,
}

#[derive(Default)]
struct SpoolHeld {
    waiting: VecDeque<ReturnedMessage>,
    /// The queue and the receipt of each held message, by the receipt issued here.
    owners: HashMap<Receipt, (Arc<EmbeddedQueue>, Receipt)>,
    last_receipt: u64,
}

impl SpoolReturned {
    /// Holds a delivery instead of settling it.
    pub(super) fn hold(&self, queue: &Arc<EmbeddedQueue>, delivery: Delivery, reason: String) {
        tracing::error!(
            event.id = delivery.message.id,
            reason,
            "a message of the spool cannot be forwarded: it becomes a dead letter"
        );
        let mut held = self.held();
        if held.owners.len() >= HELD_MAX {
            return;
        }
        held.last_receipt += 1;
        let receipt = Receipt(held.last_receipt);
        held.owners
            .insert(receipt, (Arc::clone(queue), delivery.receipt));
        held.waiting.push_back(ReturnedMessage {
            delivery: Delivery {
                receipt,
                ..delivery
            },
            reason,
        });
        drop(held);
        self.arrivals.notify_one();
    }

    pub(super) async fn receive(&self, max: usize) -> Vec<ReturnedMessage> {
        loop {
            let arrivals = self.arrivals.notified();
            let returned: Vec<ReturnedMessage> = {
                let mut held = self.held();
                let count = held.waiting.len().min(max);
                held.waiting.drain(..count).collect()
            };
            if !returned.is_empty() {
                return returned;
            }
            arrivals.await;
        }
    }

    /// Removes messages that are stored elsewhere now. One that cannot be removed from its file is tried again at the
    /// next start; the others are removed in any case.
    pub(super) async fn settle(&self, done: Vec<Receipt>) -> Result<(), QueueError> {
        let mut settled = Ok(());
        for receipt in done {
            let owner = self.held().owners.remove(&receipt);
            if let Some((queue, receipt)) = owner
                && let Err(error) = queue.settle(vec![Settlement::Done(receipt)]).await
            {
                settled = Err(error);
            }
        }
        settled
    }

    fn held(&self) -> MutexGuard<'_, SpoolHeld> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
