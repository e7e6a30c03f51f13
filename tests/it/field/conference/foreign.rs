//! Something in front of plugNmeet answers by itself.

use world::Fault;
use world::mattermost::Model;

use super::{NO_DEAD_LETTER, Running, lines, until_tried};
use crate::harness::{PATIENCE, Setup};

/// Creates and ends a meeting while a proxy answers with this status, and then plugNmeet again.
async fn rides_out(status: u16) {
    let running = Running::start(Setup::default()).await;
    let world = &running.world;
    let faults = world.conference.faults();
    faults.set("", Fault::intermediary(status));
    world
        .chat
        .command("ana", "dev", "/plugnmeet end", None)
        .await;
    world.chat.say("bob", "weekly", "meet now: second").await;
    until_tried(world, "room.create", 3).await;
    world.relay.await_log("\"setting\":\"plugnmeet.url\"").await;
    world.relay.await_metric(NO_DEAD_LETTER).await;
    let (entered, page) = running.enter().await;
    assert_eq!(entered, 503, "{page}");
    assert!(page.contains("Try again"), "{page}");
    faults.clear();
    running.until_over().await;
    let card = world.card("weekly", "second").await;
    world
        .until(&card, |text| {
            text.contains("Join the meeting") && !text.contains("being prepared")
        })
        .await;
    world.relay.await_metric(NO_DEAD_LETTER).await;
    assert_eq!(lines(world, &["\"ERROR\""]), 0);
    running.world.finish().await;
}

#[tokio::test]
async fn f4_redirect_of_a_proxy_is_an_outage() {
    rides_out(302).await;
}

#[tokio::test]
async fn f4_refusal_of_a_proxy_is_an_outage() {
    rides_out(403).await;
}

#[tokio::test]
async fn f4_unknown_method_at_a_proxy_is_an_outage() {
    rides_out(405).await;
}

#[tokio::test]
async fn f5_page_with_status_200_is_an_outage() {
    rides_out(200).await;
}

#[tokio::test]
async fn f5_page_in_place_of_a_summary_is_not_posted() {
    let running = Running::start(Setup::default()).await;
    let world = &running.world;
    let room = &running.room.room_id;
    world.conference.join(room, "Ana", "u-ana").unwrap();
    assert!(world.conference.end_room(room));
    running.until_over().await;
    world
        .conference
        .faults()
        .set("download", Fault::intermediary(200));
    world
        .conference
        .make_summary(room, "<p>Ship it</p>")
        .unwrap();
    until_tried(world, "download", 2).await;
    world.conference.faults().clear();
    let posted = |chat: &Model| {
        let thread = chat.thread(&running.card.id);
        assert!(thread.iter().all(|post| !post.message.contains("Gateway")));
        thread
            .iter()
            .any(|post| post.message.contains("Ship it"))
            .then_some(())
    };
    world.see("the summary", posted).await;
    world.relay.await_metric(NO_DEAD_LETTER).await;
    world.conference.settle_webhooks(PATIENCE).await;
    running.world.finish().await;
}
