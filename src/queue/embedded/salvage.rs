//! What becomes of a damaged file: it is put aside as it is, and every message that can still be read goes into a new
//! one under its own number. A person at night wants the relay to run; nothing is thrown away, and how much could not
//! be read is said loudly.
//!
//! The new file is whole before the old one is moved, so a cut at any moment leaves one of the two in place
//! ([`finish`]).

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::crash_point;
use crate::domain::Timestamp;
use crate::ports::QueueName;
use crate::sqlite::SqliteError;

use super::file::{APPLICATION_ID, VERSION, io_error};
use super::log;
use super::rows;

/// Most numbers between two readable parts of the table that are tried one by one.
const PROBES_MAX: usize = 100_000;
/// Most numbers that are tried behind the last one that is known, when nothing tells where the table ends.
const GUESSES_MAX: i64 = 1_000;

/// What was found in a damaged file.
struct Keys {
    /// Numbers that index or table name.
    known: BTreeSet<i64>,
    /// The same and those between.
    numbers: BTreeSet<i64>,
    /// There may be more.
    is_torn: bool,
}

/// Reads what can be read of `path` into a new file that takes its place.
pub(super) fn run(path: &Path, now: Timestamp, why: &SqliteError) -> Result<(), SqliteError> {
    let new = beside(path, ".salvaged");
    remove(&new).map_err(|why| io_error(&why))?;
    let saved = copy(path, &new).inspect_err(|_| forget(path))?;
    crash_point::reach("embedded.salvaged");
    let kept = put_aside(path, now).map_err(|why| io_error(&why))?;
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

/// Puts a new file into the place of one that was moved away, if a cut left it without.
pub(super) fn finish(path: &Path, now: Timestamp) -> Result<(), SqliteError> {
    let new = beside(path, ".salvaged");
    let finish = || {
        if path.exists() || !new.exists() {
            return Ok(());
        }
        put_log_aside(path, now)?;
        fs::rename(&new, path)?;
        sync_folder(path)
    };
    finish().map_err(|why| io_error(&why))
}

/// Removes what an earlier try left of a new file: it must not take the place of a later one.
pub(super) fn forget(path: &Path) {
    let new = beside(path, ".salvaged");
    if let Err(error) = remove(&new) {
        tracing::warn!(path = %new.display(), %error, "what is left of an earlier salvage is not removed: remove it");
    }
}

/// Moves the log that belongs to a file which is not there out of the way of a new one.
pub(super) fn put_log_aside(path: &Path, now: Timestamp) -> io::Result<()> {
    move_if_there(&log::path_of(path), &name_aside(path, now, "-wal"))?;
    remove(&beside(path, "-shm"))
}

/// `path` with `ending` behind its name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// A free name for what is put aside, with the time in it, and the ending that SQLite gives to a file's log.
pub(super) fn name_aside(path: &Path, now: Timestamp, ending: &str) -> PathBuf {
    let time = jiff::Timestamp::from_millisecond(now.millis()).unwrap_or_default();
    let base = format!(".damaged-{}", time.strftime("%Y%m%dT%H%M%SZ"));
    let name = |count: u32| match count {
        0 => beside(path, &base),
        count => beside(path, &format!("{base}-{count}")),
    };
    let is_free = |name: &PathBuf| !name.exists() && !beside(name, ending).exists();
    // There are far fewer starts in a second than numbers.
    let name = (0..u32::MAX).map(name).find(is_free);
    beside(&name.unwrap_or_else(|| beside(path, &base)), ending)
}

fn put_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let kept = name_aside(path, now, "");
    fs::rename(path, &kept)?;
    let (log, kept_log) = (log::path_of(path), log::path_of(&kept));
    // Reading the file left an empty one.
    match fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        true => move_if_there(&log, &kept_log)?,
        false => remove(&log)?,
    }
    remove(&beside(path, "-shm"))?;
    remove(&beside(&kept, "-shm"))?;
    Ok(kept)
}

