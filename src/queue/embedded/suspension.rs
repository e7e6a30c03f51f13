//! What the queue does when its disk fails or its file is found damaged. From that moment no message is accepted,
//! delivered or settled until the file has been opened again. Opening it moves the whole log into the file on stable
//! storage, checks whether the file is intact, and saves what can be read if it is not. The effect is that of a
//! restart: every message in the file is visible again and counts as redelivered, and earlier receipts are void.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::ports::{PublishError, QueueError};
use crate::sqlite::{Sqlite, SqliteError};

use super::ledger::DeliveryLedger;
use super::{EmbeddedQueue, EmbeddedShared, FileState, OpenQueue, file};

/// Pause between two attempts to open the file again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Why the queue is suspended.
#[derive(Debug, Clone)]
pub(super) struct Suspension {
    why: String,
    /// The pages of the file may be damaged; otherwise only the disk failed.
    is_damage: bool,
    /// When the last attempt to open the file was made.
    last_attempt: Option<Instant>,
}

impl EmbeddedShared {
    /// The error for a publisher. Suspends the queue if the failure concerns the file as a whole.
    pub(super) fn publish_error(&self, error: &SqliteError) -> PublishError {
        self.note_failure(error);
        let text = self.with_path(error);
        if error.is_full() {
            PublishError::Full(text)
        } else {
            PublishError::Unavailable(text)
        }
    }

    /// The error for all other callers. Suspends the queue like [`Self::publish_error`].
    pub(super) fn queue_error(&self, error: &SqliteError) -> QueueError {
        self.note_failure(error);
        match error {
            SqliteError::Closed => self.closed_error(),
            error => QueueError::Unavailable(self.with_path(error)),
        }
    }

    /// Refuses while the queue is suspended. Changes that were already queued when the suspension began call it.
    pub(super) fn check(&self) -> Result<(), SqliteError> {
        match &*self.suspension() {
            Some(suspension) => Err(SqliteError::Refused(suspension.why.clone())),
            None => Ok(()),
        }
    }

    /// The error for a caller that found no open file.
    fn closed_error(&self) -> QueueError {
        match &*self.file() {
            FileState::Closed => QueueError::Closed,
            FileState::Open(_) | FileState::Unavailable(_) | FileState::Busy => {
                QueueError::Unavailable("the file is being opened again".to_owned())
            }
        }
    }

    fn with_path(&self, error: &SqliteError) -> String {
        format!("{}: {error}", self.settings.path.display())
    }

    fn note_failure(&self, error: &SqliteError) {
        if !error.is_damaged() && !error.is_io() {
            return;
        }
        let mut suspension = self.suspension();
        if suspension.is_some() {
            return;
        }
        let (path, is_damage) = (self.settings.path.display(), error.is_damaged());
        tracing::error!(%path, %error, is_damage, "the queue's file cannot be relied on: nothing is accepted or acknowledged until it has been opened again");
        *suspension = Some(Suspension {
            why: format!("{error} (the file is being opened again)"),
            is_damage,
            last_attempt: None,
        });
        drop(suspension);
        // A receiver that waits for messages opens the file again.
        self.wakeups
            .iter()
            .for_each(tokio::sync::Notify::notify_one);
    }

    /// Opens the file again. Blocks, and keeps the lock on the queue's file all the time.
    fn reopen(&self) {
        // Taken out before the match: a match on the guard would keep the state locked to the end of the match.
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
        let must_check = self
            .suspension()
            .as_ref()
            .is_some_and(|suspension| suspension.is_damage);
        let path = &self.settings.path;
        let now = self.clock.now();
        let opened = file::open(path, &lock, now, must_check);
        let state = match opened {
            Ok(file::OpenedFile {
                sqlite,
                threads,
                file_counts,
            }) => {
                let mut ledger = self.ledger();
                let run = ledger.run() + 1;
                self.last.store(file_counts.last, Ordering::Relaxed);
                *ledger = DeliveryLedger::new(&file_counts, now, run);
                drop(ledger);
                tracing::info!(path = %path.display(), "the queue's file was opened again");
                FileState::Open(OpenQueue {
                    sqlite,
                    threads,
                    lock,
                })
            }
            Err(error) => {
                tracing::error!(%error, "the queue's file cannot be opened again: retrying every second");
                if let Some(suspension) = &mut *self.suspension() {
                    suspension.why = error.to_string();
                    suspension.last_attempt = Some(Instant::now());
                }
                FileState::Unavailable(lock)
            }
        };
        let mut file = self.file();
        // The queue may have been closed meanwhile.
        if matches!(*file, FileState::Busy) {
            *file = state;
        }
        let is_open = matches!(*file, FileState::Open(_));
        drop(file);
        if is_open {
            *self.suspension() = None;
        }
        self.wakeups
            .iter()
            .for_each(tokio::sync::Notify::notify_one);
    }
}

impl EmbeddedQueue {
    /// The handle of the file, which is opened again first if the queue is suspended.
    pub(super) async fn open_sqlite(&self) -> Result<Sqlite, QueueError> {
        let suspension = self.shared.suspension().clone();
        if suspension.is_some() {
            self.reopen().await;
            let suspension = self.shared.suspension().clone();
            if let Some(suspension) = suspension {
                return Err(match self.shared.closed_error() {
                    QueueError::Closed => QueueError::Closed,
                    QueueError::Unavailable(_) => QueueError::Unavailable(suspension.why),
                });
            }
        }
        self.sqlite().ok_or_else(|| self.shared.closed_error())
    }

    /// Tries once to open the file again, unless the last attempt was less than [`AGAIN_AFTER`] ago. The attempt goes
    /// on if the caller stops waiting.
    async fn reopen(&self) {
        let turn = Arc::clone(&self.reopening).lock_owned().await;
        let is_due = self.shared.suspension().as_ref().is_some_and(|suspension| {
            suspension
                .last_attempt
                .is_none_or(|last_attempt| last_attempt.elapsed() >= AGAIN_AFTER)
        });
        if !is_due {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let reopening = tokio::task::spawn_blocking(move || {
            shared.reopen();
            drop(turn);
        });
        // A panic in the closure was logged already.
        drop(reopening.await);
    }
}
