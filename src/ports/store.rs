//! The store of meetings, posts, history and dead letters.

mod history;

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::apply::{Applied, Fresh, Policy};
use crate::domain::{
    ArtifactId, Conversation, Event, EventId, Meeting, MeetingId, PostKey, PostRow, RequestId,
    State, Timestamp,
};

pub use history::{Attempt, DETAIL_BYTES_MAX, DeadFilter, Duty, Ending, Logged, Lookup, Note};

/// Why a call to the store failed. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, is full, or is locked. The only remedy is to try again later.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The same call will never succeed: a row cannot be read, or the database rejects the statement.
    #[error("the store refuses the call: {0}")]
    Refused(String),
}

/// An event with the randomness that apply needs for it. Apply is pure, so the caller draws it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The event to apply.
    pub event: Event,
    /// Randomness drawn for it.
    pub fresh: Fresh,
}

/// Which meetings to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeetingFilter {
    /// Only meetings that are requested, creating, open or live.
    pub running_only: bool,
    /// How many at most, newest first; the store caps it at 500.
    pub limit: usize,
}

/// A meeting as one line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingSummary {
    /// The meeting's id.
    pub id: MeetingId,
    /// The meeting's title.
    pub title: String,
    /// The meeting's state.
    pub state: State,
    /// The id of its room in plugNmeet.
    pub room: String,
    /// Its channel's name in addresses.
    pub channel_name: String,
    /// The user name of the person who asked for it.
    pub starter: String,
    /// When it was asked for, on our clock.
    pub requested_at: Timestamp,
    /// Its first request. A join link is made of it.
    pub request: RequestId,
}

/// What a dead letter holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadKind {
    /// An event that could not be applied.
    Event,
    /// A job that was given up.
    Job,
    /// A message that could not be decoded.
    Unreadable,
}

impl DeadKind {
    /// The word for it in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Job => "job",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A job or message given up, kept for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message's id (event id or job id). Storing a dead letter with the same id again replaces the reason.
    pub id: String,
    /// The queue it was in.
    pub queue: String,
    /// Whether it holds an event, a job or an unreadable message.
    pub kind: DeadKind,
    /// The meeting it belongs to, if it is known.
    pub meeting: Option<MeetingId>,
    /// Why it was given up.
    pub reason: String,
    /// When it was stored, on our clock.
    pub buried_at: Timestamp,
    /// How many attempts were made before it was given up.
    pub attempts: u32,
    /// The encoded message, unchanged.
    pub body: Vec<u8>,
}

/// The answer to a request for the lease of a duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// The caller holds the lease.
    Taken {
        /// When it expires, on our clock.
        until: Timestamp,
    },
    /// Another owner holds the lease.
    Held {
        /// When it expires, on our clock.
        until: Timestamp,
    },
}

