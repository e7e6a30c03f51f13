//! The SQL statements of the embedded queue.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, ffi, params};
use sha2::{Digest, Sha256};

use crate::domain::Timestamp;
use crate::ports::{MESSAGE_BYTES_MAX, Message, Outgoing, QueueName};
use crate::sqlite::SqliteError;

use super::key::RowKey;

/// The table and its index, version 1. `due` is 0 for a message that is visible at once. `visible_at` is the time of
/// publication; for a delayed message, earlier versions wrote `due` there as well.
pub(super) const SCHEMA: &str = "
    CREATE TABLE messages (
        number INTEGER PRIMARY KEY,
        queue TEXT NOT NULL,
        due INTEGER NOT NULL,
        visible_at INTEGER NOT NULL,
        id TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX messages_in_order ON messages (queue, due, number);
";

/// The version of the table, stored in the file's `user_version`. Version 2 added checksums.
pub(super) const VERSION: i64 = 2;
/// Marks the file as a queue of the relay ("mrqu").
pub(super) const APPLICATION_ID: i64 = 0x6d72_7175;

/// The change of version 2. Rows of version 1 have no checksum and are accepted without one.
pub(super) const CHECKSUMS: &str = "ALTER TABLE messages ADD COLUMN checksum INTEGER;";

/// Free pages that the file keeps for later messages: 8 MiB.
const FREE_PAGES_KEPT: i64 = 2048;
/// Most pages that one settlement releases to the disk.
const PAGES_RELEASED_MAX: i64 = 1024;

/// A message whose time of publication is at least this far in the future was published before the clock was set back.
const CLOCK_STEP_MIN: Duration = Duration::from_secs(1);

/// A message that waits, without its content.
#[derive(Debug, Clone, Copy)]
pub(super) struct WaitingRow {
    pub(super) key: RowKey,
    pub(super) visible_at: i64,
}

/// A message as read from the file.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) message: Message,
    /// Its content is not what was published: the disk changed it.
    pub(super) is_damaged: bool,
}

/// The messages in the file when it is opened.
#[derive(Default)]
pub(super) struct FileCounts {
    /// The newest message's number.
    pub(super) last: i64,
    /// Indexed by [`number_of`].
    pub(super) counts: [Count; 4],
}

/// How many messages wait in one queue.
#[derive(Default, Clone, Copy)]
pub(super) struct Count {
    pub(super) at_once: i64,
    pub(super) delayed: i64,
}

/// The index of a queue in arrays.
pub(super) const fn number_of(queue: QueueName) -> usize {
    match queue {
        QueueName::Events => 0,
        QueueName::Conference => 1,
        QueueName::Chat => 2,
        QueueName::ChatLater => 3,
    }
}

/// Creates the table in an empty file.
pub(super) fn create(connection: &Connection) -> Result<(), SqliteError> {
    Ok(connection.execute_batch(&format!(
        "BEGIN; {SCHEMA} {CHECKSUMS} PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {VERSION}; COMMIT;"
    ))?)
}

pub(super) fn count(connection: &Connection) -> Result<FileCounts, SqliteError> {
    let last =
        connection.query_row("SELECT coalesce(max(number), 0) FROM messages", [], |row| {
            row.get(0)
        })?;
    let mut counts = [Count::default(); 4];
    for queue in QueueName::ALL {
        let count = |condition: &str| {
            let query = format!("SELECT count(*) FROM messages WHERE queue = ? AND {condition}");
            connection.query_row(&query, [queue.as_str()], |row| row.get::<_, i64>(0))
        };
        counts[number_of(queue)] = Count {
            at_once: count("due = 0")?,
            delayed: count("due > 0")?,
        };
    }
    Ok(FileCounts { last, counts })
}

pub(super) fn insert(
    connection: &Connection,
    key: RowKey,
    now: Timestamp,
    outgoing: &Outgoing,
) -> Result<(), SqliteError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO messages (number, queue, due, visible_at, id, body, checksum)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?;
    let Message { id, body } = &outgoing.message;
    let queue = outgoing.queue.as_str();
    statement.execute(params![
        key.number,
        queue,
        key.due,
        now.millis(),
        id,
        &body[..],
        checksum(id.as_bytes(), body),
    ])?;
    Ok(())
}

/// The first 8 bytes of a SHA-256 digest over identifier and body.
fn checksum(id: &[u8], body: &[u8]) -> i64 {
    let mut digest = Sha256::new();
    digest.update((id.len() as u64).to_be_bytes());
    digest.update(id);
    digest.update(body);
    let digest = digest.finalize();
    digest[..8]
        .iter()
        .fold(0, |sum: i64, byte| (sum << 8) | i64::from(*byte))
}

/// Deletes a message. Returns whether it existed.
pub(super) fn delete(connection: &Connection, key: RowKey) -> Result<bool, SqliteError> {
    let mut statement = connection.prepare_cached("DELETE FROM messages WHERE number = ?")?;
    Ok(statement.execute([key.number])? > 0)
}

