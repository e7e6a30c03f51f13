//! Ending deliveries.

use std::sync::Arc;
use std::time::Duration;

use crate::ports::{Outgoing, PublishError, QueueError, QueueName, Receipt, Settlement};

use super::key::RowKey;
use super::{EmbeddedQueue, EmbeddedShared, rows, too_large};
use crate::crash_point;

/// After a settlement that could not be written, its messages are given back so much later: their work is done
/// again, and a full disk must not make it a hot loop.
const GIVE_BACK_AFTER: Duration = Duration::from_secs(2);

/// Deliveries that are being settled. What is left in it when it goes is given back.
struct Claim {
    shared: Arc<EmbeddedShared>,
    held: Vec<(QueueName, RowKey)>,
    /// The file's run that they were handed out in.
    run: u64,
}

impl Claim {
    /// The messages are no longer in the file.
    fn finish(mut self) {
        let held = std::mem::take(&mut self.held);
        let mut ledger = self.shared.ledger();
        if ledger.run() == self.run {
            for (queue, key) in &held {
                ledger.remove(*queue, *key);
            }
        }
        drop(ledger);
        // There may be room for more in flight.
        held.iter()
            .for_each(|(queue, _)| self.shared.news(*queue).notify_one());
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut ledger = self.shared.ledger();
        // What was handed out before the file was opened again counts as waiting already.
        if ledger.run() == self.run {
            for (queue, key) in &self.held {
                ledger.give_back(*queue, *key);
            }
        }
        drop(ledger);
        self.held
            .iter()
            .for_each(|(queue, _)| self.shared.news(*queue).notify_one());
    }
}

impl EmbeddedQueue {
    /// Settles all of them in one transaction. A receipt is good once: whoever comes second is ignored.
    pub(super) async fn settle_all(&self, settlements: Vec<Settlement>) -> Result<(), QueueError> {
        let sqlite = self.sound().await?;
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
                rows::give_space_back(connection)?;
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
                // Here, so that no later change is made if the disk failed.
                Err(error) => Err((claim.shared.away(&error), claim)),
            },
        );
        let Err((failed, claim)) = settled.await.map_err(|error| self.shared.away(&error))? else {
            return Ok(());
        };
        tokio::select! {
            () = self.closed.cancelled() => {}
            () = tokio::time::sleep(GIVE_BACK_AFTER) => {}
        }
        drop(claim);
        Err(failed)
    }

    /// Gives back what is returned, and holds the rest.
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
