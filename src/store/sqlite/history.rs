//! Attempts at jobs, actions of administrators, and the search by an id.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use crate::domain::{MeetingId, Origin, ServerName, Timestamp};
use crate::ports::{Attempt, DETAIL_BYTES_MAX, Lookup, Note};
use crate::sqlite::SqliteError;
use crate::store::row_json::{self, cut};
use crate::store::{ATTEMPTS_MAX, columns};

use super::failure::unreadable;
use super::{dead_letters, limit, log};

/// The queries that find a meeting by any id. Each uses an index.
const SEARCHES: [&str; 7] = [
    "SELECT id FROM meetings WHERE id = ?1",
    "SELECT meeting FROM requests WHERE request = ?1",
    "SELECT meeting FROM posts WHERE post = ?1",
    "SELECT id FROM meetings WHERE room = ?1",
    "SELECT meeting FROM sessions WHERE sid = ?1",
    "SELECT meeting FROM artifacts WHERE artifact = ?1",
    "SELECT meeting FROM events WHERE event = ?1 AND meeting IS NOT NULL LIMIT 1",
];

/// Finds what an id belongs to.
pub(super) fn find(file: &Connection, reference: &str) -> Result<Lookup, SqliteError> {
    let mut found = Lookup {
        meeting: None,
        event: log::of_event(file, reference)?,
        letter: dead_letters::load(file, reference)?,
    };
    for search in SEARCHES {
        let meeting: Option<String> = file
            .prepare_cached(search)?
            .query_row([reference], |row| row.get(0))
            .optional()?;
        if let Some(meeting) = meeting {
            found.meeting = Some(read_id(&meeting)?);
            return Ok(found);
        }
    }
    // The post of the request, which is not a post of the relay.
    let asked = Origin::mattermost(&ServerName::default_server(), format!("post:{reference}"));
    let first = log::first(file, &asked)?;
    let letter = found.letter.as_ref().and_then(|letter| letter.meeting);
    found.meeting = first.and_then(|first| first.meeting).or(letter);
    Ok(found)
}

/// Records an attempt. The oldest attempts of its meeting are deleted for it.
pub(super) fn add_attempt(file: &Connection, attempt: &Attempt) -> Result<(), SqliteError> {
    let meeting = attempt.meeting.to_string();
    let took = i64::try_from(attempt.took.as_millis()).unwrap_or(i64::MAX);
    let detail = cut(&attempt.detail, DETAIL_BYTES_MAX);
    file.prepare_cached(
        "INSERT INTO attempts (meeting, job, number, queue, due_at, began_at, took_ms, ending, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute((
        &meeting,
        &attempt.job,
        attempt.number,
        attempt.queue.as_str(),
        attempt.due_at.millis(),
        attempt.began_at.millis(),
        took,
        attempt.ending.as_str(),
        detail,
    ))?;
    file.prepare_cached(
        "DELETE FROM attempts WHERE meeting = ?1 AND line <=
             (SELECT line FROM attempts WHERE meeting = ?1 ORDER BY line DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute((&meeting, limit(ATTEMPTS_MAX, ATTEMPTS_MAX)))?;
    Ok(())
}

/// The attempts of a meeting, in the order in which they were recorded.
pub(super) fn attempts(file: &Connection, meeting: MeetingId) -> Result<Vec<Attempt>, SqliteError> {
    let mut statement = file.prepare_cached(
        "SELECT job, number, queue, due_at, began_at, took_ms, ending, detail
         FROM attempts WHERE meeting = ?1 ORDER BY line",
    )?;
    let mut rows = statement.query([meeting.to_string()])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        attempts.push(read_attempt(meeting, row)?);
    }
    Ok(attempts)
}

/// Records an action of a person.
pub(super) fn add_note(file: &Connection, note: &Note) -> Result<(), SqliteError> {
    file.prepare_cached(
        "INSERT INTO notes (at, who, action, subject, meeting) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((
        note.at.millis(),
        cut(&note.by, DETAIL_BYTES_MAX),
        &note.action,
        &note.subject,
        note.meeting.map(|id| id.to_string()),
    ))?;
    Ok(())
}

/// The recorded actions about a subject.
pub(super) fn notes(file: &Connection, about: &str) -> Result<Vec<Note>, SqliteError> {
    let mut statement = file.prepare_cached(
        "SELECT at, who, action, subject, meeting FROM notes
         WHERE meeting = ?1 OR subject = ?1 ORDER BY line LIMIT ?2",
    )?;
    let mut rows = statement.query((about, limit(ATTEMPTS_MAX, ATTEMPTS_MAX)))?;
    let mut notes = Vec::new();
    while let Some(row) = rows.next()? {
        let meeting: Option<String> = row.get("meeting")?;
        notes.push(Note {
            at: Timestamp::from_millis(row.get("at")?),
            by: row.get("who")?,
            action: row.get("action")?,
            subject: row.get("subject")?,
            meeting: meeting.as_deref().map(read_id).transpose()?,
        });
    }
    Ok(notes)
}

fn read_attempt(meeting: MeetingId, row: &Row<'_>) -> Result<Attempt, SqliteError> {
    let job: String = row.get("job")?;
    let damaged = |column: &str| unreadable(format!("an attempt at {job}"), column);
    let queue: String = row.get("queue")?;
    let ending: String = row.get("ending")?;
    let took: i64 = row.get("took_ms")?;
    Ok(Attempt {
        meeting,
        number: row.get("number")?,
        queue: columns::queue(&queue).ok_or_else(|| damaged("queue"))?,
        due_at: Timestamp::from_millis(row.get("due_at")?),
        began_at: Timestamp::from_millis(row.get("began_at")?),
        took: Duration::from_millis(u64::try_from(took).map_err(|_| damaged("took_ms"))?),
        ending: columns::ending(&ending).ok_or_else(|| damaged("ending"))?,
        detail: row.get("detail")?,
        job,
    })
}

fn read_id(text: &str) -> Result<MeetingId, SqliteError> {
    row_json::read_id(text).map_err(SqliteError::Refused)
}
