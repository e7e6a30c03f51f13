//! The embedded queue: one SQLite file, one owner process. Durable when `publish` returns: WAL, `synchronous = FULL`,
//! one commit for everybody who publishes at the same time.
//!
//! A message that was handed out stays in the file until it is settled; who has it is known in memory only
//! (`ledger`), so that after a restart everything that was there is visible again and counts as redelivered. What
//! is kept in memory follows the file's commits on the writer's thread, whether or not the caller still waits.

mod file;
mod ledger;
mod look;
mod room;
mod rows;
mod settle;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::ports::{
    Clock, Delivery, Depths, MESSAGE_BYTES_MAX, Outgoing, PublishError, Queue, QueueError,
    QueueName, Settlement,
};
use crate::sqlite::{Sqlite, SqliteError, SqliteThreads};

pub use file::OpenError;
pub(in crate::queue) use file::lock;
use ledger::{Key, Ledger};
use rows::number_of;

/// Longest wait for a delayed message before the clock is looked at again: it may have been set.
const TIMER_MAX: Duration = Duration::from_secs(60);
/// Most messages of one queue that are handed out and not settled; then `receive` waits.
const IN_FLIGHT_MAX: usize = 16_384;

/// Where the queue is and how large it may become.
#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// The file; its folder must exist.
    pub path: PathBuf,
    /// Bytes of the file in use beyond which no message is accepted from outside. What follows from accepted ones
    /// may take as much again, and their retries are always taken.
    pub bytes_max: u64,
}

/// The queue. [`Queue::close`] or dropping it closes the file.
pub struct EmbeddedQueue {
    open: Mutex<Option<Open>>,
    shared: Arc<Shared>,
    /// Taken by whoever looks for messages of a queue, first come first served, so that two never find the same one.
    turns: [AsyncMutex<()>; 4],
    closed: CancellationToken,
}

/// What is given free by closing.
struct Open {
    sqlite: Sqlite,
    threads: SqliteThreads,
    _lock: File,
}

/// What the callers and the writer's thread share.
struct Shared {
    ledger: Mutex<Ledger>,
    /// Told when a queue may have something to hand out, to the one whose turn it is.
    news: [Notify; 4],
    clock: Arc<dyn Clock>,
    /// The newest message's number; drawn on the writer's thread, so that numbers grow with commits.
    last: AtomicI64,
    /// Where the file stood when it was opened: up to here messages count as redelivered.
    start: Key,
    settings: EmbeddedSettings,
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn news(&self, queue: QueueName) -> &Notify {
        &self.news[number_of(queue)]
    }

    /// Inserts on the writer's thread. What it returns is for the ledger, after the commit.
    fn insert(
        &self,
        connection: &Connection,
        outgoing: &Outgoing,
    ) -> Result<(QueueName, Key), SqliteError> {
        let now = self.clock.now();
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let key = Key::new(now, outgoing.delay, number);
        rows::insert(connection, key, now, outgoing)?;
        Ok((outgoing.queue, key))
    }

    /// Follows a commit.
    fn inserted(&self, inserted: &[(QueueName, Key)]) {
        let mut ledger = self.ledger();
        for (queue, key) in inserted {
            ledger.insert(*queue, *key);
        }
        drop(ledger);
        for (queue, _) in inserted {
            self.news(*queue).notify_one();
        }
    }
}

impl EmbeddedQueue {
    /// Opens or makes the file and takes its lock. It blocks: call it before serving.
    ///
    /// # Errors
    /// Another process owns it, it is no queue, or a newer relay wrote it.
    pub fn open(settings: EmbeddedSettings, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let lock = file::lock(&settings.path)?;
        let mut found = rows::Found::default();
        let opened = Sqlite::open(&settings.path, |connection| {
            file::prepare(connection)?;
            found = rows::count(connection)?;
            Ok(())
        });
        let (sqlite, threads) = opened.map_err(|error| OpenError::of(&settings.path, error))?;
        let start = Key {
            due: clock.now().millis(),
            number: found.last,
        };
        let shared = Shared {
            ledger: Mutex::new(Ledger::new(&found.counts)),
            news: Default::default(),
            clock,
            last: AtomicI64::new(found.last),
            start,
            settings,
        };
        Ok(Self {
            open: Mutex::new(Some(Open {
                sqlite,
                threads,
                _lock: lock,
            })),
            shared: Arc::new(shared),
            turns: Default::default(),
            closed: CancellationToken::new(),
        })
    }