/// What became of the messages of a damaged file.
#[derive(Default)]
struct Saved {
    messages: usize,
    /// The file knows of them, and they cannot be read.
    lost: usize,
    /// There may be more that it does not know of any more.
    is_torn: bool,
}

fn copy(path: &Path, new: &Path) -> Result<Saved, SqliteError> {
    let damaged = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // With this SQLite reads what there is of a file that is too short.
    damaged.pragma_update(None, "writable_schema", true)?;
    let target = make(new)?;
    let keys = find_keys(&damaged);
    let mut saved = Saved {
        is_torn: keys.is_torn,
        ..Saved::default()
    };
    target.execute_batch("BEGIN")?;
    let has_checksums = damaged.prepare("SELECT checksum FROM messages").is_ok();
    // They are named, and the way down the table does not lead to them.
    let mut missed = BTreeSet::new();
    for number in &keys.numbers {
        match Row::read(&damaged, *number, has_checksums) {
            Ok(Some(row)) => {
                row.insert(&target)?;
                saved.messages += 1;
            }
            Ok(None) if keys.known.contains(number) => {
                missed.insert(*number);
            }
            Err(_) if keys.known.contains(number) => saved.lost += 1,
            // Numbers between two readable parts are guesses.
            Ok(None) | Err(_) => {}
        }
    }
    for order in ["", "DESC"] {
        if missed.is_empty() {
            break;
        }
        let mut inserted = Ok(());
        let wanted = numbers_json(&missed);
        Row::walk(&damaged, &wanted, order, has_checksums, |row| {
            // What stands in its place may be something else that looks like a row.
            if row.is_whole() && missed.remove(&row.number) {
                inserted = row.insert(&target);
                saved.messages += usize::from(inserted.is_ok());
            }
            inserted.is_ok()
        });
        inserted?;
    }
    saved.lost += missed.len();
    target.execute_batch("COMMIT")?;
    target.close().map_err(|(_, error)| error)?;
    let synced = File::open(new).and_then(|file| file.sync_all());
    synced.map_err(|why| io_error(&why))?;
    Ok(saved)
}

fn make(new: &Path) -> Result<Connection, SqliteError> {
    crate::sqlite::make_private(new)?;
    let target = Connection::open(new)?;
    target.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    // It counts only once it is whole, so it needs no journal of its own.
    target.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    target.execute_batch(&format!(
        "{} {} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};",
        rows::SCHEMA,
        rows::CHECKSUMS
    ))?;
    Ok(target)
}

/// Walks the index and the table from both ends, as far as each goes, and tries what lies between.
fn find_keys(damaged: &Connection) -> Keys {
    let mut numbers = BTreeSet::new();
    let mut walk = |query: &str| {
        let (found, is_whole) = numbers_of(damaged, query);
        numbers.extend(found.iter().copied());
        (found.last().copied(), is_whole)
    };
    let by_index = "SELECT number FROM messages INDEXED BY messages_in_order ORDER BY queue";
    let (_, mut is_index_whole) = walk(&format!("{by_index}, due, number"));
    if !is_index_whole {
        let (_, is_whole) = walk(&format!("{by_index} DESC, due DESC, number DESC"));
        is_index_whole = is_whole;
    }
    let by_table = "SELECT number FROM messages NOT INDEXED ORDER BY number";
    let (up_to, is_table_whole) = walk(by_table);
    let down_to = match is_table_whole {
        true => None,
        false => walk(&format!("{by_table} DESC")).0,
    };
    let known = numbers.clone();
    if !is_table_whole {
        let from = up_to.unwrap_or(0);
        let last = known.last().copied().unwrap_or(from).max(from);
        let to = down_to.unwrap_or_else(|| last.saturating_add(GUESSES_MAX));
        numbers.extend((from..to).take(PROBES_MAX));
    }
    Keys {
        known,
        numbers,
        is_torn: !is_table_whole && !is_index_whole,
    }
}

/// What a query gives until it fails, and whether it did not.
fn numbers_of(damaged: &Connection, query: &str) -> (Vec<i64>, bool) {
    let mut numbers = Vec::new();
    let mut go = || -> Result<(), rusqlite::Error> {
        let mut statement = damaged.prepare(query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            numbers.push(row.get(0)?);
        }
        Ok(())
    };
    let is_whole = go().is_ok();
    (numbers, is_whole)
}

