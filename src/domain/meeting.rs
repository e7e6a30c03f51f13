//! A meeting: what a person asked for, and all that is known about it. Facts are added whatever their order: what the
//! card shows depends only on the set of facts.

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

/// Most starts that one meeting keeps. Further starts are not offered the meeting.
pub(crate) const STARTS_MAX: usize = 1000;
/// Most requests to end that one meeting keeps. They are counted apart from starts, so that every meeting can be ended.
pub(crate) const ENDS_MAX: usize = 100;
/// Most posts and answers of one meeting that people cause by their requests.
pub(crate) const POSTS_MAX: usize = 2000;
/// Most sessions that one meeting keeps. There is one, unless plugNmeet lost its state.
pub(crate) const SESSIONS_MAX: usize = 32;
/// Most breakout sessions that one meeting remembers.
pub(crate) const BREAKOUTS_MAX: usize = 256;
/// Most participant connections that one meeting remembers.
pub(crate) const PEOPLE_MAX: usize = 2000;
/// Most recordings and artifacts that one meeting keeps.
pub(crate) const ARTIFACTS_MAX: usize = 200;

/// Within this time plugNmeet is not asked again whether the room of a meeting runs, except by its regular polls.
pub(crate) const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What a person asked for. It has one card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meeting {
    /// Its id.
    pub id: MeetingId,
    /// The plugNmeet server of its room.
    pub conference: ServerName,
    /// The conversation of its card.
    pub place: Conversation,
    /// The id of its room. It is drawn once, stored before the room is created, and never used again.
    pub room: RoomId,
    /// The options that the rule chose.
    pub rule: RuleChoice,
    /// The number by which people name it in its channel: one more than the highest number of the meetings that ran
    /// there when it was asked for. 0 for meetings of versions without numbers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub number: u32,
    /// When it was asked for, on our clock.
    pub requested_at: Timestamp,
    /// The requests for it and for its end. The first is the starter's.
    pub requests: Vec<Request>,
    /// Why there will be no room.
    pub refused: Option<Refusal>,
    /// Why there is no room yet, if an attempt found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_up: Option<Refusal>,
    /// Its sessions, in the order in which they became known.
    pub sessions: Vec<Session>,
    /// Sessions of its breakout rooms, whose later events are ignored.
    pub breakouts: BTreeSet<Sid>,
    /// The participants, by connection.
    pub people: BTreeMap<ParticipantSid, Presence>,
    /// Its artifacts.
    pub artifacts: BTreeMap<ArtifactId, Artifact>,
    /// Recordings that began or stopped.
    pub recordings: BTreeMap<ArtifactId, Switched>,
    /// The request to end it, if there is one.
    pub end: Option<EndRequest>,
    /// How many times plugNmeet was asked whether the room runs.
    pub polled: u32,
    /// When plugNmeet was last asked that, on our clock.
    pub polled_at: Option<Timestamp>,
    /// The next step of the schedule of artifact polls.
    pub artifacts_step: u32,
    /// When its end became known, on our clock.
    pub end_known_at: Option<Timestamp>,
    /// Jobs that were given up (`Job::key`). They are not owed until they are replayed.
    pub given_up: BTreeSet<String>,
    /// Increases whenever the card looks different. Begins at 1.
    pub version: u64,
    /// When `version` last increased, on our clock.
    pub changed_at: Timestamp,
    /// Increases whenever the sweep wakes it. Jobs of an earlier round are obsolete.
    pub round: u32,
    /// How many times it was woken since the last new fact.
    pub wakes: u32,
    /// When the sweep wakes it. `None`: nothing is owed.
    pub wake_at: Option<Timestamp>,
    /// Jobs that are due until this time, on our clock, were published when they became owed. Later jobs were not.
    #[serde(default)]
    pub published_until: Timestamp,
    /// Its posts. Chat workers write them, and they are loaded with the meeting.
    #[serde(skip)]
    pub posts: BTreeMap<PostKey, PostRow>,
}

/// One person's request about a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its id, which the links contain.
    pub id: RequestId,
    /// The person who asked.
    pub by: Person,
    /// How it arrived.
    pub via: TriggerSource,
    /// When it arrived, on our clock.
    pub received_at: Timestamp,
    /// What it asks for, and its result.
    #[serde(rename = "wish")]
    pub purpose: RequestPurpose,
    /// Whether the immediate answer named this meeting; `false`: another one, or none. `None`: that does not matter,
    /// or an earlier version stored the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<bool>,
}

impl Request {
    /// Whether it was a slash command, whose answer only the person can read.
    pub const fn is_by_command(&self) -> bool {
        matches!(self.via, TriggerSource::SlashCommand { .. })
    }
}

/// What a request asks for, and its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestPurpose {
    /// A start. This meeting was created for it.
    Start,
    /// A start. This meeting already ran and is offered instead.
    StartWhileRunning,
    /// The end. Whether the person may end it is not known yet.
    EndAsked,
    /// The end, which is allowed.
    EndAllowed,
    /// The end, which is refused.
    EndRefused,
}

