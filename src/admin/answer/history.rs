//! The answer to `GET /api/why`: what is known of one id, and the whole history of its meeting.

use serde::{Deserialize, Serialize};

use super::{DeadLetterLine, MeetingLine};

/// `GET /api/why?ref=...`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WhyAnswer {
    /// The id that was looked up. The token of a link is never repeated.
    pub id: String,
    /// What it is: meeting, event, job, dead_letter or unknown.
    pub is: String,
    /// When the id was made, as the id itself shows. Only ids of the relay hold a time.
    pub made_at: Option<String>,
    /// What is known of it and where to find more, in sentences.
    pub told: Vec<String>,
    /// Its meeting.
    pub meeting: Option<HistoryOf>,
    /// Everything that happened, oldest first.
    pub timeline: Vec<MomentAnswer>,
    /// What the meeting owes now, soonest first.
    pub owed: Vec<OwedJobAnswer>,
    /// Dead letters of the meeting, or the one that was asked for; newest first.
    pub dead_letters: Vec<DeadLetterLine>,
}

/// The present state of the meeting.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HistoryOf {
    /// As in the listing.
    #[serde(flatten)]
    pub line: MeetingLine,
    /// Why there is no room.
    pub refused: Option<String>,
    /// plugNmeet's sessions of it, newest last.
    pub sessions: Vec<String>,
    /// The id of the post that is its card or start notice.
    pub card_post: Option<String>,
    /// The version that the card shows.
    pub card_shows: u64,
    /// The version that it should show.
    pub card_version: u64,
    /// Why the relay never edits the card again: deleted or not_editable.
    pub card_frozen: Option<String>,
    /// When the sweep checks it next; absent when nothing is owed.
    pub wake_at: Option<String>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MomentAnswer {
    /// When it happened.
    pub at: String,
    /// Milliseconds since the first moment of the timeline.
    pub offset_ms: i64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// The kinds of moments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// An event was received, and applied later.
    Event {
        /// Its id.
        event_id: String,
        /// `meeting_requested` and so on.
        event: String,
        /// Where it came from.
        source: String,
        /// applied, duplicate, conflict or foreign.
        effect: String,
        /// When it was applied.
        applied_at: String,
        /// From received to applied, in milliseconds.
        lag_ms: u64,
    },
    /// A job was attempted.
    Attempt {
        /// `<kind>:<detail>`.
        job: String,
        /// The job's id.
        job_id: String,
        /// The attempt number, from 1.
        number: u32,
        /// The queue that it came from.
        queue: String,
        /// Time from due to started, in milliseconds.
        lag_ms: u64,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// done, obsolete, again or given_up.
        ending: String,
        /// The peer's answer, or another cause of the result; may be empty.
        detail: String,
    },
    /// The relay learned that a post exists.
    Posted {
        /// Which post it is: card, final, artifact:..., answer:...
        post: String,
        /// Its id in Mattermost.
        post_id: String,
    },
    /// A message was given up and kept as a dead letter.
    Buried {
        /// The dead letter's id.
        letter: String,
        /// Why it was given up.
        reason: String,
    },
    /// A person did something by hand.
    Note {
        /// The person, as `user@host`.
        by: String,
        /// replay, discard or end.
        action: String,
        /// The id of the dead letter or meeting.
        subject: String,
    },
}

/// A job that the meeting owes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OwedJobAnswer {
    /// `<kind>:<detail>`.
    pub job: String,
    /// It is not started before this time.
    pub due_at: String,
    /// Since when it is owed.
    pub since: String,
}
