//! The store in one SQLite file, which is the default. Changes use the writer thread of the file, queries its reader
//! thread. Both see only whole transactions.

mod apply;
mod dead_letters;
mod failure;
mod history;
mod leases;
mod log;
mod marks;
mod meetings;
mod posts;
mod schema;
mod settings;

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;

use crate::domain::apply::{Applied, Policy};
use crate::domain::{
    ArtifactId, Conversation, EventId, Meeting, MeetingId, PostKey, PostRow, RequestId, Timestamp,
};
use crate::ports::{
    Attempt, DeadFilter, DeadLetter, Duty, Incoming, Lease, Logged, Lookup, MeetingFilter,
    MeetingSummary, Note, Store, StoreError,
};
use crate::sqlite::{Sqlite, SqliteError, SqliteThreads};

use schema::SchemaError;

/// Why the store did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no file, and it cannot be created.
    #[error(
        "the store's file {} cannot be made: the directory must exist and this user must be allowed to write there: {source}",
        path.display()
    )]
    NotMade {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file is another program's, or the queue's.
    #[error(
        "{} is not a store of meetrelay: another program made it, or it is the queue's file; name another path",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of the relay made the file.
    #[error(
        "{} has form {found}, and this version of meetrelay knows forms up to {known}: run the newer version \
         again, or restore a backup from before the upgrade",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its schema.
        found: i64,
        /// The newest version that this relay knows.
        known: i64,
    },
    /// SQLite refuses the file: no permission, not a database, or damaged.
    #[error("SQLite cannot open the store's file {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The error of SQLite.
        source: SqliteError,
    },
}

/// The store in one SQLite file. One process may have it open.
#[derive(Debug)]
pub struct SqliteStore {
    /// `None` once it is closed.
    file: Mutex<Option<(Sqlite, SqliteThreads)>>,
}

