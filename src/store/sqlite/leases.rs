//! Who may work on a meeting's posts, and who does what only one replica does.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use crate::domain::{MeetingId, Timestamp};
use crate::ports::{Duty, Lease};
use crate::sqlite::SqliteError;

/// Takes a free, run out or own lease, in one statement.
pub(super) fn take(
    file: &Connection,
    meeting: MeetingId,
    owner: &str,
    now: Timestamp,
    length: Duration,
) -> Result<Lease, SqliteError> {
    take_row(
        file,
        "INSERT INTO leases (meeting, owner, until) VALUES (?1, ?2, ?3)
         ON CONFLICT (meeting) DO UPDATE SET owner = excluded.owner, until = excluded.until
         WHERE owner = excluded.owner OR until <= ?4",
        "SELECT until FROM leases WHERE meeting = ?1",
        (&meeting.to_string(), owner, now, length),
    )
}

/// Takes a free, run out or own duty, in one statement.
pub(super) fn take_duty(
    file: &Connection,
    duty: Duty,
    owner: &str,
    now: Timestamp,
    length: Duration,
) -> Result<Lease, SqliteError> {
    take_row(
        file,
        "INSERT INTO duties (duty, owner, until) VALUES (?1, ?2, ?3)
         ON CONFLICT (duty) DO UPDATE SET owner = excluded.owner, until = excluded.until
         WHERE owner = excluded.owner OR until <= ?4",
        "SELECT until FROM duties WHERE duty = ?1",
        (duty.as_str(), owner, now, length),
    )
}

fn take_row(
    file: &Connection,
    take: &str,
    look: &str,
    (of, owner, now, length): (&str, &str, Timestamp, Duration),
) -> Result<Lease, SqliteError> {
    let until = now.plus(length);
    let taken = file
        .prepare_cached(take)?
        .execute((of, owner, until.millis(), now.millis()))?;
    if taken > 0 {
        return Ok(Lease::Taken { until });
    }
    let held = file
        .prepare_cached(look)?
        .query_row([of], |row| row.get(0))
        .optional()?
        // The statement above leaves a row alone only if there is one.
        .unwrap_or(now.millis());
    Ok(Lease::Held {
        until: Timestamp::from_millis(held),
    })
}

/// Gives it back if it is still `owner`'s.
pub(super) fn give_back(
    file: &Connection,
    meeting: MeetingId,
    owner: &str,
) -> Result<(), SqliteError> {
    file.prepare_cached("DELETE FROM leases WHERE meeting = ?1 AND owner = ?2")?
        .execute((meeting.to_string(), owner))?;
    Ok(())
}

/// Gives it back if it is still `owner`'s.
pub(super) fn give_back_duty(
    file: &Connection,
    duty: Duty,
    owner: &str,
) -> Result<(), SqliteError> {
    file.prepare_cached("DELETE FROM duties WHERE duty = ?1 AND owner = ?2")?
        .execute((duty.as_str(), owner))?;
    Ok(())
}
