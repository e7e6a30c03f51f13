//! The answer to `GET /api/why`: what is known of one thing, and the whole story of its meeting.

use serde::{Deserialize, Serialize};

use super::{DeadLetterLine, MeetingLine};

/// `GET /api/why?ref=...`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WhyAnswer {
    /// The id that was looked for; a link's token is never repeated.
    pub id: String,
    /// What it is: meeting, event, job, dead_letter or unknown.
    pub is: String,
    /// When it was made, by the id itself (only ids of ours tell).
    pub made_at: Option<String>,
    /// What is known of it, and where to look on, in sentences.
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

/// How the meeting is now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HistoryOf {
    /// As in the listing.
    #[serde(flatten)]
    pub line: MeetingLine,
    /// Why there is no room.
    pub refused: Option<String>,
    /// plugNmeet's sessions of it, newest last.
    pub sessions: Vec<String>,
    /// Its card's or start notice's post.
    pub card_post: Option<String>,
    /// The version that the card shows.
    pub card_shows: u64,
    /// The version that it should show.
    pub card_version: u64,
    /// Never touched again: deleted or not_editable.
    pub card_frozen: Option<String>,
    /// When the sweep looks after it; absent when nothing is owed.
    pub wake_at: Option<String>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MomentAnswer {
    /// When.
    pub at: String,
    /// Milliseconds since the first one.
    pub offset_ms: i64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
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
        /// Which try, from 1.
        number: u32,
        /// The queue.
        queue: String,
        /// From due to begun, in milliseconds.
        lag_ms: u64,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// done, obsolete, again or given_up.
        ending: String,
        /// What the peer answered, or what else was met; may be empty.
        detail: String,
    },
    /// A post became known to be there.
    Posted {
        /// Which: card, final, artifact:..., answer:...
        post: String,
        /// Its id in Mattermost.
        post_id: String,
    },
    /// Something was given up.
    Buried {
        /// The dead letter's id.
        letter: String,
        /// Why.
        reason: String,
    },
    /// A person did something by hand.
    Note {
        /// Who.
        by: String,
        /// replay, discard or end.
        action: String,
        /// Of what.
        subject: String,
    },
}

/// A job that the meeting owes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OwedJobAnswer {
    /// `<kind>:<detail>`.
    pub job: String,
    /// Not before.
    pub due_at: String,
    /// Owed since.
    pub since: String,
}
