//! Who may work on a meeting's posts.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use crate::domain::{MeetingId, Timestamp};
use crate::ports::Lease;
use crate::sqlite::SqliteError;

/// Takes a free, run out or own lease, in one statement.
pub(super) fn take(
    file: &Connection,
    meeting: MeetingId,
    owner: &str,
    now: Timestamp,
    length: Duration,
) -> Result<Lease, SqliteError> {
    let meeting = meeting.to_string();
    let until = now.plus(length);
    let taken = file
        .prepare_cached(
            "INSERT INTO leases (meeting, owner, until) VALUES (?1, ?2, ?3)
             ON CONFLICT (meeting) DO UPDATE SET owner = excluded.owner, until = excluded.until
             WHERE owner = excluded.owner OR until <= ?4",
        )?
        .execute((&meeting, owner, until.millis(), now.millis()))?;
    if taken > 0 {
        return Ok(Lease::Taken { until });
    }
    let held = file
        .prepare_cached("SELECT until FROM leases WHERE meeting = ?1")?
        .query_row([&meeting], |row| row.get(0))
        .optional()?
        // The statement above leaves a lease alone only if there is one.
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
