//! What is kept of what happened, so that a person can be told why.

use std::fmt;
use std::time::Duration;

use crate::domain::apply::Effect;
use crate::domain::{MeetingId, Timestamp};

use super::{DeadKind, DeadLetter};
use crate::ports::QueueName;

/// Longest text of [`Attempt::detail`], in bytes; the rest is cut off.
pub const DETAIL_BYTES_MAX: usize = 500;

/// One event that was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The event's id.
    pub event: String,
    /// Its kind (`Fact::kind`).
    pub kind: String,
    /// Its source.
    pub source: String,
    /// What became of it.
    pub effect: Effect,
    /// When it was received, on our clock.
    pub received_at: Timestamp,
    /// When it was applied, on our clock.
    pub applied_at: Timestamp,
}

/// How an attempt at a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Its effect is there.
    Done,
    /// Its effect was no longer wanted.
    Obsolete,
    /// It is tried again.
    Again,
    /// It was given up.
    GivenUp,
}

impl Ending {
    /// Every ending.
    pub const ALL: [Self; 4] = [Self::Done, Self::Obsolete, Self::Again, Self::GivenUp];

    /// The word in the store and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Obsolete => "obsolete",
            Self::Again => "again",
            Self::GivenUp => "given_up",
        }
    }
}

/// One attempt at a job, written before the job is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Whose job.
    pub meeting: MeetingId,
    /// The job's id.
    pub job: String,
    /// The attempt's number, from 1, of all.
    pub number: u32,
    /// The queue it came from.
    pub queue: QueueName,
    /// When it could have been worked on, on our clock: the time between this and `began_at` is its lag.
    pub due_at: Timestamp,
    /// When work on it began, on our clock.
    pub began_at: Timestamp,
    /// How long it took; whole milliseconds are kept.
    pub took: Duration,
    /// How it ended.
    pub ending: Ending,
    /// What the peer said, or what else was met; at most [`DETAIL_BYTES_MAX`] bytes, without secrets.
    pub detail: String,
}

/// What a person did by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When, on our clock.
    pub at: Timestamp,
    /// Who, as far as the caller tells.
    pub by: String,
    /// What: `replay`, `discard`, `end`.
    pub action: String,
    /// Of what: the id of a dead letter or of a meeting.
    pub subject: String,
    /// The meeting that it concerns, if there is one.
    pub meeting: Option<MeetingId>,
}

/// What an id belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lookup {
    /// The meeting.
    pub meeting: Option<MeetingId>,
    /// The event of this id.
    pub event: Option<Logged>,
    /// The dead letter of this id, whole.
    pub letter: Option<DeadLetter>,
}

/// Which dead letters to list. What is `None` excludes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadFilter {
    /// Only of this queue (`QueueName::as_str`, or what stands in the letter).
    pub queue: Option<String>,
    /// Only of this kind.
    pub kind: Option<DeadKind>,
    /// Only of this meeting.
    pub meeting: Option<MeetingId>,
    /// Only those whose reason contains this text, whatever its case (of ASCII letters).
    pub reason: Option<String>,
    /// Only those buried at this time or later.
    pub since: Option<Timestamp>,
    /// Only those buried before this time.
    pub before: Option<Timestamp>,
    /// At most so many, newest first; the store caps it at 500.
    pub limit: usize,
}

impl DeadFilter {
    /// The newest of all.
    pub fn newest(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }
}

/// What only one worker of all replicas does at a time. Its text is the name in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Duty {
    /// Writing the posts of this meeting.
    Posts(MeetingId),
    /// Waking meetings that still owe.
    Sweep,
    /// Forgetting what is too old to matter.
    Prune,
    /// Reading the channels for triggers that never came.
    CatchUp,
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Posts(meeting) => meeting.fmt(f),
            Self::Sweep => f.write_str("sweep"),
            Self::Prune => f.write_str("prune"),
            Self::CatchUp => f.write_str("catch_up"),
        }
    }
}
