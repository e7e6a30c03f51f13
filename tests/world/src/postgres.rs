//! A real PostgreSQL for tests and the chaos run: a fresh cluster of the distribution's server as a child process.
//!
//! It has a port and a directory of its own, so that a cluster already on the machine is neither used nor touched.
//! It listens on loopback only, asks for a password (scram-sha-256) and has no socket file. The server refuses to
//! run as root; for root it runs as the package's user `postgres`. Whoever started it may be killed at any time: a
//! keeper process then ends the cluster and removes its directory.
//!
//! What goes wrong here is a fault of the machine or of the test, so every method but the starting ones panics with
//! what was wrong. Every wait is bounded.

mod account;
mod place;
mod process;
mod shared;
mod trouble;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use place::Conversation;
use process::Processes;
pub use shared::VARIABLE;
use tokio_postgres::{Client, NoTls};

/// How long a cluster may take to start on a slow machine; after a crash it reads its log first.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often a start is tried again, with another port each time.
const STARTS: usize = 3;
/// How long one statement of ours may take.
const STATEMENT_LIMIT: Duration = Duration::from_secs(30);

/// One running cluster. Dropping it stops every process that it started and removes its directory.
pub struct Postgres {
    place: Conversation,
    /// None for a cluster that another process started.
    processes: Option<Arc<Processes>>,
    databases: AtomicU32,
}

/// How a cluster is set up.
#[derive(Debug, Clone, Copy)]
struct Kind {
    /// The users of databases must come over TLS.
    has_tls: bool,
    /// A commit is on the disk. Without it a killed server still loses nothing, a machine without power does.
    is_synced: bool,
}

impl Postgres {
    /// Starts a cluster and waits until it takes connections (about 2 s).
    ///
    /// # Errors
    /// The package is missing, or the cluster did not start; the text says what to do.
    pub async fn start() -> Result<Self, String> {
        let kind = Kind {
            has_tls: false,
            is_synced: true,
        };
        Self::start_as(kind).await
    }

