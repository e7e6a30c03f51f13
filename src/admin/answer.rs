//! The answers of the admin API. Fields may be added, never renamed or removed. Times are RFC 3339 in UTC.

mod history;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::Timestamp;

pub use history::{HistoryOf, MomentAnswer, OwedJobAnswer, What, WhyAnswer};

/// `GET /api/meetings`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MeetingsAnswer {
    /// Newest first.
    pub meetings: Vec<MeetingLine>,
}

/// One meeting of a listing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MeetingLine {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// creating, open, live, ended, missed, cancelled or failed.
    pub state: String,
    /// plugNmeet's room.
    pub room: String,
    /// Its channel's name.
    pub channel: String,
    /// The user name of the person who requested it.
    pub starter: String,
    /// When the request was received.
    pub requested_at: String,
}

/// `GET /api/meetings/{id}`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MeetingAnswer {
    /// As in the listing.
    #[serde(flatten)]
    pub line: MeetingLine,
    /// The channel's id.
    pub channel_id: String,
    /// The root post of the thread in which it was requested.
    pub thread: Option<String>,
    /// When its room was made, on plugNmeet's clock.
    pub started_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// The end was only found by polling, so the meeting really ended earlier.
    pub is_end_about: bool,
    /// How long it lasted, in seconds.
    pub lasted_s: Option<u64>,
    /// How many people took part.
    pub people: usize,
    /// How many are in it now.
    pub present: usize,
    /// Why there is no room.
    pub refused: Option<String>,
    /// When somebody first requested its end.
    pub end_wanted_at: Option<String>,
    /// How many times plugNmeet was asked to end it.
    pub end_tried: u32,
    /// The requests to start or end it.
    pub requests: Vec<RequestAnswer>,
    /// plugNmeet's sessions.
    pub sessions: Vec<SessionAnswer>,
    /// Its recordings, transcripts, summaries and analytics.
    pub artifacts: Vec<ArtifactAnswer>,
    /// Its posts in Mattermost.
    pub posts: Vec<PostAnswer>,
    /// The version that the card should show.
    pub card_version: u64,
    /// How many times the sweep woke it.
    pub round: u32,
    /// When the sweep checks it next; absent when nothing is owed.
    pub wake_at: Option<String>,
    /// Jobs that were given up and kept as dead letters.
    pub given_up: Vec<String>,
    /// What a person must change before its jobs can continue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<String>,
    /// Its events, oldest first.
    pub history: Vec<HistoryLine>,
}

/// One person's request to start or end a meeting.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RequestAnswer {
    /// Its id: the `ref` that the person saw.
    pub id: String,
    /// The person's user name.
    pub by: String,
    /// `outgoing_webhook` or `slash_command`.
    pub via: String,
    /// What the request asks for, and its result.
    pub purpose: String,
    /// When it was received.
    pub received_at: String,
}

/// One run of the room.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionAnswer {
    /// plugNmeet's id of it.
    pub sid: String,
    /// When it was made, on plugNmeet's clock.
    pub created_at: Option<String>,
    /// Whether it has ended.
    pub is_ended: bool,
}

/// A recording, summary or the like.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ArtifactAnswer {
    /// plugNmeet's id of it.
    pub id: String,
    /// The kind of artifact.
    pub kind: String,
    /// When it became known.
    pub known_at: String,
}

/// One post.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PostAnswer {
    /// Which post it is: card, final, artifact:..., answer:..., invite.
    pub key: String,
    /// Its id, once it is known.
    pub post_id: Option<String>,
    /// When it became known.
    pub posted_at: Option<String>,
    /// The card's version that it shows.
    pub rendered: u64,
    /// Why the relay never edits it again: deleted or not_editable.
    pub frozen: Option<String>,
    /// Since when the channel refuses posts of the bot: the bot is not a member, may not post, or the channel is
    /// archived.
    pub outside_since: Option<String>,
}

/// One event of a meeting.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HistoryLine {
    /// The event's id.
    pub event_id: String,
    /// What happened.
    pub event: String,
    /// Where it came from.
    pub source: String,
    /// When it was received.
    pub received_at: String,
    /// When it was applied.
    pub applied_at: String,
}

/// `GET /api/dead-letters`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeadLettersAnswer {
    /// Newest first.
    pub dead_letters: Vec<DeadLetterLine>,
    /// How many there are in all.
    pub total: u64,
}

/// One dead letter of a listing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeadLetterLine {
    /// The message's id.
    pub id: String,
    /// event, job or unreadable.
    pub kind: String,
    /// The queue it was in.
    pub queue: String,
    /// Its meeting, if that is known.
    pub meeting_id: Option<String>,
    /// Why it was given up.
    pub reason: String,
    /// When it was given up.
    pub buried_at: String,
    /// The number of attempts before that.
    pub attempts: u32,
}

/// `GET /api/dead-letters/{id}`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeadLetterAnswer {
    /// As in the listing.
    #[serde(flatten)]
    pub line: DeadLetterLine,
    /// The length of the message.
    pub bytes: usize,
    /// The message without its secrets; absent when it is not JSON.
    pub message: Option<Value>,
}

/// The answer to `POST .../end`, `.../replay` and `.../discard`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Done {
    /// What was done.
    pub done: String,
    /// The event that was published for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// A warning, if the action may not have the effect that the caller wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Every answer that is not 2xx.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RefusalAnswer {
    /// What was wrong.
    pub error: String,
}

/// A time as the API writes it.
pub(crate) fn time(at: Timestamp) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
    format!("{instant:.3}")
}
