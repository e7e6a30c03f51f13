//! Dedup keys, and the event log with one row for each settled event.

use rusqlite::{Connection, OptionalExtension, Row};

use crate::domain::{EventId, MeetingId, Origin, Timestamp};
use crate::ports::Logged;
use crate::sqlite::SqliteError;
use crate::store::batch::{First, LogLine};
use crate::store::{HISTORY_MAX, LISTED_MAX, columns};

use super::failure::unreadable;
use super::limit;

/// Most rows that one part of pruning deletes from each table.
const PIECE_MAX: usize = 500;

/// The first event with this dedup key, if there is one.
pub(super) fn first(file: &Connection, origin: &Origin) -> Result<Option<First>, SqliteError> {
    let found = file
        .prepare_cached("SELECT content, meeting, event FROM seen WHERE source = ?1 AND key = ?2")?
        .query_row((&origin.source, &origin.key), |row| {
            Ok((
                row.get(0)?,
                row.get::<_, Option<String>>(1)?,
                row.get::<_, String>(2)?,
            ))
        })
        .optional()?;
    let Some((content, meeting, event)) = found else {
        return Ok(None);
    };
    // The key of a command is a secret while its response URL works, and errors are logged.
    let damaged = |column| unreadable(format!("a seen event of {}", origin.source), column);
    let meeting = meeting
        .map(|text| text.parse())
        .transpose()
        .map_err(|_| damaged("meeting"))?;
    let event = event.parse().map_err(|_| damaged("event"))?;
    Ok(Some(First {
        event,
        content,
        meeting,
    }))
}

/// Records the dedup key of an event.
pub(super) fn add_seen(
    file: &Connection,
    origin: &Origin,
    first: &First,
    now: Timestamp,
) -> Result<(), SqliteError> {
    file.prepare_cached(
        "INSERT INTO seen (source, key, event, content, meeting, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((
        &origin.source,
        &origin.key,
        first.event.to_string(),
        first.content,
        first.meeting.map(|id| id.to_string()),
        now.millis(),
    ))?;
    Ok(())
}

/// Adds a row for a settled event.
pub(super) fn add_line(
    file: &Connection,
    line: &LogLine,
    now: Timestamp,
) -> Result<(), SqliteError> {
    let event = &line.event;
    file.prepare_cached(
        "INSERT INTO events (event, meeting, kind, source, effect, received_at, applied_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        event.id.to_string(),
        line.meeting.map(|id| id.to_string()),
        event.fact.kind(),
        &event.origin.source,
        line.effect.as_str(),
        event.received_at.millis(),
        now.millis(),
    ))?;
    Ok(())
}

/// The row of an event.
pub(super) fn of_event(file: &Connection, event: &str) -> Result<Option<Logged>, SqliteError> {
    file.prepare_cached(
        "SELECT event, kind, source, effect, received_at, applied_at
         FROM events WHERE event = ?1 ORDER BY line LIMIT 1",
    )?
    .query_row([event], |row| Ok(read(row)))
    .optional()?
    .transpose()
}

/// Those of `events` that have a row or are a dead letter.
pub(super) fn settled(file: &Connection, events: &[EventId]) -> Result<Vec<EventId>, SqliteError> {
    let mut statement = file.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM events WHERE event = ?1)
             OR EXISTS (SELECT 1 FROM dead_letters WHERE id = ?1)
             OR EXISTS (SELECT 1 FROM notes WHERE subject = ?1 AND action = 'discard')",
    )?;
    let mut settled = Vec::new();
    for event in events.iter().take(LISTED_MAX) {
        if statement.query_row([event.to_string()], |row| row.get(0))? {
            settled.push(*event);
        }
    }
    Ok(settled)
}

/// The rows of a meeting, in the order in which its events were applied.
pub(super) fn history(file: &Connection, meeting: MeetingId) -> Result<Vec<Logged>, SqliteError> {
    let mut statement = file.prepare_cached(
        "SELECT event, kind, source, effect, received_at, applied_at
         FROM events WHERE meeting = ?1 ORDER BY line LIMIT ?2",
    )?;
    let mut rows = statement.query((meeting.to_string(), limit(HISTORY_MAX, HISTORY_MAX)))?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        lines.push(read(row)?);
    }
    Ok(lines)
}

fn read(row: &Row<'_>) -> Result<Logged, SqliteError> {
    let event: String = row.get("event")?;
    let effect: String = row.get("effect")?;
    Ok(Logged {
        kind: row.get("kind")?,
        source: row.get("source")?,
        effect: columns::effect(&effect)
            .ok_or_else(|| unreadable(format!("the line of event {event}"), "effect"))?,
        received_at: Timestamp::from_millis(row.get("received_at")?),
        applied_at: Timestamp::from_millis(row.get("applied_at")?),
        event,
    })
}

/// Deletes some keys and rows from before `before`. Returns how many; 0 when none is left.
pub(super) fn forget_piece(file: &Connection, before: Timestamp) -> Result<u64, SqliteError> {
    let piece = limit(PIECE_MAX, PIECE_MAX);
    let keys = file
        .prepare_cached(
            "DELETE FROM seen WHERE (source, key) IN
                 (SELECT source, key FROM seen WHERE at < ?1 ORDER BY at LIMIT ?2)",
        )?
        .execute((before.millis(), piece))?;
    let lines = file
        .prepare_cached(
            "DELETE FROM events WHERE line IN
                 (SELECT line FROM events WHERE applied_at < ?1 ORDER BY applied_at LIMIT ?2)",
        )?
        .execute((before.millis(), piece))?;
    let attempts = file
        .prepare_cached(
            "DELETE FROM attempts WHERE line IN
                 (SELECT line FROM attempts WHERE began_at < ?1 ORDER BY began_at LIMIT ?2)",
        )?
        .execute((before.millis(), piece))?;
    let notes = file
        .prepare_cached(
            "DELETE FROM notes WHERE line IN
                 (SELECT line FROM notes WHERE at < ?1 ORDER BY at LIMIT ?2)",
        )?
        .execute((before.millis(), piece))?;
    Ok(u64::try_from(keys + lines + attempts + notes).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn damaged_row_of_a_command_is_told_without_its_key() {
        let mut file = Connection::open_in_memory().unwrap();
        crate::store::sqlite::schema::migrate(&mut file).unwrap();
        let origin = Origin {
            source: "mattermost:default".to_owned(),
            key: "command:CANARY".to_owned(),
        };
        for (event, meeting) in [("none", None), ("none", Some("none"))] {
            file.execute(
                "INSERT OR REPLACE INTO seen (source, key, event, content, meeting, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, 0)",
                (&origin.source, &origin.key, event, [0_u8; 32], meeting),
            )
            .unwrap();
            let Err(error) = first(&file, &origin) else {
                panic!("{event} {meeting:?} was read");
            };
            let text = format!("{error} {error:?}");
            assert!(text.contains("mattermost:default"), "{text}");
            assert!(!text.contains("CANARY"), "{text}");
        }
    }
}
