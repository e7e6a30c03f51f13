//! Stops: the first finishes what is in flight (O1), the second does not wait (O2).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use world::mattermost::ChannelKind;

use crate::harness::{PATIENCE, Setup, World, eventually};

#[tokio::test]
async fn o1_sigterm_under_work_exits_zero_and_loses_nothing() {
    let mut world = World::start().await;
    world
        .chat
        .faults()
        .set("posts.create", world::Fault::Stall(Duration::from_secs(1)));
    world.chat.say("ana", "dev", "meet now: stop me").await;
    world
        .chat
        .wait_for_calls("posts.create", 1, PATIENCE)
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
async fn o2_second_sigterm_ends_at_once_and_its_work_is_done_after_the_next_start() {
    let mut world = Setup::default()
        .set("MATTERMOST__CALL_TIMEOUT", "8s")
        .start()
        .await;
    world
        .chat
        .faults()
        .set("posts.create", world::Fault::Stall(Duration::from_secs(20)));
    world.chat.say("ana", "dev", "meet now: hang").await;
    world
        .chat
        .wait_for_calls("posts.create", 1, PATIENCE)
        .await
        .unwrap();
    let began = Instant::now();
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

#[tokio::test]
async fn o1_sigterm_while_idle_ends_soon_with_zero() {
    let mut world = World::start().await;
    let began = Instant::now();
    world.relay.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "nothing to wait for"
    );
    world.relay.start_again().await;
    world.finish().await;
}

#[tokio::test]
async fn o1_hung_call_is_cut_off_at_the_deadline_and_done_after_the_next_start() {
    let mut world = Setup::default()
        // The lease of a process that ended lasts twice as long.
        .set("MATTERMOST__CALL_TIMEOUT", "8s")
        .set("SERVER__DRAIN_TIMEOUT", "1s")
        .start()
        .await;
    let hang = world::Fault::Stall(Duration::from_secs(60));
    world.chat.faults().set("posts.create", hang);
    world.chat.say("ana", "dev", "meet now: hung").await;
    let called = world.chat.wait_for_calls("posts.create", 1, PATIENCE).await;
    called.unwrap();
    let began = Instant::now();
    world.relay.stop().await;
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(1), "it had its time: {took:?}");
    assert!(took < Duration::from_secs(10), "and no more: {took:?}");
    world.relay.await_log("work in flight was cut off").await;
    world.chat.faults().clear();
    world.relay.start_again().await;
    world.card("dev", "hung").await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn o1_sigterm_under_load_keeps_every_start_that_was_accepted() {
    let mut world = World::start().await;
    let channels: Vec<String> = (0..12).map(|number| format!("load-{number}")).collect();
    for channel in &channels {
        let people = ["ana", "meetrelay"];
        let kind = ChannelKind::Public;
        world.chat.add_channel(channel, channel, kind, &people);
    }
    let mut posts = Vec::new();
    let (first, rest) = channels.split_at(4);
    for channel in first {
        posts.push(world.chat.say("ana", channel, "meet now").await);
    }
    let accepted = |world: &World| -> BTreeSet<String> {
        let deliveries = world.chat.deliveries().into_iter();
        deliveries
            .filter(|delivery| matches!(&delivery.answer, Ok((200, _))))
            .map(|delivery| delivery.post_id)
            .collect()
    };
    eventually("the answers to the first triggers", async || {
        (accepted(&world).len() >= first.len()).then_some(())
    })
    .await;
    let talk = async {
        for channel in rest {
            posts.push(world.chat.say("ana", channel, "meet now").await);
        }
    };
    tokio::join!(talk, world.relay.stop());
    let accepted = accepted(&world);
    world.relay.start_again().await;
    for (channel, _) in channels
        .iter()
        .zip(&posts)
        .filter(|(_, post)| accepted.contains(*post))
    {
        world.card(channel, "").await;
    }
    world.conference.settle_webhooks(PATIENCE).await;
    for channel in &channels {
        assert!(world.cards(channel).len() <= 1, "{channel} has two cards");
    }
    world.finish().await;
}

#[tokio::test]
async fn o2_sigint_after_sigterm_ends_at_once_too() {
    let mut world = Setup::default()
        // The lease of a process that ended lasts twice as long.
        .set("MATTERMOST__CALL_TIMEOUT", "8s")
        // No deadline ends it.
        .set("SERVER__DRAIN_TIMEOUT", "10m")
        .start()
        .await;
    let hang = world::Fault::Stall(Duration::from_secs(60));
    world.chat.faults().set("posts.create", hang);
    world.chat.say("ana", "dev", "meet now: cut short").await;
    let called = world.chat.wait_for_calls("posts.create", 1, PATIENCE).await;
    called.unwrap();
    world.relay.signal("INT").await;
    world.relay.await_log("draining").await;
    world.relay.signal("TERM").await;
    let status = world.relay.ended().await;
    // After a call that ends by itself the code is 0.
    assert_eq!(status.code(), Some(1), "a cut is told");
    world.chat.faults().clear();
    world.relay.start_again().await;
    world.card("dev", "cut short").await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}
