//! The embedded queue: one SQLite file that one process owns. A message is durable when `publish` returns: WAL,
//! `synchronous = FULL`, and one commit for all callers that publish at the same time.
//!
//! A delivered message stays in the file until it is settled. Which receiver holds it is known in memory only
//! (`ledger`), so that after a restart every message in the file is visible again and counts as redelivered. The state
//! in memory follows the commits of the file on the writer's thread, whether or not the caller still waits.

mod file;
mod key;
mod ledger;
mod log;
mod room;
mod rows;
mod salvage;
mod scan;
mod settle;
mod suspension;
#[cfg(test)]
pub(in crate::queue) mod tests;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::clock::SetBack;
use crate::crash_point;
use crate::lock::lock;
use crate::ports::{
    Clock, Delivery, Depths, MESSAGE_BYTES_MAX, Outgoing, PublishError, Queue, QueueError,
    QueueName, Settlement,
};
use crate::sqlite::{Sqlite, SqliteError, SqliteThreads};

pub use file::QueueOpenError;
use key::RowKey;
use ledger::DeliveryLedger;
use rows::number_of;
use suspension::Suspension;

/// Longest wait for a delayed message before the clock is read again, because the clock may have been set meanwhile.
const TIMER_MAX: Duration = Duration::from_secs(5);
/// Most messages of one queue that are delivered and not settled. At this bound `receive` waits.
const IN_FLIGHT_MAX: usize = 16_384;

/// The path of the queue and its size limit.
#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// The path of the file. Its directory must exist.
    pub path: PathBuf,
    /// Bytes of the file in use beyond which no message from outside is accepted. Messages that follow from accepted
    /// ones may use as much again, and their retries are always accepted.
    pub bytes_max: u64,
}

/// The queue. [`Queue::close`] or dropping it closes the file.
pub struct EmbeddedQueue {
    shared: Arc<EmbeddedShared>,
    /// Held by the caller that opens the file again.
    reopening: Arc<AsyncMutex<()>>,
    /// One lock per queue, held while a receiver scans for messages, in the order of arrival. So two receivers never
    /// scan the same queue at once and never find the same message.
    turns: [AsyncMutex<()>; 4],
    closed: CancellationToken,
}

/// The handles that closing the queue releases.
struct OpenQueue {
    sqlite: Sqlite,
    threads: SqliteThreads,
    lock: File,
}

/// The state of the file. Its lock is held until the file is closed.
enum FileState {
    Open(OpenQueue),
    /// The last attempt to open it again failed.
    Unavailable(File),
    /// It is being opened again.
    Busy,
    Closed,
}

/// The state that the callers and the writer's thread share.
struct EmbeddedShared {
    file: Mutex<FileState>,
    suspension: Mutex<Option<Suspension>>,
    /// Whether the disk refused the last message from outside.
    is_refusing: AtomicBool,
    ledger: Mutex<DeliveryLedger>,
    /// Notified when a queue may have a message to deliver. They wake the receiver that holds the lock of the queue.
    wakeups: [Notify; 4],
    clock: Arc<dyn Clock>,
    set_back: SetBack,
    /// The newest message's number. It is incremented on the writer's thread, so that numbers grow with commits.
    last: AtomicI64,
    settings: EmbeddedSettings,
}

impl EmbeddedShared {
    fn ledger(&self) -> MutexGuard<'_, DeliveryLedger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> MutexGuard<'_, FileState> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn suspension(&self) -> MutexGuard<'_, Option<Suspension>> {
        self.suspension
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn wakeup(&self, queue: QueueName) -> &Notify {
        &self.wakeups[number_of(queue)]
    }

    /// Inserts a message on the writer's thread. The ledger needs the result after the commit.
    fn insert(
        &self,
        connection: &Connection,
        outgoing: &Outgoing,
    ) -> Result<(QueueName, RowKey), SqliteError> {
        let now = self.clock.now();
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let key = RowKey::new(now, outgoing.delay, number);
        rows::insert(connection, key, now, outgoing)?;
        Ok((outgoing.queue, key))
    }

    /// Records committed messages in the ledger and wakes receivers.
    fn inserted(&self, inserted: &[(QueueName, RowKey)]) {
        let mut ledger = self.ledger();
        for (queue, key) in inserted {
            ledger.insert(*queue, *key);
        }
        drop(ledger);
        for (queue, _) in inserted {
            self.wakeup(*queue).notify_one();
        }
    }
}

