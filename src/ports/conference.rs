//! The conference server (plugNmeet), as the relay uses it.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;

use crate::domain::{ArtifactId, ArtifactKind, Identity, MeetingId, RoomId, Sid, Timestamp};

/// A room to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoom {
    /// The room's id, which apply draws at random.
    pub room: RoomId,
    /// The meeting that it belongs to (`extra_data.relay_meeting_id`).
    pub meeting: MeetingId,
    /// The title that its participants see; at most 255 characters.
    pub title: String,
    /// The page that participants are sent to when they leave.
    pub logout_url: Option<Url>,
}

/// A room that was created, or existed already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedRoom {
    /// The id of the room's session.
    pub sid: Sid,
    /// When plugNmeet created it, on plugNmeet's clock.
    pub created_at: Timestamp,
}

/// A person who wants to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joiner {
    /// The user id in plugNmeet: a Mattermost user id or `g-` and 20 base32 characters.
    pub identity: Identity,
    /// The name to show, 1 to 100 characters.
    pub name: String,
    /// Whether the person joins as moderator.
    pub is_moderator: bool,
}

/// The state of a room, as a poll sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomActivity {
    /// The room runs: people can join.
    Active,
    /// plugNmeet answered `status:true` and `is_active:false`. No other answer to a poll proves the end of a session
    /// (src/plugnmeet/README.md, "Polling for an end").
    Ended,
}

/// The answer to a request to end a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndAnswer {
    /// Accepted. The webhook `session_ended` follows; if it does not, the call must be repeated
    /// (src/plugnmeet/README.md, "Sessions that never end").
    Ending,
    /// The room does not exist, or no longer.
    NotFound,
}

/// A recording or artifact that a poll found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundArtifact {
    /// Its id in plugNmeet.
    pub id: ArtifactId,
    /// Recording, transcript, summary or analytics.
    pub kind: ArtifactKind,
}

/// Why a call failed, by what the caller has to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConferenceError {
    /// No answer: refused, reset, timed out or unreadable.
    #[error("plugNmeet could not be reached: {why}")]
    Unreachable {
        /// The cause, for the log.
        why: String,
    },
    /// HTTP 5xx or 429, or an answer that is not in plugNmeet's format (something else answered in its place).
    #[error("plugNmeet is unavailable: {why}")]
    Unavailable {
        /// The cause, for the log.
        why: String,
        /// The pause that the answer asked for with Retry-After.
        after: Option<Duration>,
    },
    /// `INTERNAL_SERVER_ERROR` in a 200: one of plugNmeet's back ends is unavailable, or plugNmeet is busy. The text is
    /// for the log only.
    #[error("plugNmeet had an internal error: {why}")]
    Internal {
        /// The cause, for the log.
        why: String,
    },
    /// `ROOM_NOT_FOUND` or `ROOM_NOT_ACTIVE`, in a call that needs the room.
    #[error("plugNmeet has no such room")]
    RoomGone,
    /// `USER_BLOCKED`: this person was removed from this session and may not join it again.
    #[error("plugNmeet blocks this person in this session")]
    Blocked,
    /// `NOT_FOUND` for an artifact or recording, which may be ready a moment later.
    #[error("plugNmeet does not have it")]
    NotFound,
    /// 401: the API key or secret is wrong; an operator must correct it.
    #[error("plugNmeet refuses the relay's API key: {why}")]
    Unauthorized {
        /// The cause, for the log.
        why: String,
    },
    /// The same call will never succeed.
    #[error("plugNmeet refuses it for good: {why}")]
    Refused {
        /// The cause, for the log.
        why: String,
    },
}

/// The conference server, as jobs and pages use it. Every call has one deadline over connect, headers and body.
#[async_trait]
pub trait Conference: Send + Sync + 'static {
    /// Creates a room. Creating the same room twice makes one room and one session.
    async fn create_room(&self, room: NewRoom) -> Result<CreatedRoom, ConferenceError>;

    /// Requests a join token and returns the address that a browser is sent to. It holds the token, so it is a secret.
    async fn join_address(
        &self,
        room: &RoomId,
        joiner: Joiner,
    ) -> Result<SecretString, ConferenceError>;

    /// Asks whether the room runs.
    async fn room_activity(&self, room: &RoomId) -> Result<RoomActivity, ConferenceError>;

    /// Ends the room for everybody.
    async fn end_room(&self, room: &RoomId) -> Result<EndAnswer, ConferenceError>;

    /// Lists the recordings and artifacts of one session, at most 200.
    async fn artifacts(&self, sid: &Sid) -> Result<Vec<FoundArtifact>, ConferenceError>;

    /// Requests a download token and returns the address for a browser. It holds the token, so it is a secret.
    async fn download_address(
        &self,
        id: &ArtifactId,
        kind: ArtifactKind,
    ) -> Result<SecretString, ConferenceError>;

    /// Reads the text of a summary, as neutralised Markdown without plugNmeet's header. It is not yet cut to the length
    /// of a post.
    async fn summary_text(&self, id: &ArtifactId) -> Result<String, ConferenceError>;
}
