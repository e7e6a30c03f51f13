//! A meeting: what a person asked for, and all that is known of it. Facts are added, never compared with the
//! order in which they came: what the card shows is a function of the set of facts.

mod clock;
mod notify;
mod session;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    ArtifactId, ArtifactKind, Conversation, Identity, MeetingId, ParticipantSid, Person, PostId,
    PostKey, PostRow, Refusal, RequestId, RoomId, RuleChoice, ServerName, Sid, Timestamp,
    TriggerSource,
};
pub use notify::Notify;
pub(crate) use session::{End, Session};
pub(crate) use view::CardView;
#[cfg(test)]
pub(crate) use view::Ended;

/// Most starts that one meeting keeps; more than this at one place are not offered it.
pub(crate) const STARTS_MAX: usize = 1000;
/// Most wishes for its end that one meeting keeps. They have room of their own: a full meeting can still be ended.
pub(crate) const ENDS_MAX: usize = 100;
/// Most posts and answers of one meeting, of those that people cause by asking.
pub(crate) const POSTS_MAX: usize = 2000;
/// Most sessions that one meeting keeps; there is one unless plugNmeet lost its state.
pub(crate) const SESSIONS_MAX: usize = 32;
/// Most breakout sessions that one meeting remembers.
pub(crate) const BREAKOUTS_MAX: usize = 256;
/// Most participant connections that one meeting remembers.
pub(crate) const PEOPLE_MAX: usize = 2000;
/// Most recordings and artifacts that one meeting keeps.
pub(crate) const ARTIFACTS_MAX: usize = 200;

/// plugNmeet is not asked again within this time, besides its turn, whether the room of one meeting runs.
pub(crate) const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What a person asked for, owner of one card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meeting {
    /// Its id.
    pub id: MeetingId,
    /// The plugNmeet server of its room.
    pub conference: ServerName,
    /// Where its card stands.
    pub place: Conversation,
    /// Its room: drawn once, stored before any create, never used again.
    pub room: RoomId,
    /// What the rule decided.
    pub rule: RuleChoice,
    /// How people call it in its channel beside its title: one more than the highest of those that ran there when it
    /// was asked for; 0 for meetings of versions before numbers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub number: u32,
    /// When it was asked for, on our clock.
    pub requested_at: Timestamp,
    /// Everybody who asked for it or for its end; the first is the starter's.
    pub requests: Vec<Request>,
    /// Why there will be no room.
    pub refused: Option<Refusal>,
    /// Why there is no room yet, as far as an attempt at it told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_up: Option<Refusal>,
    /// Its sessions, in the order in which they became known.
    pub sessions: Vec<Session>,
    /// Sessions of its breakout rooms: their later events are dropped.
    pub breakouts: BTreeSet<Sid>,
    /// Who was there, by connection.
    pub people: BTreeMap<ParticipantSid, Presence>,
    /// What it left behind.
    pub artifacts: BTreeMap<ArtifactId, Artifact>,
    /// Recordings that were switched on or off.
    pub recordings: BTreeMap<ArtifactId, Switched>,
    /// Somebody wants it ended.
    pub end: Option<EndRequest>,
    /// How often it was asked whether the room runs.
    pub polled: u32,
    /// When it was asked last, on our clock.
    pub polled_at: Option<Timestamp>,
    /// The next step of the schedule that asks for artifacts.
    pub artifacts_step: u32,
    /// When its end became known, on our clock.
    pub end_known_at: Option<Timestamp>,
    /// Jobs given up (`Job::key`), owed no more until they are replayed.
    pub given_up: BTreeSet<String>,
    /// Rises whenever the card looks different; from 1.
    pub version: u64,
    /// When `version` rose last, on our clock.
    pub changed_at: Timestamp,
    /// Rises whenever the sweep woke it; jobs of an older round are obsolete.
    pub round: u32,
    /// How often it was woken since the last new fact.
    pub wakes: u32,
    /// When the sweep wakes it; `None` when nothing is owed.
    pub wake_at: Option<Timestamp>,
    /// Jobs due until then were published when they became owed; those due later were not, on our clock.
    #[serde(default)]
    pub published_until: Timestamp,
    /// Its posts, written by chat workers and loaded with it.
    #[serde(skip)]
    pub posts: BTreeMap<PostKey, PostRow>,
}

