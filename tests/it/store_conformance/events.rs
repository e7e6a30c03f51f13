//! Events as ingress and the workers bring them, and the short ways to apply them.

use std::sync::Arc;
use std::time::Duration;

use meetrelay::domain::apply::{Applied, Effect, Fresh, Policy};
use meetrelay::domain::event::SessionRef;
use meetrelay::domain::owed::Schedule;
use meetrelay::domain::{
    ArtifactKind, Conversation, ConversationKind, DeliveryMethod, EndSaid, Event, EventId, Fact,
    Meeting, MeetingId, Moderators, Origin, Person, RoomId, RuleChoice, ServerName, Timestamp,
    TriggerSource,
};
use meetrelay::ports::{Incoming, Store};
use uuid::Uuid;

/// So many seconds after the tests' beginning.
pub(crate) fn second(number: i64) -> Timestamp {
    Timestamp::from_seconds(1_790_000_000 + number)
}

/// The delays and bounds by which the meetings of these tests owe their jobs.
pub(crate) fn policy() -> Policy {
    let seconds = Duration::from_secs;
    Policy {
        schedule: Schedule {
            delivery_method: DeliveryMethod::Posts,
            first_card_after: seconds(2),
            end_again_after: seconds(15),
            poll_first_after: seconds(60),
            poll_every: seconds(120),
            artifact_polls: Arc::from([55, 120, 300].map(seconds)),
        },
        publish_ahead: seconds(60),
        wake_after: Arc::from([60, 120, 240].map(seconds)),
    }
}

/// A place in the channel of this id.
pub(crate) fn place(channel: &str) -> Conversation {
    Conversation {
        server: ServerName::default_server(),
        team: None,
        team_name: "team".to_owned(),
        channel: channel.parse().unwrap(),
        channel_name: format!("{channel}-name"),
        thread: None,
        kind: ConversationKind::Channel,
    }
}

/// Somebody.
pub(crate) fn person(name: &str) -> Person {
    Person {
        user_id: format!("id-of-{name}").parse().unwrap(),
        user_name: name.to_owned(),
    }
}

/// The event with randomness of its own.
pub(crate) fn incoming(origin: Origin, fact: Fact, at: Timestamp) -> Incoming {
    let random = *Uuid::new_v4().as_bytes();
    let mut room = [0; 13];
    room.copy_from_slice(&random[..13]);
    Incoming {
        event: Event {
            id: EventId::from_uuid(Uuid::now_v7()),
            origin,
            received_at: at,
            fact,
        },
        fresh: Fresh { room },
    }
}

/// A fact of our own, under a key of its own.
pub(crate) fn own(fact: Fact, at: Timestamp) -> Incoming {
    incoming(Origin::relay(Uuid::now_v7()), fact, at)
}

/// A fact told by plugNmeet, under a key of its own.
pub(crate) fn told(fact: Fact, at: Timestamp) -> Incoming {
    let origin = Origin::plugnmeet(&ServerName::default_server(), Uuid::now_v7());
    incoming(origin, fact, at)
}

/// A request for a meeting with this id.
pub(crate) fn request(meeting: MeetingId, channel: &str, by: &str) -> Fact {
    Fact::MeetingRequested {
        meeting,
        place: place(channel),
        by: person(by),
        via: TriggerSource::OutgoingWebhook {
            post: "post".parse().unwrap(),
            caught_up: false,
            placed: false,
        },
        rule: RuleChoice {
            title: format!("{channel} meeting"),
            title_source: None,
            moderators: Moderators::Everyone,
            start_deadline: Duration::from_secs(900),
            notify: Default::default(),
        },
        always_new: false,
        told: None,
    }
}

/// The same, beside whatever runs.
pub(crate) fn request_new(meeting: MeetingId, channel: &str, by: &str) -> Fact {
    let mut fact = request(meeting, channel, by);
    if let Fact::MeetingRequested { always_new, .. } = &mut fact {
        *always_new = true;
    }
    fact
}

/// A new meeting's id.
pub(crate) fn drawn() -> MeetingId {
    MeetingId::from_uuid(Uuid::now_v7())
}

/// Ana's request for a meeting, under a key of its own.
pub(crate) fn start(channel: &str, at: Timestamp) -> Incoming {
    let origin = Origin::mattermost(&ServerName::default_server(), Uuid::now_v7());
    incoming(origin, request(drawn(), channel, "ana"), at)
}

/// The answer to a create.
pub(crate) fn room_created(meeting: MeetingId, sid: &str, at: Timestamp) -> Incoming {
    let fact = Fact::RoomCreated {
        meeting,
        sid: sid.parse().unwrap(),
        created_at: at,
    };
    own(fact, at)
}

/// How an event of plugNmeet names its session, with or without its room.
pub(crate) fn session(sid: &str, room: Option<&RoomId>, at: Timestamp) -> SessionRef {
    SessionRef {
        sid: sid.parse().unwrap(),
        room: room.cloned(),
        breakout_of: None,
        created_at: None,
        said_at: at,
    }
}

/// Somebody joined.
pub(crate) fn joined(session: SessionRef, name: &str, at: Timestamp) -> Incoming {
    let fact = Fact::PersonJoined {
        session,
        participant: format!("PA-{name}").parse().unwrap(),
        identity: name.parse().unwrap(),
        name: name.to_owned(),
    };
    told(fact, at)
}

/// The session is over.
pub(crate) fn ended(session: SessionRef, at: Timestamp) -> Incoming {
    let fact = Fact::SessionEnded {
        session,
        said: EndSaid::SessionEnded,
        ended_at: at,
    };
    told(fact, at)
}

/// A recording is ready.
pub(crate) fn recorded(session: SessionRef, artifact: &str, at: Timestamp) -> Incoming {
    let fact = Fact::ArtifactCreated {
        session,
        artifact: artifact.parse().unwrap(),
        kind: ArtifactKind::Recording,
    };
    told(fact, at)
}

/// Applies the batch at the time of its last event.
pub(crate) async fn apply(store: &Arc<dyn Store>, batch: &[Incoming]) -> Vec<Applied> {
    let now = batch.last().unwrap().event.received_at;
    let applied = store.apply(batch.to_vec(), policy(), now).await.unwrap();
    assert_eq!(applied.len(), batch.len());
    applied
}

/// Applies one event.
pub(crate) async fn apply_one(store: &Arc<dyn Store>, incoming: Incoming) -> Applied {
    apply(store, &[incoming]).await.remove(0)
}

/// The effects alone.
pub(crate) fn effects(applied: &[Applied]) -> Vec<Effect> {
    applied.iter().map(|applied| applied.effect).collect()
}

/// A meeting that Ana has asked for.
pub(crate) async fn begun(store: &Arc<dyn Store>, channel: &str, at: Timestamp) -> Meeting {
    let (id, _) = apply_one(store, start(channel, at)).await.meeting.unwrap();
    store.meeting(id).await.unwrap().unwrap()
}

/// A meeting whose room is there.
pub(crate) async fn open(
    store: &Arc<dyn Store>,
    channel: &str,
    sid: &str,
    at: Timestamp,
) -> Meeting {
    let meeting = begun(store, channel, at).await;
    apply_one(store, room_created(meeting.id, sid, at)).await;
    store.meeting(meeting.id).await.unwrap().unwrap()
}
