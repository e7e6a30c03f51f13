//! Recovers a damaged file. The file is quarantined unchanged, and every message that can still be read is copied to a
//! new file under its own number. So the relay can run without waiting for a person, no data is thrown away, and the
//! number of unreadable messages is logged.
//!
//! The new file is complete before the old one is moved, so a power cut at any moment leaves one of the two in place
//! ([`finish`]).

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Row, Statement, params_from_iter};

use crate::crash_point;
use crate::domain::Timestamp;
use crate::ports::QueueName;
use crate::sqlite::SqliteError;

use super::rows;

/// How many consecutive numbers are tried before the step over unreadable rows is doubled. A damaged page holds few
/// messages, and doubling ends the search in a table that is damaged to its end.
const TRIES_BEFORE_DOUBLING: u32 = 256;
/// The longest plausible delay, in milliseconds. No delay of the relay is longer than a day.
const DELAY_MILLIS_MAX: i64 = 2 * 24 * 3600 * 1000;

/// What was recovered from a damaged file.
struct Saved {
    messages: u64,
    /// Messages that the index lists and that cannot be read.
    lost: u64,
    /// The index cannot be read either, so that there may be more messages than `lost` counts.
    is_torn: bool,
}

/// Copies the messages of `path` that can be read to a new file, which replaces it.
pub(super) fn run(path: &Path, now: Timestamp, why: &SqliteError) -> Result<(), SqliteError> {
    finish(path, now)?;
    let saved = copy(path, &new_of(path))?;
    crash_point::reach("embedded.salvaged");
    let kept = quarantine_path(path, now);
    fs::rename(path, &kept)?;
    crash_point::reach("embedded.aside");
    finish(path, now)?;
    tracing::error!(
        path = %path.display(),
        kept = %kept.display(),
        messages = saved.messages,
        lost = saved.lost,
        may_be_more = saved.is_torn,
        error = %why,
        "the queue's file was damaged: it is kept, and the messages that could be read are in a new one. Check the disk; jobs that meetings still owe are published again by the relay, the lost events are not"
    );
    Ok(())
}

/// Moves the new file into the place of one that was quarantined. A new file beside an existing one remains from an
/// earlier attempt. It is removed, because it must not replace a later file.
pub(super) fn finish(path: &Path, now: Timestamp) -> io::Result<()> {
    let new = new_of(path);
    if path.exists() {
        return ignore_not_found(fs::remove_file(new));
    }
    if new.exists() {
        quarantine_log(path, now)?;
        fs::rename(new, path)?;
        sync_folder(path)?;
    }
    Ok(())
}

/// Quarantines the log of a file that is missing, so that it does not conflict with a new file.
pub(super) fn quarantine_log(path: &Path, now: Timestamp) -> io::Result<()> {
    ignore_not_found(fs::rename(
        log_of(path),
        log_of(&quarantine_path(path, now)),
    ))
}

