//! Messages that the broker will never take. They stay leased in their file, out of their neighbours' way, until
//! somebody keeps them elsewhere; until then every start tries them again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::ports::{Delivery, Queue, QueueError, Receipt, ReturnedMessage, Settlement};
use crate::queue::EmbeddedQueue;

/// Most messages that are held here at one time. Others stay in their file until the next start.
const HELD_MAX: usize = 64;

#[derive(Default)]
pub(super) struct SpoolReturned {
    held: Mutex<SpoolHeld>,
    news: Notify,
}

#[derive(Default)]
struct SpoolHeld {
    waiting: VecDeque<ReturnedMessage>,
    /// Whose they are, by our own receipts.
    owners: HashMap<Receipt, (Arc<EmbeddedQueue>, Receipt)>,
    last_receipt: u64,
}

impl SpoolReturned {
    /// Puts a delivery aside instead of settling it.
    pub(super) fn put(&self, queue: &Arc<EmbeddedQueue>, delivery: Delivery, reason: String) {
        tracing::error!(
            event.id = delivery.message.id,
            reason,
            "a message of the spool cannot be forwarded and is put aside"
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
        self.news.notify_one();
    }

    pub(super) async fn receive(&self, max: usize) -> Vec<ReturnedMessage> {
        loop {
            let news = self.news.notified();
            let returned: Vec<ReturnedMessage> = {
                let mut held = self.held();
                let count = held.waiting.len().min(max);
                held.waiting.drain(..count).collect()
            };
            if !returned.is_empty() {
                return returned;
            }
            news.await;
        }
    }

    /// Removes what is kept elsewhere now. What a file does not let go is tried again at the next start; the others
    /// are removed all the same.
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
