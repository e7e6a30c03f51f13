//! A store in memory: what the real one does around `decide`, and makers of events.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use crate::domain::apply::{
    Aim, Applied, Effect, Fresh, Policy, Subject, aim, decide, repeat, subject,
};
use crate::domain::event::SessionRef;
use crate::domain::meeting::CardView;
use crate::domain::owed::{Schedule, owed};
use crate::domain::{
    Conversation, ConversationKind, DeliveryMethod, EndSaid, Event, EventId, Fact, Meeting,
    MeetingId, Moderators, Origin, Owed, Person, Refusal, RequestId, ResponseHook, RoomId,
    RuleChoice, ServerName, Sid, State, Timestamp, TriggerSource,
};

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// Our clock, `seconds` after the tests' beginning.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_795_269_720 + seconds)
}

pub(super) fn policy() -> Policy {
    Policy {
        schedule: Schedule {
            delivery_method: DeliveryMethod::Posts,
            first_card_after: Duration::from_secs(2),
            end_again_after: Duration::from_secs(15),
            poll_first_after: MINUTE,
            poll_every: 2 * MINUTE,
            artifact_polls: [55, 120, 300].map(Duration::from_secs).into(),
        },
        publish_ahead: Duration::from_secs(10),
        wake_after: [1, 2, 4].map(|minutes| MINUTE * minutes).into(),
    }
}

/// A store, with the time at which it applies.
pub(super) struct Bench {
    pub(super) meetings: Vec<Meeting>,
    pub(super) now: Timestamp,
    seen: BTreeMap<Origin, EventId>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            meetings: Vec::new(),
            now: at(0),
            seen: BTreeMap::new(),
        }
    }

    /// A store in which `meeting(1)` was asked for at 0 by `ana`.
    pub(super) fn requested() -> Self {
        let mut bench = Self::new();
        bench.apply(&request(1, "ana", at(0)));
        bench
    }

    /// The same, with an open room and session `s1` since 1.
    pub(super) fn open() -> Self {
        let mut bench = Self::requested();
        bench.learn(created("s1", at(1)), at(1));
        bench
    }

    /// Applies a fact that came at `now`.
    pub(super) fn learn(&mut self, fact: Fact, now: Timestamp) -> Applied {
        self.now = now;
        self.apply(&event(fact, now))
    }

    /// Applies an event, or repeats what is owed if it came before.
    pub(super) fn apply(&mut self, event: &Event) -> Applied {
        self.now = self.now.max(event.received_at);
        let aim = self.aim(event);
        let loaded = self
            .meetings
            .iter()
            .find(|meeting| aim.meeting == Some(meeting.id))
            .cloned();
        if let Some(first) = self.seen.get(&event.origin) {
            let effect = Effect::Duplicate;
            return repeat(
                loaded.as_ref(),
                aim,
                event,
                *first,
                effect,
                &policy(),
                self.now,
            );
        }
        self.seen.insert(event.origin.clone(), event.id);
        let digit = u8::try_from(self.meetings.len()).unwrap();
        let fresh = Fresh { room: [digit; 13] };
        let (meeting, applied) = decide(loaded, aim, event, &fresh, &policy(), self.now);
        if let Some(meeting) = meeting {
            let known = self.meetings.iter_mut().find(|m| m.id == meeting.id);
            match known {
                Some(known) => *known = meeting,
                None => self.meetings.push(meeting),
            }
        }
        applied
    }

    fn aim(&self, event: &Event) -> Aim {
        let named = match &subject(&event.fact) {
            Subject::Channel(channel) => {
                let running = self.meetings.iter().filter(|meeting| {
                    meeting.place.channel_key() == *channel && meeting.state().is_running()
                });
                return aim(event, &running.collect::<Vec<_>>());
            }
            Subject::Meeting(id) => self.meetings.iter().find(|m| m.id == *id),
            Subject::Session { sid, rooms } => self
                .meetings
                .iter()
                .find(|m| {
                    m.breakouts.contains(sid)
                        || m.sessions.iter().any(|session| session.sid == *sid)
                })
                .or_else(|| {
                    rooms
                        .iter()
                        .find_map(|room| self.meetings.iter().find(|m| m.room == *room))
                }),
        };
        Aim::at(named.map(|meeting| meeting.id))
    }

    pub(super) fn meeting(&self) -> &Meeting {
        self.meetings.first().unwrap()
    }

    pub(super) fn state(&self) -> State {
        self.meeting().state()
    }

    pub(super) fn view(&self) -> CardView {
        self.meeting().card_view()
    }

    /// The keys of what the first meeting owes now, whenever due.
    pub(super) fn owes(&self) -> Vec<String> {
        keys(&owed(self.meeting(), &policy().schedule))
    }

    /// When a job of this key is due, in seconds after the tests' beginning.
    pub(super) fn due(&self, key: &str) -> i64 {
        let owed = owed(self.meeting(), &policy().schedule);
        let job = owed.iter().find(|owed| owed.job.key() == key).unwrap();
        (job.due.millis() - at(0).millis()) / 1000
    }
}

