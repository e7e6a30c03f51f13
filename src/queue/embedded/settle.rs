//! Settles deliveries.

use std::sync::Arc;
use std::time::Duration;

use crate::ports::{Outgoing, PublishError, QueueError, QueueName, Receipt, Settlement};

use super::key::RowKey;
use super::{EmbeddedQueue, EmbeddedShared, rows, too_large};
use crate::crash_point;

/// After a settlement that could not be written, its messages are released this much later. Their work is then done
/// again, and a full disk must not turn that into a hot loop.
const RELEASE_AFTER: Duration = Duration::from_secs(2);

/// Deliveries that are being settled. Dropping the claim releases those that are still in `held`.
struct Claim {
    shared: Arc<EmbeddedShared>,
    held: Vec<(QueueName, RowKey)>,
    /// The run of the file in which they were delivered.
    run: u64,
}

impl Claim {
    /// Removes the messages from the ledger: they are no longer in the file.
    fn finish(mut self) {
        let held = std::mem::take(&mut self.held);
        let mut ledger = self.shared.ledger();
        if ledger.run() == self.run {
            for (queue, key) in &held {
                ledger.remove(*queue, *key);
            }
        }
        drop(ledger);
        // There may be room for more messages in flight.
        held.iter()
            .for_each(|(queue, _)| self.shared.wakeup(*queue).notify_one());
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut ledger = self.shared.ledger();
        // Messages that were delivered before the file was opened again count as waiting already.
        if ledger.run() == self.run {
            for (queue, key) in &self.held {
                ledger.release(*queue, *key);
            }
        }
        drop(ledger);
        self.held
            .iter()
            .for_each(|(queue, _)| self.shared.wakeup(*queue).notify_one());
    }
}

impl EmbeddedQueue {
    /// Settles all of them in one transaction. A receipt is valid once; a second settlement with it is ignored.
    pub(super) async fn settle_all(&self, settlements: Vec<Settlement>) -> Result<(), QueueError> {
        let sqlite = self.open_sqlite().await?;
        let next = |settlement: &Settlement| match settlement {
            Settlement::Again { next, .. } => too_large(std::slice::from_ref(next)),
            Settlement::Done(_) | Settlement::Return(_) => None,
        };
        if let Some(bytes) = settlements.iter().find_map(next) {
            return Err(QueueError::Unavailable(
                PublishError::TooLarge { bytes }.to_string(),
            ));
        }
        let (claim, changes) = self.claim(settlements);
        if changes.is_empty() {
            return Ok(());
        }
        let inserting = Arc::clone(&self.shared);
        let settled = sqlite.write_then(
            move |connection| {
                inserting.check()?;
                let mut inserted = Vec::new();
                for (key, next) in &changes {
                    let was_there = rows::delete(connection, *key)?;
                    if let Some(next) = next.as_ref().filter(|_| was_there) {
                        inserted.push(inserting.insert(connection, next)?);
                    }
                }
                rows::release_free_pages(connection)?;
                crash_point::reach("embedded.settling");
                Ok(inserted)
            },
            move |settled| match settled {
                Ok(inserted) => {
                    crash_point::reach("embedded.settled");
                    claim.shared.inserted(&inserted);
                    claim.finish();
                    Ok(())
                }
                // Recorded on the writer's thread, so that no later change is made if the disk failed.
                Err(error) => Err((claim.shared.queue_error(&error), claim)),
            },
        );
        let Err((failed, claim)) = settled
            .await
            .map_err(|error| self.shared.queue_error(&error))?
        else {
            return Ok(());
        };
        tokio::select! {
            () = self.closed.cancelled() => {}
            () = tokio::time::sleep(RELEASE_AFTER) => {}
        }
        drop(claim);
        Err(failed)
    }

    /// Releases the returned messages and claims the rest.
    fn claim(&self, settlements: Vec<Settlement>) -> (Claim, Vec<(RowKey, Option<Outgoing>)>) {
        let mut ledger = self.shared.ledger();
        let hold = || Claim {
            shared: Arc::clone(&self.shared),
            held: Vec::new(),
            run: ledger.run(),
        };
        let (mut claim, mut returned, mut changes) = (hold(), hold(), Vec::new());
        let mut take = |receipt: Receipt| ledger.claim(receipt);
        for settlement in settlements {
            match settlement {
                Settlement::Return(receipt) => returned.held.extend(take(receipt)),
                Settlement::Done(receipt) => {
                    if let Some((queue, key)) = take(receipt) {
                        claim.held.push((queue, key));
                        changes.push((key, None));
                    }
                }
                Settlement::Again { receipt, next } => {
                    if let Some((queue, key)) = take(receipt) {
                        claim.held.push((queue, key));
                        changes.push((key, Some(next)));
                    }
                }
            }
        }
        drop(ledger);
        drop(returned);
        (claim, changes)
    }
}
