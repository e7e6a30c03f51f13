//! How an event changes a meeting. The store loads what [`subject`] names, calls [`decide`], and writes the result,
//! all in one transaction. Nothing else ever changes a meeting.

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

/// A request to end a meeting is ignored when it is older than this. It may be a copy of a message whose dedup key was
/// already deleted.
const END_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// The settings of apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// When jobs are due.
    pub schedule: Schedule,
    /// A job that is due later than this is not published yet: its meeting is woken in time.
    pub publish_ahead: Duration,
    /// How long the sweep waits for published jobs before it wakes the meeting, for each time in a row. The last value
    /// repeats.
    pub wake_after: Arc<[Duration]>,
}

/// Random values, which apply must not draw itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fresh {
    /// 13 random base32 digits for a room id.
    pub room: [u8; 13],
}

/// What must be loaded before a fact can be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The newest [`choice::CANDIDATES_MAX`] running meetings of this channel and its threads
    /// (`Conversation::channel_key`). [`aim`] chooses one of them.
    Channel(String),
    /// This meeting.
    Meeting(MeetingId),
    /// The meeting that has this session, or a breakout room with this session. Without one, the meeting of the first
    /// of these rooms that belongs to a meeting.
    Session {
        /// The session.
        sid: Sid,
        /// The room of the event, then the rooms of which it may be a breakout room.
        rooms: Vec<RoomId>,
    },
}

/// The meeting that a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    /// The running meeting that the request changes, if there is one.
    pub meeting: Option<MeetingId>,
    /// The number of the meeting that the request creates, within its channel.
    number: u32,
    /// The answer to the person if the request changes no meeting.
    saying: Saying,
}

impl Aim {
    /// The aim at the one meeting that the fact names, if the store has it.
    pub const fn at(meeting: Option<MeetingId>) -> Self {
        Self {
            meeting,
            number: 0,
            saying: Saying::NothingToEnd,
        }
    }
}

/// The result of applying an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It changed its meeting, or contained nothing new about it.
    Applied,
    /// It was applied before.
    Duplicate,
    /// Another event with the same dedup key and another content was applied before. The first one counts.
    Conflict,
    /// It belongs to no meeting of the relay.
    Foreign,
}

impl Effect {
    /// The word in the store, and in texts for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Foreign => "foreign",
        }
    }
}

/// The result of one event. Its jobs are published before the event is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The event.
    pub event: EventId,
    /// The result.
    pub effect: Effect,
    /// The meeting of the event, and its round.
    pub meeting: Option<(MeetingId, u32)>,
    /// The jobs to publish, with their due times.
    pub publish: Vec<Owed>,
    /// A reply to a person that belongs to no meeting.
    pub tell: Option<Reply>,
}

/// A reply to a person that belongs to no meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The request that it answers.
    pub request: RequestId,
    /// The response URL through which it is sent.
    pub hook: ResponseHook,
    /// The person who asked.
    pub to: Person,
    /// The content.
    pub saying: Saying,
}

/// The content of a reply without a meeting. Its serde form is part of the form of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Saying {
    /// No meeting is running in the conversation, so none can be ended.
    NothingToEnd,
    /// The meeting that the person wants to end cannot keep another request.
    NoRoom,
    /// Several meetings could be meant, or none has that title. These are running.
    ChooseToEnd {
        /// The title or number that the person wrote; may be empty.
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
            // Every fact names a conversation, a session or a meeting; the match in `Fact` ensures it.
            (None, None) => Subject::Channel(String::new()),
        },
    }
}

/// Chooses which of the `running` meetings of its channel a request is about. Every other fact names its meeting.
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
        // The person was told which meeting ends, so no other one may end instead.
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

/// Decides what `event` does to the meeting that was loaded for it. The meeting must be written if it is `Some` in the
/// answer.
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
    // This is compared before times of a clock that was ahead are corrected, so that the card is written again with the
    // corrected times.
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
        // The meeting was written under a clock that was ahead.
        meeting.published_until = now;
    }
    // A job that was due too late to be published when it became owed is published once it is due soon enough.
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

/// The result of a duplicate. `first` is the event that was applied under its dedup key. If it is the very same event,
/// it was redelivered: the process may have ended after the event was written and before its jobs were published, so
/// the jobs that its meeting owes now are published. Another event with the same key (a repeated webhook, a job that
/// was done twice) publishes nothing, because the first one does and duplicates must not multiply. `aim` is at the
/// meetings that run now, for a request to end that found no meeting.
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

/// Whether the room was created in time and only the relay was late, because events waited for an unavailable store.
fn came_in_time(meeting: &Meeting) -> bool {
    meeting.newest_session().is_some_and(|session| {
        session.known_at.since(meeting.requested_at) <= meeting.rule.start_deadline
    })
}

/// Applies what follows from the facts and the time, whatever the new fact is.
fn follow(meeting: &mut Meeting, was_running: bool, now: Timestamp) {
    let is_late = now.since(meeting.requested_at) > meeting.rule.start_deadline;
    if meeting.state() == State::Creating && meeting.end.is_none() && is_late {
        meeting.refused = Some(Refusal::TooLate);
    }
    let is_alive = meeting
        .newest_session()
        .is_some_and(|session| !session.is_ended());
    if is_alive && !was_running {
        // A session appears on a meeting that is over, failed or cancelled. Nobody can find it, so it is ended, even if
        // plugNmeet once answered that there was nothing to end.
        giving_up::want_end(meeting, now);
        if let Some(end) = &mut meeting.end {
            end.gone = false;
        }
    }
    if meeting.newest_session().is_some() && !is_alive {
        meeting.end_known_at = Some(meeting.end_known_at.unwrap_or(now));
    }
}

/// When the sweep wakes the meeting: for published jobs after a pause that grows, for later jobs when they are due.
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
    // A person who waits for a room that is never created gets an answer in time, even if nothing else is owed.
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

/// The reply to a person whose request to end the meeting cannot be kept.
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

/// The conference server of the meeting. Today there is only one.
fn conference() -> ServerName {
    ServerName::default_server()
}

/// The request of an event.
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
