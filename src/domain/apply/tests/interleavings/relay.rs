//! A relay without queues and peers: what the store does around `decide`, in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use crate::domain::apply::{
    Aim, Applied, Effect, Fresh, Policy, Subject, aim, decide, repeat, subject,
};
use crate::domain::meeting::CardView;
use crate::domain::owed::{Schedule, owed};
use crate::domain::{
    DeliveryMethod, Event, EventId, Fact, Job, Meeting, MeetingId, Origin, Owed, PostId, PostKey,
    PostRow, State, Timestamp,
};

/// Our clock's zero of these tests.
const OURS: i64 = 1_700_000_000;

/// `seconds` after the first request, on our clock.
pub(in crate::domain::apply::tests) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(OURS + seconds)
}

pub(in crate::domain::apply::tests) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(in crate::domain::apply::tests) const fn mins(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// The defaults of the configuration.
pub(in crate::domain::apply::tests) fn policy() -> Policy {
    Policy {
        schedule: Schedule {
            delivery_method: DeliveryMethod::Posts,
            first_card_after: secs(2),
            end_again_after: secs(15),
            poll_first_after: mins(1),
            poll_every: mins(2),
            artifact_polls: [secs(55), mins(2), mins(5), mins(15), mins(60), mins(360)].into(),
        },
        publish_ahead: mins(10),
        wake_after: [1, 2, 4, 8, 10].map(mins).into(),
    }
}

pub(in crate::domain::apply::tests) struct Relay {
    pub(in crate::domain::apply::tests) policy: Policy,
    /// Our clock.
    pub(in crate::domain::apply::tests) now: Timestamp,
    pub(in crate::domain::apply::tests) meetings: BTreeMap<MeetingId, Meeting>,
    seen: BTreeMap<Origin, EventId>,
    serial: u128,
}

impl Relay {
    pub(in crate::domain::apply::tests) fn new() -> Self {
        Self {
            policy: policy(),
            now: at(0),
            meetings: BTreeMap::new(),
            seen: BTreeMap::new(),
            serial: 1000,
        }
    }

    /// A relay with one requested meeting.
    pub(in crate::domain::apply::tests) fn started() -> Self {
        let mut relay = Self::new();
        relay.tell(0, super::facts::requested());
        relay
    }

    /// A relay whose meeting has a room, made two seconds after the request.
    pub(in crate::domain::apply::tests) fn opened() -> Self {
        let mut relay = Self::started();
        relay.tell(2, super::facts::room_created("A", 0));
        relay
    }

    /// Applies a new fact, received and applied at `seconds`.
    pub(in crate::domain::apply::tests) fn tell(&mut self, seconds: i64, fact: Fact) -> Applied {
        self.serial += 1;
        self.now = at(seconds);
        let event = event(self.serial, seconds, fact);
        self.apply(&event)
    }

    /// Applies an event as a store does: dedup by origin, load by subject, decide, keep.
    pub(in crate::domain::apply::tests) fn apply(&mut self, event: &Event) -> Applied {
        let aim = self.aim(event);
        let loaded = aim.meeting.and_then(|id| self.meetings.get(&id)).cloned();
        if let Some(first) = self.seen.get(&event.origin) {
            return repeat(
                loaded.as_ref(),
                aim,
                event,
                *first,
                Effect::Duplicate,
                &self.policy,
                self.now,
            );
        }
        self.seen.insert(event.origin.clone(), event.id);
        let digit = u8::try_from(self.meetings.len()).unwrap();
        let fresh = Fresh { room: [digit; 13] };
        let (meeting, applied) = decide(loaded, aim, event, &fresh, &self.policy, self.now);
        if let Some(meeting) = meeting {
            self.meetings.insert(meeting.id, meeting);
        }
        applied
    }

    fn aim(&self, event: &Event) -> Aim {
        let all = || self.meetings.values();
        let named = match &subject(&event.fact) {
            Subject::Channel(channel) => {
                let running = all()
                    .filter(|m| m.place.channel_key() == *channel && m.state().is_running())
                    .collect::<Vec<_>>();
                return aim(event, &running);
            }
            Subject::Meeting(id) => self.meetings.get(id),
            Subject::Session { sid, rooms } => all()
                .find(|m| m.breakouts.contains(sid) || m.sessions.iter().any(|s| s.sid == *sid))
                .or_else(|| {
                    rooms
                        .iter()
                        .find_map(|room| all().find(|m| m.room == *room))
                }),
        };
        Aim::at(named.map(|meeting| meeting.id))
    }

    /// The first meeting.
    pub(in crate::domain::apply::tests) fn meeting(&self) -> &Meeting {
        &self.meetings[&super::facts::meeting_id(1)]
    }

    pub(in crate::domain::apply::tests) fn meeting_mut(&mut self) -> &mut Meeting {
        self.meetings.get_mut(&super::facts::meeting_id(1)).unwrap()
    }

    pub(in crate::domain::apply::tests) fn state(&self) -> State {
        self.meeting().state()
    }

    pub(in crate::domain::apply::tests) fn view(&self) -> CardView {
        self.meeting().card_view()
    }

    pub(in crate::domain::apply::tests) fn owed(&self) -> Vec<Owed> {
        owed(self.meeting(), &self.policy.schedule)
    }

    /// When the first meeting's job of this kind is due, in seconds of our clock.
    pub(in crate::domain::apply::tests) fn due(&self, kind: &str) -> Option<i64> {
        self.owed()
            .iter()
            .find(|owed| owed.job.kind() == kind)
            .map(|owed| owed.due.millis() / 1000 - OURS)
    }

    pub(in crate::domain::apply::tests) fn owes(&self, kind: &str) -> bool {
        self.due(kind).is_some()
    }

    /// The chat worker has brought the card up to date.
    pub(in crate::domain::apply::tests) fn show_card(&mut self) {
        let version = self.meeting().version;
        let card = self.card();
        card.rendered = version;
        card.post = Some("card".parse::<PostId>().unwrap());
    }

    pub(in crate::domain::apply::tests) fn card(&mut self) -> &mut PostRow {
        self.meeting_mut().posts.entry(PostKey::Card).or_default()
    }
}

/// An event received at `seconds` whose id and dedup key are `serial`.
pub(in crate::domain::apply::tests) fn event(serial: u128, seconds: i64, fact: Fact) -> Event {
    Event {
        id: EventId::from_uuid(Uuid::from_u128(serial)),
        origin: Origin::relay(serial),
        received_at: at(seconds),
        fact,
    }
}

pub(in crate::domain::apply::tests) fn published(applied: &Applied, job: &Job) -> bool {
    applied.publish.iter().any(|owed| owed.job == *job)
}
