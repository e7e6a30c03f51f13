//! Leases: who may do what only one worker does at a time.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use crate::domain::Timestamp;
use crate::ports::{Duty, Lease};
use crate::sqlite::SqliteError;

/// Takes a lease that is free, expired or already ours, in one statement.
pub(super) fn take(
    file: &Connection,
    duty: Duty,
    owner: &str,
    now: Timestamp,
    length: Duration,
) -> Result<Lease, SqliteError> {
    let (duty, until) = (duty.to_string(), now.plus(length));
    let taken = file
        .prepare_cached(
            "INSERT INTO leases (duty, owner, until) VALUES (?1, ?2, ?3)
             ON CONFLICT (duty) DO UPDATE SET owner = excluded.owner, until = excluded.until
             WHERE owner = excluded.owner OR until <= ?4",
        )?
        .execute((&duty, owner, until.millis(), now.millis()))?;
    if taken > 0 {
        return Ok(Lease::Taken { until });
    }
    let held = file
        .prepare_cached("SELECT until FROM leases WHERE duty = ?1")?
        .query_row([duty], |row| row.get(0))
        .optional()?
        // The statement above changes no row only if there is one.
        .unwrap_or(now.millis());
    Ok(Lease::Held {
        until: Timestamp::from_millis(held),
    })
}

/// Releases a lease if `owner` still has it.
pub(super) fn give_back(file: &Connection, duty: Duty, owner: &str) -> Result<(), SqliteError> {
    file.prepare_cached("DELETE FROM leases WHERE duty = ?1 AND owner = ?2")?
        .execute((duty.to_string(), owner))?;
    Ok(())
}
