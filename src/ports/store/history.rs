//! What the store keeps of a meeting's history, so that `why` can show a person what happened and why.

use std::fmt;
use std::time::Duration;

use crate::domain::apply::Effect;
use crate::domain::{MeetingId, Timestamp};

use super::{DeadKind, DeadLetter};
use crate::ports::QueueName;

/// Longest [`Attempt::detail`], in bytes; the rest is cut off.
pub const DETAIL_BYTES_MAX: usize = 500;

/// One event that was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The event's id.
    pub event: String,
    /// Its kind (`Fact::kind`).
    pub kind: String,
    /// Where it came from: the source part of its [`crate::domain::Origin`].
    pub source: String,
    /// What apply did with it.
    pub effect: Effect,
    /// When it was received, on our clock.
    pub received_at: Timestamp,
    /// When it was applied, on our clock.
    pub applied_at: Timestamp,
}

/// How an attempt at a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The job's effect happened.
    Done,
    /// The job's effect was no longer needed.
    Obsolete,
    /// The attempt failed, and the job is tried again.
    Again,
    /// The attempt failed, and the job was given up.
    GivenUp,
}

impl Ending {
    /// All endings.
    pub const ALL: [Self; 4] = [Self::Done, Self::Obsolete, Self::Again, Self::GivenUp];

    /// The word for it in the store and in the output of `why`.
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
    /// The meeting whose job it is.
    pub meeting: MeetingId,
    /// The job's id.
    pub job: String,
    /// The attempt number, from 1, counting every attempt.
    pub number: u32,
    /// The queue it came from.
    pub queue: QueueName,
    /// When it became due, on our clock. The time from this to `began_at` is its lag.
    pub due_at: Timestamp,
    /// When the attempt began, on our clock.
    pub began_at: Timestamp,
    /// How long the attempt took; stored in whole milliseconds.
    pub took: Duration,
    /// How the attempt ended.
    pub ending: Ending,
    /// The peer's answer or the failure, without secrets; at most [`DETAIL_BYTES_MAX`] bytes.
    pub detail: String,
}

/// An action that an operator took by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When it was taken, on our clock.
    pub at: Timestamp,
    /// Who took it, as the caller named themselves; this is not verified.
    pub by: String,
    /// The action: `replay`, `discard` or `end`.
    pub action: String,
    /// Its subject: the id of a dead letter or of a meeting.
    pub subject: String,
    /// The meeting that the subject belongs to, if there is one.
    pub meeting: Option<MeetingId>,
}

/// What an id belongs to, as [`super::Store::find`] answers it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lookup {
    /// The meeting that the id belongs to.
    pub meeting: Option<MeetingId>,
    /// The event with this id.
    pub event: Option<Logged>,
    /// The dead letter with this id, with its body.
    pub letter: Option<DeadLetter>,
}

/// Which dead letters to list. A field that is `None` excludes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadFilter {
    /// Only those of this queue (`QueueName::as_str`, or the queue that the dead letter names).
    pub queue: Option<String>,
    /// Only those of this kind.
    pub kind: Option<DeadKind>,
    /// Only those of this meeting.
    pub meeting: Option<MeetingId>,
    /// Only those whose reason contains this text; the case of ASCII letters is ignored.
    pub reason: Option<String>,
    /// Only those stored at this time or later.
    pub since: Option<Timestamp>,
    /// Only those stored before this time.
    pub before: Option<Timestamp>,
    /// How many at most, newest first; the store caps it at 500.
    pub limit: usize,
}

impl DeadFilter {
    /// The newest dead letters of every kind, at most `limit`.
    pub fn newest(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }
}

/// Work that only one worker of all replicas does at a time, under a lease. `Display` is the name of the lease in the
/// store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Duty {
    /// Writing the posts of this meeting.
    Posts(MeetingId),
    /// Waking meetings that still owe jobs.
    Sweep,
    /// Deleting dedup keys and history that are older than their retention.
    Prune,
    /// Reading the channels for posts whose trigger never arrived.
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
