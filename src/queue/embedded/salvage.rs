//! What becomes of a damaged file: it is put aside as it is, and every message that can still be read goes into a new
//! one under its own number. A person at night wants the relay to run; nothing is thrown away, and how much could not
//! be read is said loudly.
//!
//! The new file is whole before the old one is moved, so a cut at any moment leaves one of the two in place
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

/// How many numbers in a row are tried before the step over what cannot be read is doubled: a damaged page holds few
/// messages, and there is an end to a damaged table.
const TRIES: u32 = 256;
/// The longest delay that is taken for one, in milliseconds: none of the relay's is longer than a day.
const DELAY_MAX: i64 = 2 * 24 * 3600 * 1000;

/// What became of the messages of a damaged file.
struct Saved {
    messages: u64,
    /// The file knows of them, and they cannot be read.
    lost: u64,
    /// There may be more that it does not know of any more.
    is_torn: bool,
}

/// Reads what can be read of `path` into a new file that takes its place.
pub(super) fn run(path: &Path, now: Timestamp, why: &SqliteError) -> Result<(), SqliteError> {
    finish(path, now)?;
    let saved = copy(path, &new_of(path))?;
    crash_point::reach("embedded.salvaged");
    let kept = aside_of(path, now);
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
        "the queue's file was damaged: it is kept, and the messages that could be read are in a new one. Look after the disk; what meetings still owe is found again by itself, the events that are lost are not"
    );
    Ok(())
}

/// Puts a new file into the place of one that was moved away. One beside a file is left of an earlier try: it is
/// removed, for it must not take the place of a later file.
pub(super) fn finish(path: &Path, now: Timestamp) -> io::Result<()> {
    let new = new_of(path);
    if path.exists() {
        return pass_missing(fs::remove_file(new));
    }
    if new.exists() {
        put_log_aside(path, now)?;
        fs::rename(new, path)?;
        sync_folder(path)?;
    }
    Ok(())
}

/// Moves the log that belongs to a file which is not there out of the way of a new one.
pub(super) fn put_log_aside(path: &Path, now: Timestamp) -> io::Result<()> {
    pass_missing(fs::rename(log_of(path), log_of(&aside_of(path, now))))
}

/// The write-ahead log of the file at `path`, by the name that SQLite gives it.
pub(super) fn log_of(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// The name under which the file at `path` is put aside, with a time in it.
pub(super) fn aside_of(path: &Path, time: Timestamp) -> PathBuf {
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
    // With this SQLite reads what there is of a file that is too short.
    damaged.pragma_update(None, "writable_schema", true)?;
    crate::sqlite::make_private(new)?;
    let target = Connection::open(new)?;
    target.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    // It counts only once it is whole, so it needs no journal of its own.
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

/// Copies rows by ascending number and steps over what cannot be read, and then once by descending number: after a wide
/// step that finds what was stepped over. Tells how many were copied, and whether everything could be read.
fn copy_rows(damaged: &Connection, target: &Connection) -> rusqlite::Result<(u64, bool)> {
    let mut insert = target.prepare(
        "INSERT OR IGNORE INTO messages (number, queue, due, visible_at, id, body, checksum)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?;
    let mut messages = 0;
    // Tells the last number that could be read, and whether that was the end.
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
    // A file of the first version has no checksums.
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
            // Never back: a number that changed may be out of its order.
            from = from.max(last.saturating_add(1));
            failed = 0;
        }
        from = from.saturating_add(1 << (failed / TRIES));
        failed += 1;
    }
    let is_whole = from == 0;
    if !is_whole {
        copy(&select("number <= ? ORDER BY number DESC"), i64::MAX)?;
    }
    Ok((messages, is_whole))
}

/// Selects rows whatever their columns hold. Under a name that nobody knows a message would never be handed out, with
/// times that are no delay apart it might be hidden for ever, and a checksum of content that is of another type than
/// was written must fit nothing.
fn select(checksum: &str, rest: &str) -> String {
    let names = QueueName::ALL.map(|queue| format!("'{}'", queue.as_str()));
    format!(
        "SELECT number,
             iif(queue IN ({names}), queue, '{events}'),
             CAST(iif(due - visible_at BETWEEN 0 AND {DELAY_MAX}, due, 0) AS INTEGER),
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

/// Tells how many it inserted: none if there is one of this number.
fn insert_row(insert: &mut Statement<'_>, row: &Row<'_>) -> rusqlite::Result<usize> {
    let column = |at| row.get_ref(at).map(ToSqlOutput::Borrowed);
    let columns = (0..insert.parameter_count()).map(column);
    insert.execute(params_from_iter(columns.collect::<Result<Vec<_>, _>>()?))
}

fn pass_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes renames outlast a power cut.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