fn numbers_json(numbers: &BTreeSet<i64>) -> String {
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("[{}]", numbers.join(","))
}

/// A row, whatever its columns hold.
struct Row {
    number: i64,
    queue: QueueName,
    due: i64,
    visible_at: i64,
    id: String,
    body: Vec<u8>,
    checksum: Option<i64>,
}

impl Row {
    fn read(
        damaged: &Connection,
        number: i64,
        has_checksums: bool,
    ) -> rusqlite::Result<Option<Self>> {
        let mut statement =
            damaged.prepare_cached(&format!("{} WHERE number = ?", Self::select(has_checksums)))?;
        statement.query_row([number], Self::of).optional()
    }

    /// Gives those of `wanted` (numbers as JSON) to `take` that going through the whole table meets, as far as that
    /// goes and `take` wants more.
    fn walk(
        damaged: &Connection,
        wanted: &str,
        order: &str,
        has_checksums: bool,
        mut take: impl FnMut(Self) -> bool,
    ) {
        // With its sign SQLite does not look the number up. Rows that are not wanted are not read.
        let query = format!(
            "{} WHERE +number IN (SELECT value FROM json_each(?)) ORDER BY number {order}",
            Self::select(has_checksums)
        );
        let mut go = || -> rusqlite::Result<()> {
            let mut statement = damaged.prepare(&query)?;
            for row in statement.query_map([wanted], Self::of)? {
                if !take(row?) {
                    break;
                }
            }
            Ok(())
        };
        if let Err(error) = go() {
            tracing::debug!(%error, "the table cannot be read to its end");
        }
    }

    fn select(has_checksums: bool) -> String {
        let checksum = if has_checksums { "checksum" } else { "NULL" };
        format!(
            "SELECT number, queue, due, visible_at, id, body, {checksum} FROM messages NOT INDEXED"
        )
    }

    fn of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let time = |value| match value {
            ValueRef::Integer(millis) => millis,
            _ => 0,
        };
        let name = rows::bytes_of(row.get_ref(1)?);
        let named = |queue: &QueueName| queue.as_str().as_bytes() == name;
        let (due, visible_at) = (time(row.get_ref(2)?), time(row.get_ref(3)?));
        let (id, body) = (row.get_ref(4)?, row.get_ref(5)?);
        let is_formed = matches!((id, body), (ValueRef::Text(_), ValueRef::Blob(_)));
        Ok(Self {
            number: row.get(0)?,
            // Under a name that nobody knows it would never be handed out.
            queue: QueueName::ALL
                .into_iter()
                .find(named)
                .unwrap_or(QueueName::Events),
            // They lie a delay apart: one that changed must not hide a message for ever.
            due: if rows::is_delay(due, visible_at) {
                due
            } else {
                0
            },
            visible_at,
            id: String::from_utf8_lossy(rows::bytes_of(id)).into_owned(),
            body: rows::bytes_of(body).to_vec(),
            checksum: match row.get_ref(6)? {
                // Of the first version. What is no row at all looks alike.
                ValueRef::Null if is_formed => None,
                ValueRef::Integer(sum) => Some(sum),
                // It fits nothing, as it should.
                _ => Some(0),
            },
        })
    }

    fn is_whole(&self) -> bool {
        let sum = || rows::checksum(self.id.as_bytes(), &self.body);
        self.checksum.is_none_or(|written| written == sum())
    }

    fn insert(self, target: &Connection) -> rusqlite::Result<()> {
        let mut insert = target.prepare_cached(
            "INSERT INTO messages (number, queue, due, visible_at, id, body, checksum)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?;
        let queue = self.queue.as_str();
        insert.execute(params![
            self.number,
            queue,
            self.due,
            self.visible_at,
            self.id,
            self.body,
            self.checksum
        ])?;
        Ok(())
    }
}

fn move_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes renames outlast a power cut.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
