//! SQLite's errors as the store's: is it this call, or the file?

use rusqlite::ErrorCode;

use crate::ports::StoreError;
use crate::sqlite::SqliteError;
use crate::store::row_json::damaged;

/// What the caller can do about `error`: wait (`Unavailable`) when the file as a whole cannot be worked with, so that
/// nothing is given up because of it; else give up this one call.
pub(super) fn of(error: &SqliteError) -> StoreError {
    let is_unavailable = match error {
        SqliteError::Closed => true,
        SqliteError::File(_) | SqliteError::Refused(_) => false,
        SqliteError::Sqlite(error) => error.sqlite_error_code().is_some_and(concerns_the_file),
    };
    if is_unavailable {
        StoreError::Unavailable(error.to_string())
    } else {
        StoreError::Refused(error.to_string())
    }
}

/// A column that cannot be what it says, of a row that `row` names. The value is not told: it may be a secret.
pub(super) fn unreadable(row: impl std::fmt::Display, column: &str) -> SqliteError {
    SqliteError::Refused(damaged(row, column))
}

const fn concerns_the_file(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::DiskFull
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted
    )
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn met(code: std::ffi::c_int) -> StoreError {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        of(&SqliteError::Sqlite(error))
    }

    #[test]
    fn trouble_with_the_file_is_waited_for() {
        for code in [
            ffi::SQLITE_FULL,
            ffi::SQLITE_BUSY,
            ffi::SQLITE_LOCKED,
            ffi::SQLITE_IOERR,
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_READONLY,
        ] {
            assert!(
                matches!(met(code), StoreError::Unavailable(_)),
                "code {code}"
            );
        }
        assert!(matches!(
            of(&SqliteError::Closed),
            StoreError::Unavailable(_)
        ));
    }

    #[test]
    fn trouble_with_one_call_is_told_at_once() {
        for code in [
            ffi::SQLITE_CONSTRAINT_UNIQUE,
            ffi::SQLITE_MISMATCH,
            ffi::SQLITE_TOOBIG,
            ffi::SQLITE_ERROR,
        ] {
            assert!(matches!(met(code), StoreError::Refused(_)), "code {code}");
        }
        let refused = SqliteError::Refused("no".to_owned());
        assert_eq!(of(&refused), StoreError::Refused("no".to_owned()));
    }
}