/// The path of the write-ahead log of the file at `path`, as SQLite names it.
pub(super) fn log_of(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// The path to which the file at `path` is quarantined. It contains a time.
pub(super) fn quarantine_path(path: &Path, time: Timestamp) -> PathBuf {
    let time = jiff::Timestamp::from_millisecond(time.millis()).unwrap_or_default();
    let time = time.strftime("%Y%m%dT%H%M%S.%3fZ");
    beside(path, &format!(".damaged-{time}"))
}

fn new_of(path: &Path) -> PathBuf {
    beside(path, ".salvaged")
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

fn copy(path: &Path, new: &Path) -> Result<Saved, SqliteError> {
    let damaged = Connection::open(path)?;
    // With this setting SQLite reads the remaining part of a file that is too short.
    damaged.pragma_update(None, "writable_schema", true)?;
    crate::sqlite::make_private(new)?;
    let target = Connection::open(new)?;
    target.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    // The file is used only when it is complete, so it needs no journal.
    target.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    rows::create(&target)?;
    target.execute_batch("BEGIN")?;
    let (messages, is_whole) = copy_rows(&damaged, &target)?;
    target.execute_batch("COMMIT")?;
    target.close().map_err(|(_, error)| error)?;
    File::open(new)?.sync_all()?;
    let known = "SELECT count(*) FROM messages INDEXED BY messages_in_order";
    let known = damaged.query_row(known, [], |row| row.get::<_, u64>(0));
    Ok(Saved {
        messages,
        is_torn: !is_whole && known.is_err(),
        lost: known.unwrap_or(0).saturating_sub(messages),
    })
}

/// Copies rows by ascending number and steps over those that cannot be read. Then it copies once by descending number,
/// which finds rows that a wide step passed over. Returns how many rows were copied, and whether all could be read.
fn copy_rows(damaged: &Connection, target: &Connection) -> rusqlite::Result<(u64, bool)> {
    let mut insert = target.prepare(
        "INSERT OR IGNORE INTO messages (number, queue, due, visible_at, id, body, checksum)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?;
    let mut messages = 0;
    // Returns the last number that could be read, and whether the end was reached.
    let mut copy = |select: &str, from: i64| -> rusqlite::Result<(Option<i64>, bool)> {
        let mut last = None;
        let Ok(mut select) = damaged.prepare_cached(select) else {
            return Ok((last, false));
        };
        let mut rows = select.query([from])?;
        while let Ok(row) = rows.next() {
            let Some(row) = row else {
                return Ok((last, true));
            };
            messages += insert_row(&mut insert, row)? as u64;
            last = Some(row.get(0)?);
        }
        Ok((last, false))
    };
    // A file of version 1 has no checksums.
    let has_checksums = damaged.prepare("SELECT checksum FROM messages").is_ok();
    let select = |rest| select(if has_checksums { "checksum" } else { "NULL" }, rest);
    let up = select("number >= ? ORDER BY number");
    let (mut from, mut failed) = (0_i64, 0);
    while from < i64::MAX {
        let (last, is_end) = copy(&up, from)?;
        if is_end {
            break;
        }
        if let Some(last) = last {
            // Never lower: a damaged number may be out of order.
            from = from.max(last.saturating_add(1));
            failed = 0;
        }
        from = from.saturating_add(1 << (failed / TRIES_BEFORE_DOUBLING));
        failed += 1;
    }
    let is_whole = from == 0;
    if !is_whole {
        copy(&select("number <= ? ORDER BY number DESC"), i64::MAX)?;
    }
    Ok((messages, is_whole))
}

/// Selects rows whatever their columns hold, and repairs values that would hide a message. A message in an unknown
/// queue would never be delivered, so it goes to the events. Implausible times might hide a message for ever, so it
/// becomes visible at once. A checksum of content whose type changed must never match, so it becomes 0.
fn select(checksum: &str, rest: &str) -> String {
    let names = QueueName::ALL.map(|queue| format!("'{}'", queue.as_str()));
    format!(
        "SELECT number,
             iif(queue IN ({names}), queue, '{events}'),
             CAST(iif(due - visible_at BETWEEN 0 AND {DELAY_MILLIS_MAX}, due, 0) AS INTEGER),
             CAST(ifnull(visible_at, 0) AS INTEGER),
             CAST(ifnull(id, '') AS TEXT),
             CAST(ifnull(body, '') AS BLOB),
             iif(typeof(id) = 'text' AND typeof(body) = 'blob'
                 AND typeof({checksum}) IN ('integer', 'null'), {checksum}, 0)
         FROM messages NOT INDEXED WHERE {rest}",
        names = names.join(", "),
        events = QueueName::Events.as_str(),
    )
}

/// Inserts a row. Returns how many rows were inserted: 0 if the number exists already.
fn insert_row(insert: &mut Statement<'_>, row: &Row<'_>) -> rusqlite::Result<usize> {
    let column = |at| row.get_ref(at).map(ToSqlOutput::Borrowed);
    let columns = (0..insert.parameter_count()).map(column);
    insert.execute(params_from_iter(columns.collect::<Result<Vec<_>, _>>()?))
}

fn ignore_not_found(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Syncs the directory, so that renames survive a power cut.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
