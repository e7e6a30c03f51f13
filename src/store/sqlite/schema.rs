//! The schema of the file, as numbered migrations. Each is applied once, in one transaction.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

/// The migrations in their order. A released migration is never changed; a new schema is a new migration.
const STEPS: &[Migration] = &[
    Migration {
        number: 1,
        name: "first",
        sql: include_str!("../migrations/sqlite/0001_first.sql"),
    },
    Migration {
        number: 2,
        name: "notices",
        sql: include_str!("../migrations/sqlite/0002_notices.sql"),
    },
    Migration {
        number: 3,
        name: "story",
        sql: include_str!("../migrations/sqlite/0003_story.sql"),
    },
    Migration {
        number: 4,
        name: "post_body",
        sql: include_str!("../migrations/sqlite/0004_post_body.sql"),
    },
];

/// The `PRAGMA application_id` of a store's file ("mrst").
const APPLICATION_ID: i64 = 0x6d72_7374;

/// Leases are in a temporary table of this connection. Only one process has the file open, so the holders of earlier
/// leases have ended, and taking a lease costs no write to stable storage.
const LEASES: &str = "
    PRAGMA temp_store = MEMORY;
    CREATE TEMP TABLE leases (
        duty  TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;";

struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

/// Why the file cannot be a store.
#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaError {
    #[error("another program's file, or the queue's")]
    Foreign,
    #[error("form {found} is newer than {known}")]
    Newer { found: i64, known: i64 },
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// The number of the newest migration that this version knows.
const fn newest() -> i64 {
    STEPS[STEPS.len() - 1].number
}

/// Migrates the file to the schema of this version.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), SchemaError> {
    check_owner(connection)?;
    for step in STEPS {
        apply(connection, step)?;
    }
    connection.execute_batch(LEASES)?;
    Ok(())
}

fn check_owner(connection: &Connection) -> Result<(), SchemaError> {
    let owner: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if owner != APPLICATION_ID && (owner != 0 || tables != 0) {
        return Err(SchemaError::Foreign);
    }
    if tables == 0 {
        return Ok(());
    }
    let found = found(connection)?;
    if found > newest() {
        return Err(SchemaError::Newer {
            found,
            known: newest(),
        });
    }
    Ok(())
}

/// Applies a migration. After a crash before the commit the file is unchanged, and the next start applies it again.
fn apply(connection: &mut Connection, step: &Migration) -> Result<(), SchemaError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS migrations (
            number     INTEGER PRIMARY KEY,
            name       TEXT NOT NULL,
            applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
        ) STRICT;",
    )?;
    if found(&transaction)? < step.number {
        transaction.execute_batch(step.sql)?;
        transaction.execute(
            "INSERT INTO migrations (number, name) VALUES (?1, ?2)",
            (step.number, step.name),
        )?;
    }
    transaction.commit()?;
    Ok(())
}

/// The number of the newest migration that was applied. 0 before the first.
fn found(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection
        .query_row(
            "SELECT number FROM migrations ORDER BY number DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()
        .map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

    use super::*;

    fn tables(connection: &Connection) -> Vec<String> {
        let mut statement = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            .unwrap();
        let names = statement.query_map([], |row| row.get(0)).unwrap();
        names.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn failed_step_leaves_the_file_as_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        let step = Migration {
            number: 1,
            name: "broken",
            sql: "CREATE TABLE half (a); INSERT INTO nowhere VALUES (1);",
        };
        apply(&mut connection, &step).expect_err("the second statement fails");
        assert_eq!(tables(&connection), Vec::<String>::new());
        migrate(&mut connection).expect("the true steps apply after that");
    }

    #[test]
    fn step_is_applied_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        let step = Migration {
            number: 1,
            name: "once",
            sql: "CREATE TABLE once (a); INSERT INTO once VALUES (1);",
        };
        apply(&mut connection, &step).unwrap();
        apply(&mut connection, &step).unwrap();
        let rows: i64 = connection
            .query_row("SELECT count(*) FROM once", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 1);
    }

    #[test]
    fn posts_of_the_first_form_were_sent_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, &STEPS[0]).unwrap();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = OFF;
                 INSERT INTO posts (meeting, key, rendered, answered) VALUES ('m', 'card', 3, 0);",
            )
            .unwrap();
        migrate(&mut connection).unwrap();
        let row = connection
            .query_row(
                "SELECT body ->> 'sent', body ->> 'again_at' FROM posts",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        assert_eq!(row, (0_u32, None::<i64>));
    }

    #[test]
    fn numbers_of_steps_rise() {
        assert!(STEPS.windows(2).all(|two| two[0].number < two[1].number));
    }
}