pub(super) fn find_at_once(
    connection: &Connection,
    queue: QueueName,
    after: RowKey,
    limit: usize,
) -> Result<Vec<WaitingRow>, SqliteError> {
    let mut statement = connection.prepare_cached(
        "SELECT due, number, visible_at FROM messages
         WHERE queue = ? AND due = 0 AND number > ? ORDER BY number LIMIT ?",
    )?;
    let rows = statement.query_map(params![queue.as_str(), after.number, limit], waiting)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn find_due(
    connection: &Connection,
    queue: QueueName,
    after: RowKey,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<WaitingRow>, SqliteError> {
    let mut statement = connection.prepare_cached(
        "SELECT due, number, due FROM messages
         WHERE queue = ? AND (due, number) > (?, ?) AND due <= ? ORDER BY due, number LIMIT ?",
    )?;
    let range = params![queue.as_str(), after.due, after.number, now.millis(), limit];
    let rows = statement.query_map(range, waiting)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn waiting(row: &rusqlite::Row<'_>) -> rusqlite::Result<WaitingRow> {
    let key = RowKey {
        due: row.get(0)?,
        number: row.get(1)?,
    };
    Ok(WaitingRow {
        key,
        visible_at: row.get(2)?,
    })
}

/// When the next delayed message becomes visible.
pub(super) fn next_due(
    connection: &Connection,
    queue: QueueName,
    now: Timestamp,
) -> Result<Option<Timestamp>, SqliteError> {
    let mut statement =
        connection.prepare_cached("SELECT min(due) FROM messages WHERE queue = ? AND due > ?")?;
    let after = now.millis().max(0);
    let due = statement.query_row(params![queue.as_str(), after], |row| {
        row.get::<_, Option<i64>>(0)
    })?;
    Ok(due.map(Timestamp::from_millis))
}

/// Corrects the due times after the clock was set back. A delayed message that was published in the future, as `now`
/// shows it, gets its original delay again, counted from now. Messages for which `is_taken` returns true are in work
/// and are not changed. Returns how many messages were changed.
pub(super) fn follow_clock(
    connection: &Connection,
    now: Timestamp,
    is_taken: impl Fn(i64) -> bool,
) -> Result<usize, SqliteError> {
    let mut find = connection.prepare_cached(
        "SELECT number, due - visible_at FROM messages WHERE due > visible_at AND visible_at > ?",
    )?;
    let ahead = now.plus(CLOCK_STEP_MIN).millis();
    let rows = find.query_map([ahead], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(i64, i64)> = rows.collect::<Result<_, _>>()?;
    let mut change = connection
        .prepare_cached("UPDATE messages SET due = ?2, visible_at = ?3 WHERE number = ?1")?;
    let mut count = 0;
    for (number, delay) in rows.into_iter().filter(|(number, _)| !is_taken(*number)) {
        let due = now.millis().saturating_add(delay).max(1);
        count += change.execute(params![number, due, now.millis()])?;
    }
    Ok(count)
}

/// Reads a message whatever its columns hold. A message that is in the index and not in the table, in the same state of
/// the file, shows that the two are inconsistent: that is damage.
pub(super) fn read(connection: &Connection, key: RowKey) -> Result<Stored, SqliteError> {
    let mut statement =
        connection.prepare_cached("SELECT id, body, checksum FROM messages WHERE number = ?")?;
    let stored = statement.query_row([key.number], |row| {
        let (id, body) = (row.get_ref(0)?, row.get_ref(1)?);
        let is_whole = matches!((id, body), (ValueRef::Text(_), ValueRef::Blob(_)));
        let (id, body) = (bytes_of(id), bytes_of(body));
        let is_whole = is_whole && body.len() <= MESSAGE_BYTES_MAX;
        let body = &body[..body.len().min(MESSAGE_BYTES_MAX)];
        let is_same = match row.get_ref(2)? {
            // The row was written by version 1, without a checksum.
            ValueRef::Null => true,
            ValueRef::Integer(written) => written == checksum(id, body),
            _ => false,
        };
        Ok(Stored {
            is_damaged: !is_whole || !is_same || std::str::from_utf8(id).is_err(),
            message: Message {
                id: String::from_utf8_lossy(id).into_owned(),
                body: Bytes::copy_from_slice(body),
            },
        })
    });
    stored.optional()?.ok_or_else(|| {
        let damaged = ffi::Error::new(ffi::SQLITE_CORRUPT);
        let why = format!(
            "message {} is in the index and not in the table",
            key.number
        );
        SqliteError::Sqlite(rusqlite::Error::SqliteFailure(damaged, Some(why)))
    })
}

/// The bytes of a text or a blob. A damaged row may have either type.
fn bytes_of(value: ValueRef<'_>) -> &[u8] {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => &[],
    }
}

/// How many delayed messages of each queue are due and still in the file.
pub(super) fn count_due(connection: &Connection, now: Timestamp) -> Result<[u64; 4], SqliteError> {
    let mut counts = [0; 4];
    let mut statement = connection
        .prepare_cached("SELECT count(*) FROM messages WHERE queue = ? AND due BETWEEN 1 AND ?")?;
    for queue in QueueName::ALL {
        counts[number_of(queue)] =
            statement.query_row(params![queue.as_str(), now.millis()], |row| row.get(0))?;
    }
    Ok(counts)
}

/// Bytes of the file in use.
pub(super) fn bytes_used(connection: &Connection) -> Result<u64, SqliteError> {
    let pages = pragma(connection, "PRAGMA page_count")?
        .saturating_sub(pragma(connection, "PRAGMA freelist_count")?);
    let bytes = pages.saturating_mul(pragma(connection, "PRAGMA page_size")?);
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Releases pages that an emptied backlog left free to the disk, a few at a time.
pub(super) fn release_free_pages(connection: &Connection) -> Result<(), SqliteError> {
    let free = pragma(connection, "PRAGMA freelist_count")?;
    let pages = (free - FREE_PAGES_KEPT).min(PAGES_RELEASED_MAX);
    if pages <= 0 {
        return Ok(());
    }
    // Each row releases one page, so all rows have to be read.
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

fn pragma(connection: &Connection, query: &str) -> Result<i64, SqliteError> {
    Ok(connection
        .prepare_cached(query)?
        .query_row([], |row| row.get(0))?)
}
