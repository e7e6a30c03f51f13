//! Meetings: their rows, the keys by which they are found, and listings.

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row};

use crate::domain::choice::CANDIDATES_MAX;
use crate::domain::{ArtifactId, Meeting, MeetingId, RequestId, Timestamp};
use crate::ports::{MeetingFilter, MeetingSummary};
use crate::sqlite::SqliteError;
use crate::store::batch::not_new;
use crate::store::{LISTED_MAX, columns, row_json};

use super::failure::unreadable;
use super::{limit, posts};

/// A meeting with its posts.
pub(super) fn load(file: &Connection, id: MeetingId) -> Result<Option<Meeting>, SqliteError> {
    let mut statement = file.prepare_cached("SELECT body FROM meetings WHERE id = ?1")?;
    let mut rows = statement.query([id.to_string()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let text = row.get_ref(0)?.as_str();
    let text = text.map_err(|_| unreadable(format!("meeting {id}"), "body"))?;
    let mut meeting = row_json::read(id, text).map_err(SqliteError::Refused)?;
    meeting.posts = posts::load_all(file, id)?;
    Ok(Some(meeting))
}

/// Writes a meeting that has no row yet.
pub(super) fn insert(file: &Connection, meeting: &Meeting) -> Result<(), SqliteError> {
    let first = meeting.first_request().ok_or_else(|| {
        SqliteError::Refused(format!("meeting {} was asked for by nobody", meeting.id))
    })?;
    let state = meeting.state();
    file.prepare_cached(
        "INSERT INTO meetings (id, room, place, running, state, title, channel_name, starter,
             requested_at, first_request, round, wake_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute((
        meeting.id.to_string(),
        meeting.room.as_str(),
        meeting.place.key(),
        state.is_running(),
        state.as_str(),
        &meeting.rule.title,
        &meeting.place.channel_name,
        &first.by.user_name,
        meeting.requested_at.millis(),
        first.id.to_string(),
        meeting.round,
        meeting.wake_at.map(Timestamp::millis),
        row_json::write(meeting).map_err(SqliteError::Refused)?,
    ))
    .map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => SqliteError::Refused(not_new(meeting)),
        _ => error.into(),
    })?;
    Ok(())
}

/// The version of a meeting. 0 if there is no such meeting.
pub(super) fn version(file: &Connection, id: MeetingId) -> Result<u64, SqliteError> {
    let text = "SELECT json_extract(body, '$.version') FROM meetings WHERE id = ?1";
    let version = file
        .prepare_cached(text)?
        .query_row([id.to_string()], |row| row.get::<_, i64>(0))
        .optional()?;
    Ok(version
        .and_then(|version| u64::try_from(version).ok())
        .unwrap_or(0))
}

/// Updates the row of a meeting.
pub(super) fn update(file: &Connection, meeting: &Meeting) -> Result<(), SqliteError> {
    let state = meeting.state();
    file.prepare_cached(
        "UPDATE meetings SET running = ?2, state = ?3, round = ?4, wake_at = ?5, body = ?6
         WHERE id = ?1",
    )?
    .execute((
        meeting.id.to_string(),
        state.is_running(),
        state.as_str(),
        meeting.round,
        meeting.wake_at.map(Timestamp::millis),
        row_json::write(meeting).map_err(SqliteError::Refused)?,
    ))?;
    Ok(())
}

/// The running meetings of a channel and its threads, newest first: at most [`CANDIDATES_MAX`].
pub(super) fn running_in(file: &Connection, channel: &str) -> Result<Vec<MeetingId>, SqliteError> {
    // Keys of conversations are `<channel key>|<thread>`, and `}` is the character after `|`.
    let mut statement = file.prepare_cached(
        "SELECT id FROM meetings WHERE running = 1 AND place >= ?1 || '|' AND place < ?1 || '}'
         ORDER BY requested_at DESC, id DESC LIMIT ?2",
    )?;
    let mut rows = statement.query((channel, limit(CANDIDATES_MAX, CANDIDATES_MAX)))?;
    let mut running = Vec::new();
    while let Some(row) = rows.next()? {
        running.push(read_id(row.get(0)?)?);
    }
    Ok(running)
}

/// The meeting of a session, its own or a breakout room's.
pub(super) fn of_session(file: &Connection, sid: &str) -> Result<Option<MeetingId>, SqliteError> {
    find(file, "SELECT meeting FROM sessions WHERE sid = ?1", sid)
}

/// The meeting of a room.
pub(super) fn of_room(file: &Connection, room: &str) -> Result<Option<MeetingId>, SqliteError> {
    find(file, "SELECT id FROM meetings WHERE room = ?1", room)
}

/// The meeting of a request, its first or an alias.
pub(super) fn of_request(
    file: &Connection,
    request: RequestId,
) -> Result<Option<MeetingId>, SqliteError> {
    find(
        file,
        "SELECT meeting FROM requests WHERE request = ?1",
        &request.to_string(),
    )
}

/// The meeting that an artifact belongs to.
pub(super) fn of_artifact(
    file: &Connection,
    artifact: &ArtifactId,
) -> Result<Option<MeetingId>, SqliteError> {
    find(
        file,
        "SELECT meeting FROM artifacts WHERE artifact = ?1",
        artifact.as_str(),
    )
}

/// A listing, newest first.
pub(super) fn list(
    file: &Connection,
    filter: &MeetingFilter,
) -> Result<Vec<MeetingSummary>, SqliteError> {
    let most = limit(filter.limit, LISTED_MAX);
    // Two statements, so that each uses its own index.
    let mut statement = if filter.running_only {
        file.prepare_cached(
            "SELECT id, title, state, room, channel_name, starter, requested_at, first_request
             FROM meetings WHERE running = 1 ORDER BY requested_at DESC, id DESC LIMIT ?1",
        )?
    } else {
        file.prepare_cached(
            "SELECT id, title, state, room, channel_name, starter, requested_at, first_request
             FROM meetings ORDER BY requested_at DESC, id DESC LIMIT ?1",
        )?
    };
    let mut rows = statement.query([most])?;
    let mut listed = Vec::new();
    while let Some(row) = rows.next()? {
        listed.push(read_summary(row)?);
    }
    Ok(listed)
}

/// Meetings that are to be woken; those that wait longest come first.
pub(super) fn due(
    file: &Connection,
    now: Timestamp,
    most: usize,
) -> Result<Vec<(MeetingId, u32)>, SqliteError> {
    let mut statement = file.prepare_cached(
        "SELECT id, round FROM meetings WHERE wake_at <= ?1 ORDER BY wake_at, id LIMIT ?2",
    )?;
    let mut rows = statement.query((now.millis(), limit(most, usize::MAX)))?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        due.push((read_id(row.get(0)?)?, row.get(1)?));
    }
    Ok(due)
}

