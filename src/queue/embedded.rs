//! The embedded queue: one SQLite file, one owner process. Durable when `publish` returns: WAL, `synchronous = FULL`,
//! one commit for everybody who publishes at the same time.
//!
//! A message that was handed out stays in the file until it is settled; who has it is known in memory only, so that
//! after a restart everything that was there is visible again and counts as redelivered.

mod file;
mod leases;
mod rows;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::domain::Timestamp;
use crate::ports::{
    Clock, Delivery, Depth, MESSAGE_BYTES_MAX, Outgoing, PublishError, Queue, QueueError,
    QueueName, Settlement,
};
use crate::sqlite::{Sqlite, SqliteError, SqliteThreads};

pub use file::OpenError;
use leases::{Lease, Leases};
use rows::{Count, Row};

/// Longest wait for a delayed message before the clock is looked at again: it may have been set.
const TIMER_MAX: Duration = Duration::from_secs(60);

/// Where the queue is and how large it may become.
#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// The file; its folder must exist.
    pub path: PathBuf,
    /// Most bytes of message bodies that lie in the queue; beyond it nothing is accepted.
    pub bytes_max: u64,
}

/// The queue. It is closed by [`Queue::close`]; without that the file is closed when the process ends.
pub struct EmbeddedQueue {
    open: Mutex<Option<Open>>,
    clock: Arc<dyn Clock>,
    bytes_max: u64,
    /// Messages with a row number up to this one were there at the start.
    boundary: i64,
    lanes: [Lane; 4],
    bytes: AtomicU64,
    closed: CancellationToken,
}

/// What is given free by closing.
struct Open {
    sqlite: Sqlite,
    threads: SqliteThreads,
    _lock: File,
}

/// One of the four queues.
#[derive(Default)]
struct Lane {
    /// Taken by whoever looks for messages, so that two never find the same one.
    looking: AsyncMutex<()>,
    leases: Mutex<Leases>,
    messages: AtomicU64,
    news: Notify,
}

impl Lane {
    fn leases(&self) -> std::sync::MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EmbeddedQueue {
    /// Opens or makes the file and takes its lock.
    ///
    /// # Errors
    /// Another process owns it, it is no queue, or a newer relay wrote it.
    pub fn open(settings: EmbeddedSettings, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let lock = file::lock(&settings.path)?;
        let mut found = rows::Found::default();
        let migrated = Sqlite::open(&settings.path, |connection| {
            file::prepare(connection)?;
            found = rows::count(connection)?;
            Ok(())
        });
        let (sqlite, threads) = migrated.map_err(|error| OpenError::of(&settings.path, error))?;
        let queue = Self {
            open: Mutex::new(Some(Open {
                sqlite,
                threads,
                _lock: lock,
            })),
            clock,
            bytes_max: settings.bytes_max,
            boundary: found.last,
            lanes: Default::default(),
            bytes: AtomicU64::new(found.bytes),
            closed: CancellationToken::new(),
        };
        for Count {
            queue: name,
            messages,
        } in found.counts
        {
            queue.lane(name).messages.store(messages, Ordering::Relaxed);
        }
        Ok(queue)
    }

    fn lane(&self, queue: QueueName) -> &Lane {
        &self.lanes[rows::number(queue)]
    }

    fn sqlite(&self) -> Option<Sqlite> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().map(|open| open.sqlite.clone())
    }

    async fn put(&self, outgoing: Vec<Outgoing>) -> Result<(), PublishError> {
        let length = |outgoing: &Outgoing| outgoing.message.body.len();
        if let Some(bytes) = outgoing
            .iter()
            .map(length)
            .find(|bytes| *bytes > MESSAGE_BYTES_MAX)
        {
            return Err(PublishError::TooLarge { bytes });
        }
        let sqlite = self
            .sqlite()
            .ok_or_else(|| PublishError::Away("it is closed".to_owned()))?;
        let bytes = outgoing
            .iter()
            .map(|outgoing| length(outgoing) as u64)
            .sum::<u64>();
        let lying = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if lying.saturating_add(bytes) > self.bytes_max {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(PublishError::Full(format!(
                "{lying} bytes lie in it, queue.bytes_max is {}",
                self.bytes_max
            )));
        }
        let queues: Vec<QueueName> = outgoing.iter().map(|outgoing| outgoing.queue).collect();
        let now = self.clock.now();
        let stored = sqlite
            .write(move |connection| {
                outgoing
                    .iter()
                    .try_for_each(|outgoing| rows::insert(connection, outgoing, now))
            })
            .await;
        if let Err(error) = stored {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(refused(&error));
        }
        for queue in queues {
            self.lane(queue).messages.fetch_add(1, Ordering::Relaxed);
            self.lane(queue).news.notify_waiters();
        }
        Ok(())
    }

    /// Messages that are due, leased; or when the next one is due, if there is one.
    async fn look(
        &self,
        queue: QueueName,
        max: usize,
    ) -> Result<Result<Vec<Delivery>, Option<Timestamp>>, QueueError> {
        let lane = self.lane(queue);
        let sqlite = self.sqlite().ok_or(QueueError::Closed)?;
        let _looking = lane.looking.lock().await;
        let leased = lane.leases().len();
        let rows = sqlite
            .read(move |connection| rows::oldest(connection, queue, max + leased))
            .await
            .map_err(away)?;
        let now = self.clock.now();
        // From here on nothing is awaited: a caller that goes away leases nothing.
        let mut leases = lane.leases();
        let mut next = None;
        let mut deliveries = Vec::new();
        for Row {
            number,
            visible_at,
            message,
        } in rows
        {
            if leases.has(number) {
                continue;
            }
            if visible_at > now {
                next = Some(visible_at);
                break;
            }
            if deliveries.len() == max {
                break;
            }
            let receipt = leases.take(Lease {
                number,
                bytes: message.body.len() as u64,
            });
            let redelivered = number <= self.boundary;
            deliveries.push(Delivery {
                queue,
                message,
                receipt,
                redelivered,
            });
        }
        Ok(if deliveries.is_empty() {
            Err(next)
        } else {
            Ok(deliveries)
        })
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        self.put(vec![outgoing]).await
    }

