//! How an event moves a meeting: pure. The store loads what [`subject`] names, asks [`decide`], and writes what
//! it says, all in one transaction; nothing else ever moves a meeting.

mod facts;
mod giving_up;
mod hooks;
mod requests;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::choice::{self, Candidate, EndChoice};
use super::meeting::{Meeting, Request, RequestPurpose};
use super::owed::{Schedule, owed};
use super::{
    CLOCKS_DIFFER_BY, Event, EventId, Fact, MeetingId, Owed, Person, Refusal, RequestId,
    ResponseHook, RoomId, ServerName, Sid, State, Timestamp, TriggerSource,
};

/// An end that was asked for longer ago is wanted by nobody any more: it may be a copy of a message whose key is forgotten.
const END_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// The numbers by which apply decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// When jobs are due.
    pub schedule: Schedule,
    /// Jobs due later than this are not published but woken for.
    pub publish_ahead: Duration,
    /// How long the sweep waits for published jobs, by how often it has; the last one repeats.
    pub wake_after: Arc<[Duration]>,
}

/// What apply must not draw itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fresh {
    /// 13 random base32 digits for a room id.
    pub room: [u8; 13],
}

/// What must be loaded for a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The running meetings of this channel and its threads (`Conversation::channel_key`), the newest
    /// [`choice::CANDIDATES_MAX`] of them: [`aim`] chooses.
    Channel(String),
    /// This meeting.
    Meeting(MeetingId),
    /// The meeting that knows this session (its own or a breakout's), else the one of the first of these rooms
    /// that is somebody's.
    Session {
        /// The session.
        sid: Sid,
        /// The event's room, then those that it may be a breakout room of.
        rooms: Vec<RoomId>,
    },
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    /// The meeting that it moves, if one runs already.
    pub meeting: Option<MeetingId>,
    /// The number of a meeting that it founds.
    number: u32,
    /// What its person is told if it moves none.
    saying: Saying,
}

impl Aim {
    /// At the one meeting that the fact names, if the store knows it.
    pub const fn at(meeting: Option<MeetingId>) -> Self {
        Self {
            meeting,
            number: 0,
            saying: Saying::NothingToEnd,
        }
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It moved its meeting, or told nothing new about it.
    Applied,
    /// It had come before.
    Duplicate,
    /// It had come before with another content: the first one counts.
    Conflict,
    /// It belongs to no meeting of ours.
    Foreign,
}

impl Effect {
    /// The word in the store and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Foreign => "foreign",
        }
    }
}

/// What apply says about one event, to be published before the event is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The event.
    pub event: EventId,
    /// What became of it.
    pub effect: Effect,
    /// The meeting that it concerned, and its round.
    pub meeting: Option<(MeetingId, u32)>,
    /// The jobs to publish, with their due times.
    pub publish: Vec<Owed>,
    /// A person to be told although there is no meeting that could.
    pub tell: Option<Reply>,
}

/// An answer that belongs to no meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Whose request.
    pub request: RequestId,
    /// Where the answer goes.
    pub hook: ResponseHook,
    /// Who asked.
    pub to: Person,
    /// What is said.
    pub saying: Saying,
}

/// What can be said without a meeting. The serde form is part of an envelope's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Saying {
    /// No meeting runs here that could be ended.
    NothingToEnd,
    /// The meeting that is to end has no room for another request.
    NoRoom,
    /// Several could be meant, or none is called so: these run.
    ChooseToEnd {
        /// What the person wrote; may be empty.
        words: String,
        /// At most [`choice::LISTED_MAX`].
        running: Vec<Candidate>,
    },
}

/// What to load for `fact`.
pub fn subject(fact: &Fact) -> Subject {
    match fact {
        Fact::MeetingRequested { place, .. } | Fact::EndRequested { place, .. } => {
            Subject::Channel(place.channel_key())
        }
        fact => match (fact.session(), fact.meeting()) {
            (Some(session), _) => {
                let mut rooms: Vec<RoomId> = session.room.iter().cloned().collect();
                rooms.extend(session.breakout_of.iter().cloned());
                rooms.extend(session.room.iter().filter_map(RoomId::breakout_parent));
                Subject::Session {
                    sid: session.sid.clone(),
                    rooms,
                }
            }
            (None, Some(meeting)) => Subject::Meeting(meeting),
            // Every fact names a place, a session or a meeting; the match in `Fact` holds it.
            (None, None) => Subject::Channel(String::new()),
        },
    }
}

