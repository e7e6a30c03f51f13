//! The PostgreSQL store: the claims, and what only a database can do wrong.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use meetrelay::config::PostgresUrl;
use meetrelay::domain::MeetingId;
use meetrelay::ports::Store;
use meetrelay::store::{Encryption, PostgresError, PostgresSettings, PostgresStore};
use tokio_postgres::NoTls;
use world::postgres::Postgres;

use super::bench::Bench;
use super::events::*;

super::store_conformance!(PostgresBench::new().await);

/// A database of its own.
pub(crate) struct PostgresBench {
    server: &'static Postgres,
    database: String,
}

impl PostgresBench {
    pub(crate) async fn new() -> Self {
        let server = Postgres::shared().await;
        let database = server.new_database().await;
        Self { server, database }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url(&self.database)
    }

    async fn prepared(&self) -> Result<PostgresStore, PostgresError> {
        prepared(settings(&self.url())).await
    }

    /// Does something behind the store's back, as the owner of the tables.
    async fn execute(&self, text: &str) {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await.unwrap();
        let driving = tokio::spawn(connection);
        client.batch_execute(text).await.unwrap();
        drop(client);
        driving.await.unwrap().unwrap();
    }
}

/// What a relay would use for this address.
pub(crate) fn settings(url: &str) -> PostgresSettings {
    let url = PostgresUrl::parse(url).unwrap();
    PostgresSettings {
        shown: url.shown().to_owned(),
        host: url.host,
        port: url.port,
        user: url.user,
        password: url.password,
        database: url.database,
        encryption: Encryption::Disable,
        ca_file: None,
        connections: 8,
        connect_timeout: Duration::from_secs(10),
        call_timeout: Duration::from_secs(20),
    }
}

async fn prepared(settings: PostgresSettings) -> Result<PostgresStore, PostgresError> {
    let store = PostgresStore::new(settings).await?;
    store.prepare().await?;
    Ok(store)
}

#[async_trait]
impl Bench for PostgresBench {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.prepared().await.unwrap())
    }

    async fn damage(&self, meeting: MeetingId) {
        self.execute(&format!(
            "UPDATE meetings SET body = '{{\"id\":\"secret\"}}' WHERE id = '{meeting}'"
        ))
        .await;
    }
}
