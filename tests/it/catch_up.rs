//! What Mattermost told in vain: phrases written while the relay was out of reach.

use std::time::Duration;

use world::Fault;
use world::mattermost::{ChannelKind, Model, TriggerWhen};

use crate::harness::{FORM, PATIENCE, Setup, World};

fn card_count(chat: &Model, channel: &str) -> usize {
    let posts = chat.posts(channel);
    let is_card = |post: &&world::mattermost::Post| !post.attachments().is_empty();
    posts.iter().filter(is_card).count()
}

/// How many passes were finished.
fn passes(world: &World) -> usize {
    world
        .relay
        .log()
        .matches("posts were caught up with")
        .count()
}

/// Waits for so many more finished passes.
async fn await_passes(world: &World, more: usize) {
    let before = passes(world);
    let passed = async {
        while passes(world) < before + more {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, passed).await;
    assert!(in_time.is_ok(), "no pass:\n{}", world.relay.last_words());
}

#[tokio::test]
async fn phrase_written_while_the_relay_was_dead_becomes_one_card_after_its_start() {
    let mut world = World::start().await;
    world.relay.kill().await;
    world.chat.say("ana", "dev", "meet now: unheard").await;
    let root = world.chat.say("bob", "weekly", "and the release?").await;
    world.chat.reply("bob", &root, "meet now").await;
    world.relay.start_again().await;
    let card = world.card("dev", "unheard").await;
    assert!(card.message.contains("ana"), "{}", card.message);
    let in_thread = |chat: &Model| {
        let thread = chat.thread(&root);
        thread
            .into_iter()
            .find(|post| !post.attachments().is_empty())
    };
    world.see("the card in its thread", in_thread).await;
    world
        .relay
        .await_metric("meetrelay_reconcile_repairs_total{kind=\"missed_trigger\"} 2")
        .await;
    world
        .relay
        .await_log("Mattermost did not reach the relay with this post")
        .await;
    // A second start reads the same posts.
    world.relay.kill().await;
    world.relay.start_again().await;
    await_passes(&world, 1).await;
    world.relay.await_log("the post was told in time").await;
    assert_eq!(world.cards("dev").len(), 1);
    assert_eq!(world.cards("weekly").len(), 1);
    assert_eq!(world.conference.rooms().len(), 2);
    world.finish().await;
}
