//! A borrowed connection, and the statements on it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::failure::StoreFailure;
use crate::ports::StoreError;

/// A connection, with its prepared statements.
pub(super) type PostgresClient = ClientWrapper;
/// Values of a statement.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A borrowed connection. It is returned to the pool when its work has ended normally. If the work was cancelled or the
/// connection broke, it is closed instead, so that no later call finds an open transaction or the answers of another
/// call.
pub(super) struct PooledClient {
    /// `None` only while it is dropped.
    client: Option<Object>,
    is_sound: AtomicBool,
    call_timeout: Duration,
}

impl PooledClient {
    /// Wraps a connection of the pool.
    pub(super) fn new(client: Object, call_timeout: Duration) -> Self {
        Self {
            client: Some(client),
            is_sound: AtomicBool::new(true),
            call_timeout,
        }
    }

    /// The connection.
    pub(super) fn client(&self) -> Result<&PostgresClient, StoreError> {
        match &self.client {
            Some(client) => Ok(client),
            None => Err(StoreError::Unavailable("the connection is gone".to_owned())),
        }
    }

    /// Waits for work on the connection, until the deadline of a call.
    pub(super) async fn run<T>(
        &self,
        work: impl Future<Output = Result<T, StoreFailure>>,
    ) -> Result<T, StoreError> {
        self.run_for(self.call_timeout, work)
            .await
            .map_err(Into::into)
    }

    /// Waits for work on the connection, for at most `time`.
    pub(super) async fn run_for<T>(
        &self,
        time: Duration,
        work: impl Future<Output = Result<T, StoreFailure>>,
    ) -> Result<T, StoreFailure> {
        self.is_sound.store(false, Ordering::Relaxed);
        let met = tokio::time::timeout(time, work).await.unwrap_or_else(|_| {
            let time = humantime::format_duration(time);
            Err(StoreFailure::Broken(format!(
                "PostgreSQL does not answer within {time}"
            )))
        });
        let is_sound = met
            .as_ref()
            .err()
            .is_none_or(StoreFailure::leaves_connection);
        self.is_sound.store(is_sound, Ordering::Relaxed);
        met
    }
}

impl Drop for PooledClient {
    fn drop(&mut self) {
        if !self.is_sound.load(Ordering::Relaxed)
            && let Some(client) = self.client.take()
        {
            // It is removed from the pool and closed.
            drop(Object::take(client));
        }
    }
}

/// The statement, prepared once on each connection.
pub(super) async fn prepared(
    client: &PostgresClient,
    text: &str,
) -> Result<Statement, StoreFailure> {
    Ok(client.prepare_cached(text).await?)
}

/// All rows.
pub(super) async fn rows(
    client: &PostgresClient,
    text: &str,
    values: Values<'_>,
) -> Result<Vec<Row>, StoreFailure> {
    let statement = prepared(client, text).await?;
    Ok(client.query(&statement, values).await?)
}

/// The only row, if there is one.
pub(super) async fn row(
    client: &PostgresClient,
    text: &str,
    values: Values<'_>,
) -> Result<Option<Row>, StoreFailure> {
    let statement = prepared(client, text).await?;
    Ok(client.query_opt(&statement, values).await?)
}

/// How many rows it changed.
pub(super) async fn execute(
    client: &PostgresClient,
    text: &str,
    values: Values<'_>,
) -> Result<u64, StoreFailure> {
    let statement = prepared(client, text).await?;
    Ok(client.execute(&statement, values).await?)
}
