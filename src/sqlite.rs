//! One SQLite file: a writer thread that commits many callers' changes at once, and a reader thread beside it.
//!
//! `write` runs its closure inside a savepoint of a transaction that it shares with whoever else waits, and
//! returns after that transaction is on stable storage (WAL, `synchronous = FULL`). A closure that fails or
//! panics takes back only its own changes. Both the queue and the store build on this.

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

/// Most callers that may wait for the writer, and for the reader; more wait outside.
const WAITING_MAX: usize = 1024;

/// Why a change was not made. Nothing of it is on disk.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// SQLite refused the statement or the commit.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A file beside the database's cannot be read or written.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// The file was closed by this process.
    #[error("the database file is closed")]
    Closed,
    /// The closure itself decided to take its changes back, or panicked.
    #[error("{0}")]
    Refused(String),
}

impl SqliteError {
    /// The file's pages do not fit together: another try meets the same.
    pub fn is_damaged(&self) -> bool {
        self.is_of(rusqlite::ErrorCode::DatabaseCorrupt)
            || self.is_of(rusqlite::ErrorCode::NotADatabase)
    }

    /// The disk failed. What was written since the last change that succeeded may be on it or not.
    pub fn is_io(&self) -> bool {
        self.is_of(rusqlite::ErrorCode::SystemIoFailure) && !self.is_full()
    }

    fn is_of(&self, code: rusqlite::ErrorCode) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(code))
    }

    /// The disk or the quota is full: later may be better.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => {
                // The index of the write-ahead log could not grow: SQLite has no nearer word for a full disk there.
                let is_log_index = error.sqlite_error().is_some_and(|error| {
                    error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
                });
                error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) || is_log_index
            }
            Self::File(_) | Self::Closed | Self::Refused(_) => false,
        }
    }
}

/// Handle to one file; clones share its threads. The last clone to go ends them.
#[derive(Clone, Debug)]
pub(crate) struct Sqlite {
    writer: mpsc::Sender<Task>,
    reader: mpsc::Sender<Task>,
}

impl Sqlite {
    /// Opens or makes the file (readable by its owner only) and runs `migrate` on it before anyone else sees it.
    ///
    /// # Errors
    /// The directory is missing, the file is no database, its file system cannot keep a write-ahead log, or
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

    /// Runs `change` and returns its value once it is on stable storage. A caller that stops waiting leaves it
    /// open whether the change is made.
    ///
    /// # Errors
    /// Whatever `change` returns, or that the commit failed; the file is then as it was before.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, SqliteError> {
        self.write_then(change, |outcome| outcome).await?
    }

    /// Like `write`, and runs `then` with the outcome on the writer's thread: after the commit, before any later
    /// change, in the order of the changes, and also when the caller no longer waits. So what is kept in memory
    /// about the file follows the file. `then` must be short.
    ///
    /// # Errors
    /// [`SqliteError::Closed`], when neither of the two was run.
    pub(crate) async fn write_then<T: Send + 'static, U: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, SqliteError> + Send + 'static,
        then: impl FnOnce(Result<T, SqliteError>) -> U + Send + 'static,
    ) -> Result<U, SqliteError> {
        run(&self.writer, change, then).await
    }

    /// Runs `query` on a second connection that never waits for the writer; all its statements see one state.
    ///
    /// # Errors
    /// Whatever `query` returns.
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
            // A caller that no longer waits has no use for the answer.
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
