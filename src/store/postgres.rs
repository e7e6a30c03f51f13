//! The store in a PostgreSQL database that several replicas share. Each call borrows a connection of a small pool.
//! Changes that belong together are one transaction. While the database is unavailable, every call fails with that
//! error; calls work again as soon as it is available.

mod apply;
mod connect;
mod dead_letters;
mod failure;
mod history;
mod leases;
mod log;
mod marks;
mod meetings;
mod pooled_client;
mod posts;
mod schema;
mod settings;
mod text;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::Pool;

use crate::domain::apply::{Applied, Policy};
use crate::domain::{
    ArtifactId, Conversation, EventId, Meeting, MeetingId, PostKey, PostRow, RequestId, Timestamp,
};
use crate::ports::{
    Attempt, DeadFilter, DeadLetter, Duty, Incoming, Lease, Logged, Lookup, MeetingFilter,
    MeetingSummary, Note, Store, StoreError,
};

pub use connect::{Encryption, PostgresSettings};

use connect::DatabaseAddress;
use failure::StoreFailure;
use pooled_client::PooledClient;
use schema::PostgresSchemaError;

/// Within this time the tables must have the schema of this version, including the wait for other replicas.
const MIGRATED_WITHIN: Duration = Duration::from_secs(600);

/// Why the database cannot be used. The text is one line that says what is wrong, where, and what to change. It never
/// contains the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostgresError {
    /// A person must change something: credentials, database, certificate, address, rights or version.
    #[error("{0}")]
    Refused(String),
    /// It may be available later.
    #[error("{0}")]
    Unavailable(String),
}

/// The store in a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresStore {
    settings: PostgresSettings,
    pool: Pool,
    /// Its tables have the schema of this version.
    is_prepared: AtomicBool,
}

impl PostgresStore {
    /// Makes the store without calling the database. It is unavailable until [`Self::prepare`] has succeeded once.
    ///
    /// # Errors
    /// The file of authorities cannot be used.
    pub async fn new(settings: PostgresSettings) -> Result<Self, PostgresError> {
        let pool = connect::pool(&settings)
            .await
            .map_err(PostgresError::Refused)?;
        Ok(Self {
            settings,
            pool,
            is_prepared: AtomicBool::new(false),
        })
    }

    /// Connects and migrates the tables to the schema of this version. Replicas that start together do this one after
    /// the other.
    ///
    /// # Errors
    /// See [`PostgresError`]. A refused database is not changed.
    pub async fn prepare(&self) -> Result<(), PostgresError> {
        let tell = DatabaseAddress(&self.settings);
        let link = self.connect().await?;
        let client = link
            .client()
            .map_err(|error| tell.away(error.to_string()))?;
        let migrating = async { Ok(schema::migrate(client).await) };
        match link.run_for(MIGRATED_WITHIN, migrating).await {
            Ok(Ok(())) => {
                self.is_prepared.store(true, Ordering::Relaxed);
                Ok(())
            }
            Ok(Err(error)) => Err(tell.schema(error)),
            Err(failure) => Err(tell.schema(PostgresSchemaError::StoreFailure(failure))),
        }
    }

    /// Whether [`Self::prepare`] has succeeded.
    pub fn is_prepared(&self) -> bool {
        self.is_prepared.load(Ordering::Relaxed)
    }

    async fn link(&self) -> Result<PooledClient, StoreError> {
        if !self.is_prepared() {
            return Err(StoreError::Unavailable(
                "PostgreSQL has not been reached since the start".to_owned(),
            ));
        }
        // The credentials worked at the start, so a refused login now must not make any job fail for good.
        self.connect()
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    async fn connect(&self) -> Result<PooledClient, PostgresError> {
        let tell = DatabaseAddress(&self.settings);
        let most = self.settings.call_timeout + self.settings.connect_timeout;
        let taken = tokio::time::timeout(most, self.pool.get()).await;
        let client = taken
            .map_err(|_| tell.late())?
            .map_err(|error| tell.pool(&error))?;
        Ok(PooledClient::new(client, self.settings.call_timeout))
    }
}

/// Borrows a connection for one call.
macro_rules! call {
    ($store:ident, $work:path, $($value:expr),*) => {{
        let link = $store.link().await?;
        link.run($work(link.client()?, $($value),*)).await
    }};
}

#[async_trait]
impl Store for PostgresStore {
    async fn apply(
        &self,
        batch: Vec<Incoming>,
        policy: Policy,
        now: Timestamp,
    ) -> Result<Vec<Applied>, StoreError> {
        call!(self, apply::apply, &batch, &policy, now)
    }

    async fn meeting(&self, id: MeetingId) -> Result<Option<Meeting>, StoreError> {
        call!(self, meetings::load, id)
    }

    async fn meeting_of_request(&self, request: RequestId) -> Result<Option<Meeting>, StoreError> {
        call!(self, meetings::of_request, request)
    }

