//! Events: what happened, in the past tense and in our own types. Timers, jobs and both peers reach apply only by
//! events.
//!
//! The serde form of [`Fact`] is the body of an envelope of version 1: fields may be added with a default,
//! never renamed or removed. A snapshot test in `src/envelope` ensures it.

mod request;
mod via;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    ArtifactId, EventId, Identity, MeetingId, ParticipantSid, RequestId, RoomId, ServerName, Sid,
    Timestamp,
};

pub use request::{Conversation, ConversationKind, Moderators, Person, RuleChoice};
pub use via::{ResponseHook, TriggerSource};

/// A fact, and what is known of its arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The relay's id of it, which is in every log line from ingress on.
    pub id: EventId,
    /// Its source, and the key by which duplicates are detected.
    pub origin: Origin,
    /// When the relay accepted it, on our clock.
    pub received_at: Timestamp,
    /// What happened.
    pub fact: Fact,
}

impl Event {
    /// The event, received at most at `now`. If it was received later, our clock was ahead then.
    pub fn no_later_than(&self, now: Timestamp) -> Cow<'_, Self> {
        if self.received_at <= now {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self {
            received_at: now,
            ..self.clone()
        })
    }

    /// Whether the catch-up found the post that asked for a meeting, because no webhook reported it in time.
    pub const fn is_caught_up(&self) -> bool {
        matches!(&self.fact, Fact::MeetingRequested { via, .. } if via.is_caught_up())
    }
}

/// The dedup key: source and key together are unique.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// `mattermost:<server>`, `plugnmeet:<server>` or `relay`; never a route or a token.
    pub source: String,
    /// For instance `post:<post id>`, `command:<last segment of response_url>`, `event:<id>`, `job:<job id>:<attempt>`.
    pub key: String,
}

impl Origin {
    /// An event of Mattermost. `key` is `post:<post id>`, or `command:` and the last segment of the response URL.
    pub fn mattermost(server: &ServerName, key: impl fmt::Display) -> Self {
        Self {
            source: format!("mattermost:{server}"),
            key: key.to_string(),
        }
    }

    /// An event of plugNmeet with plugNmeet's own event id.
    pub fn plugnmeet(server: &ServerName, event_id: impl fmt::Display) -> Self {
        Self {
            source: format!("plugnmeet:{server}"),
            key: format!("event:{event_id}"),
        }
    }

    /// An event that the relay itself creates.
    pub fn relay(key: impl fmt::Display) -> Self {
        Self {
            source: "relay".to_owned(),
            key: key.to_string(),
        }
    }

    /// Whether the relay itself created the event.
    pub fn is_relay(&self) -> bool {
        self.source == "relay"
    }
}

/// The key of a command is a secret while its response URL works, so it is not shown.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_secret = self.key.starts_with("command:");
        let key = if is_secret {
            "command:[redacted]"
        } else {
            &self.key
        };
        write!(f, "Origin({} {key})", self.source)
    }
}

/// What an artifact is.
///
/// To add a kind (four files; six if it is posted):
/// 1. Here: the variant, plugNmeet's name and number for it, and the word in logs and tables.
/// 2. In src/token.rs: its byte in signed links, which is never given to another kind.
/// 3. In src/ingress/artifact.rs: its name and words on its page.
/// 4. In src/domain/owed.rs: whether it is posted. If so, src/worker/chat/artifact.rs chooses the reply or notice that
///    src/domain/say writes for it.
/// 5. A body recorded from plugNmeet in tests/vectors, which the tests of src/ingress/plugnmeet read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactKind {
    /// A video file.
    Recording,
    /// An AI summary.
    Summary,
    /// What was said, as WebVTT.
    Transcript,
    /// Numbers about the meeting.
    Analytics,
}

impl ArtifactKind {
    /// The kind that plugNmeet calls by this name, or by this number (src/plugnmeet/README.md, "Artifacts"). `None`: it
    /// has no file, like the `_USAGE` kinds, which are records of cost, or it is not known yet.
    pub fn of_plugnmeet(name: Option<&str>, number: Option<i64>) -> Option<Self> {
        match (name, number) {
            (Some("MEETING_ANALYTICS"), _) | (_, Some(1)) => Some(Self::Analytics),
            (Some("MEETING_SUMMARY"), _) | (_, Some(2)) => Some(Self::Summary),
            (Some("SPEECH_TRANSCRIPTION"), _) | (_, Some(4)) => Some(Self::Transcript),
            _ => None,
        }
    }

