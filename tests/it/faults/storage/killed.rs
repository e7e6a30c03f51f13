//! Killed at every step of publish, settle, forward and migrate (Q17, the storage part).

use std::time::Duration;

use super::{ask, each_has_one_card, is_accepted, on_files};
use crate::harness::{BackEnd, Setup, StoreEnd};

/// Dies the `nth` time that it comes to `place`, over one meeting; tells what became of the trigger.
async fn dies_once(place: &str, nth: u32) -> bool {
    let trap = format!("{place}#{nth}");
    let mut world = on_files()
        .variable("MEETRELAY_CRASH_AT", &trap)
        // It would find the phrase that nobody was told is taken.
        .set("MATTERMOST__CATCH_UP", "false")
        .start()
        .await;
    let is_taken = is_accepted(&ask(&world, "room").await);
    world.relay.died(&trap).await;
    world.relay.crash_nowhere();
    world.relay.start_again().await;
    let mut channels = vec!["room"];
    if is_taken {
        each_has_one_card(&world, &["room".to_owned()]).await;
    } else {
        // Mattermost does not try again; the person does. What was not answered may have been stored.
        assert!(is_accepted(&ask(&world, "again").await));
        each_has_one_card(&world, &["again".to_owned()]).await;
        let first = world.cards("room").len();
        let is_stored = place == "embedded.committed";
        assert!(first <= usize::from(is_stored), "{trap}: {first}");
        channels.push("again");
    }
    let room = world.room().await;
    assert!(world.conference.end_room(&room.room_id));
    world
        .see("the end", |chat| {
            let posts = channels.iter().flat_map(|channel| chat.posts(channel));
            let ended = posts.filter(|post| post.message.contains("ended"));
            (ended.count() == 1).then_some(())
        })
        .await;
    let cards = channels.iter().map(|channel| world.cards(channel).len());
    assert_eq!(world.conference.rooms().len(), cards.sum::<usize>());
    world.finish().await;
    is_taken
}

#[tokio::test]
async fn q17_killed_while_the_first_event_is_published() {
    for place in [
        "embedded.before_append",
        "embedded.appended",
        "embedded.committed",
    ] {
        assert!(
            !dies_once(place, 1).await,
            "{place}: nobody was told that it is taken"
        );
    }
}

#[tokio::test]
async fn q17_killed_while_what_follows_is_published() {
    for (place, nth) in [
        ("embedded.before_append", 2),
        ("embedded.appended", 3),
        ("embedded.committed", 2),
    ] {
        dies_once(place, nth).await;
    }
}

#[tokio::test]
async fn q17_killed_while_work_is_settled() {
    for (place, nth) in [
        ("embedded.settling", 1),
        ("embedded.settled", 1),
        ("embedded.settling", 2),
        ("embedded.settled", 3),
    ] {
        assert!(dies_once(place, nth).await, "{place}");
    }
}

/// The broker is away, the relay dies with events in its spool, and again when it forwards them.
#[tokio::test]
async fn q17_killed_while_it_spools_and_forwards() {
    let mut world = Setup::default()
        .back_end(BackEnd::own().await)
        .store(StoreEnd::Sqlite)
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .variable("MEETRELAY_CRASH_AT", "spool.appended#3")
        .start()
        .await;
    let broker = match &world.back_end {
        BackEnd::Own(broker, _) => std::sync::Arc::clone(broker),
        BackEnd::Embedded | BackEnd::Shared(..) => unreachable!("it has its own"),
    };
    broker.stop_app().await;
    world
        .relay
        .await_metric("meetrelay_ready{check=\"amqp_publisher\"} 0")
        .await;
    let mut accepted = Vec::new();
    for number in 0..2 {
        let channel = format!("room-{number}");
        assert!(is_accepted(&ask(&world, &channel).await));
        accepted.push(channel);
    }
    assert!(!is_accepted(&ask(&world, "unanswered").await));
    world.relay.died("spool.appended").await;
    world.relay.crash_at("spool.forwarded#2");
    world.relay.start_again().await;
    assert!(is_accepted(&ask(&world, "second").await));
    accepted.push("second".to_owned());
    broker.start_app().await;
    world.relay.died("spool.forwarded").await;
    world.relay.crash_nowhere();
    world.relay.start_again().await;
    // It was in the spool: nobody was told, and it is done all the same.
    accepted.push("unanswered".to_owned());
    tokio::time::timeout(
        Duration::from_secs(60),
        each_has_one_card(&world, &accepted),
    )
    .await
    .unwrap();
    assert_eq!(world.conference.rooms().len(), accepted.len(), "no doubles");
    world.finish().await;
}