    fn sqlite(&self) -> Option<Sqlite> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().map(|open| open.sqlite.clone())
    }

    async fn insert_all(
        &self,
        outgoing: Vec<Outgoing>,
        bytes_max: u64,
    ) -> Result<(), PublishError> {
        if outgoing.is_empty() {
            return Ok(());
        }
        if let Some(bytes) = too_large(&outgoing) {
            return Err(PublishError::TooLarge { bytes });
        }
        let sqlite = self
            .sqlite()
            .ok_or_else(|| refused(&self.shared, &SqliteError::Closed))?;
        let (inserting, following) = (Arc::clone(&self.shared), Arc::clone(&self.shared));
        let stored = sqlite.write_then(
            move |connection| {
                let used = rows::bytes_used(connection)?;
                if used >= bytes_max {
                    return Ok(Err(PublishError::Full(format!(
                        "{used} bytes of its file are in use, its limit is {bytes_max}"
                    ))));
                }
                let insert = |outgoing| inserting.insert(connection, outgoing);
                Ok(Ok(outgoing
                    .iter()
                    .map(insert)
                    .collect::<Result<Vec<_>, _>>()?))
            },
            move |stored| {
                let inserted = stored.map_err(|error| refused(&following, &error))??;
                following.inserted(&inserted);
                Ok(())
            },
        );
        stored
            .await
            .unwrap_or_else(|error| Err(refused(&self.shared, &error)))
    }

    fn take_open(&self) -> Option<Open> {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        self.insert_all(vec![outgoing], self.shared.settings.bytes_max)
            .await
    }

    async fn publish_all(&self, outgoing: Vec<Outgoing>) -> Result<(), PublishError> {
        let bytes_max = self.shared.settings.bytes_max.saturating_mul(2);
        self.insert_all(outgoing, bytes_max).await
    }

    async fn receive(&self, queue: QueueName, max: usize) -> Result<Vec<Delivery>, QueueError> {
        tokio::select! {
            biased;
            () = self.closed.cancelled() => Err(QueueError::Closed),
            deliveries = self.wait_for_messages(queue, max.max(1)) => deliveries,
        }
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), QueueError> {
        self.settle_all(settlements).await
    }

    async fn depths(&self) -> Result<Depths, QueueError> {
        let sqlite = self.sqlite().ok_or(QueueError::Closed)?;
        let now = self.shared.clock.now();
        let due = sqlite
            .read(move |connection| rows::count_due(connection, now))
            .await;
        let due = due.map_err(|error| away(&self.shared, &error))?;
        let ledger = self.shared.ledger();
        let depth = |queue| (queue, ledger.depth(queue, due[number_of(queue)], now));
        Ok(Depths {
            queues: QueueName::ALL.map(depth).to_vec(),
            shared_delayed: 0,
        })
    }

    async fn close(&self) {
        self.closed.cancel();
        if let Some(Open {
            sqlite,
            threads,
            _lock,
        }) = self.take_open()
        {
            drop(sqlite);
            let closing = tokio::task::spawn_blocking(move || {
                threads.stop();
                drop(_lock);
            });
            // A panic in there has already said so.
            drop(closing.await);
        }
    }
}

impl Drop for EmbeddedQueue {
    fn drop(&mut self) {
        if let Some(Open {
            sqlite,
            threads,
            _lock,
        }) = self.take_open()
        {
            // The next owner must not come before the last commit is through; nobody else has a handle any more.
            drop(sqlite);
            threads.join();
        }
    }
}

fn too_large(outgoing: &[Outgoing]) -> Option<usize> {
    let mut lengths = outgoing.iter().map(|outgoing| outgoing.message.body.len());
    lengths.find(|bytes| *bytes > MESSAGE_BYTES_MAX)
}

fn refused(shared: &Shared, error: &SqliteError) -> PublishError {
    let text = format!("{}: {error}", shared.settings.path.display());
    if error.is_full() {
        PublishError::Full(text)
    } else {
        PublishError::Away(text)
    }
}

fn away(shared: &Shared, error: &SqliteError) -> QueueError {
    match error {
        SqliteError::Closed => QueueError::Closed,
        error => QueueError::Away(format!("{}: {error}", shared.settings.path.display())),
    }
}
