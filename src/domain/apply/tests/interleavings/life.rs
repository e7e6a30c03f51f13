//! The life of a meeting as the events that it makes, generated.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::domain::event::SessionRef;
use crate::domain::{ArtifactKind, Event, Fact, RoomId, Timestamp};

use super::facts::*;
use super::relay::{Relay, event};

/// When the first session ends, on plugNmeet's clock (seconds since its making).
pub(in crate::domain::apply::tests) const FIRST_END: i64 = 300;
/// When the second one is made and ends, if plugNmeet lost its state in between.
pub(in crate::domain::apply::tests) const SECOND: (i64, i64) = (330, 600);

/// One connection of somebody. Who connects twice rejoined.
#[derive(Debug, Clone)]
pub(in crate::domain::apply::tests) struct Visit {
    /// 0..6; the last two are a recorder and a telephone line.
    who: usize,
    from: i64,
    lasts: i64,
    is_named: bool,
    in_second: bool,
}

const IDENTITIES: [&str; 6] = [
    "u-ana",
    "u-bob",
    "g-cem",
    "g-dee",
    "RECORDER_BOT",
    "sip_491",
];
const NAMES: [&str; 6] = ["Ana", "Bob", "Cem", "Dee", "Recorder", "+491"];

#[derive(Debug, Clone)]
pub(in crate::domain::apply::tests) struct Life {
    pub(in crate::domain::apply::tests) visits: Vec<Visit>,
    recordings: u8,
    summaries: u8,
    breakouts: u8,
    polls: u8,
    pub(in crate::domain::apply::tests) has_second: bool,
    end_asked: bool,
    asked_again: bool,
    refused_first: bool,
}

/// Something that the relay itself guarantees to be known before an event: a job that reports a fact is owed only
/// because of another one. What plugNmeet and people send has no such order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::domain::apply::tests) enum Needs {
    Nothing,
    /// `PollRoom` names the newest session known.
    Session(String),
    /// `FetchArtifact` is owed once the artifact is known.
    Artifact(String),
    /// `EndRoom` is owed once somebody wants the end.
    EndWanted,
    /// `PollArtifacts` is owed once the end is known.
    End,
}

#[derive(Debug, Clone)]
pub(in crate::domain::apply::tests) struct Step {
    pub(in crate::domain::apply::tests) event: Event,
    pub(in crate::domain::apply::tests) needs: Needs,
    /// plugNmeet told it by a webhook, which may be lost; everything else is durable here before it is a fact.
    pub(in crate::domain::apply::tests) is_webhook: bool,
}

pub(in crate::domain::apply::tests) fn lives() -> impl Strategy<Value = Life> {
    let visit = (
        0..6_usize,
        0..200_i64,
        1..200_i64,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(who, from, lasts, is_named, in_second)| Visit {
            who,
            from,
            lasts,
            is_named,
            in_second,
        });
    let counts = (0..3_u8, 0..3_u8, 0..3_u8, 0..4_u8);
    let flags = any::<(bool, bool, bool, bool)>();
    (prop::collection::vec(visit, 0..7), counts, flags).prop_map(|(visits, counts, flags)| Life {
        visits,
        recordings: counts.0,
        summaries: counts.1,
        breakouts: counts.2,
        polls: counts.3,
        has_second: flags.0,
        end_asked: flags.1,
        asked_again: flags.2,
        refused_first: flags.3,
    })
}

impl Needs {
    pub(in crate::domain::apply::tests) fn are_met(&self, relay: &Relay) -> bool {
        let meeting = relay.meeting();
        match self {
            Self::Nothing => true,
            Self::Session(sid) => meeting.sessions.iter().any(|s| s.sid.as_str() == sid),
            Self::Artifact(id) => meeting.artifacts.keys().any(|known| known.as_str() == id),
            Self::EndWanted => meeting.end.is_some(),
            Self::End => meeting.end_known_at.is_some(),
        }
    }
}

