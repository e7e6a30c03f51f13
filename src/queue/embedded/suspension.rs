//! What the queue does when its disk fails or its file is found damaged: from that moment nothing is accepted, handed
//! out or settled, until the file was opened again. Opening moves the whole log into the file on stable storage, looks
//! whether the file is whole, and saves what can be read if it is not. It is like a restart: everything in the file is
//! visible again and counts as redelivered, and receipts from before are void.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::ports::{PublishError, QueueError};
use crate::sqlite::{Sqlite, SqliteError};

use super::ledger::DeliveryLedger;
use super::{EmbeddedQueue, EmbeddedShared, FileState, OpenQueue, file};

/// Pause between two tries to open the file again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Why the queue is suspended.
#[derive(Debug, Clone)]
pub(super) struct Suspension {
    why: String,
    /// The file's pages are in doubt, not only the disk.
    is_damage: bool,
    /// When it was last tried to open the file.
    tried: Option<Instant>,
}

impl EmbeddedShared {
    /// What a publisher is told; remembers what concerns the file as a whole.
    pub(super) fn refused(&self, error: &SqliteError) -> PublishError {
        self.met(error);
        let text = self.named(error);
        if error.is_full() {
            PublishError::Full(text)
        } else {
            PublishError::Unavailable(text)
        }
    }

    /// What everybody else is told.
    pub(super) fn away(&self, error: &SqliteError) -> QueueError {
        self.met(error);
        match error {
            SqliteError::Closed => self.closed(),
            error => QueueError::Unavailable(self.named(error)),
        }
    }

    /// Refuses while the queue is suspended; for changes that were on their way when it happened.
    pub(super) fn check(&self) -> Result<(), SqliteError> {
        match &*self.suspension() {
            Some(suspension) => Err(SqliteError::Refused(suspension.why.clone())),
            None => Ok(()),
        }
    }

    /// What somebody is told who met no open file.
    fn closed(&self) -> QueueError {
        match &*self.file() {
            FileState::Closed => QueueError::Closed,
            FileState::Open(_) | FileState::Unavailable(_) | FileState::Busy => {
                QueueError::Unavailable("the file is being opened again".to_owned())
            }
        }
    }

    fn named(&self, error: &SqliteError) -> String {
        format!("{}: {error}", self.settings.path.display())
    }

    fn met(&self, error: &SqliteError) {
        if !error.is_damaged() && !error.is_io() {
            return;
        }
        let mut suspension = self.suspension();
        if suspension.is_some() {
            return;
        }
        let (path, is_damage) = (self.settings.path.display(), error.is_damaged());
        tracing::error!(%path, %error, is_damage, "the queue's file cannot be relied on: nothing is accepted or acknowledged until it was opened again");
        *suspension = Some(Suspension {
            why: format!("{error} (the file is being opened again)"),
            is_damage,
            tried: None,
        });
        drop(suspension);
        // Whoever waits for messages opens it again.
        self.news.iter().for_each(tokio::sync::Notify::notify_one);
    }

    /// Blocks; the lock on the queue's file is kept all the time.
    fn reopen(&self) {
        // Taken out first: in a match on it the state would stay locked to the end.
        let before = std::mem::replace(&mut *self.file(), FileState::Busy);
        let lock = match before {
            FileState::Open(OpenQueue {
                sqlite,
                threads,
                lock,
            }) => {
                drop(sqlite);
                threads.stop();
                lock
            }
            FileState::Unavailable(lock) => lock,
            closed @ (FileState::Closed | FileState::Busy) => {
                *self.file() = closed;
                return;
            }
        };
        let is_suspect = self.suspension().as_ref().is_some_and(|it| it.is_damage);
        let path = &self.settings.path;
        let now = self.clock.now();
        let opened = file::open(path, &lock, now, is_suspect);
        let state = match opened {
            Ok(file::OpenedFile {
                sqlite,
                threads,
                found,
            }) => {
                let mut ledger = self.ledger();
                let run = ledger.run() + 1;
                self.last.store(found.last, Ordering::Relaxed);
                *ledger = DeliveryLedger::new(&found, now, run);
                drop(ledger);
                tracing::info!(path = %path.display(), "the queue's file was opened again");
                FileState::Open(OpenQueue {
                    sqlite,
                    threads,
                    lock,
                })
            }
            Err(error) => {
                tracing::error!(%error, "the queue's file cannot be opened again: it is tried every second");
                if let Some(suspension) = &mut *self.suspension() {
                    suspension.why = error.to_string();
                    suspension.tried = Some(Instant::now());
                }
                FileState::Unavailable(lock)
            }
        };
        let mut file = self.file();
        // It may have been closed meanwhile.
        if matches!(*file, FileState::Busy) {
            *file = state;
        }
        let is_open = matches!(*file, FileState::Open(_));
        drop(file);
        if is_open {
            *self.suspension() = None;
        }
        self.news.iter().for_each(tokio::sync::Notify::notify_one);
    }
}

impl EmbeddedQueue {
    /// The file, opened again if there was trouble.
    pub(super) async fn sound(&self) -> Result<Sqlite, QueueError> {
        let suspension = self.shared.suspension().clone();
        if suspension.is_some() {
            self.reopen().await;
            let suspension = self.shared.suspension().clone();
            if let Some(suspension) = suspension {
                return Err(match self.shared.closed() {
                    QueueError::Closed => QueueError::Closed,
                    QueueError::Unavailable(_) => QueueError::Unavailable(suspension.why),
                });
            }
        }
        self.sqlite().ok_or_else(|| self.shared.closed())
    }

    /// Tries once, unless it was tried a moment ago. A caller that goes leaves it running.
    async fn reopen(&self) {
        let turn = Arc::clone(&self.reopening).lock_owned().await;
        let is_due = self.shared.suspension().as_ref().is_some_and(|suspension| {
            suspension
                .tried
                .is_none_or(|tried| tried.elapsed() >= AGAIN_AFTER)
        });
        if !is_due {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let reopening = tokio::task::spawn_blocking(move || {
            shared.reopen();
            drop(turn);
        });
        // A panic in there has already said so.
        drop(reopening.await);
    }
}
