//! Places that are gone: row W16.

use std::time::Duration;

use crate::harness::{PATIENCE, Setup, World, stays_true_for};

/// Longer than a response URL lives.
const HALF_AN_HOUR: Duration = Duration::from_secs(31 * 60);

#[tokio::test]
async fn w16_archived_channel_gets_its_card_when_it_is_unarchived() {
    let world = Setup::default()
        .set("MATTERMOST__OUTSIDE_AGAIN_AFTER", "1s")
        .start()
        .await;
    world.chat.faults().set("posts.create", world::Fault::Drop);
    world.chat.say("ana", "dev", "meet now: shelved").await;
    world.room().await;
    world.chat.archive("dev");
    world.chat.faults().clear();
    let line = "the channel accepts no posts for now";
    world.relay.await_log(line).await;
    let calls = world.chat.calls("posts.create");
    world
        .chat
        .wait_for_calls("posts.create", calls + 2, PATIENCE)
        .await
        .unwrap();
    world.chat.unarchive("dev");
    world.card("dev", "shelved").await;
    assert_eq!(world.relay.log().matches(line).count(), 1);
    world.relay.await_metric("meetrelay_dead_letters 0").await;
    world.finish().await;
}

#[tokio::test]
async fn w16_expired_response_url_is_counted_and_not_tried_again() {
    let world = World::start().await;
    let running = "/plugnmeet start Retro";
    world.chat.command("bob", "dev", running, None).await;
    world.card("dev", "Retro").await;
    // What somebody who may not end it is told meets a server that is away for longer than its URL lives.
    world
        .chat
        .faults()
        .set("hooks.commands", world::Fault::Drop);
    world
        .chat
        .command("ana", "dev", "/plugnmeet end", None)
        .await;
    world.relay.await_log("job will be tried again").await;
    world.chat.clock().advance(HALF_AN_HOUR);
    world.chat.faults().clear();
    let lost = r#"meetrelay_answers_lost_total{reason="refused"} 1"#;
    world.relay.await_metric(lost).await;
    let calls = world.chat.calls("hooks.commands");
    // Longer than `retry.max`.
    let is_over = async || world.chat.calls("hooks.commands") == calls;
    stays_true_for(
        Duration::from_millis(1500),
        "it is not tried again",
        is_over,
    )
    .await;
    world.finish().await;
}

#[tokio::test]
async fn w16_bot_removed_from_a_private_channel_is_asked_back_and_goes_on() {
    let world = Setup::default()
        .set("MATTERMOST__OUTSIDE_AGAIN_AFTER", "1s")
        .start()
        .await;
    let start = "/plugnmeet start Retro";
    world.chat.command("bob", "secret", start, None).await;
    let card = world.card("secret", "Retro").await;
    let room = world.room().await;
    world.chat.leave("meetrelay", "secret");
    world.join(&room, "Bob");
    world.relay.await_log("\"reason\":\"paused\"").await;
    let patches = world.chat.calls("posts.patch");
    let tried = world
        .chat
        .wait_for_calls("posts.patch", patches + 4, PATIENCE);
    tried.await.unwrap();
    let requests = world.chat.requests();
    let tries = requests.iter().filter(|one| one.operation == "posts.patch");
    let at: Vec<i64> = tries.rev().take(4).map(|one| one.at_ms).collect();
    assert!(at[0] - at[3] >= 2500, "one a second: {at:?}");
    world.chat.join("meetrelay", "secret");
    world
        .see("the card go on", |chat| {
            chat.post(&card.id)?.attachments()[0]
                .to_string()
                .contains("Bob")
                .then_some(())
        })
        .await;
    assert_eq!(world.cards("secret").len(), 1);
    world.finish().await;
}