    /// The word in logs, links and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Summary => "summary",
            Self::Transcript => "transcript",
            Self::Analytics => "analytics",
        }
    }
}

/// How an end became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndSaid {
    /// By `session_ended`. Its time is the end.
    SessionEnded,
    /// By `room_finished`, whose time is used if there is no `session_ended`.
    RoomFinished,
}

/// Why a room could not be created. Each reason has its own sentence on the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// There was no room within the rule's `start_deadline`.
    TooLate,
    /// plugNmeet refuses the relay's API key.
    Unauthorized,
    /// plugNmeet refuses the request for good.
    Refused,
    /// plugNmeet failed at every attempt.
    GaveUp,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// A person asked for a meeting.
    MeetingRequested {
        /// The id of the new meeting, if none is running in the conversation.
        meeting: MeetingId,
        /// The conversation.
        place: Conversation,
        /// The person who asked.
        by: Person,
        /// How the request arrived.
        via: TriggerSource,
        /// The options that the rule chose.
        rule: RuleChoice,
        /// The person wrote `start --new`: a running meeting is not offered instead.
        always_new: bool,
        /// The running meeting that the immediate answer has offered already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        told: Option<MeetingId>,
    },
    /// A person asked to end a meeting that runs in a conversation.
    EndRequested {
        /// The conversation.
        place: Conversation,
        /// The person who asked.
        by: Person,
        /// How the request arrived.
        via: TriggerSource,
        /// Its title or number, as the person wrote it. Empty: the newest meeting that they may end.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        words: String,
        /// The meeting that the immediate answer has named already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        told: Option<MeetingId>,
    },
    /// The person may end it.
    EndAllowed {
        /// The meeting.
        meeting: MeetingId,
        /// The request.
        request: RequestId,
    },
    /// The person may not end it.
    EndRefused {
        /// The meeting.
        meeting: MeetingId,
        /// The request.
        request: RequestId,
    },
    /// An administrator ended it from the command line.
    EndOrdered {
        /// The meeting.
        meeting: MeetingId,
    },
    /// plugNmeet created the room.
    RoomCreated {
        /// The meeting of the room.
        meeting: MeetingId,
        /// Its session.
        sid: Sid,
        /// The time, on plugNmeet's clock.
        created_at: Timestamp,
    },
    /// The room will not be created.
    RoomRefused {
        /// The meeting of the room.
        meeting: MeetingId,
        /// The reason.
        reason: Refusal,
        /// The room was not created yet for this reason, and is tried again until its rule's `start_deadline` has
        /// passed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        for_now: bool,
    },
    /// plugNmeet answered the request to end a room.
    EndTried {
        /// The meeting.
        meeting: MeetingId,
        /// The answer was `ROOM_NOT_FOUND`: there is nothing to end.
        gone: bool,
    },
    /// A poll found out whether the room runs.
    RoomPolled {
        /// The meeting.
        meeting: MeetingId,
        /// The newest session when it was asked.
        sid: Sid,
        /// The room no longer runs.
        ended: bool,
    },
    /// plugNmeet was asked for the artifacts of a session. What was found is in events of its own.
    ArtifactsPolled {
        /// The meeting.
        meeting: MeetingId,
        /// The step of the schedule, counted from 0.
        step: u32,
    },
    /// The text of a summary was read.
    SummaryRead {
        /// The meeting.
        meeting: MeetingId,
        /// The artifact.
        artifact: ArtifactId,
        /// Neutralised Markdown of at most [`SUMMARY_CHARS_MAX`] characters, which is neutralised again wherever it is
        /// shown. Empty: there is nothing to show.
        text: String,
    },
    /// `room_created` or `room_started`.
    SessionSeen {
        /// The room and session.
        session: SessionRef,
    },
    /// `participant_joined`.
    PersonJoined {
        /// The room and session.
        session: SessionRef,
        /// The connection.
        participant: ParticipantSid,
        /// The user.
        identity: Identity,
        /// The displayed name; may be empty.
        name: String,
    },
    /// `participant_left`.
    PersonLeft {
        /// The room and session.
        session: SessionRef,
        /// The connection.
        participant: ParticipantSid,
        /// The user.
        identity: Identity,
        /// The displayed name; may be empty.
        name: String,
        /// The connection was lost before it was established, so the person was not in the meeting.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        never_joined: bool,
    },
    /// `start_recording` or `end_recording`.
    RecordingSwitched {
        /// The room and session.
        session: SessionRef,
        /// The recording.
        record: ArtifactId,
        /// The recording began, and did not fail at once.
        on: bool,
    },
    /// `recording_proceeded`, or `artifact_created` of a known kind, or a poll found the artifact.
    ArtifactCreated {
        /// The room and session.
        session: SessionRef,
        /// The artifact.
        artifact: ArtifactId,
        /// Its kind.
        kind: ArtifactKind,
    },
    /// `session_ended` or `room_finished`.
    SessionEnded {
        /// The room and session.
        session: SessionRef,
        /// Which of the two reported it.
        said: EndSaid,
        /// The time, on plugNmeet's clock.
        ended_at: Timestamp,
    },
    /// A job was given up and is a dead letter.
    JobGivenUp {
        /// The meeting.
        meeting: MeetingId,
        /// `<kind>:<detail>`.
        job: String,
    },
    /// A dead letter was replayed: the job is owed again.
    JobReplayed {
        /// The meeting.
        meeting: MeetingId,
        /// `<kind>:<detail>`.
        job: String,
        /// A room that is to be created counts as requested now: the `start_deadline` of its rule begins again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        #[serde(rename = "anew")]
        reset_age: bool,
    },
    /// The sweep found that the meeting still owes jobs.
    Woken {
        /// The meeting.
        meeting: MeetingId,
        /// The round of the meeting when the sweep found it.
        round: u32,
    },
}

