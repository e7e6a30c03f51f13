//! The wire format of version 1. A line that changes here makes messages in queues unreadable: a changed format needs
//! a new version.

use std::time::Duration;

use crate::domain::apply::{Reply, Saying};
use crate::domain::choice::Candidate;
use crate::domain::event::SessionRef;
use crate::domain::{
    ArtifactKind, Conversation, ConversationKind, EndSaid, Event, Fact, Job, JobId, MeetingId,
    Moderators, Notice, Origin, Person, PostKey, Refusal, RequestId, ResponseHook, RuleChoice,
    Timestamp, TriggerSource,
};
use crate::envelope::{decode, encode};
use crate::ports::{Body, Envelope};

fn meeting() -> MeetingId {
    "0199a0b1-0000-7000-8000-000000000001".parse().unwrap()
}

fn request() -> RequestId {
    "0199a0b1-0000-7000-8000-000000000002".parse().unwrap()
}

fn ana() -> Person {
    Person {
        user_id: "user1".parse().unwrap(),
        user_name: "ana".to_owned(),
    }
}

fn place() -> Conversation {
    Conversation {
        server: "default".parse().unwrap(),
        team: Some("team1".parse().unwrap()),
        team_name: "core".to_owned(),
        channel: "chan1".parse().unwrap(),
        channel_name: "town-square".to_owned(),
        thread: None,
        kind: ConversationKind::Channel,
    }
}

fn session() -> SessionRef {
    SessionRef {
        sid: "sid1".parse().unwrap(),
        room: Some("mm-abc".parse().unwrap()),
        breakout_of: None,
        created_at: None,
        said_at: Timestamp::from_millis(9),
    }
}

fn command() -> TriggerSource {
    TriggerSource::SlashCommand {
        hook: ResponseHook::parse("hook1"),
    }
}

fn facts() -> Vec<Fact> {
    let (meeting, request) = (meeting(), request());
    let at = Timestamp::from_millis;
    let job = "RefreshCard:3".to_owned();
    vec![
        Fact::MeetingRequested {
            meeting,
            place: place(),
            by: ana(),
            via: TriggerSource::OutgoingWebhook {
                post: "post1".parse().unwrap(),
                caught_up: false,
                placed: false,
            },
            rule: RuleChoice {
                title: "Weekly".to_owned(),
                title_source: None,
                moderators: Moderators::Everyone,
                start_deadline: Duration::from_secs(900),
                notify: Default::default(),
            },
            always_new: false,
            told: None,
        },
        Fact::EndRequested {
            place: Conversation {
                team: None,
                thread: Some("root1".parse().unwrap()),
                kind: ConversationKind::Direct,
                ..place()
            },
            by: ana(),
            via: command(),
            words: String::new(),
            told: None,
        },
        Fact::EndAllowed { meeting, request },
        Fact::EndRefused { meeting, request },
        Fact::EndOrdered { meeting },
        Fact::RoomCreated {
            meeting,
            sid: "sid1".parse().unwrap(),
            created_at: at(1000),
        },
        Fact::RoomRefused {
            meeting,
            reason: Refusal::TooLate,
            for_now: false,
        },
        Fact::RoomRefused {
            meeting,
            reason: Refusal::Unauthorized,
            for_now: false,
        },
        Fact::RoomRefused {
            meeting,
            reason: Refusal::Refused,
            for_now: false,
        },
        Fact::RoomRefused {
            meeting,
            reason: Refusal::GaveUp,
            for_now: false,
        },
        Fact::RoomRefused {
            meeting,
            reason: Refusal::Unauthorized,
            for_now: true,
        },
        Fact::EndTried {
            meeting,
            gone: true,
        },
        Fact::RoomPolled {
            meeting,
            sid: "sid1".parse().unwrap(),
            ended: false,
        },
        Fact::ArtifactsPolled { meeting, step: 2 },
        Fact::SummaryRead {
            meeting,
            artifact: "art1".parse().unwrap(),
            text: "We agreed.".to_owned(),
        },
        Fact::SessionSeen {
            session: SessionRef {
                breakout_of: Some("mm-parent".parse().unwrap()),
                created_at: Some(at(1000)),
                room: None,
                ..session()
            },
        },
        Fact::PersonJoined {
            session: session(),
            participant: "PA_1".parse().unwrap(),
            identity: "user1".parse().unwrap(),
            name: "Ana".to_owned(),
        },
        Fact::PersonLeft {
            session: session(),
            participant: "PA_1".parse().unwrap(),
            identity: "user1".parse().unwrap(),
            name: String::new(),
            never_joined: false,
        },
        Fact::RecordingSwitched {
            session: session(),
            record: "rec1".parse().unwrap(),
            on: true,
        },
        artifact(ArtifactKind::Recording),
        artifact(ArtifactKind::Summary),
        artifact(ArtifactKind::Transcript),
        artifact(ArtifactKind::Analytics),
        Fact::SessionEnded {
            session: session(),
            said: EndSaid::SessionEnded,
            ended_at: at(7),
        },
        Fact::SessionEnded {
            session: session(),
            said: EndSaid::RoomFinished,
            ended_at: at(7),
        },
        Fact::JobGivenUp {
            meeting,
            job: job.clone(),
        },
        Fact::JobReplayed {
            meeting,
            job,
            reset_age: false,
        },
        Fact::Woken { meeting, round: 4 },
    ]
}

