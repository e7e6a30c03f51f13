//! PostgreSQL's errors as the store's: is it this call, or the database? What the server adds as detail is never
//! repeated: it carries values of rows.

use tokio_postgres::error::{DbError, SqlState};

use crate::ports::StoreError;

/// What a call met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StoreFailure {
    /// The database as a whole cannot be worked with now.
    Unavailable(String),
    /// The same, and this connection is of no use any more.
    Broken(String),
    /// Two transactions stood in each other's way: the same again may work at once.
    Again(String),
    /// This very call cannot work.
    Refused(String),
}

impl StoreFailure {
    /// The connection can be used by the next call.
    pub(super) const fn leaves_connection(&self) -> bool {
        !matches!(self, Self::Broken(_))
    }
}

impl From<StoreFailure> for StoreError {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::Unavailable(why)
            | StoreFailure::Broken(why)
            | StoreFailure::Again(why) => Self::Unavailable(why),
            StoreFailure::Refused(why) => Self::Refused(why),
        }
    }
}

impl From<tokio_postgres::Error> for StoreFailure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(said) => of_server(said.code(), || told(said)),
            None => of_client(&error),
        }
    }
}

/// What the server's code means for the caller. Codes: PostgreSQL's Appendix A.
fn of_server(code: &SqlState, told: impl FnOnce() -> String) -> StoreFailure {
    match code.code() {
        // Serialization failure, deadlock.
        "40001" | "40P01" => StoreFailure::Again(told()),
        // Ended by an administrator, a crash or a limit on idle transactions; the server starts or stops.
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25P04" => {
            StoreFailure::Broken(told())
        }
        code => match &code[..2] {
            // The connection; a statement that another session of a pooler prepared, or whose table has changed since.
            "08" | "0A" | "26" => StoreFailure::Broken(told()),
            // Log-in, missing database, read-only or aborted transaction, rights and tables, full disk and other
            // resources, locks, a statement that took too long, the server's own trouble: all of them concern every
            // call, so nothing is given up because of them.
            "25" | "28" | "3D" | "42" | "53" | "55" | "57" | "58" | "F0" | "XX" => {
                StoreFailure::Unavailable(told())
            }
            // Values, constraints, limits, triggers of others.
            _ => StoreFailure::Refused(told()),
        },
    }
}

/// The server's main sentence, unless it may quote a value.
fn told(said: &DbError) -> String {
    let code = said.code().code();
    match &code[..2] {
        "22" | "P0" => format!("PostgreSQL refuses a value (SQLSTATE {code})"),
        _ => format!("PostgreSQL: {} (SQLSTATE {code})", said.message()),
    }
}

fn of_client(error: &tokio_postgres::Error) -> StoreFailure {
    let text = error.to_string();
    // The crate tells these apart in its text alone (tokio-postgres 0.7.18, error/mod.rs).
    const OWN: [&str; 5] = [
        "error serializing parameter",
        "error deserializing column",
        "invalid column",
        "query returned an unexpected number",
        "expected ",
    ];
    if OWN.iter().any(|own| text.starts_with(own)) {
        return StoreFailure::Refused(format!("a value does not fit its column: {text}"));
    }
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    StoreFailure::Broken(format!("PostgreSQL: {text}{}", cause.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(code: &str) -> StoreFailure {
        of_server(&SqlState::from_code(code), || "told".to_owned())
    }

    fn is_unavailable(code: &str) -> bool {
        matches!(StoreError::from(met(code)), StoreError::Unavailable(_))
    }

    #[test]
    fn trouble_with_the_database_is_waited_for() {
        for code in [
            "08006", // connection failure
            "08P01", // protocol violation
            "25006", // read-only: a standby, or a full disk's administrator
            "25P02", // in a failed transaction
            "26000", // no such prepared statement
            "28P01", // password changed
            "3D000", // no such database
            "42501", // right taken away
            "42P01", // no such table
            "53100", // disk full
            "53200", // out of memory
            "53300", // too many connections
            "55P03", // lock not to be had in time
            "57014", // statement took too long
            "57P01", // shut down by an administrator
            "57P03", // starts up
            "58030", // disk does not answer
            "XX001", // damaged data
        ] {
            assert!(is_unavailable(code), "code {code}");
        }
    }

    #[test]
    fn trouble_with_one_call_is_told_at_once() {
        for code in [
            "22001", // too long
            "22021", // a character that cannot be
            "22P05", // a character that the database's encoding has not
            "23503", // no such meeting
            "23505", // known already
            "23514", // check
            "54000", // too large for its index
            "P0001", // another's trigger
        ] {
            assert!(!is_unavailable(code), "code {code}");
        }
    }

    #[test]
    fn transactions_in_each_others_way_are_repeated() {
        for code in ["40001", "40P01"] {
            assert!(matches!(met(code), StoreFailure::Again(_)), "code {code}");
            assert!(
                is_unavailable(code),
                "and when that does not help, it is waited"
            );
        }
    }

    #[test]
    fn connection_that_the_server_ended_is_not_used_again() {
        for code in ["57P01", "57P02", "57P03", "08006", "25P03"] {
            assert!(!met(code).leaves_connection(), "code {code}");
        }
        for code in ["53100", "55P03", "57014", "23505"] {
            assert!(met(code).leaves_connection(), "code {code}");
        }
    }
}
