//! The queue's file: its lock, its version, and whether it is whole.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ffi};

use crate::crash_point;
use crate::domain::Timestamp;
use crate::lock::LockError;
use crate::sqlite::{Sqlite, SqliteError, SqliteThreads};

use super::rows::{APPLICATION_ID, VERSION};
use super::{log, rows, salvage};

/// Where SQLite keeps the application's mark in the file's first bytes, and what these begin with.
const APPLICATION_ID_AT: usize = 68;
const MAGIC: &[u8] = b"SQLite format 3\0";
/// A larger file is not read from end to end at every start: what is wrong with it shows when it is met.
/// Tests need not write so much.
const CHECKED_BYTES_MAX: i64 = if cfg!(test) { 1 << 20 } else { 256 << 20 };
/// Stands in the lock file once the queue's file was made, so that a file which vanished is noticed.
const MADE: &[u8] = b"the queue's file was made\n";

/// Why the queue cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum QueueOpenError {
    /// Another process has it, or its lock file cannot be made.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// What could be read of a damaged file could not be written to a new one.
    #[error(
        "{} is damaged, and what can be read of it cannot be saved: {why}; make room on the disk and start again, or move the file and those beside it away: what lies in them is then not delivered",
        path.display()
    )]
    NotSaved {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        why: SqliteError,
    },
    /// It is damaged so much that nobody can tell whether it is a queue.
    #[error(
        "{} cannot be used as the queue: {why}. If it was the relay's, its beginning is destroyed: keep it (rename it and the files beside it whose names begin alike) and start again; the events that waited in it are then not delivered, what meetings still owe is found again by itself",
        path.display()
    )]
    Destroyed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        why: SqliteError,
    },
    /// The file is no queue, or of a newer relay, or SQLite cannot work with it.
    #[error("{} cannot be used as the queue: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        why: SqliteError,
    },
}

impl QueueOpenError {
    fn of(path: &Path, why: SqliteError) -> Self {
        let path = path.to_owned();
        match why.is_damaged() {
            true => Self::Destroyed { path, why },
            false => Self::Unusable { path, why },
        }
    }
}

/// An open file and what lies in it.
pub(super) struct OpenedFile {
    pub(super) sqlite: Sqlite,
    pub(super) threads: SqliteThreads,
    pub(super) found: rows::FileCounts,
}

/// Opens or makes the file. A damaged one is put aside and what can be read of it goes into a new one. Everything of
/// the log is in the file itself afterwards, on stable storage, so that nothing depends on an earlier write that the
/// disk may not have taken. `is_suspect`: damage was met before, so that it is looked for whatever it costs.
pub(super) fn open(
    path: &Path,
    lock: &File,
    now: Timestamp,
    is_suspect: bool,
) -> Result<OpenedFile, QueueOpenError> {
    let not_saved = |why| QueueOpenError::NotSaved {
        path: path.to_owned(),
        why,
    };
    let begin = || salvage::finish(path, now).and_then(|()| miss(path, lock, now));
    begin().map_err(|why| not_saved(why.into()))?;
    let opened = match open_once(path, now, is_suspect) {
        Err(why) if why.is_damaged() && is_ours(path) => {
            salvage::run(path, now, &why).map_err(not_saved)?;
            open_once(path, now, is_suspect)
        }
        opened => opened,
    };
    let opened = opened.map_err(|error| QueueOpenError::of(path, error))?;
    mark(lock);
    Ok(opened)
}

fn open_once(path: &Path, now: Timestamp, is_suspect: bool) -> Result<OpenedFile, SqliteError> {
    let mut found = rows::FileCounts::default();
    let (sqlite, threads) = Sqlite::open(path, |connection| {
        let frames = checkpoint(connection, "NOOP")?;
        let page_bytes = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        log::keep_lost(path, frames, page_bytes).map_err(|why| {
            SqliteError::Refused(format!("its log cannot be read, or not be kept: {why}"))
        })?;
        prepare(connection)?;
        check(connection, is_suspect)?;
        rows::follow_clock(connection, now, |_| false)?;
        found = rows::count(connection)?;
        checkpoint(connection, "TRUNCATE").map(drop)
    })?;
    Ok(OpenedFile {
        sqlite,
        threads,
        found,
    })
}

