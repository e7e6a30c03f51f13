//! The two threads behind a file, and how the writer's makes one commit of many changes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use rusqlite::{Connection, ffi};
use tokio::sync::mpsc;

use super::SqliteError;

/// Most callers that share one commit.
pub(super) const GROUP_MAX: usize = 256;

/// What a thread is asked to do.
pub(super) enum Task {
    Run(Run),
    /// Take nothing more; what was sent before is still done.
    Stop,
}

/// A caller's work; it gets the error instead of the connection when no transaction could be begun.
type Run = Box<dyn FnOnce(Result<&Connection, &rusqlite::Error>) -> Ran + Send>;

/// Tells the caller how the commit ended.
pub(super) type Settle = Box<dyn FnOnce(Result<(), &rusqlite::Error>) + Send>;

/// Work that was run and is not yet committed.
pub(super) struct Ran {
    /// Tells the caller how the commit ended.
    pub(super) settle: Settle,
    /// What SQLite said, if it refused.
    pub(super) error: Option<rusqlite::Error>,
}

/// What the writer's thread has.
pub(super) struct WriterThread {
    pub(super) connection: Connection,
    pub(super) changes: mpsc::Receiver<Task>,
}

/// What the reader's thread has.
pub(super) struct ReaderThread {
    pub(super) connection: Connection,
    pub(super) reads: mpsc::Receiver<Task>,
}

/// The threads behind a [`Sqlite`](super::Sqlite); they end when its last clone is gone, or by `stop`.
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

    /// Waits until the file is closed. Every clone of the handle must be gone, or this waits for ever.
    pub(crate) fn join(self) {
        for thread in self.threads {
            // A panicked thread has already said so; the file is closed either way.
            drop(thread.join());
        }
    }

    /// Closes the file although clones of its handle are left, and waits for it: what was asked before is still
    /// done, what is asked later gets [`SqliteError::Closed`]. Blocks: not for a thread that runs async tasks.
    pub(crate) fn stop(self) {
        for tasks in &self.tasks {
            if let Some(tasks) = tasks.upgrade() {
                // An error means that the thread is gone already.
                drop(tasks.blocking_send(Task::Stop));
            }
        }
        self.join();
    }
}

/// Runs `work` so that a failure or a panic takes back what it changed, and no more.
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
    // An error of the disk may already have ended the whole transaction; then there is nothing to take back.
    if result.is_err() && !connection.is_autocommit() {
        let taken_back = connection.execute_batch("ROLLBACK TO change; RELEASE change");
        if taken_back.is_err() {
            // Nothing may be committed that holds a part of it.
            drop(connection.execute_batch("ROLLBACK"));
        }
    }
    result
}

/// `rusqlite::Error` cannot be cloned: its code and text are what a caller decides on.
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

/// Runs and commits work of `group`: all of it, unless SQLite ends the transaction by itself. Then those in it
/// have failed together, and what is left was not touched.
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
            // Without this the next BEGIN would fail; an error here shows up there.
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

/// A caller's last word must not end the thread for all others.
fn settle(ran: Ran, committed: Result<(), &rusqlite::Error>) {
    drop(catch_unwind(AssertUnwindSafe(|| (ran.settle)(committed))));
}

fn run_cached(connection: &Connection, statement: &str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(statement)?.execute([]).map(drop)
}

fn sqlite_error(code: i32, text: &str) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(text.to_owned()))
}
