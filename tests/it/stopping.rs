//! Stops: the first finishes what is in flight, the second does not wait.

use crate::harness::{Setup, World};

#[tokio::test]
async fn sigterm_under_work_exits_zero_and_loses_nothing() {
    let mut world = World::start().await;
    world.chat.faults().set(
        "posts.create",
        world::Fault::Stall(std::time::Duration::from_secs(1)),
    );
    world.chat.say("ana", "dev", "meet now: stop me").await;
    world
        .chat
        .wait_for_calls("posts.create", 1, crate::harness::PATIENCE)
        .await
        .unwrap();
    world.relay.stop().await;
    world.chat.faults().clear();
    world.relay.start_again().await;
    world.card("dev", "stop me").await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn second_sigterm_ends_at_once() {
    let mut world = Setup::default()
        .set("MATTERMOST__CALL_TIMEOUT", "25s")
        .start()
        .await;
    world.chat.faults().set(
        "posts.create",
        world::Fault::Stall(std::time::Duration::from_secs(20)),
    );
    world.chat.say("ana", "dev", "meet now: hang").await;
    world
        .chat
        .wait_for_calls("posts.create", 1, crate::harness::PATIENCE)
        .await
        .unwrap();
    let began = std::time::Instant::now();
    world.relay.signal("TERM").await;
    world.relay.await_log("draining").await;
    world.relay.signal("TERM").await;
    world.relay.ended().await;
    assert!(
        began.elapsed().as_secs() < 15,
        "it did not wait for the call"
    );
    world.chat.faults().clear();
    world.relay.start_again().await;
    world.card("dev", "hang").await;
    world.finish().await;
}
