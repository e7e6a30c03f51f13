//! The store behind the relay under test: its own file, or PostgreSQL.
//!
//! The tests of the whole relay run once for each: `MEETRELAY_TEST_STORE=postgres` chooses PostgreSQL.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use world::postgres::Postgres;

/// Chooses the store of a run.
const VARIABLE: &str = "MEETRELAY_TEST_STORE";

/// Where the relay keeps its meetings.
#[derive(Clone)]
pub enum StoreEnd {
    /// The relay's own file.
    Sqlite,
    /// A database of the cluster that all tests share.
    Shared(&'static Postgres, String),
    /// A database of a cluster that this test may disturb.
    Own(Arc<Postgres>, String),
}

impl StoreEnd {
    /// The one that this run is about.
    pub async fn of_this_run() -> Self {
        match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("sqlite") => Self::Sqlite,
            Ok("postgres") => {
                let postgres = Postgres::shared().await;
                Self::Shared(postgres, postgres.new_database().await)
            }
            Ok(other) => panic!("{VARIABLE} is \"sqlite\" or \"postgres\", not {other:?}"),
        }
    }

    /// A new cluster, for tests that stop, freeze or kill it.
    pub async fn own() -> Self {
        let postgres = Postgres::start().await.unwrap();
        let database = postgres.new_database().await;
        Self::Own(Arc::new(postgres), database)
    }

    /// The cluster, if there is one, and the database.
    pub fn postgres(&self) -> Option<(&Postgres, &str)> {
        match self {
            Self::Sqlite => None,
            Self::Shared(postgres, database) => Some((postgres, database)),
            Self::Own(postgres, database) => Some((postgres, database)),
        }
    }

    /// What the relay is told about it, as environment variables.
    pub fn settings(&self) -> Vec<(String, String)> {
        let url = self
            .postgres()
            .map(|(postgres, database)| postgres.url(database));
        url.map(|url| ("MEETRELAY__STORE__URL".to_owned(), url))
            .into_iter()
            .collect()
    }

    /// The first column of what `query` selects, while the relay runs; its own file lies in `data`.
    pub async fn select(&self, data: &Path, query: &str) -> Vec<String> {
        if let Some((postgres, database)) = self.postgres() {
            return postgres.select(database, query).await;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(data.join("meetrelay.db"), flags).unwrap();
        file.busy_timeout(super::PATIENCE).unwrap();
        let mut query = file.prepare(query).unwrap();
        let rows = query.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// What lies in it after the test, as (where, text); the database is removed.
    pub async fn clear(&self) -> Vec<(String, String)> {
        let Some((postgres, database)) = self.postgres() else {
            return Vec::new();
        };
        let rows = postgres.dump(database).await;
        postgres.remove_database(database).await;
        rows
    }
}
