//! The two threads of a file, and how the writer commits many changes at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use rusqlite::{Connection, ffi};
use tokio::sync::mpsc;

use super::SqliteError;

/// Most callers that share one commit.
pub(super) const GROUP_MAX: usize = 256;

/// A request to a thread.
pub(super) enum Task {
    Run(Run),
    /// Accept nothing more. Everything that was sent before is still done.
    Stop,
}

/// A caller's work. It gets the error instead of the connection if no transaction could begin.
type Run = Box<dyn FnOnce(Result<&Connection, &rusqlite::Error>) -> Ran + Send>;

/// Reports the result of the commit to the caller.
pub(super) type Settle = Box<dyn FnOnce(Result<(), &rusqlite::Error>) + Send>;

/// Work that was run and is not yet committed.
pub(super) struct Ran {
    /// Reports the result of the commit to the caller.
    pub(super) settle: Settle,
    /// The error of SQLite, if there was one.
    pub(super) error: Option<rusqlite::Error>,
}

/// The state of the writer's thread.
pub(super) struct WriterThread {
    pub(super) connection: Connection,
    pub(super) changes: mpsc::Receiver<Task>,
}

/// The state of the reader's thread.
pub(super) struct ReaderThread {
    pub(super) connection: Connection,
    pub(super) reads: mpsc::Receiver<Task>,
}

/// The threads behind a [`Sqlite`](super::Sqlite); they end when its last clone is dropped, or by `stop`.
#[derive(Debug)]
pub(crate) struct SqliteThreads {
    threads: [JoinHandle<()>; 2],
    tasks: [mpsc::WeakSender<Task>; 2],
}

impl SqliteThreads {
    pub(super) fn start(
        writer: WriterThread,
        reader: ReaderThread,
        tasks: [mpsc::WeakSender<Task>; 2],
    ) -> Self {
        let threads = [
            spawn_thread("sqlite-writer", move || {
                run_writer(writer);
            }),
            spawn_thread("sqlite-reader", move || run_reader(reader)),
        ];
        Self { threads, tasks }
    }

    /// Waits until the file is closed. Every clone of the handle must be dropped before, or this waits forever.
    pub(crate) fn join(self) {
        for thread in self.threads {
            // A panicked thread has logged its panic already. The file is closed in any case.
            drop(thread.join());
        }
    }

    /// Closes the file although clones of its handle exist, and waits for that. Earlier requests are still done; later
    /// ones get [`SqliteError::Closed`]. It blocks, so it must not run on a thread of async tasks.
    pub(crate) fn stop(self) {
        for tasks in &self.tasks {
            if let Some(tasks) = tasks.upgrade() {
                // An error means that the thread has ended already.
                drop(tasks.blocking_send(Task::Stop));
            }
        }
        self.join();
    }
}

/// Runs `work` so that a failure or a panic rolls back its own changes only.
pub(super) fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, SqliteError>,
) -> Result<T, SqliteError> {
    run_cached(connection, "SAVEPOINT change")?;
    let result = catch_unwind(AssertUnwindSafe(|| work(connection)))
        .unwrap_or_else(|_| Err(SqliteError::Refused("a change panicked".to_owned())))
        .and_then(|value| {
            run_cached(connection, "RELEASE change")?;
            Ok(value)
        });
    // An error of the disk may have ended the whole transaction already. Then there is nothing to roll back.
    if result.is_err() && !connection.is_autocommit() {
        let taken_back = connection.execute_batch("ROLLBACK TO change; RELEASE change");
        if taken_back.is_err() {
            // No part of it may be committed.
            drop(connection.execute_batch("ROLLBACK"));
        }
    }
    result
}

/// Copies the code and text of an error, by which a caller decides. `rusqlite::Error` cannot be cloned.
pub(super) fn copy_error(error: &rusqlite::Error) -> rusqlite::Error {
    match error {
        rusqlite::Error::SqliteFailure(code, text) => {
            rusqlite::Error::SqliteFailure(*code, text.clone())
        }
        other => sqlite_error(ffi::SQLITE_ERROR, &other.to_string()),
    }
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

fn run_writer(writer: WriterThread) {
    let WriterThread {
        connection,
        changes: mut tasks,
    } = writer;
    let mut waiting = Vec::with_capacity(GROUP_MAX);
    while tasks.blocking_recv_many(&mut waiting, GROUP_MAX) > 0 {
        let mut group = Vec::with_capacity(waiting.len());
        for task in waiting.drain(..) {
            match task {
                Task::Run(run) => group.push(run),
                Task::Stop => tasks.close(),
            }
        }
        let mut group = group.into_iter();
        while group.len() > 0 {
            commit_together(&connection, &mut group);
        }
    }
}

/// Runs and commits the work of `group`. If SQLite ends the transaction by itself, the work in it has failed together,
/// and the rest of the group was not run.
fn commit_together(connection: &Connection, group: &mut std::vec::IntoIter<Run>) {
    if let Err(error) = run_cached(connection, "BEGIN IMMEDIATE") {
        tracing::error!(%error, "sqlite cannot begin a transaction");
        for run in group {
            settle(run(Err(&error)), Err(&error));
        }
        return;
    }
    let mut done = Vec::with_capacity(group.len());
    for run in group {
        done.push(run(Ok(connection)));
        if connection.is_autocommit() {
            break;
        }
    }
    let committed = if connection.is_autocommit() {
        let cause = done.last().and_then(|ran| ran.error.as_ref());
        let ended = "the transaction that this change was part of was taken back";
        Err(cause.map_or_else(|| sqlite_error(ffi::SQLITE_ABORT, ended), copy_error))
    } else {
        run_cached(connection, "COMMIT")
    };
    if let Err(error) = &committed {
        tracing::error!(%error, changes = done.len(), "sqlite did not commit");
        if !connection.is_autocommit() {
            // Without this the next BEGIN would fail. An error here appears there.
            drop(connection.execute_batch("ROLLBACK"));
        }
    }
    for ran in done {
        settle(ran, committed.as_ref().copied());
    }
}

fn run_reader(reader: ReaderThread) {
    let ReaderThread {
        connection,
        reads: mut tasks,
    } = reader;
    while let Some(task) = tasks.blocking_recv() {
        match task {
            // The savepoint around it makes all its statements see one state.
            Task::Run(run) => settle(run(Ok(&connection)), Ok(())),
            Task::Stop => tasks.close(),
        }
    }
}

/// Runs a caller's callback. Its panic must not end the thread, which all callers share.
fn settle(ran: Ran, committed: Result<(), &rusqlite::Error>) {
    drop(catch_unwind(AssertUnwindSafe(|| (ran.settle)(committed))));
}

fn run_cached(connection: &Connection, statement: &str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(statement)?.execute([]).map(drop)
}

fn sqlite_error(code: i32, text: &str) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(text.to_owned()))
}