/// The store. Only [`Store::apply`] writes meetings, and only chat workers write posts.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Applies a batch in one transaction; the answers have the order of the batch. For each event the store
    /// 1. inserts the dedup key,
    /// 2. loads the meeting that the event concerns, with the changes of the events before it,
    /// 3. calls `domain::apply::decide` and writes its decision,
    /// 4. writes one line of the event log; every event gets exactly one, whatever its effect.
    ///
    /// Stores that several replicas share lock the conversations and meetings of the batch in the order of their ids,
    /// so that two batches wait for each other and neither overwrites the other's changes.
    ///
    /// # Errors
    /// Nothing of the batch was written.
    async fn apply(
        &self,
        batch: Vec<Incoming>,
        policy: Policy,
        now: Timestamp,
    ) -> Result<Vec<Applied>, StoreError>;

    /// Loads a meeting with its posts.
    async fn meeting(&self, id: MeetingId) -> Result<Option<Meeting>, StoreError>;

    /// Loads the meeting of a request: of the one that started it, or of a later one that joined it (an alias).
    async fn meeting_of_request(&self, request: RequestId) -> Result<Option<Meeting>, StoreError>;

    /// Loads the meeting that an artifact belongs to.
    async fn meeting_of_artifact(&self, id: &ArtifactId) -> Result<Option<Meeting>, StoreError>;

    /// Loads the meetings that run in the channel of `place` and in its threads, newest first, at most
    /// [`crate::domain::choice::CANDIDATES_MAX`].
    async fn running_in(&self, place: &Conversation) -> Result<Vec<Meeting>, StoreError>;

    /// Lists meetings, newest first.
    async fn meetings(&self, filter: MeetingFilter) -> Result<Vec<MeetingSummary>, StoreError>;

    /// Meetings whose `wake_at` has passed, with their rounds; those that have waited longest come first, at most
    /// `limit`.
    async fn due_meetings(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(MeetingId, u32)>, StoreError>;

    /// The event log of one meeting, oldest first, at most 1000 lines.
    async fn history(&self, meeting: MeetingId) -> Result<Vec<Logged>, StoreError>;

    /// Which of these events are settled: in the event log, kept as a dead letter, or discarded (recorded by a note).
    /// At most 500 are looked up.
    async fn settled_events(&self, events: Vec<EventId>) -> Result<Vec<EventId>, StoreError>;

    /// Finds what `reference` is the id of: a meeting, a request, a room, a session, an artifact, a post of the relay,
    /// a post that asked for a meeting, an event, or a dead letter. An unknown id is no error: the answer is empty.
    async fn find(&self, reference: &str) -> Result<Lookup, StoreError>;

    /// Stores one attempt. The newest 500 of each meeting are kept.
    async fn log_attempt(&self, attempt: Attempt) -> Result<(), StoreError>;

    /// The attempts at one meeting's jobs, in the order in which they were stored, at most 500.
    async fn attempts(&self, meeting: MeetingId) -> Result<Vec<Attempt>, StoreError>;

    /// Stores an action that an operator took.
    async fn log_note(&self, note: Note) -> Result<(), StoreError>;

    /// The actions that operators took on one meeting or dead letter, oldest first, at most 500: the notes whose
    /// meeting or subject has this id.
    async fn notes(&self, about: &str) -> Result<Vec<Note>, StoreError>;

    /// The row of one post, if there is one.
    async fn post(&self, meeting: MeetingId, key: &PostKey) -> Result<Option<PostRow>, StoreError>;

    /// Writes the whole row of one post and returns the meeting's current version; 0 if there is no such meeting.
    async fn put_post(
        &self,
        meeting: MeetingId,
        key: &PostKey,
        row: PostRow,
    ) -> Result<u64, StoreError>;

    /// Takes or renews the lease of a meeting's posts as [`Store::take_lease`] does, and loads the meeting with its
    /// posts once the lease is taken.
    async fn lease_posts(
        &self,
        meeting: MeetingId,
        owner: &str,
        now: Timestamp,
        length: Duration,
    ) -> Result<(Lease, Option<Meeting>), StoreError>;

    /// Takes or renews the lease of a duty for `owner` until `now` + `length`.
    async fn take_lease(
        &self,
        duty: Duty,
        owner: &str,
        now: Timestamp,
        length: Duration,
    ) -> Result<Lease, StoreError>;

    /// Releases the lease if `owner` still holds it.
    async fn drop_lease(&self, duty: Duty, owner: &str) -> Result<(), StoreError>;

    /// Increments the delivery mark of a redelivered message before it is processed, and returns the new count.
    async fn mark_redelivered(&self, message: &str) -> Result<u32, StoreError>;

    /// Deletes the delivery mark, once the message has a verdict.
    async fn clear_mark(&self, message: &str) -> Result<(), StoreError>;

    /// Stores a dead letter.
    async fn bury(&self, letter: DeadLetter) -> Result<(), StoreError>;

    /// Lists dead letters, newest first, without their bodies.
    async fn dead_letters(&self, filter: DeadFilter) -> Result<Vec<DeadLetter>, StoreError>;

    /// Loads one dead letter, with its body.
    async fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>, StoreError>;

    /// Removes the dead letter with this id that was stored at this time, after it was replayed or discarded. Returns
    /// whether there was one. One that was stored again meanwhile is a different dead letter and stays.
    async fn remove_dead_letter(&self, id: &str, buried_at: Timestamp) -> Result<bool, StoreError>;

    /// How many dead letters there are.
    async fn count_dead_letters(&self) -> Result<u64, StoreError>;

    /// How many meetings are requested, creating, open or live.
    async fn count_running(&self) -> Result<u64, StoreError>;

    /// Reads a setting: a small value that outlives the process (the bot's user id, the signing secret).
    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Writes a setting.
    async fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError>;

    /// Writes a setting unless it exists, and returns the stored value, so that all replicas use the same one.
    async fn setting_or_insert(&self, name: &str, value: &str) -> Result<String, StoreError>;

    /// Deletes dedup keys, log lines, attempts and notes that are older than `before`, and returns how many.
    async fn prune(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Closes the files or connections.
    async fn close(&self);
}
