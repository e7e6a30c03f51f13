//! Finds the oldest messages that may be delivered. The age of a message counts from when it became visible.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use crate::domain::Timestamp;
use crate::ports::{Delivery, QueueError, QueueName};
use crate::sqlite::{Sqlite, SqliteError};

use super::key::RowKey;
use super::ledger::Scan;
use super::rows::{self, Stored, WaitingRow};
use super::{EmbeddedQueue, TIMER_MAX};

/// Most bytes of bodies that one `receive` returns. The first message is returned whatever its size.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most messages that one `receive` returns.
const MESSAGES_MAX: usize = 1024;

/// The result of a scan, oldest message first.
struct ScanResult {
    messages: Vec<(RowKey, Stored)>,
    /// When the next delayed message becomes visible, if the scan found none.
    next: Option<Timestamp>,
}

impl EmbeddedQueue {
    /// Waits for other receivers of the queue, then for messages. Dropping it at any point changes nothing, because
    /// messages are leased in the same step that returns them.
    pub(super) async fn wait_for_messages(
        &self,
        queue: QueueName,
        max: usize,
    ) -> Result<Vec<Delivery>, QueueError> {
        let max = max.min(MESSAGES_MAX);
        let _turn = self.turns[rows::number_of(queue)].lock().await;
        loop {
            let sqlite = self.open_sqlite().await?;
            self.follow_clock(&sqlite).await?;
            let scan = self.shared.ledger().begin_scan(queue, max);
            let wait = match scan {
                Some(scan) => {
                    let run = scan.run;
                    let found = self.scan(&sqlite, scan).await?;
                    if !found.messages.is_empty() {
                        match self.deliver(queue, run, found.messages) {
                            Some(deliveries) => return Ok(deliveries),
                            None => continue,
                        }
                    }
                    found
                        .next
                        .map(|next| next.since(self.shared.clock.now()).min(TIMER_MAX))
                }
                None => None,
            };
            // A notification since the scan began is kept, and ends this wait at once.
            let wakeup = self.shared.wakeup(queue).notified();
            match wait {
                None => wakeup.await,
                Some(wait) => {
                    let wait = wait.max(Duration::from_millis(1));
                    // Whether the time elapsed or a notification came, the next step is another scan.
                    drop(tokio::time::timeout(wait, wakeup).await);
                }
            }
        }
    }

    /// Corrects delayed messages after the clock was set back, so that they are not held up.
    async fn follow_clock(&self, sqlite: &Sqlite) -> Result<(), QueueError> {
        let now = self.shared.clock.now();
        let Some(back) = self.shared.set_back.notice(now) else {
            return Ok(());
        };
        let (changing, following) = (Arc::clone(&self.shared), Arc::clone(&self.shared));
        let changed = sqlite.write_then(
            move |connection| {
                let taken = changing.ledger().taken();
                rows::follow_clock(connection, now, |number| taken.contains(&number))
            },
            move |changed| {
                following.ledger().scan_again();
                for queue in QueueName::ALL {
                    following.wakeup(queue).notify_one();
                }
                changed
            },
        );
        let messages = changed.await.flatten().map_err(|error| {
            self.shared.set_back.keep(back);
            self.shared.queue_error(&error)
        })?;
        tracing::info!(
            back_s = back.as_secs(),
            messages,
            "the clock was set back: delayed messages count from now"
        );
        Ok(())
    }

    async fn scan(&self, sqlite: &Sqlite, scan: Scan) -> Result<ScanResult, QueueError> {
        let now = self.shared.clock.now();
        let found = sqlite
            .read(move |connection| find(connection, &scan, now))
            .await;
        found.map_err(|error| self.shared.queue_error(&error))
    }

    /// Leases the messages that a scan found. `None`: the file was opened again since the scan began, so its result is
    /// void.
    fn deliver(
        &self,
        queue: QueueName,
        run: u64,
        found: Vec<(RowKey, Stored)>,
    ) -> Option<Vec<Delivery>> {
        let keys: Vec<RowKey> = found.iter().map(|(key, _)| *key).collect();
        let mut ledger = self.shared.ledger();
        if ledger.run() != run {
            return None;
        }
        let receipts = ledger.lease(queue, &keys);
        let delivery = |((key, stored), receipt): ((RowKey, Stored), _)| {
            if stored.is_damaged {
                tracing::error!(
                    message.id = stored.message.id,
                    queue = queue.as_str(),
                    path = %self.shared.settings.path.display(),
                    "a message in the queue's file is damaged: it becomes a dead letter. Check the disk"
                );
            }
            Delivery {
                queue,
                message: stored.message,
                receipt,
                redelivered: ledger.is_redelivered(key),
                damaged: stored.is_damaged,
            }
        };
        Some(found.into_iter().zip(receipts).map(delivery).collect())
    }
}

fn find(connection: &Connection, scan: &Scan, now: Timestamp) -> Result<ScanResult, SqliteError> {
    let free = |waiting: Vec<WaitingRow>, taken: &[RowKey]| {
        let is_free = |waiting: &WaitingRow| taken.binary_search(&waiting.key).is_err();
        waiting.into_iter().filter(is_free).collect::<Vec<_>>()
    };
    let limit = scan.max + scan.taken_at_once.len();
    let at_once = rows::find_at_once(connection, scan.queue, scan.passed.at_once, limit)?;
    let limit = scan.max + scan.taken_delayed.len();
    let delayed = rows::find_due(connection, scan.queue, scan.passed.delayed, now, limit)?;
    let mut waiting = free(at_once, &scan.taken_at_once);
    waiting.extend(free(delayed, &scan.taken_delayed));
    // The merge keeps the order of the index within each of the two kinds, even if the clock jumps.
    merge(&mut waiting);
    let mut messages = Vec::new();
    let mut bytes = 0;
    for waiting in waiting.into_iter().take(scan.max) {
        let stored = rows::read(connection, waiting.key)?;
        bytes += stored.message.body.len();
        if bytes > BODY_BYTES_MAX && !messages.is_empty() {
            break;
        }
        messages.push((waiting.key, stored));
    }
    let next = match messages.is_empty() {
        true => rows::next_due(connection, scan.queue, now)?,
        false => None,
    };
    Ok(ScanResult { messages, next })
}

/// Merges messages with and without a delay by the time at which they became visible. Each kind keeps its own order.
fn merge(waiting: &mut Vec<WaitingRow>) {
    let (delayed, at_once): (Vec<WaitingRow>, Vec<WaitingRow>) = waiting
        .drain(..)
        .partition(|waiting| waiting.key.is_delayed());
    let (mut delayed, mut at_once) = (
        delayed.into_iter().peekable(),
        at_once.into_iter().peekable(),
    );
    loop {
        let next = match (at_once.peek(), delayed.peek()) {
            (Some(fresh), Some(due)) if fresh.visible_at < due.visible_at => at_once.next(),
            (Some(_), None) => at_once.next(),
            _ => delayed.next(),
        };
        let Some(next) = next else { return };
        waiting.push(next);
    }
}
