//! Defects (O11): a request's panic is its own; a loop's ends the process, so that it is started again. A job's panic
//! is row Q11's.

use crate::harness::{PATIENCE, Setup};

/// The number in the first metric of this name and labels.
async fn metric(world: &crate::harness::World, name: &str) -> f64 {
    let url = format!("{}/metrics", world.relay.ports.admin_url());
    let text = crate::harness::client().get(url).send().await.unwrap();
    let text = text.text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn o11_panic_in_a_handler_is_answered_counted_and_isolated() {
    let world = Setup::default()
        .variable("MEETRELAY_PANIC_AT", "ingress.answer@/mattermost/command")
        .start()
        .await;
    let errors = "meetrelay_log_messages_total{level=\"error\"}";
    let before = metric(&world, errors).await;
    let answer = world
        .chat
        .command("ana", "dev", "/plugnmeet start", None)
        .await;
    assert_eq!(answer.status, 200, "another status would hide the text");
    assert!(answer.text.contains("ref "), "{answer:?}");
    assert!(metric(&world, errors).await >= before + 1.0);
    let log = world.relay.log();
    assert!(log.contains("panicked: a defect"), "{log}");
    world.card_of("ana", "dev", "all the same").await;
    world.finish().await;
}

#[tokio::test]
async fn o11_panic_at_every_webhook_makes_plugnmeet_try_again_and_the_card_ends_all_the_same() {
    let world = Setup::default()
        .variable("MEETRELAY_PANIC_AT", "ingress.answer@/plugnmeet/webhook")
        .start()
        .await;
    let (card, room) = world.meeting("dev", "untold").await;
    assert!(world.conference.end_room(&room.room_id));
    // plugNmeet tries what it got 500 for three times, and then forgets it: asking finds the end.
    world
        .see("the end", |chat| {
            let post = chat.post(&card.id)?;
            (!post.attachments()[0]
                .to_string()
                .contains("Join the meeting"))
            .then_some(())
        })
        .await;
    world.conference.settle_webhooks(PATIENCE).await;
    let tried = |delivery: &world::plugnmeet::Delivery| delivery.attempts.len();
    let most = world.conference.deliveries().iter().map(tried).max();
    assert_eq!(most, Some(3));
    world.finish().await;
}

async fn ends_with_its_loop(place: &str) {
    let mut world = Setup::default()
        .variable("MEETRELAY_PANIC_AT", place)
        .start()
        .await;
    let ended = tokio::time::timeout(PATIENCE, world.relay.ended()).await;
    assert_eq!(ended.unwrap().code(), Some(1), "{place}");
    let log = world.relay.log();
    assert!(log.contains("panicked: a defect"), "{log}");
    assert!(log.contains("ended by itself"), "{log}");
    world.finish().await;
}

#[tokio::test]
async fn o11_panic_in_the_sweep_ends_the_process_with_a_failure() {
    ends_with_its_loop("sweep.begun#3").await;
}

#[tokio::test]
async fn o11_panic_in_a_watcher_ends_the_process_with_a_failure() {
    ends_with_its_loop("watch.readiness#2").await;
}