fn artifact(kind: ArtifactKind) -> Fact {
    Fact::ArtifactCreated {
        session: session(),
        artifact: "art1".parse().unwrap(),
        kind,
    }
}

/// A new fact stops this from compiling, as a reminder to add it to `facts`.
const fn is_listed(fact: &Fact) {
    match fact {
        Fact::MeetingRequested { .. }
        | Fact::EndRequested { .. }
        | Fact::EndAllowed { .. }
        | Fact::EndRefused { .. }
        | Fact::EndOrdered { .. }
        | Fact::RoomCreated { .. }
        | Fact::RoomRefused { .. }
        | Fact::EndTried { .. }
        | Fact::RoomPolled { .. }
        | Fact::ArtifactsPolled { .. }
        | Fact::SummaryRead { .. }
        | Fact::SessionSeen { .. }
        | Fact::PersonJoined { .. }
        | Fact::PersonLeft { .. }
        | Fact::RecordingSwitched { .. }
        | Fact::ArtifactCreated { .. }
        | Fact::SessionEnded { .. }
        | Fact::JobGivenUp { .. }
        | Fact::JobReplayed { .. }
        | Fact::Woken { .. } => {}
    }
}

fn written(envelope: &Envelope) -> String {
    let message = encode(envelope).unwrap();
    assert_eq!(decode(&message.body).as_ref(), Ok(envelope));
    String::from_utf8(message.body.to_vec()).unwrap()
}

