//! A meeting's life, drawn: what a request, plugNmeet and our own jobs say of it, and what is true.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use crate::domain::event::SessionRef;
use crate::domain::{ArtifactId, ArtifactKind, EndSaid, Event, Fact, RoomId, Timestamp};

use super::bench::{at, created, event, meeting, polled, request, room, session};

/// One meeting.
#[derive(Debug, Clone)]
pub(super) struct Life {
    /// Asks for it; always first.
    pub(super) request: Event,
    /// The answer to our create.
    pub(super) answer: Event,
    /// What plugNmeet says, in its order.
    pub(super) told: Vec<Event>,
    /// What our other jobs learn.
    pub(super) learned: Vec<Event>,
    /// What a card may say.
    pub(super) truth: Truth,
}

/// What a card may say.
#[derive(Debug, Clone)]
pub(super) struct Truth {
    /// The making of the first session, on plugNmeet's clock.
    pub(super) started_at: Timestamp,
    /// The last session's end, on our clock.
    pub(super) over_at: Timestamp,
    /// From the first making to the last end.
    pub(super) length: Duration,
    /// Names of people (not of bots, not of breakout rooms), early and late; "Guest" for those without.
    pub(super) names: BTreeSet<String>,
    /// Identities of people.
    pub(super) people: BTreeSet<String>,
    /// Ends that plugNmeet tells, on its clock.
    pub(super) ends: BTreeSet<Timestamp>,
    /// Recordings and summaries that it leaves.
    pub(super) artifacts: [usize; 2],
}

/// One connection: which of the user ids, whether with a name, when, how long.
#[derive(Debug, Clone)]
struct Connection {
    identity: usize,
    named: bool,
    joins: i64,
    stays: i64,
}

const IDENTITIES: [&str; 8] = [
    "u-ana",
    "u-bob",
    "u-carol",
    "g-dan",
    "RECORDER_BOT",
    "RTMP_BOT",
    "pnm_agent-1",
    "sip_1",
];
const PEOPLE: usize = 4;
const KINDS: [ArtifactKind; 4] = [
    ArtifactKind::Recording,
    ArtifactKind::Summary,
    ArtifactKind::Transcript,
    ArtifactKind::Analytics,
];

pub(super) fn life(is_over: bool) -> impl Strategy<Value = Life> {
    let connection = (0..IDENTITIES.len(), any::<bool>(), 5_i64..500, 0_i64..500).prop_map(
        |(identity, named, joins, stays)| Connection {
            identity,
            named,
            joins,
            stays,
        },
    );
    (
        -7200_i64..7200,
        600_i64..4000,
        prop::collection::vec(connection, 0..6),
        prop::collection::vec(0..KINDS.len(), 0..4),
        prop::option::of(any::<bool>()),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            move |(skew, length, connections, kinds, recording, breakout, twice)| {
                Draft {
                    skew,
                    length,
                    is_over,
                    has_second: twice && is_over,
                    told: Vec::new(),
                }
                .live(&connections, &kinds, recording, breakout)
            },
        )
}

struct Draft {
    /// plugNmeet's clock minus ours.
    skew: i64,
    length: i64,
    is_over: bool,
    /// plugNmeet loses its state half-way and makes the room anew, as session `s2`.
    has_second: bool,
    told: Vec<Event>,
}