impl Life {
    /// The session that ends last.
    pub(in crate::domain::apply::tests) fn last_session(&self) -> &'static str {
        if self.has_second { "B" } else { "A" }
    }

    /// When the meeting ended, on plugNmeet's clock.
    pub(in crate::domain::apply::tests) fn ended_at(&self) -> Timestamp {
        peer(if self.has_second { SECOND.1 } else { FIRST_END })
    }

    /// Everybody (no bots) with the name that they showed, by identity: all that a card may name.
    pub(in crate::domain::apply::tests) fn people(&self) -> BTreeMap<&'static str, &'static str> {
        self.visits
            .iter()
            .filter(|visit| visit.who < 4)
            .map(|visit| (IDENTITIES[visit.who], NAMES[visit.who]))
            .collect()
    }

    pub(in crate::domain::apply::tests) fn recordings(&self) -> usize {
        self.recordings.into()
    }

    pub(in crate::domain::apply::tests) fn summaries(&self) -> usize {
        self.summaries.into()
    }

    /// Every event of it, in the order of time; the first is the request.
    pub(in crate::domain::apply::tests) fn steps(&self) -> Vec<Step> {
        let mut script = Script::default();
        script.own(-2, requested());
        self.begin(&mut script);
        for (number, visit) in self.visits.iter().enumerate() {
            self.visit(&mut script, number, visit);
        }
        self.record(&mut script);
        self.break_out(&mut script);
        self.ask(&mut script);
        self.end(&mut script);
        script.steps
    }

    fn begin(&self, script: &mut Script) {
        if self.refused_first {
            // Replayed by an administrator after it had been given up.
            let refused = Fact::RoomRefused {
                meeting: meeting_id(1),
                reason: crate::domain::Refusal::GaveUp,
                for_now: false,
            };
            script.own(-1, refused);
        }
        script.own(0, room_created("A", 0));
        script.webhook(0, seen("A", Some(0), 0));
        script.webhook(1, seen("A", None, 1));
        if self.has_second {
            script.own(SECOND.0, room_created("B", SECOND.0));
            script.webhook(SECOND.0, seen("B", Some(SECOND.0), SECOND.0));
            script.webhook(SECOND.0 + 1, seen("B", None, SECOND.0 + 1));
        }
    }

    fn visit(&self, script: &mut Script, number: usize, visit: &Visit) {
        let is_second = visit.in_second && self.has_second;
        let (sid, begin, end) = if is_second {
            ("B", SECOND.0, SECOND.1)
        } else {
            ("A", 0, FIRST_END)
        };
        let from = begin + 2 + visit.from;
        let until = from + visit.lasts;
        let name = if visit.is_named { NAMES[visit.who] } else { "" };
        let (connection, who) = (format!("PA_{number}"), IDENTITIES[visit.who]);
        script.webhook(from, joined(sid, &connection, who, name, from));
        if until < end {
            script.webhook(until, left(sid, &connection, who, name, until));
        }
    }

    fn record(&self, script: &mut Script) {
        for number in 0..self.recordings {
            let (id, from) = (format!("rec-{number}"), 20 + i64::from(number));
            script.webhook(from, recording("A", &id, true, from));
            script.webhook(from + 50, recording("A", &id, false, from + 50));
            let ready = artifact("A", &id, ArtifactKind::Recording, 400);
            script.webhook(400, ready.clone());
            // Found by asking, too: another event about the same recording, and never lost.
            script.own(700, ready);
        }
        for number in 0..self.summaries {
            let id = format!("sum-{number}");
            let found = artifact("A", &id, ArtifactKind::Summary, 420);
            script.webhook(420, found.clone());
            script.own(701, found);
            script.after(Needs::Artifact(id.clone()), 702, summary_read(&id));
            let transcript = format!("txt-{number}");
            let found = artifact("A", &transcript, ArtifactKind::Transcript, 421);
            script.webhook(421, found);
        }
    }

    fn break_out(&self, script: &mut Script) {
        for number in 0..self.breakouts {
            let sid = format!("breakout-{number}");
            let of = |said: i64, names_parent: bool| SessionRef {
                sid: sid.parse().unwrap(),
                room: Some(format!("{}-{number}", room()).parse::<RoomId>().unwrap()),
                breakout_of: names_parent.then(room),
                created_at: None,
                said_at: peer(said),
            };
            script.webhook(
                50,
                Fact::SessionSeen {
                    session: of(50, true),
                },
            );
            script.webhook(
                55,
                Fact::PersonJoined {
                    session: of(55, false),
                    participant: format!("PB_{number}").parse().unwrap(),
                    identity: "u-zoe".parse().unwrap(),
                    name: "Zoe".to_owned(),
                },
            );
            script.webhook(
                90,
                Fact::SessionEnded {
                    session: of(90, true),
                    said: crate::domain::EndSaid::RoomFinished,
                    ended_at: peer(90),
                },
            );
            let alone = SessionRef {
                room: None,
                ..of(430, false)
            };
            script.webhook(
                430,
                Fact::ArtifactCreated {
                    session: alone,
                    artifact: format!("breakout-rec-{number}").parse().unwrap(),
                    kind: ArtifactKind::Recording,
                },
            );
        }
    }

    /// What people and the relay's own clockwork ask while it runs.
    fn ask(&self, script: &mut Script) {
        for number in 0..self.polls {
            let needs = Needs::Session("A".to_owned());
            script.after(needs, 60 + 120 * i64::from(number), polled("A", false));
        }
        if self.asked_again {
            script.own(30, requested_by(2, "bob"));
        }
        if self.end_asked {
            script.own(250, end_requested("ana"));
            script.after(Needs::EndWanted, 251, end_tried(false));
        }
        let early = Fact::Woken {
            meeting: meeting_id(1),
            round: 0,
        };
        script.own(120, early);
    }

    fn end(&self, script: &mut Script) {
        script.webhook(FIRST_END, session_ended("A", 0, FIRST_END));
        script.webhook(FIRST_END + 1, room_finished("A", FIRST_END + 1));
        // Told again under another id, and with a later time: the earliest one stands.
        script.webhook(FIRST_END + 7, session_ended("A", 0, FIRST_END + 7));
        let (mut end, last) = (FIRST_END, self.last_session());
        if self.has_second {
            end = SECOND.1;
            script.webhook(end, session_ended("B", SECOND.0, end));
            script.webhook(end + 7, session_ended("B", SECOND.0, end + 7));
            script.webhook(end + 1, room_finished("B", end + 1));
        }
        script.after(
            Needs::Session(last.to_owned()),
            end + 60,
            polled(last, true),
        );
        script.after(
            Needs::Session(last.to_owned()),
            end + 70,
            polled(last, true),
        );
        for step in 0..3 {
            let at = end + 200 + i64::from(step);
            script.after(Needs::End, at, artifacts_polled(step));
        }
    }
}

fn seen(sid: &str, created: Option<i64>, said: i64) -> Fact {
    let session = match created {
        Some(created) => session_of(sid, created, said),
        None => session(sid, said),
    };
    Fact::SessionSeen { session }
}

#[derive(Default)]
struct Script {
    steps: Vec<Step>,
}

impl Script {
    fn webhook(&mut self, seconds: i64, fact: Fact) {
        self.push(seconds, fact, Needs::Nothing, true);
    }

    fn own(&mut self, seconds: i64, fact: Fact) {
        self.push(seconds, fact, Needs::Nothing, false);
    }

    fn after(&mut self, needs: Needs, seconds: i64, fact: Fact) {
        self.push(seconds, fact, needs, false);
    }

    fn push(&mut self, seconds: i64, fact: Fact, needs: Needs, is_webhook: bool) {
        // The first room is made, on our clock, two seconds after the request.
        let event = event(self.steps.len() as u128, seconds + 2, fact);
        self.steps.push(Step {
            event,
            needs,
            is_webhook,
        });
        self.steps.sort_by_key(|step| step.event.received_at);
    }
}