    async fn meeting_of_artifact(&self, id: &ArtifactId) -> Result<Option<Meeting>, StoreError> {
        call!(self, meetings::of_artifact, id)
    }

    async fn running_in(&self, place: &Conversation) -> Result<Vec<Meeting>, StoreError> {
        call!(self, meetings::running_in, &place.channel_key())
    }

    async fn meetings(&self, filter: MeetingFilter) -> Result<Vec<MeetingSummary>, StoreError> {
        call!(self, meetings::list, &filter)
    }

    async fn due_meetings(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(MeetingId, u32)>, StoreError> {
        call!(self, meetings::due, now, limit)
    }

    async fn history(&self, meeting: MeetingId) -> Result<Vec<Logged>, StoreError> {
        call!(self, log::history, meeting)
    }

    async fn settled_events(&self, events: Vec<EventId>) -> Result<Vec<EventId>, StoreError> {
        call!(self, log::settled, &events)
    }

    async fn find(&self, reference: &str) -> Result<Lookup, StoreError> {
        call!(self, history::find, reference)
    }

    async fn log_attempt(&self, attempt: Attempt) -> Result<(), StoreError> {
        call!(self, history::add_attempt, &attempt)
    }

    async fn attempts(&self, meeting: MeetingId) -> Result<Vec<Attempt>, StoreError> {
        call!(self, history::attempts, meeting)
    }

    async fn log_note(&self, note: Note) -> Result<(), StoreError> {
        call!(self, history::add_note, &note)
    }

    async fn notes(&self, about: &str) -> Result<Vec<Note>, StoreError> {
        call!(self, history::notes, about)
    }

    async fn post(&self, meeting: MeetingId, key: &PostKey) -> Result<Option<PostRow>, StoreError> {
        call!(self, posts::load, meeting, key)
    }

    async fn put_post(
        &self,
        meeting: MeetingId,
        key: &PostKey,
        row: PostRow,
    ) -> Result<u64, StoreError> {
        call!(self, posts::put, meeting, key, &row)
    }

    async fn lease_posts(
        &self,
        meeting: MeetingId,
        owner: &str,
        now: Timestamp,
        length: Duration,
    ) -> Result<(Lease, Option<Meeting>), StoreError> {
        call!(self, posts::lease, meeting, owner, now, length)
    }

    async fn take_lease(
        &self,
        duty: Duty,
        owner: &str,
        now: Timestamp,
        length: Duration,
    ) -> Result<Lease, StoreError> {
        call!(self, leases::take, duty, owner, now, length)
    }

    async fn drop_lease(&self, duty: Duty, owner: &str) -> Result<(), StoreError> {
        call!(self, leases::give_back, duty, owner)
    }

    async fn mark_redelivered(&self, message: &str) -> Result<u32, StoreError> {
        call!(self, marks::add, message)
    }

    async fn clear_mark(&self, message: &str) -> Result<(), StoreError> {
        call!(self, marks::clear, message)
    }

    async fn bury(&self, letter: DeadLetter) -> Result<(), StoreError> {
        call!(self, dead_letters::bury, &letter)
    }

    async fn dead_letters(&self, filter: DeadFilter) -> Result<Vec<DeadLetter>, StoreError> {
        call!(self, dead_letters::list, &filter)
    }

    async fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>, StoreError> {
        call!(self, dead_letters::load, id)
    }

    async fn remove_dead_letter(&self, id: &str, buried_at: Timestamp) -> Result<bool, StoreError> {
        call!(self, dead_letters::remove, id, buried_at)
    }

    async fn count_dead_letters(&self) -> Result<u64, StoreError> {
        call!(self, dead_letters::count,)
    }

    async fn count_running(&self) -> Result<u64, StoreError> {
        call!(self, meetings::count_running,)
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        call!(self, settings::load, name)
    }

    async fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        call!(self, settings::put, name, value)
    }

    async fn setting_or_insert(&self, name: &str, value: &str) -> Result<String, StoreError> {
        call!(self, settings::load_or_insert, name, value)
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            // Each part is a call of its own, so that none takes long.
            let piece = call!(self, log::forget_piece, before)?;
            if piece == 0 {
                return Ok(forgotten);
            }
            forgotten += piece;
        }
    }

    async fn close(&self) {
        // Borrowed connections are closed when they are returned.
        self.pool.close();
    }
}

/// The limit of a query: `asked`, but at most `most`.
fn limit(asked: usize, most: usize) -> i64 {
    i64::try_from(asked.min(most)).unwrap_or(i64::MAX)
}

/// Reads a small number from a wider column.
fn number(wide: i64) -> Option<u32> {
    u32::try_from(wide).ok()
}

/// The number in the column `count` of the only row.
async fn count(client: &pooled_client::PostgresClient, text: &str) -> Result<u64, StoreFailure> {
    let found = pooled_client::row(client, text, &[]).await?;
    let count: i64 = match found {
        Some(row) => row.try_get("count")?,
        None => 0,
    };
    Ok(count.unsigned_abs())
}
