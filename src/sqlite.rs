//! One SQLite file: a writer thread that commits many callers' changes at once, and a reader thread beside it.
//!
//! `write` runs its closure inside a savepoint of a transaction that it shares with whoever else waits, and
//! returns after that transaction is on stable storage (WAL, `synchronous = FULL`). A closure that fails takes
//! back only its own changes. Both the queue and the store build on this.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

/// Most callers that share one commit.
pub const GROUP_MAX: usize = 256;
/// Most callers that may wait for the writer, and for the reader; more wait outside.
const WAITING_MAX: usize = 1024;
/// How long a statement waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a change was not made. Nothing of it is on disk.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// SQLite refused the statement or the commit.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file was closed by this process.
    #[error("the database file is closed")]
    Closed,
    /// The closure itself decided to take its changes back.
    #[error("{0}")]
    Refused(String),
}

impl SqliteError {
    /// The disk or the quota is full: later may be better.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Sqlite(error)
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }
}

/// A caller's closure; it gets the error instead of the connection when no transaction could be begun.
type Task = Box<dyn FnOnce(Result<&Connection, &rusqlite::Error>) -> Settle + Send>;
/// Tells the caller how the commit ended.
type Settle = Box<dyn FnOnce(Result<(), &rusqlite::Error>) + Send>;

/// Handle to one file; clones share its threads. The last clone to go ends them.
#[derive(Clone, Debug)]
pub struct Sqlite {
    writer: mpsc::Sender<Task>,
    reader: mpsc::Sender<Task>,
    path: PathBuf,
}

impl Sqlite {
    /// Opens or makes the file and runs `migrate` on it before anyone else sees it.
    ///
    /// # Errors
    /// The directory is missing, the file is no database, or `migrate` fails.
    pub fn open(
        path: &Path,
        migrate: impl FnOnce(&mut Connection) -> Result<(), SqliteError>,
    ) -> Result<(Self, SqliteThreads), SqliteError> {
        let mut connection = connect(path)?;
        migrate(&mut connection)?;
        let reading = connect(path)?;
        reading.pragma_update(None, "query_only", true)?;
        let (writer, tasks) = mpsc::channel(WAITING_MAX);
        let (reader, reads) = mpsc::channel(WAITING_MAX);
        let threads = SqliteThreads(vec![
            spawn_thread("sqlite-writer", move || run_writer(&connection, tasks)),
            spawn_thread("sqlite-reader", move || run_reader(&reading, reads)),
        ]);
        Ok((
            Self {
                writer,
                reader,
                path: path.to_owned(),
            },
            threads,
        ))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `change` and returns its value once it is on stable storage.
    ///
    /// # Errors
    /// Whatever `change` returns, or that the commit failed; the file is then as it was before.
    pub async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, SqliteError> {
        let (answer, answered) = oneshot::channel();
        let task: Task = Box::new(move |connection| {
            let result = match connection {
                Ok(connection) => in_savepoint(connection, change),
                Err(error) => Err(SqliteError::Sqlite(copy_error(error))),
            };
            Box::new(move |committed| {
                let outcome = match (result, committed) {
                    (Ok(value), Ok(())) => Ok(value),
                    (Ok(_), Err(error)) => Err(SqliteError::Sqlite(copy_error(error))),
                    (Err(error), _) => Err(error),
                };
                // A caller that no longer waits has no use for the outcome.
                drop(answer.send(outcome));
            })
        });
        self.writer
            .send(task)
            .await
            .map_err(|_| SqliteError::Closed)?;
        answered.await.map_err(|_| SqliteError::Closed)?
    }

    /// Runs `query` on a second connection that never waits for the writer.
    ///
    /// # Errors
    /// Whatever `query` returns.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, SqliteError> {
        let (answer, answered) = oneshot::channel();
        let task: Task = Box::new(move |connection| {
            let result = match connection {
                Ok(connection) => query(connection),
                Err(error) => Err(SqliteError::Sqlite(copy_error(error))),
            };
            Box::new(move |_| drop(answer.send(result)))
        });
        self.reader
            .send(task)
            .await
            .map_err(|_| SqliteError::Closed)?;
        answered.await.map_err(|_| SqliteError::Closed)?
    }
}

/// The threads behind a [`Sqlite`]; they end when its last clone is gone.
#[derive(Debug)]
pub struct SqliteThreads(Vec<JoinHandle<()>>);

impl SqliteThreads {
    /// Waits until the file is closed. Every clone of the handle must be gone, or this waits for ever.
    pub fn join(self) {
        for thread in self.0 {
            // A panicked thread has already said so; the file is closed either way.
            drop(thread.join());
        }
    }
}

fn connect(path: &Path) -> Result<Connection, SqliteError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

#[expect(
    clippy::expect_used,
    reason = "a process that cannot start a thread cannot run at all"
)]
fn spawn_thread(name: &str, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .expect("the system has a thread")
}

fn run_writer(connection: &Connection, mut tasks: mpsc::Receiver<Task>) {
    let mut group = Vec::new();
    while tasks.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
            tracing::error!(%error, "sqlite cannot begin a transaction");
            for task in group.drain(..) {
                task(Err(&error))(Err(&error));
            }
            continue;
        }
        let settles: Vec<Settle> = group.drain(..).map(|task| task(Ok(connection))).collect();
        let committed = connection.execute_batch("COMMIT");
        if committed.is_err() && !connection.is_autocommit() {
            // Without this the next BEGIN would fail; an error here shows up there.
            drop(connection.execute_batch("ROLLBACK"));
        }
        for settle in settles {
            settle(committed.as_ref().copied());
        }
    }
}

fn run_reader(connection: &Connection, mut tasks: mpsc::Receiver<Task>) {
    while let Some(task) = tasks.blocking_recv() {
        task(Ok(connection))(Ok(()));
    }
}

fn in_savepoint<T>(
    connection: &Connection,
    change: impl FnOnce(&Connection) -> Result<T, SqliteError>,
) -> Result<T, SqliteError> {
    connection.execute_batch("SAVEPOINT change")?;
    match change(connection) {
        Ok(value) => {
            connection.execute_batch("RELEASE change")?;
            Ok(value)
        }
        Err(error) => {
            // A disk error may already have ended the whole transaction; then there is nothing to take back.
            if !connection.is_autocommit() {
                connection.execute_batch("ROLLBACK TO change; RELEASE change")?;
            }
            Err(error)
        }
    }
}

/// `rusqlite::Error` cannot be cloned: its code and text are what a caller decides on.
fn copy_error(error: &rusqlite::Error) -> rusqlite::Error {
    match error {
        rusqlite::Error::SqliteFailure(code, text) => {
            rusqlite::Error::SqliteFailure(*code, text.clone())
        }
        other => rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR),
            Some(other.to_string()),
        ),
    }
}