    /// The same, with a TLS listener whose certificate a private authority signed ([`ca_file`](Self::ca_file)): the
    /// user in [`url`](Self::url) is refused without TLS.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with_tls() -> Result<Self, String> {
        let kind = Kind {
            has_tls: true,
            is_synced: true,
        };
        Self::start_as(kind).await
    }

    /// The same as [`start`](Self::start) without a sync of each commit: for many tests at once.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_unsynced() -> Result<Self, String> {
        let kind = Kind {
            has_tls: false,
            is_synced: false,
        };
        Self::start_as(kind).await
    }

    async fn start_as(kind: Kind) -> Result<Self, String> {
        let mut told = String::new();
        for _ in 0..STARTS {
            match Self::start_once(kind).await {
                Ok(postgres) => return Ok(postgres),
                Err(error) => told = error,
            }
        }
        Err(format!("PostgreSQL did not start: {told}"))
    }

    async fn start_once(kind: Kind) -> Result<Self, String> {
        let made = tokio::task::spawn_blocking(move || {
            let place = Conversation::make(kind)?;
            let processes = Processes::start(&place)?;
            Ok::<_, String>((place, processes))
        });
        let (place, processes) = made.await.map_err(|error| error.to_string())??;
        let postgres = Self {
            place,
            processes: Some(Arc::new(processes)),
            databases: AtomicU32::new(0),
        };
        postgres.until_ready().await?;
        let (user, password) = (place::USER, postgres.password());
        let role = format!("CREATE ROLE {user} LOGIN PASSWORD '{password}'");
        postgres.execute(&role).await;
        Ok(postgres)
    }

    /// Makes a database that nobody else uses, and gives its name. Takes some 30 ms.
    pub async fn new_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let user = place::USER;
        self.execute(&format!("CREATE DATABASE {name} OWNER {user}"))
            .await;
        name
    }

    /// Removes a database, also from under its users.
    pub async fn remove_database(&self, name: &str) {
        self.execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await;
    }

    /// The address of a database for its owner, who is no administrator of the cluster.
    pub fn url(&self, database: &str) -> String {
        let (user, password, port) = (place::USER, self.password(), self.place.port);
        format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}")
    }

    /// The password in [`url`](Self::url), for tests that look for it where it must not be.
    pub fn password(&self) -> &str {
        &self.place.password
    }

    /// The directory with the cluster's files and logs.
    pub fn folder(&self) -> &Path {
        &self.place.folder
    }

    /// The private authority (PEM) that signed the certificate of a cluster with TLS, for `localhost` and 127.0.0.1.
    pub fn ca_file(&self) -> PathBuf {
        self.place.folder.join(crate::certificates::CA)
    }

    /// An authority that did not.
    pub fn wrong_ca_file(&self) -> PathBuf {
        self.place.folder.join(crate::certificates::WRONG_CA)
    }

    /// Every row of a database as (table, text), bytes included as far as they are text.
    pub async fn dump(&self, database: &str) -> Vec<(String, String)> {
        let client = self.connect(database).await;
        let tables = "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables \
                      WHERE table_type = 'BASE TABLE' \
                      AND table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1";
        let mut rows = Vec::new();
        query(&client, "SET bytea_output = 'escape'").await;
        for table in query(&client, tables).await {
            let texts = query(&client, &format!("SELECT row::text FROM {table} AS row")).await;
            rows.extend(texts.into_iter().map(|text| (table.clone(), text)));
        }
        rows
    }

    /// Runs one statement as the administrator, in a database of the cluster's own, and gives the first column.
    pub async fn execute(&self, statement: &str) -> Vec<String> {
        query(&self.connect(place::HOME).await, statement).await
    }

    /// The first column of what `statement` gives in `database`.
    pub async fn select(&self, database: &str, statement: &str) -> Vec<String> {
        query(&self.connect(database).await, statement).await
    }

    /// The end of the cluster's log, for a failure's text.
    pub fn last_words(&self) -> String {
        self.place.last_words()
    }

    async fn connect(&self, database: &str) -> Client {
        match self.try_connect(database).await {
            Ok(client) => client,
            Err(error) => panic!("PostgreSQL: {error}\n{}", self.last_words()),
        }
    }

    async fn try_connect(&self, database: &str) -> Result<Client, String> {
        let mut options = tokio_postgres::Config::new();
        options
            .host("127.0.0.1")
            .port(self.place.port)
            .user(place::ADMIN)
            .password(&self.place.password)
            .dbname(database);
        let connect = tokio::time::timeout(STATEMENT_LIMIT, options.connect(NoTls));
        let (client, connection) = connect
            .await
            .map_err(|_| format!("no answer within {STATEMENT_LIMIT:?}"))?
            .map_err(|error| format!("{error:?}"))?;
        // It ends with its client.
        tokio::spawn(connection);
        Ok(client)
    }

    async fn until_ready(&self) -> Result<(), String> {
        let until = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = self.processes.as_ref().and_then(|own| own.ended()) {
                let words = self.last_words();
                return Err(format!("it ended at once ({status}):\n{words}"));
            }
            match self.try_connect(place::HOME).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > until => {
                    let words = self.last_words();
                    return Err(format!(
                        "not ready within {START_LIMIT:?}: {error}\n{words}"
                    ));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// The first column of what a statement gives.
async fn query(client: &Client, statement: &str) -> Vec<String> {
    let asked = tokio::time::timeout(STATEMENT_LIMIT, client.simple_query(statement)).await;
    let messages = match asked {
        Ok(Ok(messages)) => messages,
        Ok(Err(error)) => panic!("PostgreSQL: {error:?}\n{statement}"),
        Err(_) => panic!("PostgreSQL: no answer within {STATEMENT_LIMIT:?}\n{statement}"),
    };
    messages
        .iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                Some(row.get(0).unwrap_or_default().to_owned())
            }
            _ => None,
        })
        .collect()
}