/// Which of the `running` meetings of its channel a request is about. Every other fact names its meeting.
pub fn aim(event: &Event, running: &[&Meeting]) -> Aim {
    let nothing = Aim {
        number: choice::next_number(running),
        ..Aim::at(None)
    };
    match &event.fact {
        Fact::MeetingRequested {
            place,
            always_new: false,
            ..
        } => Aim {
            meeting: choice::offered(running, place, event.received_at).map(|meeting| meeting.id),
            ..nothing
        },
        // The person has read which one ends: no other may end instead.
        Fact::EndRequested {
            told: Some(told), ..
        } => match running.iter().find(|meeting| meeting.id == *told) {
            Some(meeting) => Aim::at(Some(meeting.id)),
            None => nothing,
        },
        Fact::EndRequested {
            place, by, words, ..
        } => match choice::to_end(running, place, &by.user_id, words) {
            EndChoice::One(meeting) => Aim::at(Some(meeting.id)),
            EndChoice::Nothing => nothing,
            EndChoice::Unclear(running) => Aim {
                saying: Saying::ChooseToEnd {
                    words: words.clone(),
                    running,
                },
                ..nothing
            },
        },
        _ => nothing,
    }
}

/// Decides what `event` does to the meeting that was loaded for it, the one that it aims at. The meeting is to be
/// written if it is `Some` in the answer.
pub fn decide(
    mut loaded: Option<Meeting>,
    aim: Aim,
    event: &Event,
    fresh: &Fresh,
    policy: &Policy,
    now: Timestamp,
) -> (Option<Meeting>, Applied) {
    let event = event.no_later_than(now);
    let event = event.as_ref();
    // Before the times of a clock that was ahead are put right: the card is written again with them.
    let shown = loaded.as_ref().map(Meeting::card_view);
    if let Some(meeting) = &mut loaded {
        meeting.no_later_than(now);
    }
    let none = |effect, tell| Applied {
        event: event.id,
        effect,
        meeting: None,
        publish: vec![],
        tell,
    };
    if matches!(event.fact, Fact::EndRequested { .. }) && now.since(event.received_at) > END_AGE_MAX
    {
        return (None, none(Effect::Applied, None));
    }
    let (mut meeting, before) = match (loaded, &event.fact) {
        (None, Fact::MeetingRequested { .. }) => {
            (facts::found(event, fresh, aim.number), Vec::new())
        }
        (None, Fact::EndRequested { by, via, .. }) => {
            let tell = tell(event.id, by, via, aim.saying);
            return (None, none(Effect::Applied, tell));
        }
        (None, _) => return (None, none(Effect::Foreign, None)),
        (Some(meeting), _) => {
            let before = owed(&meeting, &policy.schedule);
            (meeting, before)
        }
    };
    let tell = tell_dropped(&meeting, event);
    let is_new = meeting.requests.is_empty();
    let was_too_late = meeting.refused == Some(Refusal::TooLate);
    let was_running = meeting.state().is_running();
    let is_wake = facts::add(&mut meeting, event);
    let was_running = was_running || (was_too_late && came_in_time(&meeting));
    follow(&mut meeting, was_running, now);
    if is_new || shown.is_none_or(|shown| shown != meeting.card_view()) {
        meeting.version += 1;
        meeting.changed_at = event.received_at;
    }
    if !is_wake {
        meeting.wakes = 0;
    }
    let after = owed(&meeting, &policy.schedule);
    hooks::forget_hooks(&mut meeting, &after, now);
    meeting.wake_at = wake_at(&meeting, &after, policy, now);
    let horizon = now.plus(policy.publish_ahead);
    if meeting.published_until > horizon.plus(CLOCKS_DIFFER_BY) {
        // Written by a clock that was ahead.
        meeting.published_until = now;
    }
    // A job that was too far off when it became owed is published when it has come near enough.
    let was_published = |owed: &Owed| {
        let same = |b: &Owed| b.job == owed.job && b.due <= owed.due;
        before
            .iter()
            .any(|b| same(b) && b.due <= meeting.published_until)
    };
    let publish = after
        .into_iter()
        .filter(|owed| owed.due <= horizon)
        .filter(|owed| is_wake || !was_published(owed))
        .collect();
    meeting.published_until = horizon;
    let applied = Applied {
        event: event.id,
        effect: Effect::Applied,
        meeting: Some((meeting.id, meeting.round)),
        publish,
        tell,
    };
    (Some(meeting), applied)
}

