//! Where meetings, posts and dead letters are kept.

mod history;

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::apply::{Applied, Fresh, Policy};
use crate::domain::{
    ArtifactId, Conversation, Event, EventId, Meeting, MeetingId, PostKey, PostRow, RequestId,
    State, Timestamp,
};

pub use history::{Attempt, DETAIL_BYTES_MAX, DeadFilter, Duty, Ending, Logged, Lookup, Note};

/// Why the store did not do it. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Out of reach, full, or locked: later may be better, and nothing else can be done.
    #[error("the store is away: {0}")]
    Unavailable(String),
    /// This very call cannot work: a row that cannot be read, a statement that is refused.
    #[error("the store refuses it: {0}")]
    Refused(String),
}

/// An event with what apply must not draw itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The event.
    pub event: Event,
    /// Randomness drawn for it.
    pub fresh: Fresh,
}

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeetingFilter {
    /// Only requested, creating, open and live ones.
    pub running_only: bool,
    /// At most so many, newest first; the store caps it at 500.
    pub limit: usize,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingSummary {
    /// Its id.
    pub id: MeetingId,
    /// Its title.
    pub title: String,
    /// Its state.
    pub state: State,
    /// Its room.
    pub room: String,
    /// Its channel's name in addresses.
    pub channel_name: String,
    /// Who asked for it.
    pub starter: String,
    /// When, on our clock.
    pub requested_at: Timestamp,
    /// The first request: what a join link needs.
    pub request: RequestId,
}

/// What lies in a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadKind {
    /// An event that could not be applied.
    Event,
    /// A job that was given up.
    Job,
    /// A message that could not even be read.
    Unreadable,
}

impl DeadKind {
    /// The word in listings.
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
    /// The message's id (event id, job id). Burying the same id again replaces the reason.
    pub id: String,
    /// The queue it was in.
    pub queue: String,
    /// What it is.
    pub kind: DeadKind,
    /// The meeting it belongs to, if it is known.
    pub meeting: Option<MeetingId>,
    /// Why it was given up.
    pub reason: String,
    /// When, on our clock.
    pub buried_at: Timestamp,
    /// How many attempts it had.
    pub attempts: u32,
    /// The message as it was.
    pub body: Vec<u8>,
}

/// Whether a duty may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// It is ours until then.
    Taken {
        /// On our clock.
        until: Timestamp,
    },
    /// Somebody else's until then.
    Held {
        /// On our clock.
        until: Timestamp,
    },
}

/// The store. `apply` alone writes meetings; chat workers alone write posts.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Applies a batch in one transaction: for each event the dedup key is taken, the meeting that it concerns is
    /// loaded (with the changes of the events before it), `domain::apply::decide` is asked, and what it says is
    /// written together with one line of the event log, which every event gets once, whatever became of it. The
    /// answers stand in the order of the batch. Stores that several replicas share take the places and meetings of
    /// the batch in the order of their ids, so that two batches wait for each other instead of overwriting.
    ///
    /// # Errors
    /// Nothing of the batch was written.
    async fn apply(
        &self,
        batch: Vec<Incoming>,
        policy: Policy,
        now: Timestamp,
    ) -> Result<Vec<Applied>, StoreError>;

    /// A meeting with its posts.
    async fn meeting(&self, id: MeetingId) -> Result<Option<Meeting>, StoreError>;

    /// The meeting of a request, its first or an alias.
    async fn meeting_of_request(&self, request: RequestId) -> Result<Option<Meeting>, StoreError>;

    /// The meeting that an artifact belongs to.
    async fn meeting_of_artifact(&self, id: &ArtifactId) -> Result<Option<Meeting>, StoreError>;

    /// What runs in the channel of `place` and in its threads, whole, newest first, at most
    /// [`crate::domain::choice::CANDIDATES_MAX`].
    async fn running_in(&self, place: &Conversation) -> Result<Vec<Meeting>, StoreError>;

    /// A listing, newest first.
    async fn meetings(&self, filter: MeetingFilter) -> Result<Vec<MeetingSummary>, StoreError>;

    /// Meetings whose `wake_at` has passed, with their rounds, longest first, at most `limit`.
    async fn due_meetings(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(MeetingId, u32)>, StoreError>;

    /// What is logged of one meeting, oldest first, at most 1000 lines.
    async fn history(&self, meeting: MeetingId) -> Result<Vec<Logged>, StoreError>;

    /// Which of these events are settled: logged, kept as a dead letter, or discarded (its note tells);
    /// at most 500 are looked up.
    async fn settled_events(&self, events: Vec<EventId>) -> Result<Vec<EventId>, StoreError>;

    /// What `reference` is the id of: a meeting, a request, a room, a session, an artifact, a post of ours or the one
    /// that asked for a meeting, an event, or a dead letter. Nothing found is no error.
    async fn find(&self, reference: &str) -> Result<Lookup, StoreError>;

    /// Keeps one attempt. Of one meeting the newest 500 are kept.
    async fn log_attempt(&self, attempt: Attempt) -> Result<(), StoreError>;

    /// The attempts at one meeting's jobs, in the order in which they were kept, at most 500.
    async fn attempts(&self, meeting: MeetingId) -> Result<Vec<Attempt>, StoreError>;

    /// Keeps what a person did.
    async fn log_note(&self, note: Note) -> Result<(), StoreError>;

    /// What people did about one meeting or to one dead letter, oldest first, at most 500: notes whose meeting or
    /// subject has this id.
    async fn notes(&self, about: &str) -> Result<Vec<Note>, StoreError>;

    /// The row of one post, if there is one.
    async fn post(&self, meeting: MeetingId, key: &PostKey) -> Result<Option<PostRow>, StoreError>;

    /// Writes the row of one post as a whole, and answers the meeting's version by now; 0 if there is no such meeting.
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

    /// Gives the lease back if it is still `owner`'s.
    async fn drop_lease(&self, duty: Duty, owner: &str) -> Result<(), StoreError>;

    /// Marks that work on a redelivered message begins; answers how often it has, this time included.
    async fn mark_redelivered(&self, message: &str) -> Result<u32, StoreError>;

    /// Forgets the mark: the message met a verdict.
    async fn clear_mark(&self, message: &str) -> Result<(), StoreError>;

    /// Keeps a dead letter.
    async fn bury(&self, letter: DeadLetter) -> Result<(), StoreError>;

    /// Dead letters, newest first, without their bodies.
    async fn dead_letters(&self, filter: DeadFilter) -> Result<Vec<DeadLetter>, StoreError>;

    /// One dead letter, whole.
    async fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>, StoreError>;

    /// Removes the dead letter of this id that was buried at this time, after it was replayed or discarded; tells
    /// whether there was one. One that was buried anew meanwhile is another and stays.
    async fn remove_dead_letter(&self, id: &str, buried_at: Timestamp) -> Result<bool, StoreError>;

    /// How many dead letters there are.
    async fn count_dead_letters(&self) -> Result<u64, StoreError>;

    /// How many meetings are requested, creating, open or live.
    async fn count_running(&self) -> Result<u64, StoreError>;

    /// A small value that outlives the process (the bot's user id, the signing secret).
    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Writes such a value.
    async fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError>;

    /// Writes it unless there is one, and answers what then stands there: all replicas agree.
    async fn setting_or_insert(&self, name: &str, value: &str) -> Result<String, StoreError>;

    /// Forgets dedup keys, log lines, attempts and notes from before `before`; answers how many.
    async fn prune(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Closes the files.
    async fn close(&self);
}