/// One person's request about a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its id, in the links given out.
    pub id: RequestId,
    /// Who.
    pub by: Person,
    /// How it came.
    pub via: TriggerSource,
    /// When, on our clock.
    pub received_at: Timestamp,
    /// What it wants and what became of it.
    #[serde(rename = "wish")]
    pub purpose: RequestPurpose,
    /// Whether the immediate answer named this meeting (`false`: another one, or none); `None` where that is no matter,
    /// and in requests of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<bool>,
}

impl Request {
    /// It came as a slash command, whose person alone reads the answer.
    pub const fn is_by_command(&self) -> bool {
        matches!(self.via, TriggerSource::SlashCommand { .. })
    }
}

/// What a request wants and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestPurpose {
    /// A meeting: this one was made for it.
    Start,
    /// A meeting: this one already ran and is offered instead.
    StartWhileRunning,
    /// The end; whether the person may is being found out.
    EndAsked,
    /// The end, granted.
    EndAllowed,
    /// The end, refused.
    EndRefused,
}

impl RequestPurpose {
    /// Somebody wants the meeting ended, whatever became of it.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::EndAsked | Self::EndAllowed | Self::EndRefused)
    }
}

/// One connection of a participant, a person or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The session.
    pub sid: Sid,
    /// The user id in plugNmeet.
    pub identity: Identity,
    /// The name shown; may be empty.
    pub name: String,
    /// When they joined, on plugNmeet's clock.
    pub joined_at: Option<Timestamp>,
    /// When they left, on plugNmeet's clock. May come without, and before, the joining.
    pub left_at: Option<Timestamp>,
    /// All that is known is that the connection was lost before it was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never_joined: bool,
}

/// A recording or artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// What it is.
    pub kind: ArtifactKind,
    /// The session that left it.
    pub sid: Sid,
    /// When it became known, on our clock.
    pub known_at: Timestamp,
    /// A summary's text, once it was read; empty: there is nothing to show.
    pub text: Option<String>,
}

impl Artifact {
    /// The summary's text, if it is one that was read and says something.
    pub fn summary(&self) -> Option<&str> {
        let text = self.text.as_deref().filter(|text| !text.is_empty())?;
        (self.kind == ArtifactKind::Summary).then_some(text)
    }

    /// It is a summary that says nothing: people are shown nothing of it.
    pub fn is_empty_summary(&self) -> bool {
        self.kind == ArtifactKind::Summary && self.text.as_deref() == Some("")
    }
}

/// What is known of a recording before its file is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Switched {
    /// It began.
    pub on: bool,
    /// It stopped.
    pub off: bool,
}

/// Somebody wants the meeting ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndRequest {
    /// Since when, on our clock.
    pub wanted_at: Timestamp,
    /// How often plugNmeet was told.
    pub tried: u32,
    /// When it was told last, on our clock.
    pub tried_at: Option<Timestamp>,
    /// plugNmeet said that there is no such room.
    pub gone: bool,
}

/// How a meeting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Stored, its room not made yet.
    Creating,
    /// The room is there, nobody was in it yet.
    Open,
    /// Somebody joined.
    Live,
    /// Over.
    Ended,
    /// Over, and nobody came.
    Missed,
    /// Ended before there was a room.
    Cancelled,
    /// The room could not be made.
    Failed,
}

