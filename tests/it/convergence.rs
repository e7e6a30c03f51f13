//! The same things told twice, in another order or too late lead to the same card.

use std::time::Duration;

use world::Fault;
use world::plugnmeet::FakePlugNmeet;

use crate::harness::{PATIENCE, Setup, World, is_over, make_room};

/// Waits until webhooks of these names are held, and gives their places.
async fn held(world: &World, names: &[&str]) -> Vec<usize> {
    let places = |fake: &FakePlugNmeet| -> Option<Vec<usize>> {
        let held = fake.held_webhooks();
        let place = |name: &&str| held.iter().position(|webhook| webhook.event == *name);
        names.iter().map(place).collect()
    };
    let fake = &world.conference;
    fake.wait_for("the webhooks", PATIENCE, places).await
}

#[tokio::test]
async fn default_address_and_room_address_that_both_tell_everything_change_nothing() {
    let world = World::start().await;
    let address = format!("{}/plugnmeet/webhook", world.relay.ports.public_url());
    world.conference.configure_webhooks(Some(&address), true);
    let (card, room) = world.meeting("dev", "twice told").await;
    let room = room.room_id;
    world.conference.join(&room, "Ana", "u-ana").unwrap();
    world.conference.start_recording(&room).unwrap();
    world.conference.finish_recording(&room).unwrap();
    assert!(world.conference.end_room(&room));
    world.until_over(&card).await;
    world
        .until(&card, |text| text.contains("\"Recordings\""))
        .await;
    world.conference.settle_webhooks(PATIENCE).await;
    world.relay.await_log("\"duplicate event ignored\"").await;
    let told = |name: &str| {
        let deliveries = world.conference.deliveries();
        deliveries.iter().filter(|one| one.event == name).count()
    };
    assert_eq!((told("session_ended"), told("recording_proceeded")), (2, 2));
    let text = world
        .until(&card, |text| text.contains("\"Recordings\""))
        .await;
    assert!(text.contains("1: ") || text.contains("Ana"), "{text}");
    assert_eq!(world.cards("dev").len(), 1);
    assert_eq!(world.chat.thread(&card.id).len(), 2, "one recording");
    world.finish().await;
}

#[tokio::test]
async fn session_that_ended_before_its_create_was_answered_is_not_made_again() {
    let world = World::start().await;
    // The room is made, and the relay never hears so by the answer.
    world
        .conference
        .faults()
        .set("room.create", Fault::DropAfter);
    world.conference.hold_webhooks();
    world.chat.say("ana", "dev", "meet now: hasty").await;
    let room = world.room().await.room_id;
    world.conference.join(&room, "Ana", "u-ana").unwrap();
    assert!(world.conference.end_room(&room));
    let places = held(
        &world,
        &["session_ended", "participant_joined", "room_created"],
    )
    .await;
    // The end comes first.
    world.conference.release_webhooks(&places[..1]);
    world
        .relay
        .await_log("\"event.kind\":\"session_ended\"")
        .await;
    world.conference.faults().clear();
    let card = world.card("dev", "hasty").await;
    world.until_over(&card).await;
    world.conference.stop_holding_webhooks();
    let text = world.until(&card, |text| text.contains("Ana")).await;
    assert!(is_over(&text), "{text}");
    let running = world.conference.rooms();
    assert!(running.iter().all(|room| !room.is_running()));
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn answer_of_a_create_that_comes_after_the_end_opens_nothing() {
    let world = World::start().await;
    // The request waits long before it is carried out; meanwhile another create of the room is, and its session ends.
    let late = Fault::Stall(Duration::from_secs(3));
    world.conference.faults().next("room.create", 1, late);
    world.chat.say("ana", "dev", "meet now: overtaken").await;
    let asked = |fake: &FakePlugNmeet| {
        let requests = fake.requests();
        let create = requests.iter().find(|one| one.operation == "room.create")?;
        let body: serde_json::Value = serde_json::from_str(&create.body).unwrap();
        Some(body["room_id"].as_str()?.to_owned())
    };
    let room = &world.conference.wait_for("a create", PATIENCE, asked).await;
    make_room(&world, room).await;
    assert!(world.conference.end_room(room));
    world
        .relay
        .await_log("\"event.kind\":\"session_ended\"")
        .await;
    // plugNmeet made the room once more, for the late request: it is ended again.
    let over = |fake: &FakePlugNmeet| {
        let rooms = fake.rooms();
        (rooms.len() == 2 && rooms.iter().all(|room| !room.is_running())).then_some(())
    };
    world.conference.wait_for("the end", PATIENCE, over).await;
    let card = world.card("dev", "overtaken").await;
    world.until_over(&card).await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn joining_that_is_told_after_the_end_corrects_a_missed_meeting() {
    let world = World::start().await;
    let (card, room) = world.meeting("dev", "hindsight").await;
    let room = room.room_id;
    world
        .until(&card, |text| text.contains("Join the meeting"))
        .await;
    world.conference.settle_webhooks(PATIENCE).await;
    world.conference.hold_webhooks();
    world.conference.join(&room, "Ana", "u-ana").unwrap();
    assert!(world.conference.end_room(&room));
    let places = held(&world, &["session_ended", "participant_joined"]).await;
    world.conference.release_webhooks(&places[..1]);
    world
        .until(&card, |text| text.contains("nobody came"))
        .await;
    world.conference.stop_holding_webhooks();
    let text = world.until(&card, |text| text.contains("Ana")).await;
    assert!(is_over(&text) && !text.contains("nobody came"), "{text}");
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn post_that_is_told_by_two_hooks_and_found_by_looking_makes_one_meeting() {
    let mut world = Setup::default().more_doors().start().await;
    world.relay.await_log("catch-up pass finished").await;
    world.card_of("ana", "weekly", "threefold").await;
    world.relay.kill().await;
    world.relay.start_again().await;
    world
        .relay
        .await_log("the webhook of the post arrived in time")
        .await;
    let told = world.chat.deliveries();
    assert_eq!(told.len(), 2, "a hook of the channel and one of the team");
    assert_eq!(world.cards("weekly").len(), 1);
    assert_eq!(world.conference.rooms().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn replies_whose_answers_were_lost_stand_in_the_thread_once() {
    let world = Setup::default()
        .set("MATTERMOST__TIDY_AFTER", "1s")
        .start()
        .await;
    let (card, room) = world.meeting("dev", "lost answers").await;
    let room = room.room_id;
    world.conference.join(&room, "Ana", "u-ana").unwrap();
    let faults = world.chat.faults();
    faults.next("posts.create", 1, Fault::DropAfter);
    faults.next("posts.patch", 1, Fault::DropAfter);
    world.conference.start_recording(&room).unwrap();
    world.conference.finish_recording(&room).unwrap();
    world
        .until(&card, |text| text.contains("\"Recordings\""))
        .await;
    assert!(world.conference.end_room(&room));
    world.until_over(&card).await;
    // The look for doubles has been made too.
    world.relay.await_log("TidyPosts").await;
    world.conference.settle_webhooks(PATIENCE).await;
    let thread = world.chat.thread(&card.id);
    assert_eq!(thread.len(), 2, "the card and one reply: {thread:?}");
    world.finish().await;
}
