//! One SQLite file, with a writer thread that commits the changes of many callers at once, and a reader thread.
//!
//! `write` runs its closure in a savepoint of a transaction that it shares with other waiting callers, and returns
//! after that transaction is on stable storage (WAL, `synchronous = FULL`). A closure that fails or panics rolls back
//! only its own changes. Both the queue and the store use this.

mod connect;
#[cfg(test)]
mod tests;
mod threads;

use std::path::Path;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use threads::{Ran, ReaderThread, Task, WriterThread, copy_error};

pub(crate) use connect::make_private;
pub(crate) use threads::SqliteThreads;

/// Most requests in the channel to the writer, and to the reader. Further callers wait before they are sent.
const WAITING_MAX: usize = 1024;

/// Why a change was not made. No part of it is on disk.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// SQLite refused the statement or the commit.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A file that belongs to the database cannot be read or written.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// The file was closed by this process.
    #[error("the database file is closed")]
    Closed,
    /// The closure rolled back its changes, or panicked.
    #[error("{0}")]
    Refused(String),
}

impl SqliteError {
    /// Whether the pages of the file are inconsistent, so that another try fails too.
    pub fn is_damaged(&self) -> bool {
        self.is_of(rusqlite::ErrorCode::DatabaseCorrupt)
            || self.is_of(rusqlite::ErrorCode::NotADatabase)
    }

    /// Whether the disk failed. What was written since the last successful change may be on it or not.
    pub fn is_io(&self) -> bool {
        self.is_of(rusqlite::ErrorCode::SystemIoFailure) && !self.is_full()
    }

    fn is_of(&self, code: rusqlite::ErrorCode) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(code))
    }

    /// Whether the disk or the quota is full. It may work later.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => {
                // The index of the write-ahead log could not grow. SQLite has no better code for a full disk there.
                let is_log_index = error.sqlite_error().is_some_and(|error| {
                    error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
                });
                error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) || is_log_index
            }
            Self::File(_) | Self::Closed | Self::Refused(_) => false,
        }
    }
}

/// Handle to one file. Clones share its threads, which end when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Sqlite {
    writer: mpsc::Sender<Task>,
    reader: mpsc::Sender<Task>,
}

impl Sqlite {
    /// Opens or creates the file, readable by its owner only, and runs `migrate` on it before anything else.
    ///
    /// # Errors
    /// The directory is missing, the file is not a database, its file system does not support a write-ahead log, or
    /// `migrate` fails.
    pub(crate) fn open(
        path: &Path,
        migrate: impl FnOnce(&mut Connection) -> Result<(), SqliteError>,
    ) -> Result<(Self, SqliteThreads), SqliteError> {
        let mut connection = connect::for_writing(path)?;
        migrate(&mut connection)?;
        let reading = connect::for_reading(path)?;
        let (writer, changes) = mpsc::channel(WAITING_MAX);
        let (reader, reads) = mpsc::channel(WAITING_MAX);
        let threads = SqliteThreads::start(
            WriterThread {
                connection,
                changes,
            },
            ReaderThread {
                connection: reading,
                reads,
            },
            [writer.downgrade(), reader.downgrade()],
        );
        Ok((Self { writer, reader }, threads))
    }

    /// Runs `change` and returns its value once it is on stable storage. If the caller stops waiting, the change may
    /// still be made.
    ///
    /// # Errors
    /// The error of `change`, or of the commit. The file is then as it was before.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, SqliteError> {
        self.write_then(change, |outcome| outcome).await?
    }

    /// Like `write`, and then runs `then` with the result on the writer's thread: after the commit, before any later
    /// change, in the order of the changes, and even if the caller no longer waits. So a copy in memory always matches
    /// the file. `then` must be short.
    ///
    /// # Errors
    /// [`SqliteError::Closed`]: neither of the two was run.
    pub(crate) async fn write_then<T: Send + 'static, U: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, SqliteError> + Send + 'static,
        then: impl FnOnce(Result<T, SqliteError>) -> U + Send + 'static,
    ) -> Result<U, SqliteError> {
        run(&self.writer, change, then).await
    }

    /// Runs `query` on a second connection, which never waits for the writer. All its statements see the same state.
    ///
    /// # Errors
    /// The error of `query`.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, SqliteError> {
        run(&self.reader, query, |outcome| outcome).await?
    }
}

async fn run<T: Send + 'static, U: Send + 'static>(
    thread: &mpsc::Sender<Task>,
    work: impl FnOnce(&Connection) -> Result<T, SqliteError> + Send + 'static,
    then: impl FnOnce(Result<T, SqliteError>) -> U + Send + 'static,
) -> Result<U, SqliteError> {
    let (answer, answered) = oneshot::channel();
    let task = move |connection: Result<&Connection, &rusqlite::Error>| {
        let result = match connection {
            Ok(connection) => threads::in_savepoint(connection, work),
            Err(error) => Err(SqliteError::Sqlite(copy_error(error))),
        };
        let error = match &result {
            Err(SqliteError::Sqlite(error)) => Some(copy_error(error)),
            _ => None,
        };
        let settle = move |committed: Result<(), &rusqlite::Error>| {
            let outcome = match (result, committed) {
                (Ok(value), Ok(())) => Ok(value),
                (Ok(_), Err(error)) => Err(SqliteError::Sqlite(copy_error(error))),
                (Err(error), _) => Err(error),
            };
            // The caller may no longer wait for the answer.
            drop(answer.send(then(outcome)));
        };
        Ran {
            settle: Box::new(settle),
            error,
        }
    };
    thread
        .send(Task::Run(Box::new(task)))
        .await
        .map_err(|_| SqliteError::Closed)?;
    answered.await.map_err(|_| SqliteError::Closed)
}