/// A file that vanished, or is empty although it was made: said loudly, because what lay in it was accepted.
fn miss(path: &Path, lock: &File, now: Timestamp) -> io::Result<()> {
    let is_there = std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
    let log = salvage::log_of(path);
    let log_bytes = std::fs::metadata(log).map_or(0, |log| log.len());
    let was_made = lock.metadata().is_ok_and(|lock| lock.len() > 0);
    if is_there || !(was_made || log_bytes > 0) {
        return Ok(());
    }
    if log_bytes > 0 {
        // SQLite would remove it without a word.
        salvage::put_log_aside(path, now)?;
    }
    tracing::error!(
        path = %path.display(),
        "the queue's file is gone or empty: the relay begins with a new one. Events that waited in it are not delivered unless you stop the relay and put the file back; what meetings still owe is found again by itself"
    );
    Ok(())
}

fn mark(mut lock: &File) {
    if lock.metadata().is_ok_and(|lock| lock.len() == 0)
        && let Err(error) = lock.write_all(MADE)
    {
        tracing::debug!(%error, "the lock file is not marked");
    }
}

/// Whether the damaged file was a queue of the relay: nothing else is put aside.
fn is_ours(path: &Path) -> bool {
    let mut header = [0; APPLICATION_ID_AT + 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok()
        && header.starts_with(MAGIC)
        && header[APPLICATION_ID_AT..] == (APPLICATION_ID as u32).to_be_bytes()
}

/// Makes the table, or finds it, and brings it to this version.
pub(super) fn prepare(connection: &Connection) -> Result<(), SqliteError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (version, application) = (pragma("user_version")?, pragma("application_id")?);
    match (version, application) {
        (0, 0) => {
            let tables: i64 =
                connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
            if tables > 0 {
                return Err(SqliteError::Refused(
                    "it is another program's database".to_owned(),
                ));
            }
            rows::create(connection)
        }
        (1, APPLICATION_ID) => {
            connection.execute_batch(&format!("BEGIN IMMEDIATE; {}", rows::CHECKSUMS))?;
            crash_point::reach("embedded.migrating");
            connection.execute_batch("PRAGMA user_version = 2; COMMIT;")?;
            crash_point::reach("embedded.migrated");
            Ok(())
        }
        (VERSION, APPLICATION_ID) => Ok(()),
        (newer, APPLICATION_ID) => Err(SqliteError::Refused(format!(
            "it has version {newer} of a newer relay, this one knows {VERSION}: run the newer relay again until it is drained"
        ))),
        _ => Err(SqliteError::Refused(
            "it is another program's database".to_owned(),
        )),
    }
}

/// Looks whether pages and index fit together.
fn check(connection: &Connection, is_suspect: bool) -> Result<(), SqliteError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let bytes = pragma("page_count")?.saturating_mul(pragma("page_size")?);
    if bytes > CHECKED_BYTES_MAX && !is_suspect {
        return Ok(());
    }
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    let damaged = ffi::Error::new(ffi::SQLITE_CORRUPT);
    Err(SqliteError::Sqlite(rusqlite::Error::SqliteFailure(
        damaged,
        Some(found.replace('\n', " ")),
    )))
}

/// With `TRUNCATE` moves the log into the file and waits until the disk has both; with `NOOP` changes nothing. Answers
/// how many frames of the log count.
fn checkpoint(connection: &Connection, mode: &str) -> Result<u64, SqliteError> {
    let answer = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?));
    let checkpoint = format!("PRAGMA wal_checkpoint({mode})");
    match connection.query_row(&checkpoint, [], answer)? {
        (false, frames) => Ok(u64::try_from(frames).unwrap_or(0)),
        (true, _) => Err(SqliteError::Refused(
            "another process reads or writes it".to_owned(),
        )),
    }
}