#[test]
fn format_of_each_fact() {
    let event = |fact| Event {
        id: request().into(),
        origin: Origin::relay("k"),
        received_at: Timestamp::from_millis(5),
        fact,
    };
    let body_of = |fact: Fact| {
        is_listed(&fact);
        let text = written(&Envelope::first(
            Body::Event(event(fact)),
            Timestamp::default(),
        ));
        let (_, body) = text.split_once("\"body\":").unwrap();
        body.strip_suffix('}').unwrap().to_owned()
    };
    let lines: Vec<String> = facts().into_iter().map(body_of).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"fact":"meeting_requested","meeting":"0199a0b1-0000-7000-8000-000000000001","place":{"server":"default","team":"team1","team_name":"core","channel":"chan1","channel_name":"town-square","thread":null,"kind":"channel"},"by":{"user_id":"user1","user_name":"ana"},"via":{"via":"outgoing_webhook","post":"post1"},"rule":{"title":"Weekly","moderators":"everyone","worth":{"secs":900,"nanos":0}},"always_new":false}
    {"fact":"end_requested","place":{"server":"default","team":null,"team_name":"core","channel":"chan1","channel_name":"town-square","thread":"root1","kind":"direct"},"by":{"user_id":"user1","user_name":"ana"},"via":{"via":"slash_command","hook":"hook1"}}
    {"fact":"end_allowed","meeting":"0199a0b1-0000-7000-8000-000000000001","request":"0199a0b1-0000-7000-8000-000000000002"}
    {"fact":"end_refused","meeting":"0199a0b1-0000-7000-8000-000000000001","request":"0199a0b1-0000-7000-8000-000000000002"}
    {"fact":"end_ordered","meeting":"0199a0b1-0000-7000-8000-000000000001"}
    {"fact":"room_created","meeting":"0199a0b1-0000-7000-8000-000000000001","sid":"sid1","created_at":1000}
    {"fact":"room_refused","meeting":"0199a0b1-0000-7000-8000-000000000001","reason":"too_late"}
    {"fact":"room_refused","meeting":"0199a0b1-0000-7000-8000-000000000001","reason":"unauthorized"}
    {"fact":"room_refused","meeting":"0199a0b1-0000-7000-8000-000000000001","reason":"refused"}
    {"fact":"room_refused","meeting":"0199a0b1-0000-7000-8000-000000000001","reason":"gave_up"}
    {"fact":"room_refused","meeting":"0199a0b1-0000-7000-8000-000000000001","reason":"unauthorized","for_now":true}
    {"fact":"end_tried","meeting":"0199a0b1-0000-7000-8000-000000000001","gone":true}
    {"fact":"room_polled","meeting":"0199a0b1-0000-7000-8000-000000000001","sid":"sid1","ended":false}
    {"fact":"artifacts_polled","meeting":"0199a0b1-0000-7000-8000-000000000001","step":2}
    {"fact":"summary_read","meeting":"0199a0b1-0000-7000-8000-000000000001","artifact":"art1","text":"We agreed."}
    {"fact":"session_seen","session":{"sid":"sid1","room":null,"breakout_of":"mm-parent","created_at":1000,"said_at":9}}
    {"fact":"person_joined","session":{"sid":"sid1","room":"mm-abc","breakout_of":null,"created_at":null,"said_at":9},"participant":"PA_1","identity":"user1","name":"Ana"}
    {"fact":"person_left","session":{"sid":"sid1","room":"mm-abc","breakout_of":null,"created_at":null,"said_at":9},"participant":"PA_1","identity":"user1","name":""}
    {"fact":"recording_switched","session":{"sid":"sid1","room":"mm-abc","breakout_of":null,"created_at":null,"said_at":9},"record":"rec1","on":true}
    {"fact":"artifact_created","session":{"sid":"sid1","room":"mm-abc","breakout_of":null,"created_at":null,"said_at":9},"artifact":"art1","kind":"recording"}
    {"fact":"artifact_created","session":{"sid":"sid1","room":"mm-abc","breakout_of":null,"created_at":null,"said_at":9},"artifact":"art1","kind":"summary"}
    {"fact":"artifact_created","session":{"sid":"sid1","room":"mm-abc","breakout_of":null,"created_at":null,"said_at":9},"artifact":"art1","kind":"transcript"}
    {"fact":"artifact_created","session":{"sid":"sid1","room":"mm-abc","breakout_of":null,"created_at":null,"said_at":9},"artifact":"art1","kind":"analytics"}
    {"fact":"session_ended","session":{"sid":"sid1","room":"mm-abc","breakout_of":null,"created_at":null,"said_at":9},"said":"session_ended","ended_at":7}
    {"fact":"session_ended","session":{"sid":"sid1","room":"mm-abc","breakout_of":null,"created_at":null,"said_at":9},"said":"room_finished","ended_at":7}
    {"fact":"job_given_up","meeting":"0199a0b1-0000-7000-8000-000000000001","job":"RefreshCard:3"}
    {"fact":"job_replayed","meeting":"0199a0b1-0000-7000-8000-000000000001","job":"RefreshCard:3"}
    {"fact":"woken","meeting":"0199a0b1-0000-7000-8000-000000000001","round":4}
    "#);
}