impl Draft {
    fn live(
        mut self,
        connections: &[Connection],
        kinds: &[usize],
        recording: Option<bool>,
        breakout: bool,
    ) -> Life {
        let half = self.length / 2;
        self.session_seen("s1", 1, room());
        if self.has_second {
            // LiveKit still knows that its room went away, plugNmeet does not.
            self.ended("s1", half - 1, 1, EndSaid::RoomFinished);
            self.session_seen("s2", half, room());
        }
        for (number, connection) in connections.iter().enumerate() {
            self.connection(number, connection);
        }
        if let Some(is_stopped) = recording {
            self.switched(20, true);
            if is_stopped {
                self.switched(60, false);
            }
        }
        if breakout {
            self.breakout();
        }
        if self.is_over {
            let last = self.last();
            self.ended(
                last,
                self.length,
                if self.has_second { half } else { 1 },
                EndSaid::SessionEnded,
            );
            self.ended(last, self.length + 1, 0, EndSaid::RoomFinished);
            // Said again under another id, with another time: the earlier one stands.
            let created = if self.has_second { half } else { 1 };
            self.ended(last, self.length + 2, created, EndSaid::SessionEnded);
        }
        let learned = self.artifacts_and_polls(kinds);
        let answer = event(created("s1", self.pn(1)), at(2));
        let truth = self.truth(connections, kinds);
        let mut request = request(1, "ana", at(0));
        if let Fact::MeetingRequested { rule, .. } = &mut request.fact {
            // An answer that comes after an artifact is late in no other sense.
            rule.start_deadline = Duration::from_secs(24 * 60 * 60);
        }
        Life {
            request,
            answer,
            told: self.told,
            learned,
            truth,
        }
    }

    fn pn(&self, seconds: i64) -> Timestamp {
        at(seconds + self.skew)
    }

