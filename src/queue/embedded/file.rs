//! The queue's file: its lock, its version, and whether it is intact.

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

/// The offset of the application id in SQLite's header, and the bytes that the header begins with.
const APPLICATION_ID_AT: usize = 68;
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";
/// A larger file is not read from end to end at every start: damage in it is found when a damaged page is read. The
/// bound is smaller in tests, so that they need to write less.
const CHECKED_BYTES_MAX: i64 = if cfg!(test) { 1 << 20 } else { 256 << 20 };
/// Written to the lock file once the queue's file was created, so that a file that was deleted later is noticed.
const CREATED: &[u8] = b"the queue's file was made\n";

/// Why the queue cannot be opened. The text names the file and what to change.
#[derive(Debug, thiserror::Error)]
pub enum QueueOpenError {
    /// Another process owns the file, or its lock file cannot be created.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The readable part of a damaged file could not be written to a new one.
    #[error(
        "{} is damaged, and what can be read of it cannot be saved: {why}; free space on the disk and start again, or move the file and those beside it away: the messages in them are then not delivered",
        path.display()
    )]
    NotSaved {
        /// The queue's file.
        path: PathBuf,
        /// The failure.
        #[source]
        why: SqliteError,
    },
    /// It is so damaged that it cannot be identified as a queue.
    #[error(
        "{} cannot be used as the queue: {why}. If it was the relay's, its header is destroyed: keep it (rename it and the files beside it whose names begin with the same name) and start again; the events that waited in it are then not delivered, and jobs that meetings still owe are published again by the relay",
        path.display()
    )]
    Destroyed {
        /// The queue's file.
        path: PathBuf,
        /// The failure.
        #[source]
        why: SqliteError,
    },
    /// The file is not a queue, a newer relay wrote it, or SQLite cannot work with it.
    #[error("{} cannot be used as the queue: {why}", path.display())]
    Unusable {
        /// The queue's file.
        path: PathBuf,
        /// The failure.
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

/// An open file and the counts of its messages.
pub(super) struct OpenedFile {
    pub(super) sqlite: Sqlite,
    pub(super) threads: SqliteThreads,
    pub(super) file_counts: rows::FileCounts,
}

/// Opens or creates the file. A damaged file is quarantined, and the messages that can be read are copied to a new one.
/// Afterwards the whole log is in the file itself, on stable storage, so that nothing depends on an earlier write that
/// the disk may have lost. `must_check`: damage was found before, so the file is checked whatever its size.
pub(super) fn open(
    path: &Path,
    lock: &File,
    now: Timestamp,
    must_check: bool,
) -> Result<OpenedFile, QueueOpenError> {
    let not_saved = |why| QueueOpenError::NotSaved {
        path: path.to_owned(),
        why,
    };
    let begin = || salvage::finish(path, now).and_then(|()| check_missing(path, lock, now));
    begin().map_err(|why| not_saved(why.into()))?;
    let opened = match open_once(path, now, must_check) {
        Err(why) if why.is_damaged() && is_ours(path) => {
            salvage::run(path, now, &why).map_err(not_saved)?;
            open_once(path, now, must_check)
        }
        opened => opened,
    };
    let opened = opened.map_err(|error| QueueOpenError::of(path, error))?;
    mark_created(lock);
    Ok(opened)
}

fn open_once(path: &Path, now: Timestamp, must_check: bool) -> Result<OpenedFile, SqliteError> {
    let mut file_counts = rows::FileCounts::default();
    let (sqlite, threads) = Sqlite::open(path, |connection| {
        let frames = checkpoint(connection, "NOOP")?;
        let page_bytes = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        log::keep_lost(path, frames, page_bytes).map_err(|why| {
            SqliteError::Refused(format!(
                "its log cannot be read, or a copy of it cannot be kept: {why}"
            ))
        })?;
        prepare(connection)?;
        check(connection, must_check)?;
        rows::follow_clock(connection, now, |_| false)?;
        file_counts = rows::count(connection)?;
        checkpoint(connection, "TRUNCATE").map(drop)
    })?;
    Ok(OpenedFile {
        sqlite,
        threads,
        file_counts,
    })
}

/// Reports a file that is missing, or is empty although it was created before. It is logged as an error, because the
/// messages in it were accepted.
fn check_missing(path: &Path, lock: &File, now: Timestamp) -> io::Result<()> {
    let is_there = std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
    let log = salvage::log_of(path);
    let log_bytes = std::fs::metadata(log).map_or(0, |log| log.len());
    let was_made = lock.metadata().is_ok_and(|lock| lock.len() > 0);
    if is_there || !(was_made || log_bytes > 0) {
        return Ok(());
    }
    if log_bytes > 0 {
        // SQLite would remove the log without reporting it.
        salvage::quarantine_log(path, now)?;
    }
    tracing::error!(
        path = %path.display(),
        "the queue's file is missing or empty: the relay creates a new one. Events that waited in it are not delivered unless you stop the relay and restore the file; jobs that meetings still owe are published again by the relay"
    );
    Ok(())
}

fn mark_created(mut lock: &File) {
    if lock.metadata().is_ok_and(|lock| lock.len() == 0)
        && let Err(error) = lock.write_all(CREATED)
    {
        tracing::debug!(%error, "the lock file cannot be marked");
    }
}

/// Whether the damaged file was a queue of the relay. No other file is quarantined.
fn is_ours(path: &Path) -> bool {
    let mut header = [0; APPLICATION_ID_AT + 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok()
        && header.starts_with(SQLITE_MAGIC)
        && header[APPLICATION_ID_AT..] == (APPLICATION_ID as u32).to_be_bytes()
}

/// Creates the table, or upgrades an existing one to this version.
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
            "it has version {newer} of a newer relay, this one knows {VERSION}: run the newer relay until the queue is empty"
        ))),
        _ => Err(SqliteError::Refused(
            "it is another program's database".to_owned(),
        )),
    }
}

/// Checks whether pages and index are consistent.
fn check(connection: &Connection, must_check: bool) -> Result<(), SqliteError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let bytes = pragma("page_count")?.saturating_mul(pragma("page_size")?);
    if bytes > CHECKED_BYTES_MAX && !must_check {
        return Ok(());
    }
    let report: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if report == "ok" {
        return Ok(());
    }
    let damaged = ffi::Error::new(ffi::SQLITE_CORRUPT);
    Err(SqliteError::Sqlite(rusqlite::Error::SqliteFailure(
        damaged,
        Some(report.replace('\n', " ")),
    )))
}

/// With `TRUNCATE`, moves the log into the file and waits until the disk has stored both. With `NOOP`, changes nothing.
/// Returns how many frames of the log are valid.
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
