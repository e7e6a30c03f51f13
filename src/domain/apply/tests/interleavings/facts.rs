//! Facts in short. plugNmeet's clock is an hour behind ours, so that no time of one can pass for the other's.

use uuid::Uuid;

use crate::domain::event::SessionRef;
use crate::domain::{
    ArtifactKind, Conversation, ConversationKind, EndSaid, Fact, MeetingId, Moderators, Person,
    ResponseHook, RoomId, RuleChoice, ServerName, Timestamp, TriggerSource,
};

use super::relay::{at, mins};

/// `seconds` after the making of the first room, on plugNmeet's clock.
pub(in crate::domain::apply::tests) fn peer(seconds: i64) -> Timestamp {
    at(seconds - 3600)
}

pub(in crate::domain::apply::tests) fn meeting_id(number: u128) -> MeetingId {
    MeetingId::from_uuid(Uuid::from_u128(number))
}

/// The room of the first meeting.
pub(in crate::domain::apply::tests) fn room() -> RoomId {
    RoomId::from_digits([0; 13])
}

pub(in crate::domain::apply::tests) fn person(name: &str) -> Person {
    Person {
        user_id: format!("id-{name}").parse().unwrap(),
        user_name: name.to_owned(),
    }
}

pub(in crate::domain::apply::tests) fn place(thread: Option<&str>) -> Conversation {
    Conversation {
        server: ServerName::default_server(),
        team: None,
        team_name: "team".to_owned(),
        channel: "channel".parse().unwrap(),
        channel_name: "town-square".to_owned(),
        thread: thread.map(|thread| thread.parse().unwrap()),
        kind: ConversationKind::Channel,
    }
}

pub(in crate::domain::apply::tests) fn command() -> TriggerSource {
    TriggerSource::SlashCommand {
        hook: ResponseHook::parse("hook1"),
    }
}

pub(in crate::domain::apply::tests) fn requested_by(number: u128, name: &str) -> Fact {
    Fact::MeetingRequested {
        meeting: meeting_id(number),
        place: place(None),
        by: person(name),
        via: command(),
        rule: RuleChoice {
            title: "Weekly sync".to_owned(),
            title_source: None,
            moderators: Moderators::Everyone,
            start_deadline: mins(15),
            notify: Default::default(),
        },
        always_new: false,
        told: None,
    }
}

/// Ana asks for the first meeting.
pub(in crate::domain::apply::tests) fn requested() -> Fact {
    requested_by(1, "ana")
}

pub(in crate::domain::apply::tests) fn end_requested(name: &str) -> Fact {
    Fact::EndRequested {
        place: place(None),
        by: person(name),
        via: command(),
        words: String::new(),
        told: Some(meeting_id(1)),
    }
}

pub(in crate::domain::apply::tests) fn room_created(sid: &str, created: i64) -> Fact {
    Fact::RoomCreated {
        meeting: meeting_id(1),
        sid: sid.parse().unwrap(),
        created_at: peer(created),
    }
}

/// What LiveKit's events tell: room, session and their own time.
pub(in crate::domain::apply::tests) fn session(sid: &str, said: i64) -> SessionRef {
    SessionRef {
        sid: sid.parse().unwrap(),
        room: Some(room()),
        breakout_of: None,
        created_at: None,
        said_at: peer(said),
    }
}

/// What `room_created` and `session_ended` tell besides: the creation time.
pub(in crate::domain::apply::tests) fn session_of(
    sid: &str,
    created: i64,
    said: i64,
) -> SessionRef {
    SessionRef {
        created_at: Some(peer(created)),
        ..session(sid, said)
    }
}

pub(in crate::domain::apply::tests) fn joined(
    sid: &str,
    connection: &str,
    who: &str,
    name: &str,
    said: i64,
) -> Fact {
    Fact::PersonJoined {
        session: session(sid, said),
        participant: connection.parse().unwrap(),
        identity: who.parse().unwrap(),
        name: name.to_owned(),
    }
}

pub(in crate::domain::apply::tests) fn left(
    sid: &str,
    connection: &str,
    who: &str,
    name: &str,
    said: i64,
) -> Fact {
    Fact::PersonLeft {
        session: session(sid, said),
        participant: connection.parse().unwrap(),
        identity: who.parse().unwrap(),
        name: name.to_owned(),
        never_joined: false,
    }
}

pub(in crate::domain::apply::tests) fn recording(
    sid: &str,
    record: &str,
    on: bool,
    said: i64,
) -> Fact {
    Fact::RecordingSwitched {
        session: session(sid, said),
        record: record.parse().unwrap(),
        on,
    }
}

pub(in crate::domain::apply::tests) fn artifact(
    sid: &str,
    id: &str,
    kind: ArtifactKind,
    said: i64,
) -> Fact {
    Fact::ArtifactCreated {
        session: session(sid, said),
        artifact: id.parse().unwrap(),
        kind,
    }
}

pub(in crate::domain::apply::tests) fn summary_read(id: &str) -> Fact {
    Fact::SummaryRead {
        meeting: meeting_id(1),
        artifact: id.parse().unwrap(),
        text: format!("Text of {id}"),
    }
}

pub(in crate::domain::apply::tests) fn session_ended(sid: &str, created: i64, ended: i64) -> Fact {
    Fact::SessionEnded {
        session: session_of(sid, created, ended),
        said: EndSaid::SessionEnded,
        ended_at: peer(ended),
    }
}

pub(in crate::domain::apply::tests) fn room_finished(sid: &str, ended: i64) -> Fact {
    Fact::SessionEnded {
        session: session(sid, ended),
        said: EndSaid::RoomFinished,
        ended_at: peer(ended),
    }
}

pub(in crate::domain::apply::tests) fn polled(sid: &str, ended: bool) -> Fact {
    Fact::RoomPolled {
        meeting: meeting_id(1),
        sid: sid.parse().unwrap(),
        ended,
    }
}

pub(in crate::domain::apply::tests) fn end_tried(gone: bool) -> Fact {
    Fact::EndTried {
        meeting: meeting_id(1),
        gone,
    }
}

pub(in crate::domain::apply::tests) fn artifacts_polled(step: u32) -> Fact {
    Fact::ArtifactsPolled {
        meeting: meeting_id(1),
        step,
    }
}
