//! Whoever can write into the queue cannot give orders.

use std::time::Duration;

use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use uuid::Uuid;

use meetrelay::clock::SystemClock;
use meetrelay::domain::{Event, EventId, Fact, MeetingId, Origin};
use meetrelay::envelope::{self, EnvelopeSigner};
use meetrelay::ports::{Body, Clock, Envelope, Outgoing, QueueName};

use world::plugnmeet::FakePlugNmeet;

use crate::harness::{BackEnd, PATIENCE, Setup, StoreEnd, World};

/// From then on the relay reads nothing that is not signed.
const REFUSED_FROM_NOW_ON: &str = "unsigned messages in the queue are refused";

/// The order to end a meeting, as an administrator's command would publish it.
fn order(meeting: MeetingId) -> Envelope {
    let now = SystemClock.now();
    let event = Event {
        id: EventId::from_uuid(Uuid::now_v7()),
        origin: Origin::relay(format!("end:{meeting}:{}", Uuid::now_v7())),
        received_at: now,
        fact: Fact::EndOrdered { meeting },
    };
    Envelope::first(Body::Event(event), now)
}

/// Publishes into the relay's own exchange, with the rights of its user.
async fn publish(world: &World, id: &str, body: &[u8]) {
    let (broker, vhost) = world.back_end.broker().unwrap();
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&broker.url(vhost), properties)
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    let properties = BasicProperties::default().with_message_id(id.into());
    let options = BasicPublishOptions::default();
    let published = channel.basic_publish(
        "meetrelay".into(),
        "events".into(),
        options,
        body,
        properties,
    );
    published.await.unwrap();
    connection.close(200, "done".into()).await.unwrap();
}

/// The reason of the letter of this id, once it is there.
async fn reason_of(world: &World, id: &str) -> String {
    let what = format!("the dead letter {id}");
    let reason = world.relay.eventually(&what, async || {
        let letters = world.relay.dead_letters().await;
        let letter = letters.iter().find(|letter| letter["id"] == id)?;
        Some(letter["reason"].as_str().unwrap().to_owned())
    });
    reason.await
}

/// The one meeting's id.
async fn meeting_of(world: &World) -> MeetingId {
    let listed = world.relay.cli_ok(&["meetings", "list", "--json"]).await;
    let (_, rest) = listed.split_once("\"id\":").expect("a meeting");
    rest.split('"').nth(1).unwrap().parse().unwrap()
}

async fn await_end(world: &World, sid: &str) {
    let has_ended = |fake: &FakePlugNmeet| {
        let rooms = fake.rooms();
        let now = rooms.iter().find(|now| now.sid == sid)?;
        now.ended.map(|_| ())
    };
    let wait = world
        .conference
        .wait_for("the end of the room", PATIENCE, has_ended);
    wait.await;
}

#[tokio::test]
async fn s11_forged_end_in_the_broker_ends_nothing_and_becomes_a_letter() {
    let world = Setup::default()
        .back_end(BackEnd::own().await)
        .start()
        .await;
    // Nothing is left of an older version. (Polls of a running meeting would keep the queue from being empty.)
    world.relay.await_log(REFUSED_FROM_NOW_ON).await;
    let (_, room) = world.meeting("dev", "weekly").await;
    let meeting = meeting_of(&world).await;
    let forged = envelope::encode(&order(meeting)).unwrap();
    publish(&world, &forged.id, &forged.body).await;
    let reason = reason_of(&world, &forged.id).await;
    assert!(reason.contains("it is not signed"), "{reason}");
    let stranger = EnvelopeSigner::new(&"somebody else's secret".to_owned().into(), &[]);
    let wrong = stranger.encode(&order(meeting)).unwrap();
    publish(&world, &wrong.id, &wrong.body).await;
    let reason = reason_of(&world, &wrong.id).await;
    assert!(
        reason.contains("not signed with this relay's key") && reason.contains("signing_secret"),
        "{reason}"
    );
    // Events are applied in their order: the end would have been asked for by now.
    let state = world
        .relay
        .cli_ok(&["meetings", "show", &meeting.to_string()])
        .await;
    assert!(!state.contains("EndRoom"), "{state}");
    let now = world
        .conference
        .rooms()
        .into_iter()
        .find(|now| now.sid == room.sid);
    assert_eq!(now.unwrap().ended, None);
    world
        .relay
        .cli_ok(&["dead-letters", "discard", &wrong.id])
        .await;
    // What an administrator replays is meant.
    world
        .relay
        .cli_ok(&["dead-letters", "replay", &forged.id])
        .await;
    await_end(&world, &room.sid).await;
    world.relay.await_metric("meetrelay_dead_letters 0").await;
    world.finish().await;
}

#[tokio::test]
async fn s11_what_an_older_version_left_unsigned_is_worked_on_after_the_update_and_not_later() {
    let mut world = Setup::default()
        .back_end(BackEnd::Embedded)
        .store(StoreEnd::Sqlite)
        .start()
        .await;
    let (_, room) = world.meeting("dev", "weekly").await;
    let meeting = meeting_of(&world).await;
    world.relay.stop().await;
    // As an older version leaves it: no word of signatures in the store, and a message without one in the queue.
    let store = rusqlite::Connection::open(world.data().join("meetrelay.db")).unwrap();
    let forget = "DELETE FROM settings WHERE name = 'unsigned_envelopes'";
    store.execute(forget, []).unwrap();
    drop(store);
    leave(&world, order(meeting)).await;
    world.relay.start_again().await;
    await_end(&world, &room.sid).await;
    assert!(world.relay.dead_letters().await.is_empty());
    // Its time is over: the queue need not become empty for that.
    world.relay.stop().await;
    let store = rusqlite::Connection::open(world.data().join("meetrelay.db")).unwrap();
    let over = "UPDATE settings SET value = '1' WHERE name = 'unsigned_envelopes'";
    assert_eq!(store.execute(over, []).unwrap(), 1);
    drop(store);
    world.relay.start_again().await;
    world.relay.await_log(REFUSED_FROM_NOW_ON).await;
    world.relay.stop().await;
    let late = order(meeting);
    let id = late.id();
    leave(&world, late).await;
    world.relay.start_again().await;
    let reason = reason_of(&world, &id).await;
    assert!(reason.contains("it is not signed"), "{reason}");
    world.finish().await;
}

/// Puts a message without signature into the queue of a relay that is not running.
async fn leave(world: &World, envelope: Envelope) {
    let queue = world.back_end.open(&world.data()).await;
    let outgoing = Outgoing {
        queue: QueueName::Events,
        message: envelope::encode(&envelope).unwrap(),
        delay: Duration::ZERO,
    };
    queue.publish(outgoing).await.unwrap();
    queue.close().await;
}
