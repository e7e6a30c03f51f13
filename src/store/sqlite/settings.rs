//! Small values that are kept between processes.

use rusqlite::{Connection, OptionalExtension};

use crate::sqlite::SqliteError;

/// Reads a value.
pub(super) fn load(file: &Connection, name: &str) -> Result<Option<String>, SqliteError> {
    let value = file
        .prepare_cached("SELECT value FROM settings WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(value)
}

/// Writes a value.
pub(super) fn put(file: &Connection, name: &str, value: &str) -> Result<(), SqliteError> {
    file.prepare_cached(
        "INSERT INTO settings (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?
    .execute((name, value))?;
    Ok(())
}

/// Writes a value unless there is one, and returns the value that is then stored.
pub(super) fn load_or_insert(
    file: &Connection,
    name: &str,
    value: &str,
) -> Result<String, SqliteError> {
    file.prepare_cached(
        "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    )?
    .execute((name, value))?;
    let stands = file
        .prepare_cached("SELECT value FROM settings WHERE name = ?1")?
        .query_row([name], |row| row.get(0))?;
    Ok(stands)
}