impl SqliteStore {
    /// Opens or creates the file, migrates it to the schema of this version and deletes all leases. It blocks: call it
    /// before serving, or on a blocking thread.
    ///
    /// # Errors
    /// See [`OpenError`]. A refused file is not changed.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        make_private(path).map_err(|source| OpenError::NotMade {
            path: path.to_owned(),
            source,
        })?;
        let mut refused = None;
        let opened = Sqlite::open(path, |connection| {
            schema::migrate(connection).map_err(|error| {
                let told = SqliteError::Refused(error.to_string());
                refused = Some(error);
                told
            })
        });
        let path = path.to_owned();
        match (opened, refused) {
            (Ok(file), _) => Ok(Self {
                file: Mutex::new(Some(file)),
            }),
            (Err(_), Some(SchemaError::Foreign)) => Err(OpenError::Foreign { path }),
            (Err(_), Some(SchemaError::Newer { found, known })) => {
                Err(OpenError::Newer { path, found, known })
            }
            (Err(_), Some(SchemaError::Sqlite(error))) => Err(OpenError::Sqlite {
                path,
                source: SqliteError::Sqlite(error),
            }),
            (Err(source), None) => Err(OpenError::Sqlite { path, source }),
        }
    }

    fn file(&self) -> Result<Sqlite, StoreError> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        match file.as_ref() {
            Some((sqlite, _)) => Ok(sqlite.clone()),
            None => Err(failure::of(&SqliteError::Closed)),
        }
    }

    async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let file = self.file()?;
        file.write(change)
            .await
            .map_err(|error| failure::of(&error))
    }

    /// Every statement of `query` sees the same state of the file.
    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let file = self.file()?;
        file.read(query).await.map_err(|error| failure::of(&error))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn apply(
        &self,
        batch: Vec<Incoming>,
        policy: Policy,
        now: Timestamp,
    ) -> Result<Vec<Applied>, StoreError> {
        self.write(move |file| apply::apply(file, &batch, &policy, now))
            .await
    }

    async fn meeting(&self, id: MeetingId) -> Result<Option<Meeting>, StoreError> {
        self.read(move |file| meetings::load(file, id)).await
    }

    async fn meeting_of_request(&self, request: RequestId) -> Result<Option<Meeting>, StoreError> {
        self.read(move |file| match meetings::of_request(file, request)? {
            Some(id) => meetings::load(file, id),
            None => Ok(None),
        })
        .await
    }

    async fn meeting_of_artifact(&self, id: &ArtifactId) -> Result<Option<Meeting>, StoreError> {
        let artifact = id.clone();
        self.read(move |file| match meetings::of_artifact(file, &artifact)? {
            Some(id) => meetings::load(file, id),
            None => Ok(None),
        })
        .await
    }

    async fn running_in(&self, place: &Conversation) -> Result<Vec<Meeting>, StoreError> {
        let channel = place.channel_key();
        self.read(move |file| {
            let mut running = Vec::new();
            for id in meetings::running_in(file, &channel)? {
                running.extend(meetings::load(file, id)?);
            }
            Ok(running)
        })
        .await
    }

    async fn meetings(&self, filter: MeetingFilter) -> Result<Vec<MeetingSummary>, StoreError> {
        self.read(move |file| meetings::list(file, &filter)).await
    }

    async fn due_meetings(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(MeetingId, u32)>, StoreError> {
        self.read(move |file| meetings::due(file, now, limit)).await
    }

    async fn history(&self, meeting: MeetingId) -> Result<Vec<Logged>, StoreError> {
        self.read(move |file| log::history(file, meeting)).await
    }

    async fn settled_events(&self, events: Vec<EventId>) -> Result<Vec<EventId>, StoreError> {
        self.read(move |file| log::settled(file, &events)).await
    }

    async fn find(&self, reference: &str) -> Result<Lookup, StoreError> {
        let reference = reference.to_owned();
        self.read(move |file| history::find(file, &reference)).await
    }

    async fn log_attempt(&self, attempt: Attempt) -> Result<(), StoreError> {
        self.write(move |file| history::add_attempt(file, &attempt))
            .await
    }

    async fn attempts(&self, meeting: MeetingId) -> Result<Vec<Attempt>, StoreError> {
        self.read(move |file| history::attempts(file, meeting))
            .await
    }

    async fn log_note(&self, note: Note) -> Result<(), StoreError> {
        self.write(move |file| history::add_note(file, &note)).await
    }

    async fn notes(&self, about: &str) -> Result<Vec<Note>, StoreError> {
        let about = about.to_owned();
        self.read(move |file| history::notes(file, &about)).await
    }

    async fn post(&self, meeting: MeetingId, key: &PostKey) -> Result<Option<PostRow>, StoreError> {
        let key = key.clone();
        self.read(move |file| posts::load(file, meeting, &key))
            .await
    }

    async fn put_post(
        &self,
        meeting: MeetingId,
        key: &PostKey,
        row: PostRow,
    ) -> Result<u64, StoreError> {
        let key = key.clone();
        self.write(move |file| {
            posts::put(file, meeting, &key, &row)?;
            meetings::version(file, meeting)
        })
        .await
    }

    async fn lease_posts(
        &self,
        meeting: MeetingId,
        owner: &str,
        now: Timestamp,
        length: Duration,
    ) -> Result<(Lease, Option<Meeting>), StoreError> {
        let owner = owner.to_owned();
        self.write(move |file| {
            let lease = leases::take(file, Duty::Posts(meeting), &owner, now, length)?;
            let meeting = match lease {
                Lease::Taken { .. } => meetings::load(file, meeting)?,
                Lease::Held { .. } => None,
            };
            Ok((lease, meeting))
        })
        .await
    }

    async fn take_lease(
        &self,
        duty: Duty,
        owner: &str,
        now: Timestamp,
        length: Duration,
    ) -> Result<Lease, StoreError> {
        let owner = owner.to_owned();
        self.write(move |file| leases::take(file, duty, &owner, now, length))
            .await
    }

    async fn drop_lease(&self, duty: Duty, owner: &str) -> Result<(), StoreError> {
        let owner = owner.to_owned();
        self.write(move |file| leases::give_back(file, duty, &owner))
            .await
    }

    async fn mark_redelivered(&self, message: &str) -> Result<u32, StoreError> {
        let message = message.to_owned();
        self.write(move |file| marks::add(file, &message)).await
    }

    async fn clear_mark(&self, message: &str) -> Result<(), StoreError> {
        let message = message.to_owned();
        self.write(move |file| marks::clear(file, &message)).await
    }

    async fn bury(&self, letter: DeadLetter) -> Result<(), StoreError> {
        self.write(move |file| dead_letters::bury(file, &letter))
            .await
    }

    async fn dead_letters(&self, filter: DeadFilter) -> Result<Vec<DeadLetter>, StoreError> {
        self.read(move |file| dead_letters::list(file, &filter))
            .await
    }

    async fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>, StoreError> {
        let id = id.to_owned();
        self.read(move |file| dead_letters::load(file, &id)).await
    }

    async fn remove_dead_letter(&self, id: &str, buried_at: Timestamp) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |file| dead_letters::remove(file, &id, buried_at))
            .await
    }

    async fn count_dead_letters(&self) -> Result<u64, StoreError> {
        self.read(dead_letters::count).await
    }

    async fn count_running(&self) -> Result<u64, StoreError> {
        self.read(meetings::count_running).await
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let name = name.to_owned();
        self.read(move |file| settings::load(file, &name)).await
    }

    async fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(move |file| settings::put(file, &name, &value))
            .await
    }

    async fn setting_or_insert(&self, name: &str, value: &str) -> Result<String, StoreError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(move |file| settings::load_or_insert(file, &name, &value))
            .await
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            // Each part is a change of its own, so that other changes can run between them.
            let piece = self
                .write(move |file| log::forget_piece(file, before))
                .await?;
            if piece == 0 {
                return Ok(forgotten);
            }
            forgotten += piece;
        }
    }

    async fn close(&self) {
        let file = self
            .file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some((sqlite, threads)) = file else {
            return;
        };
        drop(sqlite);
        // Calls in flight keep the file open until they are done, and the join waits for them. Only a panic of the
        // blocking thread could be reported here, and `join` does not panic.
        drop(tokio::task::spawn_blocking(move || threads.join()).await);
    }
}

/// The limit of a query: `asked`, but at most `most`.
fn limit(asked: usize, most: usize) -> i64 {
    i64::try_from(asked.min(most)).unwrap_or(i64::MAX)
}

/// Creates the file so that only this user can read it, because it contains the signing secret. SQLite gives its other
/// files the same permissions. An existing file is not changed.
fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