/// How many meetings are not over.
pub(super) fn count_running(file: &Connection) -> Result<u64, SqliteError> {
    let count: i64 = file
        .prepare_cached("SELECT count(*) FROM meetings WHERE running = 1")?
        .query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

fn find(file: &Connection, query: &str, key: &str) -> Result<Option<MeetingId>, SqliteError> {
    let id: Option<String> = file
        .prepare_cached(query)?
        .query_row([key], |row| row.get(0))
        .optional()?;
    id.map(read_id).transpose()
}

fn read_id(text: String) -> Result<MeetingId, SqliteError> {
    row_json::read_id(&text).map_err(SqliteError::Refused)
}

fn read_summary(row: &Row<'_>) -> Result<MeetingSummary, SqliteError> {
    let id = read_id(row.get("id")?)?;
    let damaged = |column: &str| unreadable(format!("meeting {id}"), column);
    let state: String = row.get("state")?;
    let first: String = row.get("first_request")?;
    Ok(MeetingSummary {
        id,
        title: row.get("title")?,
        state: columns::state(&state).ok_or_else(|| damaged("state"))?,
        room: row.get("room")?,
        channel_name: row.get("channel_name")?,
        starter: row.get("starter")?,
        requested_at: Timestamp::from_millis(row.get("requested_at")?),
        request: first.parse().map_err(|_| damaged("first_request"))?,
    })
}