pub(super) fn keys(owed: &[Owed]) -> Vec<String> {
    owed.iter().map(|owed| owed.job.key()).collect()
}

/// An event that nobody sent before: its origin is made of its content.
pub(super) fn event(fact: Fact, received_at: Timestamp) -> Event {
    let origin = Origin::relay(format!("{received_at:?} {fact:?}"));
    event_from(fact, received_at, origin, 0)
}

fn event_from(fact: Fact, received_at: Timestamp, origin: Origin, number: u128) -> Event {
    Event {
        id: EventId::from_uuid(Uuid::from_u128(number)),
        origin,
        received_at,
        fact,
    }
}

pub(super) fn meeting(number: u128) -> MeetingId {
    MeetingId::from_uuid(Uuid::from_u128(number))
}

/// The id of the request that `request(number, ..)` and its kin make.
pub(super) fn request_id(number: u128) -> RequestId {
    EventId::from_uuid(Uuid::from_u128(number)).into()
}

pub(super) fn place() -> Conversation {
    Conversation {
        server: ServerName::default_server(),
        team: None,
        team_name: "eng".to_owned(),
        channel: "channel".parse().unwrap(),
        channel_name: "town-square".to_owned(),
        thread: None,
        kind: ConversationKind::Channel,
    }
}

pub(super) fn person(name: &str) -> Person {
    Person {
        user_id: format!("id-{name}").parse().unwrap(),
        user_name: name.to_owned(),
    }
}

pub(super) fn command() -> TriggerSource {
    TriggerSource::SlashCommand {
        hook: ResponseHook::parse("hook"),
    }
}

/// A start by `/plugnmeet start`, for `meeting(number)`.
pub(super) fn request(number: u128, by: &str, received_at: Timestamp) -> Event {
    start(number, by, received_at, false, place())
}

pub(super) fn start(
    number: u128,
    by: &str,
    received_at: Timestamp,
    always_new: bool,
    place: Conversation,
) -> Event {
    let rule = RuleChoice {
        title: "Weekly sync".to_owned(),
        title_source: None,
        moderators: Moderators::Everyone,
        start_deadline: 15 * MINUTE,
        notify: Default::default(),
    };
    let fact = Fact::MeetingRequested {
        meeting: meeting(number),
        place,
        by: person(by),
        via: command(),
        rule,
        always_new,
        told: None,
    };
    event_from(fact, received_at, Origin::relay(number), number)
}

/// `/plugnmeet end`, whose immediate answer named the first meeting.
pub(super) fn end(number: u128, by: &str, received_at: Timestamp) -> Event {
    let fact = Fact::EndRequested {
        place: place(),
        by: person(by),
        via: command(),
        words: String::new(),
        told: Some(meeting(1)),
    };
    event_from(fact, received_at, Origin::relay(number), number)
}

pub(super) fn created(sid: &str, created_at: Timestamp) -> Fact {
    Fact::RoomCreated {
        meeting: meeting(1),
        sid: sid.parse().unwrap(),
        created_at,
    }
}

pub(super) fn refused(meeting: MeetingId, reason: Refusal) -> Fact {
    Fact::RoomRefused {
        meeting,
        reason,
        for_now: false,
    }
}

pub(super) fn polled(sid: &Sid, ended: bool) -> Fact {
    Fact::RoomPolled {
        meeting: meeting(1),
        sid: sid.clone(),
        ended,
    }
}

/// The room of the bench's first meeting.
pub(super) fn room() -> RoomId {
    RoomId::from_digits([0; 13])
}

pub(super) fn session(sid: &str, said_at: Timestamp) -> SessionRef {
    SessionRef {
        sid: sid.parse().unwrap(),
        room: Some(room()),
        breakout_of: None,
        created_at: None,
        said_at,
    }
}

pub(super) fn joined(session: SessionRef, participant: &str, name: &str) -> Fact {
    Fact::PersonJoined {
        session,
        participant: participant.parse().unwrap(),
        identity: format!("user-{participant}").parse().unwrap(),
        name: name.to_owned(),
    }
}

pub(super) fn session_ended(sid: &str, ended_at: Timestamp) -> Fact {
    Fact::SessionEnded {
        session: session(sid, ended_at),
        said: EndSaid::SessionEnded,
        ended_at,
    }
}
