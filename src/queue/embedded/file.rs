//! The queue's file: its lock and its version.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::sqlite::SqliteError;

use super::rows;

/// The version of the table, in the file's `user_version`.
const VERSION: i64 = 1;
/// Marks the file as a queue of the relay ("mrqu").
const APPLICATION_ID: i64 = 0x6d72_7175;

/// Why the queue cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "{} is in use by another process: stop the other relay, or give this one its own server.data_dir",
        .0.display()
    )]
    InUse(PathBuf),
    /// The lock file cannot be made.
    #[error("{} cannot be made: {why}", path.display())]
    NoLock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The file is damaged, no queue, or of a newer relay.
    #[error("{} cannot be used as the queue: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: SqliteError,
    },
}

impl OpenError {
    pub(super) fn of(path: &Path, why: SqliteError) -> Self {
        Self::Unusable {
            path: path.to_owned(),
            why,
        }
    }
}

/// Takes the lock beside `path`; the system gives it free when the process ends, however it ends.
pub(in crate::queue) fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let no_lock = |why| OpenError::NoLock {
        path: name.clone(),
        why,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(no_lock)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(why)) => Err(no_lock(why)),
    }
}

/// Makes the table, or finds it.
pub(super) fn prepare(connection: &Connection) -> Result<(), SqliteError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (version, application) = (pragma("user_version")?, pragma("application_id")?);
    match (version, application) {
        (0, 0) => {
            let tables: i64 =
                connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
            if tables > 0 {
                return Err(SqliteError::Refused(
                    "it is another program's database".to_owned(),
                ));
            }
            connection.execute_batch(&format!(
                "BEGIN; {} PRAGMA application_id = {APPLICATION_ID};
                 PRAGMA user_version = {VERSION}; COMMIT;",
                rows::SCHEMA
            ))?;
            Ok(())
        }
        (VERSION, APPLICATION_ID) => Ok(()),
        (newer, APPLICATION_ID) => Err(SqliteError::Refused(format!(
            "it has version {newer} of a newer relay, this one knows {VERSION}"
        ))),
        _ => Err(SqliteError::Refused(
            "it is another program's database".to_owned(),
        )),
    }
}