impl State {
    /// The word in listings and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Open => "open",
            Self::Live => "live",
            Self::Ended => "ended",
            Self::Missed => "missed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Not over: a second start at its place is offered this one.
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Creating | Self::Open | Self::Live)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Meeting {
    /// How it is, from its facts.
    pub fn state(&self) -> State {
        if self.refused.is_some() {
            return State::Failed;
        }
        match self.newest_session() {
            None if self.end.as_ref().is_some_and(|end| end.gone) || self.is_end_given_up() => {
                State::Cancelled
            }
            None => State::Creating,
            Some(session) if session.is_ended() && self.has_people() => State::Ended,
            Some(session) if session.is_ended() => State::Missed,
            Some(_) if self.has_people() => State::Live,
            Some(_) => State::Open,
        }
    }

    /// The session that decides whether the meeting has ended: the one made last.
    pub fn newest_session(&self) -> Option<&Session> {
        self.sessions.iter().max_by_key(|session| session.age_key())
    }

    /// The request that the meeting was made for.
    pub fn first_request(&self) -> Option<&Request> {
        self.requests.first()
    }

    /// One of its requests.
    pub fn request(&self, id: RequestId) -> Option<&Request> {
        self.requests.iter().find(|request| request.id == id)
    }

    /// Who asked for it; `None` only for a row that lost its requests.
    pub fn starter(&self) -> Option<&Person> {
        self.first_request().map(|request| &request.by)
    }

    /// What is kept of one of its posts.
    pub fn post(&self, key: &PostKey) -> Option<&PostRow> {
        self.posts.get(key)
    }

    /// The root of the thread that its card stands in or will stand in.
    pub fn thread(&self) -> Option<&PostId> {
        match self.post(&PostKey::Card) {
            Some(card) if card.post.is_some() => card.root.as_ref(),
            Some(card) => self.place.thread.as_ref().or(card.root.as_ref()),
            None => self.place.thread.as_ref(),
        }
    }

    /// Whether people in this thread (`None`: outside of all threads) have it before them: its card stands there, or
    /// the thread is the card's own.
    pub fn stands_in(&self, thread: Option<&PostId>) -> bool {
        let card = self.post(&PostKey::Card);
        let is_own = |thread| card.and_then(|row| row.post.as_ref()) == Some(thread);
        self.thread() == thread || thread.is_some_and(is_own)
    }

    /// A person deleted the card: nothing more is posted.
    pub fn is_card_deleted(&self) -> bool {
        self.post(&PostKey::Card)
            .is_some_and(|row| row.frozen == Some(super::post::Frozen::Deleted))
    }

    /// What the card shows of it.
    pub fn card_view(&self) -> CardView {
        CardView::of(self)
    }

    /// The names of everybody who took part, by first appearance, each person once; "Guest" for the nameless.
    pub fn attendees(&self) -> Vec<String> {
        view::attendees(self)
    }

    /// Somebody wants it ended, and plugNmeet is going to be told.
    pub fn is_ending(&self) -> bool {
        self.end.is_some() && !self.is_end_given_up()
    }

    /// plugNmeet could not be told to end it: without a session there is nothing more to wait for, and with one it
    /// runs on.
    pub fn is_end_given_up(&self) -> bool {
        self.end.is_some() && self.given_up.iter().any(|job| job.starts_with("EndRoom:"))
    }

    /// Why there is no room, for people: of a start that became too late, what held it up.
    pub fn refusal(&self) -> Option<Refusal> {
        match self.refused {
            Some(Refusal::TooLate) => self.held_up.or(self.refused),
            refused => refused,
        }
    }

    /// Its session, if plugNmeet may be asked now whether that still runs: something makes it doubtful, or somebody is
    /// about to be sent there. Not more often than `ASKED_AGAIN_AFTER`, whoever asks.
    pub fn session_to_ask_about(&self, now: Timestamp) -> Option<&Session> {
        let session = self
            .newest_session()
            .filter(|session| !session.is_ended())?;
        let is_fresh = |at| now.since(at) < ASKED_AGAIN_AFTER;
        (!self.polled_at.is_some_and(is_fresh)).then_some(session)
    }

    fn has_people(&self) -> bool {
        self.people.values().any(Presence::took_part)
    }
}

impl Presence {
    /// A person who was in the meeting.
    pub fn took_part(&self) -> bool {
        self.is_person() && !self.never_joined
    }

    /// Whether this is a person: not a recorder, a stream, a telephone line or an agent
    /// (src/plugnmeet/README.md, "Events").
    pub fn is_person(&self) -> bool {
        const BOTS: [&str; 2] = ["RECORDER_BOT", "RTMP_BOT"];
        const BOT_PREFIXES: [&str; 4] = ["ingres_", "sip_", "pnm_agent-", "pnm_tts_agent-"];
        let identity = self.identity.as_str();
        !BOTS.contains(&identity)
            && !BOT_PREFIXES
                .iter()
                .any(|prefix| identity.starts_with(prefix))
    }
}
