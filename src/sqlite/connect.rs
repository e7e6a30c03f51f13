//! Sets up a connection.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::SqliteError;

/// How long a statement waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The write-ahead log is cut back to this many bytes once its content is in the file.
const LOG_BYTES_KEPT: i64 = 16 * 1024 * 1024;
/// Statements that each connection keeps prepared.
const STATEMENTS_KEPT: usize = 128;

pub(super) fn for_writing(path: &Path) -> Result<Connection, SqliteError> {
    make_private(path)?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    if pages == 0 {
        // This can be set on an empty file only: it allows free pages to be released later.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    set_up(&connection)?;
    Ok(connection)
}

pub(super) fn for_reading(path: &Path) -> Result<Connection, SqliteError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    set_up(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn set_up(connection: &Connection) -> Result<(), SqliteError> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(SqliteError::Refused(format!(
            "this file system cannot keep a write-ahead log (journal mode is {mode}); use a local disk"
        )));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let _: i64 =
        connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_KEPT, |row| {
            row.get(0)
        })?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(())
}

/// Creates a missing file that only its owner can read. SQLite gives its log the same permissions.
pub(crate) fn make_private(path: &Path) -> Result<(), SqliteError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(SqliteError::Refused(format!("cannot make it: {error}"))),
    }
}