    fn last(&self) -> &'static str {
        if self.has_second { "s2" } else { "s1" }
    }

    /// plugNmeet says something `seconds` after the request; it arrives a second later.
    fn tell(&mut self, seconds: i64, fact: Fact) {
        self.told.push(event(fact, at(seconds + 1)));
    }

    fn of(&self, sid: &str, seconds: i64) -> SessionRef {
        session(sid, self.pn(seconds))
    }

    fn session_seen(&mut self, sid: &str, seconds: i64, room: RoomId) {
        let seen = SessionRef {
            room: Some(room),
            ..self.of(sid, seconds)
        };
        let created = SessionRef {
            created_at: Some(self.pn(seconds)),
            ..seen.clone()
        };
        self.tell(seconds, Fact::SessionSeen { session: created });
        self.tell(seconds + 1, Fact::SessionSeen { session: seen });
    }

    fn ended(&mut self, sid: &str, seconds: i64, created: i64, said: EndSaid) {
        let mut session = self.of(sid, seconds);
        if said == EndSaid::SessionEnded {
            session.created_at = Some(self.pn(created));
        }
        let ended_at = self.pn(seconds);
        self.tell(
            seconds,
            Fact::SessionEnded {
                session,
                said,
                ended_at,
            },
        );
    }

    fn connection(&mut self, number: usize, connection: &Connection) {
        let sid = if self.has_second && connection.joins > self.length / 2 {
            "s2"
        } else {
            "s1"
        };
        let identity = IDENTITIES[connection.identity].parse().unwrap();
        let participant = format!("PA_{number}").parse().unwrap();
        let name = self.name(connection);
        let joins = connection.joins.min(self.length - 1);
        let session = self.of(sid, joins);
        self.tell(
            joins,
            Fact::PersonJoined {
                session,
                participant,
                identity,
                name,
            },
        );
        let leaves = joins + connection.stays;
        if self.is_over || leaves < self.length {
            let leaves = leaves.min(self.length + 1);
            let session = self.of(sid, leaves);
            let identity = IDENTITIES[connection.identity].parse().unwrap();
            let participant = format!("PA_{number}").parse().unwrap();
            let name = self.later_name(connection);
            self.tell(
                leaves,
                Fact::PersonLeft {
                    session,
                    participant,
                    identity,
                    name,
                    never_joined: false,
                },
            );
        }
    }

    fn name(&self, connection: &Connection) -> String {
        if connection.named {
            format!("Name of {}", IDENTITIES[connection.identity])
        } else {
            String::new()
        }
    }

    /// People rename themselves; of two names of one connection the smaller one stands.
    fn later_name(&self, connection: &Connection) -> String {
        let name = self.name(connection);
        if name.is_empty() {
            name
        } else {
            format!("{name} (away)")
        }
    }

    fn switched(&mut self, seconds: i64, on: bool) {
        let session = self.of("s1", seconds);
        let record = "rec-0".parse().unwrap();
        self.tell(
            seconds,
            Fact::RecordingSwitched {
                session,
                record,
                on,
            },
        );
    }

    /// A breakout room with a visitor who was nowhere else, and an artifact of its own.
    fn breakout(&mut self) {
        let its_room: RoomId = format!("{}-1", room()).parse().unwrap();
        self.session_seen("b1", 30, its_room.clone());
        let session = SessionRef {
            room: Some(its_room.clone()),
            breakout_of: Some(room()),
            ..self.of("b1", 31)
        };
        let (participant, identity) = ("PA_b".parse().unwrap(), "u-breakout".parse().unwrap());
        let name = "Only in the breakout room".to_owned();
        self.tell(
            31,
            Fact::PersonJoined {
                session: session.clone(),
                participant,
                identity,
                name,
            },
        );
        // Its later events name no parent any more.
        let session = SessionRef {
            breakout_of: None,
            ..session
        };
        let (artifact, kind) = ("art-breakout".parse().unwrap(), ArtifactKind::Recording);
        self.tell(
            33,
            Fact::ArtifactCreated {
                session: session.clone(),
                artifact,
                kind,
            },
        );
        let (said, ended_at) = (EndSaid::SessionEnded, session.said_at);
        self.tell(
            34,
            Fact::SessionEnded {
                session,
                said,
                ended_at,
            },
        );
    }

    fn artifacts_and_polls(&mut self, kinds: &[usize]) -> Vec<Event> {
        let mut learned = Vec::new();
        let last = self.last();
        for (number, kind) in kinds.iter().enumerate() {
            let seconds = self.length + 60 + i64::try_from(number).unwrap();
            let artifact: ArtifactId = format!("art-{number}").parse().unwrap();
            let (session, kind) = (self.of(last, seconds), KINDS[*kind]);
            let told = Fact::ArtifactCreated {
                session,
                artifact: artifact.clone(),
                kind,
            };
            // Found by asking as well, under another key.
            learned.push(event(told.clone(), at(seconds + 120)));
            self.tell(seconds, told);
            if kind == ArtifactKind::Summary {
                let (meeting, text) = (meeting(1), "text".to_owned());
                let read = Fact::SummaryRead {
                    meeting,
                    artifact,
                    text,
                };
                learned.push(event(read, at(seconds + 10)));
            }
        }
        let sid = last.parse().unwrap();
        learned.push(event(polled(&"s1".parse().unwrap(), false), at(62)));
        if self.is_over {
            learned.push(event(polled(&sid, true), at(self.length + 100)));
            learned.push(event(polled(&sid, true), at(self.length + 200)));
            let (meeting, step) = (meeting(1), 0);
            learned.push(event(
                Fact::ArtifactsPolled { meeting, step },
                at(self.length + 300),
            ));
        }
        learned
    }

    fn truth(&self, connections: &[Connection], kinds: &[usize]) -> Truth {
        let people = || {
            connections
                .iter()
                .filter(|connection| connection.identity < PEOPLE)
        };
        let names = people().flat_map(|connection| {
            let names = [self.name(connection), self.later_name(connection)];
            names.map(|name| {
                if name.is_empty() {
                    "Guest".to_owned()
                } else {
                    name
                }
            })
        });
        let count = |kind| kinds.iter().filter(|k| KINDS[**k] == kind).count();
        Truth {
            started_at: self.pn(1),
            over_at: at(self.length),
            length: Duration::from_secs(u64::try_from(self.length).unwrap()),
            names: names.collect(),
            people: people()
                .map(|c| IDENTITIES[c.identity].to_owned())
                .collect(),
            ends: [
                self.length / 2 - 1,
                self.length,
                self.length + 1,
                self.length + 2,
            ]
            .map(|s| self.pn(s))
            .into(),
            artifacts: [count(ArtifactKind::Recording), count(ArtifactKind::Summary)],
        }
    }
}