/// What a doubled event says. `first` is the event that came first under its key. The very same event again is a
/// redelivery: it may have died after it was written and before it published, so whatever its meeting owes now is
/// published. Another event of the same key (a doubled webhook, a job done twice) publishes nothing: the first one
/// does, and doubles must not breed. `aim` is at what runs now, for an end that found no meeting.
pub fn repeat(
    loaded: Option<&Meeting>,
    aim: Aim,
    event: &Event,
    first: EventId,
    effect: Effect,
    policy: &Policy,
    now: Timestamp,
) -> Applied {
    let is_redelivered = first == event.id;
    let publish = loaded
        .filter(|_| is_redelivered)
        .map_or_else(Vec::new, |meeting| {
            let mut jobs = owed(meeting, &policy.schedule);
            jobs.retain(|owed| owed.due <= now.plus(policy.publish_ahead));
            jobs
        });
    let tell = match (&event.fact, loaded) {
        (Fact::EndRequested { by, via, .. }, None) if is_redelivered => {
            tell(event.id, by, via, aim.saying)
        }
        (_, Some(meeting)) if is_redelivered => tell_dropped(meeting, event),
        _ => None,
    };
    let meeting = loaded.map(|meeting| (meeting.id, meeting.round));
    Applied {
        event: event.id,
        effect,
        meeting,
        publish,
        tell,
    }
}

/// Its room was there in time, and only we were late: events waited while the store was away.
fn came_in_time(meeting: &Meeting) -> bool {
    meeting.newest_session().is_some_and(|session| {
        session.known_at.since(meeting.requested_at) <= meeting.rule.start_deadline
    })
}

/// What follows from the facts and the time, whatever the fact was.
fn follow(meeting: &mut Meeting, was_running: bool, now: Timestamp) {
    let is_late = now.since(meeting.requested_at) > meeting.rule.start_deadline;
    if meeting.state() == State::Creating && meeting.end.is_none() && is_late {
        meeting.refused = Some(Refusal::TooLate);
    }
    let is_alive = meeting
        .newest_session()
        .is_some_and(|session| !session.is_ended());
    if is_alive && !was_running {
        // A session that shows up on a meeting that is over, failed or cancelled: nobody can find it, so it is
        // ended, even if plugNmeet once said that there was nothing to end.
        giving_up::want_end(meeting, now);
        if let Some(end) = &mut meeting.end {
            end.gone = false;
        }
    }
    if meeting.newest_session().is_some() && !is_alive {
        meeting.end_known_at = Some(meeting.end_known_at.unwrap_or(now));
    }
}

/// When the sweep looks after the meeting: for published jobs after a pause that grows, for far ones when due.
fn wake_at(meeting: &Meeting, owed: &[Owed], policy: &Policy, now: Timestamp) -> Option<Timestamp> {
    let last = policy.wake_after.len().saturating_sub(1);
    let pause = policy
        .wake_after
        .get(last.min(meeting.wakes as usize))
        .copied()
        .unwrap_or(Duration::from_secs(600));
    let of_job = |owed: &Owed| {
        if owed.due <= now.plus(policy.publish_ahead) {
            owed.due.max(now).plus(pause)
        } else {
            owed.due
        }
    };
    let next = owed.iter().map(of_job).min();
    // Whoever waits for a room that does not come is told in time, even when nothing else is owed.
    let too_late = meeting.requested_at.plus(
        meeting
            .rule
            .start_deadline
            .saturating_add(Duration::from_secs(1)),
    );
    let is_waiting = meeting.state() == State::Creating && meeting.end.is_none();
    let too_late = Some(too_late).filter(|at| is_waiting && *at > now);
    next.into_iter().chain(too_late).min()
}

/// What a person is told whose end the meeting has no room for.
fn tell_dropped(meeting: &Meeting, event: &Event) -> Option<Reply> {
    match &event.fact {
        Fact::EndRequested { by, via, .. } if requests::is_dropped(meeting, by) => {
            tell(event.id, by, via, Saying::NoRoom)
        }
        _ => None,
    }
}

fn tell(event: EventId, by: &Person, via: &TriggerSource, saying: Saying) -> Option<Reply> {
    match via {
        TriggerSource::SlashCommand { hook: Some(hook) } => Some(Reply {
            request: event.into(),
            hook: hook.clone(),
            to: by.clone(),
            saying,
        }),
        TriggerSource::SlashCommand { hook: None } | TriggerSource::OutgoingWebhook { .. } => None,
    }
}

/// The meeting's conference server: today there is one.
fn conference() -> ServerName {
    ServerName::default_server()
}

/// A request as its event brings it.
fn request(
    event: &Event,
    by: &Person,
    via: &TriggerSource,
    purpose: RequestPurpose,
    told: Option<bool>,
) -> Request {
    Request {
        id: event.id.into(),
        by: by.clone(),
        via: via.clone(),
        received_at: event.received_at,
        purpose,
        told,
    }
}
