//! Dead letters.

use rusqlite::{Connection, OptionalExtension, Row};

use crate::domain::Timestamp;
use crate::ports::{DeadFilter, DeadKind, DeadLetter};
use crate::sqlite::SqliteError;
use crate::store::{LISTED_MAX, columns};

use super::failure::unreadable;

/// Stores a dead letter, which replaces any other with its id.
pub(super) fn bury(file: &Connection, letter: &DeadLetter) -> Result<(), SqliteError> {
    file.prepare_cached(
        "INSERT INTO dead_letters (id, queue, kind, meeting, reason, buried_at, attempts, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO UPDATE SET
             queue = excluded.queue, kind = excluded.kind, meeting = excluded.meeting,
             reason = excluded.reason, buried_at = excluded.buried_at,
             attempts = excluded.attempts, body = excluded.body",
    )?
    .execute((
        &letter.id,
        &letter.queue,
        letter.kind.as_str(),
        letter.meeting.map(|id| id.to_string()),
        &letter.reason,
        letter.buried_at.millis(),
        letter.attempts,
        &letter.body,
    ))?;
    Ok(())
}

/// The newest dead letters that match the filter, without their bodies.
pub(super) fn list(file: &Connection, filter: &DeadFilter) -> Result<Vec<DeadLetter>, SqliteError> {
    let mut statement = file.prepare_cached(
        "SELECT id, queue, kind, meeting, reason, buried_at, attempts, x'' AS body
         FROM dead_letters
         WHERE (?2 IS NULL OR queue = ?2) AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR meeting = ?4)
             AND (?5 IS NULL OR instr(lower(reason), lower(?5)) > 0)
             AND (?6 IS NULL OR buried_at >= ?6) AND (?7 IS NULL OR buried_at < ?7)
         ORDER BY buried_at DESC, id DESC LIMIT ?1",
    )?;
    let mut rows = statement.query((
        super::limit(filter.limit, LISTED_MAX),
        &filter.queue,
        filter.kind.map(DeadKind::as_str),
        filter.meeting.map(|id| id.to_string()),
        &filter.reason,
        filter.since.map(Timestamp::millis),
        filter.before.map(Timestamp::millis),
    ))?;
    let mut dead_letters = Vec::new();
    while let Some(row) = rows.next()? {
        dead_letters.push(read(row)?);
    }
    Ok(dead_letters)
}

/// One dead letter with its body.
pub(super) fn load(file: &Connection, id: &str) -> Result<Option<DeadLetter>, SqliteError> {
    file.prepare_cached(
        "SELECT id, queue, kind, meeting, reason, buried_at, attempts, body
         FROM dead_letters WHERE id = ?1",
    )?
    .query_row([id], |row| Ok(read(row)))
    .optional()?
    .transpose()
}

/// Removes a dead letter. Whether there was one.
pub(super) fn remove(
    file: &Connection,
    id: &str,
    buried_at: Timestamp,
) -> Result<bool, SqliteError> {
    let removed = file
        .prepare_cached("DELETE FROM dead_letters WHERE id = ?1 AND buried_at = ?2")?
        .execute((id, buried_at.millis()))?;
    Ok(removed > 0)
}

/// How many there are.
pub(super) fn count(file: &Connection) -> Result<u64, SqliteError> {
    let count: i64 = file
        .prepare_cached("SELECT count(*) FROM dead_letters")?
        .query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

fn read(row: &Row<'_>) -> Result<DeadLetter, SqliteError> {
    let id: String = row.get("id")?;
    let name = || format!("dead letter {id}");
    let kind: String = row.get("kind")?;
    let kind = columns::dead_kind(&kind).ok_or_else(|| unreadable(name(), "kind"))?;
    let meeting = row
        .get::<_, Option<String>>("meeting")?
        .map(|text| text.parse())
        .transpose()
        .map_err(|_| unreadable(name(), "meeting"))?;
    Ok(DeadLetter {
        queue: row.get("queue")?,
        kind,
        meeting,
        reason: row.get("reason")?,
        buried_at: Timestamp::from_millis(row.get("buried_at")?),
        attempts: row.get("attempts")?,
        body: row.get("body")?,
        id,
    })
}
