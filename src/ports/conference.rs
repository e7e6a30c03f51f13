//! What the relay needs of the conference server.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;

use crate::domain::{ArtifactId, ArtifactKind, Identity, MeetingId, RoomId, Sid, Timestamp};

/// A room to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoom {
    /// Its id, drawn by apply.
    pub room: RoomId,
    /// The meeting that it belongs to (`extra_data.relay_meeting_id`).
    pub meeting: MeetingId,
    /// Shown to its people; at most 255 characters.
    pub title: String,
    /// Where people go when they leave.
    pub logout_url: Option<Url>,
}

/// A room that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedRoom {
    /// Its session.
    pub sid: Sid,
    /// When plugNmeet made it, on plugNmeet's clock.
    pub created_at: Timestamp,
}

/// Somebody who wants in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joiner {
    /// The user id in plugNmeet: a Mattermost user id or `g-` and 20 base32 characters.
    pub identity: Identity,
    /// The name to show, 1 to 100 characters.
    pub name: String,
    /// Joins as moderator.
    pub is_moderator: bool,
}

/// What asking for a room told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomActivity {
    /// People can join.
    Active,
    /// `status:true` and `is_active:false`: the only proof of an end that a poll can give
    /// (src/plugnmeet/README.md, "Polling for an end").
    Ended,
}

/// What became of the wish to end a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndAnswer {
    /// Taken on. `session_ended` follows, or the call must be repeated (src/plugnmeet/README.md, "Sessions that never
    /// end").
    Ending,
    /// There is no such room (any more).
    NotFound,
}

/// A recording or artifact found by asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundArtifact {
    /// Its id.
    pub id: ArtifactId,
    /// What it is.
    pub kind: ArtifactKind,
}

/// What a failed call means for the one who made it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConferenceError {
    /// No answer: refused, reset, timed out or unreadable.
    #[error("plugNmeet could not be reached: {why}")]
    Unreachable {
        /// For the log.
        why: String,
    },
    /// HTTP 5xx or 429, or an answer that is not in plugNmeet's own form.
    #[error("plugNmeet is unavailable: {why}")]
    Unavailable {
        /// For the log.
        why: String,
        /// What it asked for with Retry-After.
        after: Option<Duration>,
    },
    /// `INTERNAL_SERVER_ERROR` in a 200: one of its back ends is away, or it is busy. Its text is for the log only.
    #[error("plugNmeet had an internal error: {why}")]
    Internal {
        /// For the log.
        why: String,
    },
    /// `ROOM_NOT_FOUND` or `ROOM_NOT_ACTIVE` where the room is needed.
    #[error("plugNmeet has no such room")]
    RoomGone,
    /// `USER_BLOCKED`: this person was put out of this session.
    #[error("plugNmeet blocks this person in this session")]
    Blocked,
    /// `NOT_FOUND` of an artifact or recording: may come a moment later.
    #[error("plugNmeet does not have it")]
    NotFound,
    /// 401: key or secret wrong; a person must act.
    #[error("plugNmeet refuses the relay's API key: {why}")]
    Unauthorized {
        /// For the log.
        why: String,
    },
    /// Will never work the same way again.
    #[error("plugNmeet refuses it for good: {why}")]
    Refused {
        /// For the log.
        why: String,
    },
}

/// The conference server, as jobs and pages use it. Every call has one deadline over connect, headers and body.
#[async_trait]
pub trait Conference: Send + Sync + 'static {
    /// Makes a room; the same room twice is one room and one session.
    async fn create_room(&self, room: NewRoom) -> Result<CreatedRoom, ConferenceError>;

    /// Mints a token and gives the address that a browser is sent to, which holds it: a secret.
    async fn join_address(
        &self,
        room: &RoomId,
        joiner: Joiner,
    ) -> Result<SecretString, ConferenceError>;

    /// Whether the room runs.
    async fn room_activity(&self, room: &RoomId) -> Result<RoomActivity, ConferenceError>;

    /// Ends the room for everybody.
    async fn end_room(&self, room: &RoomId) -> Result<EndAnswer, ConferenceError>;

    /// Recordings and artifacts of one session, at most 200.
    async fn artifacts(&self, sid: &Sid) -> Result<Vec<FoundArtifact>, ConferenceError>;

    /// Mints a download token and gives the address for a browser, which holds it: a secret.
    async fn download_address(
        &self,
        id: &ArtifactId,
        kind: ArtifactKind,
    ) -> Result<SecretString, ConferenceError>;

    /// A summary's text as harmless Markdown, without plugNmeet's header, not yet cut to a post's length.
    async fn summary_text(&self, id: &ArtifactId) -> Result<String, ConferenceError>;
}
