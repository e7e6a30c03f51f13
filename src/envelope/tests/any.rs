//! Strategies for any envelope. The parts are boxed, because as one type they would not fit on a test's stack.

use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use crate::domain::apply::{Reply, Saying};
use crate::domain::choice::Candidate;
use crate::domain::event::SessionRef;
use crate::domain::{
    ArtifactId, ArtifactKind, Conversation, ConversationKind, EndSaid, Event, EventId, Fact, Job,
    JobId, MeetingId, Moderators, Notice, Origin, Person, PostKey, Refusal, RequestId,
    ResponseHook, RuleChoice, Timestamp, TriggerSource,
};
use crate::ports::{Body, Envelope};

fn peer_id<T: TryFrom<String> + std::fmt::Debug>() -> impl Strategy<Value = T> + Clone
where
    T::Error: std::fmt::Debug,
{
    "[A-Za-z0-9_.:-]{1,40}".prop_map(|text| T::try_from(text).unwrap())
}

fn uuid() -> impl Strategy<Value = Uuid> + Clone {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn meeting() -> impl Strategy<Value = MeetingId> + Clone {
    uuid().prop_map(MeetingId::from_uuid)
}

fn request() -> impl Strategy<Value = RequestId> + Clone {
    uuid().prop_map(RequestId::from_uuid)
}

fn time() -> impl Strategy<Value = Timestamp> + Clone {
    any::<i64>().prop_map(Timestamp::from_millis)
}

fn hook() -> impl Strategy<Value = ResponseHook> + Clone {
    "[a-z0-9]{1,64}".prop_map(|id| ResponseHook::parse(&id).unwrap())
}

fn person() -> impl Strategy<Value = Person> + Clone {
    (peer_id(), any::<String>()).prop_map(|(user_id, user_name)| Person { user_id, user_name })
}

fn via() -> BoxedStrategy<TriggerSource> {
    prop_oneof![
        (peer_id(), any::<bool>(), any::<bool>()).prop_map(|(post, caught_up, placed)| {
            TriggerSource::OutgoingWebhook {
                post,
                caught_up,
                placed,
            }
        }),
        proptest::option::of(hook()).prop_map(|hook| TriggerSource::SlashCommand { hook }),
    ]
    .boxed()
}

fn place() -> BoxedStrategy<Conversation> {
    let names = (any::<String>(), any::<String>());
    let options = (
        proptest::option::of(peer_id()),
        proptest::option::of(peer_id()),
    );
    (peer_id(), peer_id(), names, options, any::<bool>())
        .prop_map(
            |(server, channel, (team_name, channel_name), (team, thread), is_direct)| {
                Conversation {
                    server,
                    team,
                    team_name,
                    channel,
                    channel_name,
                    thread,
                    kind: if is_direct {
                        ConversationKind::Direct
                    } else {
                        ConversationKind::Channel
                    },
                }
            },
        )
        .boxed()
}

fn rule() -> BoxedStrategy<RuleChoice> {
    (any::<String>(), any::<bool>(), any::<u32>())
        .prop_map(|(title, everyone, deadline)| RuleChoice {
            title,
            title_source: None,
            moderators: if everyone {
                Moderators::Everyone
            } else {
                Moderators::Starter
            },
            start_deadline: Duration::from_millis(deadline.into()),
            notify: Default::default(),
        })
        .boxed()
}

fn session() -> BoxedStrategy<SessionRef> {
    let rooms = (
        proptest::option::of(peer_id()),
        proptest::option::of(peer_id()),
    );
    (peer_id(), rooms, proptest::option::of(time()), time())
        .prop_map(
            |(sid, (room, breakout_of), created_at, said_at)| SessionRef {
                sid,
                room,
                breakout_of,
                created_at,
                said_at,
            },
        )
        .boxed()
}

fn artifact_kind() -> impl Strategy<Value = ArtifactKind> {
    proptest::sample::select(vec![
        ArtifactKind::Recording,
        ArtifactKind::Summary,
        ArtifactKind::Transcript,
        ArtifactKind::Analytics,
    ])
}

fn refusal() -> impl Strategy<Value = Refusal> {
    proptest::sample::select(vec![
        Refusal::TooLate,
        Refusal::Unauthorized,
        Refusal::Refused,
        Refusal::GaveUp,
    ])
}

fn requested_by_people() -> BoxedStrategy<Fact> {
    prop_oneof![
        (meeting(), place(), person(), via(), rule(), any::<bool>())
            .prop_map(
                |(meeting, place, by, via, rule, always_new)| Fact::MeetingRequested {
                    meeting,
                    place,
                    by,
                    via,
                    rule,
                    always_new,
                    told: always_new.then_some(meeting),
                }
            )
            .boxed(),
        (
            place(),
            person(),
            via(),
            any::<String>(),
            proptest::option::of(meeting()),
        )
            .prop_map(|(place, by, via, words, told)| Fact::EndRequested {
                place,
                by,
                via,
                words,
                told,
            })
            .boxed(),
        (meeting(), request())
            .prop_map(|(meeting, request)| Fact::EndAllowed { meeting, request })
            .boxed(),
        (meeting(), request())
            .prop_map(|(meeting, request)| Fact::EndRefused { meeting, request })
            .boxed(),
        meeting()
            .prop_map(|meeting| Fact::EndOrdered { meeting })
            .boxed(),
    ]
    .boxed()
}

fn learned_by_jobs() -> BoxedStrategy<Fact> {
    let text = any::<String>;
    prop_oneof![
        (meeting(), peer_id(), time())
            .prop_map(|(meeting, sid, created_at)| Fact::RoomCreated {
                meeting,
                sid,
                created_at
            })
            .boxed(),
        (meeting(), refusal(), any::<bool>())
            .prop_map(|(meeting, reason, for_now)| Fact::RoomRefused {
                meeting,
                reason,
                for_now
            })
            .boxed(),
        (meeting(), any::<bool>())
            .prop_map(|(meeting, gone)| Fact::EndTried { meeting, gone })
            .boxed(),
        (meeting(), peer_id(), any::<bool>())
            .prop_map(|(meeting, sid, ended)| Fact::RoomPolled {
                meeting,
                sid,
                ended
            })
            .boxed(),
        (meeting(), any::<u32>())
            .prop_map(|(meeting, step)| Fact::ArtifactsPolled { meeting, step })
            .boxed(),
        (meeting(), peer_id(), text())
            .prop_map(|(meeting, artifact, text)| Fact::SummaryRead {
                meeting,
                artifact,
                text
            })
            .boxed(),
        (meeting(), text())
            .prop_map(|(meeting, job)| Fact::JobGivenUp { meeting, job })
            .boxed(),
        (meeting(), text())
            .prop_map(|(meeting, job)| Fact::JobReplayed {
                meeting,
                job,
                reset_age: false
            })
            .boxed(),
        (meeting(), any::<u32>())
            .prop_map(|(meeting, round)| Fact::Woken { meeting, round })
            .boxed(),
    ]
    .boxed()
}

fn reported_by_plugnmeet() -> BoxedStrategy<Fact> {
    let presence = || (session(), peer_id(), peer_id(), any::<String>());
    prop_oneof![
        session()
            .prop_map(|session| Fact::SessionSeen { session })
            .boxed(),
        presence()
            .prop_map(
                |(session, participant, identity, name)| Fact::PersonJoined {
                    session,
                    participant,
                    identity,
                    name
                }
            )
            .boxed(),
        presence()
            .prop_map(|(session, participant, identity, name)| Fact::PersonLeft {
                session,
                participant,
                identity,
                name,
                never_joined: false,
            })
            .boxed(),
        (session(), peer_id(), any::<bool>())
            .prop_map(|(session, record, on)| {
                Fact::RecordingSwitched {
                    session,
                    record,
                    on,
                }
            })
            .boxed(),
        (session(), peer_id(), artifact_kind())
            .prop_map(|(session, artifact, kind)| {
                Fact::ArtifactCreated {
                    session,
                    artifact,
                    kind,
                }
            })
            .boxed(),
        (session(), any::<bool>(), time())
            .prop_map(|(session, finished, ended_at)| {
                let said = if finished {
                    EndSaid::RoomFinished
                } else {
                    EndSaid::SessionEnded
                };
                Fact::SessionEnded {
                    session,
                    said,
                    ended_at,
                }
            })
            .boxed(),
    ]
    .boxed()
}

fn event() -> BoxedStrategy<Event> {
    let fact = prop_oneof![
        requested_by_people(),
        learned_by_jobs(),
        reported_by_plugnmeet()
    ];
    (uuid(), any::<String>(), any::<String>(), time(), fact)
        .prop_map(|(id, source, key, received_at, fact)| Event {
            id: EventId::from_uuid(id),
            origin: Origin { source, key },
            received_at,
            fact,
        })
        .boxed()
}

fn job() -> BoxedStrategy<Job> {
    let artifact = peer_id::<ArtifactId>;
    prop_oneof![
        Just(Job::CreateRoom).boxed(),
        any::<u32>()
            .prop_map(|tried| Job::EndRoom { tried })
            .boxed(),
        any::<u32>()
            .prop_map(|polled| Job::PollRoom { polled })
            .boxed(),
        any::<u32>()
            .prop_map(|step| Job::PollArtifacts { step })
            .boxed(),
        artifact()
            .prop_map(|artifact| Job::FetchArtifact { artifact })
            .boxed(),
        any::<u64>()
            .prop_map(|version| Job::RefreshCard { version })
            .boxed(),
        prop_oneof![Just(Notice::Start), Just(Notice::End)]
            .prop_map(|notice| Job::PostNotice { notice })
            .boxed(),
        artifact()
            .prop_map(|artifact| Job::PostArtifact { artifact })
            .boxed(),
        request()
            .prop_map(|request| Job::Answer { request })
            .boxed(),
        request()
            .prop_map(|request| Job::CheckRight { request })
            .boxed(),
        prop_oneof![
            Just(PostKey::Card),
            Just(PostKey::Final),
            Just(PostKey::Invite),
            artifact().prop_map(PostKey::Artifact),
            request().prop_map(PostKey::Answer),
        ]
        .prop_map(|post| Job::TidyPosts { post })
        .boxed(),
    ]
    .boxed()
}

fn saying() -> BoxedStrategy<Saying> {
    let line = (any::<u32>(), any::<String>(), any::<String>());
    let line = line.prop_map(|(number, title, starter)| Candidate {
        number,
        title,
        starter,
    });
    prop_oneof![
        Just(Saying::NothingToEnd),
        (any::<String>(), proptest::collection::vec(line, 0..3))
            .prop_map(|(words, running)| Saying::ChooseToEnd { words, running }),
    ]
    .boxed()
}

fn body() -> BoxedStrategy<Body> {
    prop_oneof![
        3 => event().prop_map(Body::Event).boxed(),
        1 => (meeting(), job(), any::<u32>(), time()).prop_map(|(meeting, job, round, since)| {
            Body::Job { id: JobId { meeting, job, round }, since }
        }).boxed(),
        1 => (request(), hook(), person(), saying()).prop_map(|(request, hook, to, saying)| {
            Body::Reply(Reply { request, hook, to, saying })
        }).boxed(),
    ]
    .boxed()
}

pub(in crate::envelope) fn envelope() -> BoxedStrategy<Envelope> {
    let trace = "00-[0-9a-f]{31}1-[0-9a-f]{15}1-0[01]";
    let numbers = (1_u32.., 1_u32..);
    let options = (
        proptest::option::of((time(), proptest::option::of(time()))),
        proptest::option::of(trace),
    );
    (body(), time(), numbers, options)
        .prop_map(|(body, now, (attempt, tries), (delay, trace))| Envelope {
            attempt,
            tries,
            not_before: delay.map(|(not_before, _)| not_before),
            delayed_at: delay.and_then(|(_, delayed_at)| delayed_at),
            trace,
            ..Envelope::first(body, now)
        })
        .boxed()
}