/// The dedup key of a poll that proved the end of this session. It is the same for every poll.
pub fn end_seen_key(sid: &Sid) -> String {
    format!("poll:{sid}:ended")
}

/// Longest summary that is kept, in characters. The recap page shows all of it, and its event fits into a message of
/// the queue whatever its characters are.
pub const SUMMARY_CHARS_MAX: usize = 50_000;

/// The session that an event of plugNmeet is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRef {
    /// The session.
    pub sid: Sid,
    /// Its room. Absent in events that name only a session.
    pub room: Option<RoomId>,
    /// The room of which this one is a breakout room, if the event says so.
    pub breakout_of: Option<RoomId>,
    /// The time at which plugNmeet created it. Only `room_created` and `session_ended` have it: LiveKit's events
    /// contain another one.
    pub created_at: Option<Timestamp>,
    /// When the event was made, on plugNmeet's clock.
    pub said_at: Timestamp,
}

impl Fact {
    /// The word for this fact in logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::MeetingRequested { .. } => "meeting_requested",
            Self::EndRequested { .. } => "end_requested",
            Self::EndAllowed { .. } => "end_allowed",
            Self::EndRefused { .. } => "end_refused",
            Self::EndOrdered { .. } => "end_ordered",
            Self::RoomCreated { .. } => "room_created",
            Self::RoomRefused { .. } => "room_refused",
            Self::EndTried { .. } => "end_tried",
            Self::RoomPolled { .. } => "room_polled",
            Self::ArtifactsPolled { .. } => "artifacts_polled",
            Self::SummaryRead { .. } => "summary_read",
            Self::SessionSeen { .. } => "session_seen",
            Self::PersonJoined { .. } => "person_joined",
            Self::PersonLeft { .. } => "person_left",
            Self::RecordingSwitched { .. } => "recording_switched",
            Self::ArtifactCreated { .. } => "artifact_created",
            Self::SessionEnded { .. } => "session_ended",
            Self::JobGivenUp { .. } => "job_given_up",
            Self::JobReplayed { .. } => "job_replayed",
            Self::Woken { .. } => "woken",
        }
    }

    /// The meeting, if the fact names it.
    pub const fn meeting(&self) -> Option<MeetingId> {
        match self {
            Self::EndAllowed { meeting, .. }
            | Self::EndRefused { meeting, .. }
            | Self::EndOrdered { meeting }
            | Self::RoomCreated { meeting, .. }
            | Self::RoomRefused { meeting, .. }
            | Self::EndTried { meeting, .. }
            | Self::RoomPolled { meeting, .. }
            | Self::ArtifactsPolled { meeting, .. }
            | Self::SummaryRead { meeting, .. }
            | Self::JobGivenUp { meeting, .. }
            | Self::JobReplayed { meeting, .. }
            | Self::Woken { meeting, .. } => Some(*meeting),
            _ => None,
        }
    }

    /// The session, if the fact comes from plugNmeet.
    pub const fn session(&self) -> Option<&SessionRef> {
        match self {
            Self::SessionSeen { session }
            | Self::PersonJoined { session, .. }
            | Self::PersonLeft { session, .. }
            | Self::RecordingSwitched { session, .. }
            | Self::ArtifactCreated { session, .. }
            | Self::SessionEnded { session, .. } => Some(session),
            _ => None,
        }
    }
}