    async fn publish_all(&self, outgoing: Vec<Outgoing>) -> Result<(), PublishError> {
        if outgoing.is_empty() {
            return Ok(());
        }
        self.put(outgoing).await
    }

    async fn receive(&self, queue: QueueName, max: usize) -> Result<Vec<Delivery>, QueueError> {
        let max = max.max(1);
        loop {
            if self.closed.is_cancelled() {
                return Err(QueueError::Closed);
            }
            // Before the look: what is published after it wakes this.
            let news = self.lane(queue).news.notified();
            let next = match self.look(queue, max).await? {
                Ok(deliveries) => return Ok(deliveries),
                Err(next) => next,
            };
            let wait = next.map_or(TIMER_MAX, |at| {
                // A millisecond more: the clock has that resolution.
                (at.since(self.clock.now()) + Duration::from_millis(1)).min(TIMER_MAX)
            });
            tokio::select! {
                () = self.closed.cancelled() => return Err(QueueError::Closed),
                () = news => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), QueueError> {
        let sqlite = self.sqlite().ok_or(QueueError::Closed)?;
        let mut changes = Vec::new();
        for settlement in settlements {
            let (receipt, next) = match settlement {
                Settlement::Return(receipt) => {
                    self.give_back(receipt);
                    continue;
                }
                Settlement::Done(receipt) => (receipt, None),
                Settlement::Again { receipt, next } => (receipt, Some(next)),
            };
            if let Some((lane, lease)) = self.find(receipt) {
                changes.push(Change {
                    lane,
                    receipt,
                    lease,
                    next,
                });
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let rows: Vec<_> = changes
            .iter()
            .map(|c| (c.lease.number, c.next.clone()))
            .collect();
        let stored = sqlite
            .write(move |connection| {
                rows.iter().try_for_each(|(number, next)| {
                    rows::delete(connection, *number)?;
                    next.iter()
                        .try_for_each(|next| rows::insert(connection, next, now))
                })
            })
            .await;
        if let Err(error) = stored {
            // Nothing was changed: the messages are visible again, and their work is repeated.
            changes
                .iter()
                .for_each(|change| self.give_back(change.receipt));
            return Err(away(error));
        }
        changes.iter().for_each(|change| self.forget(change));
        Ok(())
    }

    async fn depths(&self) -> Result<Vec<(QueueName, Depth)>, QueueError> {
        let sqlite = self.sqlite().ok_or(QueueError::Closed)?;
        let now = self.clock.now();
        let delayed = sqlite
            .read(move |connection| rows::delayed(connection, now))
            .await
            .map_err(away)?;
        let depth = |queue: &QueueName| {
            let messages = self.lane(*queue).messages.load(Ordering::Relaxed);
            let in_flight = self.lane(*queue).leases().len() as u64;
            let delayed = delayed[rows::number(*queue)];
            let ready = messages.saturating_sub(delayed).saturating_sub(in_flight);
            (
                *queue,
                Depth {
                    ready,
                    delayed,
                    in_flight,
                },
            )
        };
        Ok(QueueName::ALL.iter().map(depth).collect())
    }

    async fn close(&self) {
        self.closed.cancel();
        let open = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(Open {
            sqlite,
            threads,
            _lock,
        }) = open
        {
            drop(sqlite);
            // Whoever still waits for a commit holds the file open until it is done.
            drop(tokio::task::spawn_blocking(move || threads.join()).await);
            drop(_lock);
        }
    }
}

/// One settled delivery.
struct Change {
    lane: usize,
    receipt: crate::ports::Receipt,
    lease: Lease,
    next: Option<Outgoing>,
}

impl EmbeddedQueue {
    fn find(&self, receipt: crate::ports::Receipt) -> Option<(usize, Lease)> {
        let found = |lane: &Lane| lane.leases().get(receipt);
        self.lanes
            .iter()
            .enumerate()
            .find_map(|(at, lane)| Some((at, found(lane)?)))
    }

    fn give_back(&self, receipt: crate::ports::Receipt) {
        for lane in &self.lanes {
            if lane.leases().drop_lease(receipt).is_some() {
                lane.news.notify_waiters();
            }
        }
    }

    fn forget(&self, change: &Change) {
        let lane = &self.lanes[change.lane];
        if lane.leases().drop_lease(change.receipt).is_none() {
            return;
        }
        lane.messages.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(change.lease.bytes, Ordering::Relaxed);
        if let Some(next) = &change.next {
            self.bytes
                .fetch_add(next.message.body.len() as u64, Ordering::Relaxed);
            self.lane(next.queue)
                .messages
                .fetch_add(1, Ordering::Relaxed);
            self.lane(next.queue).news.notify_waiters();
        }
    }
}

fn refused(error: &SqliteError) -> PublishError {
    if error.is_full() {
        PublishError::Full(error.to_string())
    } else {
        PublishError::Away(error.to_string())
    }
}

fn away(error: SqliteError) -> QueueError {
    match error {
        SqliteError::Closed => QueueError::Closed,
        error => QueueError::Away(error.to_string()),
    }
}