#[test]
fn format_of_an_envelope_with_and_without_optional_fields() {
    let event = Event {
        id: request().into(),
        origin: Origin::relay("woken:1"),
        received_at: Timestamp::from_millis(5),
        fact: Fact::Woken {
            meeting: meeting(),
            round: 4,
        },
    };
    let first = Envelope::first(Body::Event(event), Timestamp::default());
    let later = Envelope {
        attempt: 2,
        tries: 3,
        not_before: Some(Timestamp::from_millis(77)),
        trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        ..first.clone()
    };
    insta::assert_snapshot!(format!("{}\n{}", written(&first), written(&later)), @r#"
    {"v":1,"kind":"event","id":"0199a0b1-0000-7000-8000-000000000002","source":"relay","key":"woken:1","received_at":5,"attempt":1,"tries":1,"body":{"fact":"woken","meeting":"0199a0b1-0000-7000-8000-000000000001","round":4}}
    {"v":1,"kind":"event","id":"0199a0b1-0000-7000-8000-000000000002","source":"relay","key":"woken:1","received_at":5,"attempt":2,"tries":3,"not_before":77,"trace":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","body":{"fact":"woken","meeting":"0199a0b1-0000-7000-8000-000000000001","round":4}}
    "#);
}

#[test]
fn format_of_jobs_and_replies() {
    let jobs = [
        Job::CreateRoom,
        Job::EndRoom { tried: 1 },
        Job::PollRoom { polled: 2 },
        Job::PollArtifacts { step: 3 },
        Job::FetchArtifact {
            artifact: "art1".parse().unwrap(),
        },
        Job::RefreshCard { version: 4 },
        Job::PostArtifact {
            artifact: "art1".parse().unwrap(),
        },
        Job::Answer { request: request() },
        Job::CheckRight { request: request() },
        Job::TidyPosts {
            post: PostKey::Card,
        },
        Job::PostNotice {
            notice: Notice::Start,
        },
        Job::PostNotice {
            notice: Notice::End,
        },
    ];
    let now = Timestamp::from_millis(6);
    let write = |body| written(&Envelope::first(body, now));
    let mut lines: Vec<String> = jobs
        .into_iter()
        .map(|job| JobId {
            meeting: meeting(),
            job,
            round: 9,
        })
        .map(|id| {
            write(Body::Job {
                id,
                since: Timestamp::from_millis(5),
            })
        })
        .collect();
    lines.push(write(Body::Reply(Reply {
        request: request(),
        hook: ResponseHook::parse("hook1").unwrap(),
        to: ana(),
        saying: Saying::NothingToEnd,
    })));
    lines.push(write(Body::Reply(Reply {
        request: request(),
        hook: ResponseHook::parse("hook1").unwrap(),
        to: ana(),
        saying: Saying::ChooseToEnd {
            words: "weekly".to_owned(),
            running: vec![Candidate {
                number: 2,
                title: "Retro".to_owned(),
                starter: "bob".to_owned(),
            }],
        },
    })));
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"v":1,"kind":"job","id":"0199a0b1-0000-7000-8000-000000000001:CreateRoom:room:9","received_at":6,"attempt":1,"tries":1,"body":{"since":5}}
    {"v":1,"kind":"job","id":"0199a0b1-0000-7000-8000-000000000001:EndRoom:1:9","received_at":6,"attempt":1,"tries":1,"body":{"since":5}}
    {"v":1,"kind":"job","id":"0199a0b1-0000-7000-8000-000000000001:PollRoom:2:9","received_at":6,"attempt":1,"tries":1,"body":{"since":5}}
    {"v":1,"kind":"job","id":"0199a0b1-0000-7000-8000-000000000001:PollArtifacts:3:9","received_at":6,"attempt":1,"tries":1,"body":{"since":5}}
    {"v":1,"kind":"job","id":"0199a0b1-0000-7000-8000-000000000001:FetchArtifact:art1:9","received_at":6,"attempt":1,"tries":1,"body":{"since":5}}
    {"v":1,"kind":"job","id":"0199a0b1-0000-7000-8000-000000000001:RefreshCard:4:9","received_at":6,"attempt":1,"tries":1,"body":{"since":5}}
    {"v":1,"kind":"job","id":"0199a0b1-0000-7000-8000-000000000001:PostArtifact:art1:9","received_at":6,"attempt":1,"tries":1,"body":{"since":5}}
    {"v":1,"kind":"job","id":"0199a0b1-0000-7000-8000-000000000001:Answer:0199a0b1-0000-7000-8000-000000000002:9","received_at":6,"attempt":1,"tries":1,"body":{"since":5}}
    {"v":1,"kind":"job","id":"0199a0b1-0000-7000-8000-000000000001:CheckRight:0199a0b1-0000-7000-8000-000000000002:9","received_at":6,"attempt":1,"tries":1,"body":{"since":5}}
    {"v":1,"kind":"job","id":"0199a0b1-0000-7000-8000-000000000001:TidyPosts:card:9","received_at":6,"attempt":1,"tries":1,"body":{"since":5}}
    {"v":1,"kind":"job","id":"0199a0b1-0000-7000-8000-000000000001:PostNotice:start:9","received_at":6,"attempt":1,"tries":1,"body":{"since":5}}
    {"v":1,"kind":"job","id":"0199a0b1-0000-7000-8000-000000000001:PostNotice:end:9","received_at":6,"attempt":1,"tries":1,"body":{"since":5}}
    {"v":1,"kind":"tell","id":"tell:0199a0b1-0000-7000-8000-000000000002","received_at":6,"attempt":1,"tries":1,"body":{"request":"0199a0b1-0000-7000-8000-000000000002","hook":"hook1","to":{"user_id":"user1","user_name":"ana"},"saying":"nothing_to_end"}}
    {"v":1,"kind":"tell","id":"tell:0199a0b1-0000-7000-8000-000000000002","received_at":6,"attempt":1,"tries":1,"body":{"request":"0199a0b1-0000-7000-8000-000000000002","hook":"hook1","to":{"user_id":"user1","user_name":"ana"},"saying":{"choose_to_end":{"words":"weekly","running":[{"number":2,"title":"Retro","starter":"bob"}]}}}}
    "#);
}