impl RequestPurpose {
    /// Whether it asks for the end, whatever its result.
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
    /// The displayed name; may be empty.
    pub name: String,
    /// When they joined, on plugNmeet's clock.
    pub joined_at: Option<Timestamp>,
    /// When they left, on plugNmeet's clock. It may be known without, and before, the time of joining.
    pub left_at: Option<Timestamp>,
    /// It is only known that the connection was lost before it was established.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never_joined: bool,
}

/// A recording or artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its kind.
    pub kind: ArtifactKind,
    /// The session that it belongs to.
    pub sid: Sid,
    /// When it became known, on our clock.
    pub known_at: Timestamp,
    /// The text of a summary, once it was read. Empty: there is nothing to show.
    pub text: Option<String>,
}

impl Artifact {
    /// The text of a summary, if it was read and is not empty.
    pub fn summary(&self) -> Option<&str> {
        let text = self.text.as_deref().filter(|text| !text.is_empty())?;
        (self.kind == ArtifactKind::Summary).then_some(text)
    }

    /// Whether it is an empty summary, which is not shown.
    pub fn is_empty_summary(&self) -> bool {
        self.kind == ArtifactKind::Summary && self.text.as_deref() == Some("")
    }
}

/// What is known of a recording before its file is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Switched {
    /// The recording began.
    pub on: bool,
    /// The recording stopped.
    pub off: bool,
}

/// The request to end a meeting, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndRequest {
    /// Since when the end is wanted, on our clock.
    pub wanted_at: Timestamp,
    /// How many times plugNmeet was asked to end the room.
    pub tried: u32,
    /// When plugNmeet was last asked that, on our clock.
    pub tried_at: Option<Timestamp>,
    /// plugNmeet answered that there is no such room.
    pub gone: bool,
}

/// The state of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is stored, and its room is not created yet.
    Creating,
    /// There is a room, and nobody was in it yet.
    Open,
    /// Somebody joined.
    Live,
    /// The meeting is over.
    Ended,
    /// The meeting is over, and nobody joined.
    Missed,
    /// Ended before there was a room.
    Cancelled,
    /// The room could not be created.
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

    /// Whether it is not over. A second start in its conversation is offered this meeting.
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Creating | Self::Open | Self::Live)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Meeting {
    /// The state, from the facts.
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

    /// The session that decides whether the meeting has ended: the one that was created last.
    pub fn newest_session(&self) -> Option<&Session> {
        self.sessions.iter().max_by_key(|session| session.age_key())
    }

    /// The request for which the meeting was created.
    pub fn first_request(&self) -> Option<&Request> {
        self.requests.first()
    }

    /// One of its requests.
    pub fn request(&self, id: RequestId) -> Option<&Request> {
        self.requests.iter().find(|request| request.id == id)
    }

    /// The person who started it. `None` only for a row that lost its requests.
    pub fn starter(&self) -> Option<&Person> {
        self.first_request().map(|request| &request.by)
    }

    /// What is stored about one of its posts.
    pub fn post(&self, key: &PostKey) -> Option<&PostRow> {
        self.posts.get(key)
    }

    /// The root of the thread in which its card is, or will be.
    pub fn thread(&self) -> Option<&PostId> {
        match self.post(&PostKey::Card) {
            Some(card) if card.post.is_some() => card.root.as_ref(),
            Some(card) => self.place.thread.as_ref().or(card.root.as_ref()),
            None => self.place.thread.as_ref(),
        }
    }

    /// Whether the meeting is shown in this thread (`None`: outside all threads): its card is there, or the thread
    /// belongs to the card.
    pub fn stands_in(&self, thread: Option<&PostId>) -> bool {
        let card = self.post(&PostKey::Card);
        let is_own = |thread| card.and_then(|row| row.post.as_ref()) == Some(thread);
        self.thread() == thread || thread.is_some_and(is_own)
    }

    /// Whether a person deleted the card. Then nothing more is posted.
    pub fn is_card_deleted(&self) -> bool {
        self.post(&PostKey::Card)
            .is_some_and(|row| row.frozen == Some(super::post::Frozen::Deleted))
    }

    /// What the card shows.
    pub fn card_view(&self) -> CardView {
        CardView::of(self)
    }

    /// The names of everybody who took part, in the order of their first appearance, each person once. A person
    /// without a name is "Guest".
    pub fn attendees(&self) -> Vec<String> {
        view::attendees(self)
    }

    /// Whether the end is requested and plugNmeet is still to be asked for it.
    pub fn is_ending(&self) -> bool {
        self.end.is_some() && !self.is_end_given_up()
    }

    /// Whether plugNmeet could not be asked to end it. Without a session there is nothing to wait for; with one the
    /// meeting continues.
    pub fn is_end_given_up(&self) -> bool {
        self.end.is_some() && self.given_up.iter().any(|job| job.starts_with("EndRoom:"))
    }

    /// Why there is no room, for people. If the start became too late: what delayed it.
    pub fn refusal(&self) -> Option<Refusal> {
        match self.refused {
            Some(Refusal::TooLate) => self.held_up.or(self.refused),
            refused => refused,
        }
    }

    /// The session, if plugNmeet may be asked now whether it still runs, because that is doubtful or a person is about
    /// to join. It may be asked once within `ASKED_AGAIN_AFTER`.
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