impl EmbeddedQueue {
    /// Opens or creates the file and takes its lock. It blocks: call it before serving.
    ///
    /// # Errors
    /// Another process owns the file, it is not a queue, or a newer relay wrote it.
    pub fn open(settings: EmbeddedSettings, clock: Arc<dyn Clock>) -> Result<Self, QueueOpenError> {
        let lock = lock(&settings.path)?;
        let now = clock.now();
        let file::OpenedFile {
            sqlite,
            threads,
            file_counts,
        } = file::open(&settings.path, &lock, now, false)?;
        let open = OpenQueue {
            sqlite,
            threads,
            lock,
        };
        let set_back = SetBack::default();
        set_back.notice(now);
        let shared = EmbeddedShared {
            file: Mutex::new(FileState::Open(open)),
            suspension: Mutex::new(None),
            is_refusing: AtomicBool::new(false),
            ledger: Mutex::new(DeliveryLedger::new(&file_counts, now, 0)),
            wakeups: Default::default(),
            clock,
            set_back,
            last: AtomicI64::new(file_counts.last),
            settings,
        };
        Ok(Self {
            shared: Arc::new(shared),
            reopening: Arc::default(),
            turns: Default::default(),
            closed: CancellationToken::new(),
        })
    }

    fn sqlite(&self) -> Option<Sqlite> {
        match &*self.shared.file() {
            FileState::Open(open) => Some(open.sqlite.clone()),
            FileState::Unavailable(_) | FileState::Busy | FileState::Closed => None,
        }
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
        let refused = |error| self.shared.publish_error(&error);
        self.shared.check().map_err(refused)?;
        let sqlite = self.sqlite().ok_or(SqliteError::Closed).map_err(refused)?;
        let (inserting, following) = (Arc::clone(&self.shared), Arc::clone(&self.shared));
        let stored = sqlite.write_then(
            move |connection| {
                crash_point::reach("embedded.before_append");
                inserting.check()?;
                let used = rows::bytes_used(connection)?;
                if used >= bytes_max {
                    return Ok(Err(PublishError::Full(format!(
                        "{used} bytes of its file are in use, its limit is {bytes_max}"
                    ))));
                }
                let insert = |outgoing| inserting.insert(connection, outgoing);
                let inserted = outgoing.iter().map(insert).collect::<Result<Vec<_>, _>>()?;
                crash_point::reach("embedded.appended");
                Ok(Ok(inserted))
            },
            move |stored| {
                let inserted = stored.map_err(|error| following.publish_error(&error))??;
                crash_point::reach("embedded.committed");
                following.inserted(&inserted);
                Ok(())
            },
        );
        stored.await.unwrap_or_else(|error| Err(refused(error)))
    }

    fn take_open(&self) -> Option<OpenQueue> {
        match std::mem::replace(&mut *self.shared.file(), FileState::Closed) {
            FileState::Open(open) => Some(open),
            FileState::Unavailable(_) | FileState::Busy | FileState::Closed => None,
        }
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        let bytes_max = self.shared.settings.bytes_max;
        let stored = self.insert_all(vec![outgoing], bytes_max).await;
        let is_refused = matches!(
            stored,
            Err(PublishError::Full(_) | PublishError::Unavailable(_))
        );
        self.shared.is_refusing.store(is_refused, Ordering::Relaxed);
        stored
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
        let sqlite = self.open_sqlite().await?;
        let now = self.shared.clock.now();
        let due = sqlite
            .read(move |connection| rows::count_due(connection, now))
            .await;
        let due = due.map_err(|error| self.shared.queue_error(&error))?;
        let ledger = self.shared.ledger();
        let depth = |queue| (queue, ledger.depth(queue, due[number_of(queue)], now));
        Ok(Depths {
            queues: QueueName::ALL.map(depth).to_vec(),
            shared_delayed: 0,
        })
    }

    async fn close(&self) {
        self.closed.cancel();
        if let Some(OpenQueue {
            sqlite,
            threads,
            lock,
        }) = self.take_open()
        {
            drop(sqlite);
            let closing = tokio::task::spawn_blocking(move || {
                threads.stop();
                drop(lock);
            });
            // A panic in the closure was logged already.
            drop(closing.await);
        }
        // A caller that is opening the file again releases it when it sees the closed state.
        drop(self.reopening.lock().await);
    }
}

impl Drop for EmbeddedQueue {
    fn drop(&mut self) {
        if let Some(OpenQueue {
            sqlite,
            threads,
            lock: _lock,
        }) = self.take_open()
        {
            // The next owner must not open the file before the last commit is complete; no other handle is left at this
            // point.
            drop(sqlite);
            threads.join();
        }
    }
}

fn too_large(outgoing: &[Outgoing]) -> Option<usize> {
    let mut lengths = outgoing.iter().map(|outgoing| outgoing.message.body.len());
    lengths.find(|bytes| *bytes > MESSAGE_BYTES_MAX)
}
