//! The schema of the database, as numbered migrations. Each is applied once, in one transaction, by one replica at a
//! time.

use tokio_postgres::error::SqlState;

use super::failure::StoreFailure;
use super::pooled_client::{PostgresClient, execute, row, rows};

/// The migrations in their order. A released migration is never changed; a new schema is a new migration.
const STEPS: &[Migration] = &[
    Migration {
        number: 1,
        name: "first",
        sql: include_str!("../migrations/postgres/0001_first.sql"),
    },
    Migration {
        number: 2,
        name: "post_body",
        sql: include_str!("../migrations/postgres/0002_post_body.sql"),
    },
];

/// The advisory lock that is held while a migration is applied ("mrst" and "migr" in ASCII), so that replicas that
/// start together wait for each other.
const LOCK: i64 = 0x6d72_7374_6d69_6772;

/// The table that distinguishes a store of the relay from the database of another program.
const MARKER: &str = "CREATE TABLE IF NOT EXISTS meetrelay_migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)";

struct Migration {
    number: i32,
    name: &'static str,
    sql: &'static str,
}

/// Why the database cannot be a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PostgresSchemaError {
    /// It contains the tables of another program.
    Foreign { schema: String },
    /// A newer version of the relay has migrated it.
    Newer { found: i32, known: i32 },
    /// Its encoding cannot store every character.
    Encoding(String),
    /// The search path of the connection contains no schema.
    NoSchema,
    /// The user may not create tables.
    NoRightToMake { schema: String },
    /// The user may not use this table.
    NoRightTo { table: String },
    /// The server failed.
    StoreFailure(StoreFailure),
}

impl From<StoreFailure> for PostgresSchemaError {
    fn from(failure: StoreFailure) -> Self {
        Self::StoreFailure(failure)
    }
}

impl From<tokio_postgres::Error> for PostgresSchemaError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::StoreFailure(error.into())
    }
}

/// The number of the newest migration that this version knows.
const fn newest() -> i32 {
    STEPS[STEPS.len() - 1].number
}

/// Migrates the database to the schema of this version. If it has that schema already, only the rights of daily work
/// are needed.
pub(super) async fn migrate(client: &PostgresClient) -> Result<(), PostgresSchemaError> {
    if look(client).await?.found < Some(newest()) {
        for step in STEPS {
            let applied = apply(client, step).await;
            if applied.is_err() {
                // The first error is reported. A connection on which this fails is closed already.
                drop(client.batch_execute("ROLLBACK").await);
            }
            applied?;
        }
    }
    check_rights(client).await
}

/// Where the tables are, and which migrations were applied.
struct SchemaState {
    schema: String,
    /// The number of the newest migration that was applied. 0 before the first. `None`: there are no tables of the
    /// relay.
    found: Option<i32>,
}

async fn look(client: &PostgresClient) -> Result<SchemaState, PostgresSchemaError> {
    // `to_regclass` would use a cache, which does not contain yet what another replica created while we waited for it.
    let text =
        "SELECT current_schema()::text AS schema, current_setting('server_encoding') AS encoding,
             EXISTS (SELECT 1 FROM pg_class WHERE relname = 'meetrelay_migrations'
                         AND relnamespace = current_schema()::regnamespace) AS is_ours";
    let known = row(client, text, &[]).await?;
    let known = known.ok_or(PostgresSchemaError::NoSchema)?;
    let schema: Option<String> = known.try_get("schema")?;
    let encoding: String = known.try_get("encoding")?;
    let schema = schema.ok_or(PostgresSchemaError::NoSchema)?;
    if encoding != "UTF8" {
        return Err(PostgresSchemaError::Encoding(encoding));
    }
    if !known.try_get::<_, bool>("is_ours")? {
        let found = None;
        return Ok(SchemaState { schema, found });
    }
    let table = "meetrelay_migrations".to_owned();
    let text = "SELECT has_table_privilege('meetrelay_migrations', 'SELECT') AS may";
    let may = row(client, text, &[]).await?;
    if !may.is_some_and(|row| row.try_get("may").unwrap_or(false)) {
        return Err(PostgresSchemaError::NoRightTo { table });
    }
    let text = "SELECT coalesce(max(number), 0) AS found FROM meetrelay_migrations";
    let found = match row(client, text, &[]).await? {
        Some(row) => row.try_get("found")?,
        None => 0,
    };
    if found > newest() {
        let known = newest();
        return Err(PostgresSchemaError::Newer { found, known });
    }
    let found = Some(found);
    Ok(SchemaState { schema, found })
}

/// Whether there are tables of another program. Tables of an extension do not count.
async fn has_tables(client: &PostgresClient) -> Result<bool, PostgresSchemaError> {
    let text = "SELECT EXISTS (SELECT 1 FROM pg_class AS c
             WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                 AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')) AS has_tables";
    match row(client, text, &[]).await? {
        Some(row) => Ok(row.try_get("has_tables")?),
        None => Ok(false),
    }
}

/// Applies a migration. After a crash before the commit the database is unchanged, and the next start applies it again.
async fn apply(client: &PostgresClient, step: &Migration) -> Result<(), PostgresSchemaError> {
    // It may take longer than a call, and so may another replica that applies it.
    client
        .batch_execute("BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        .await?;
    execute(client, "SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    // This is checked under the lock, because another replica may have applied it before.
    let SchemaState { schema, found } = look(client).await?;
    if found.is_none() && has_tables(client).await? {
        return Err(PostgresSchemaError::Foreign { schema });
    }
    if found < Some(step.number) {
        for text in [MARKER, step.sql] {
            client.batch_execute(text).await.map_err(|error| {
                if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
                    let schema = schema.clone();
                    return PostgresSchemaError::NoRightToMake { schema };
                }
                error.into()
            })?;
        }
        let text = "INSERT INTO meetrelay_migrations (number, name) VALUES ($1, $2)";
        execute(client, text, &[&step.number, &step.name]).await?;
    }
    client.batch_execute("COMMIT").await?;
    Ok(())
}

/// Checks the rights on the tables. The user who created them may be another one.
async fn check_rights(client: &PostgresClient) -> Result<(), PostgresSchemaError> {
    let text = "SELECT name FROM unnest(ARRAY['meetings', 'sessions', 'requests', 'artifacts', 'posts', 'seen',
             'events', 'attempts', 'notes', 'dead_letters', 'marks', 'leases', 'settings']) AS name
         WHERE NOT (has_table_privilege(name, 'SELECT') AND has_table_privilege(name, 'INSERT')
             AND has_table_privilege(name, 'UPDATE') AND has_table_privilege(name, 'DELETE')) LIMIT 1";
    match rows(client, text, &[]).await?.first() {
        Some(row) => Err(PostgresSchemaError::NoRightTo {
            table: row.try_get("name")?,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_steps_rise() {
        assert!(STEPS.windows(2).all(|two| two[0].number < two[1].number));
    }
}
