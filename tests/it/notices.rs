//! Meetings where posts can be neither edited nor looked up: direct and group messages, through the response URL of
//! the command that started them.

use std::time::Duration;

use serde_json::Value;
use world::mattermost::{Model, Post};

use crate::harness::{PATIENCE, Setup, World};

const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);

fn attachment(post: &Post) -> &Value {
    &post.attachments()[0]
}

/// What everybody sees there, once there are `count` posts.
async fn posts(world: &World, channel: &str, count: usize) -> Vec<Post> {
    world
        .see(&format!("{count} posts"), |chat: &Model| {
            let posts = chat.posts(channel);
            (posts.len() >= count).then_some(posts)
        })
        .await
}

/// Waits until the relay has heard and done everything.
async fn settle(world: &World, words: &str) {
    world.conference.settle_webhooks(PATIENCE).await;
    world.relay.await_log(words).await;
}

#[tokio::test]
async fn direct_message_shows_the_start_and_the_end_as_posts_of_the_caller() {
    let world = World::start().await;
    let channel = world.chat.direct_channel("ana", "bob");
    let answer = world
        .chat
        .command("ana", &channel, "/plugnmeet start Retro", None)
        .await;
    assert_eq!(answer.response_type, "ephemeral");
    assert!(answer.text.contains("/join/"), "{answer:?}");
    assert!(!answer.text.contains("card"), "{answer:?}");
    let start = posts(&world, &channel, 1).await.remove(0);
    assert_eq!(start.user_id, world.chat.user("ana").id);
    assert_eq!(start.prop("from_webhook"), Some("true"));
    assert!(start.message.contains("**Retro**"), "{start:?}");
    let shown = attachment(&start).to_string();
    assert!(shown.contains("/join/"), "{shown}");
    assert!(shown.contains("behind the link"), "{shown}");

    let room = world.room().await;
    world
        .conference
        .join(&room.room_id, "Ana Lopez", "u-ana")
        .unwrap();
    assert!(world.conference.end_room(&room.room_id));
    let end = posts(&world, &channel, 2).await.remove(1);
    assert!(end.message.starts_with("**Retro** ended"), "{end:?}");
    assert!(attachment(&end).to_string().contains("Ana Lopez"));
    settle(&world, "end notice posted").await;
    let all = world.chat.posts(&channel);
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all.iter().all(|post| !post.is_edited()));
    assert_eq!(world.chat.calls("posts"), 0, "no bot can post there");
    world.finish().await;
}

#[tokio::test]
async fn doubled_and_late_webhooks_tell_a_direct_message_nothing_twice() {
    let world = World::start().await;
    let channel = world.chat.group_channel(&["ana", "bob", "carol"]);
    world
        .chat
        .command("ana", &channel, "/plugnmeet start Trio", None)
        .await;
    posts(&world, &channel, 1).await;
    let room = world.room().await;
    world.join(&room, "Ana");
    world.conference.start_recording(&room.room_id).unwrap();
    let record = world.conference.finish_recording(&room.room_id).unwrap();
    assert!(world.conference.end_room(&room.room_id));
    assert!(world.conference.announce_recording(&record), "again");
    let all = posts(&world, &channel, 3).await;
    settle(&world, "notice posted").await;
    assert!(all[1].message.contains("ended"), "{all:?}");
    assert!(all[2].message.contains("recording"), "{all:?}");
    assert!(attachment(&all[2]).to_string().contains("/artifact/"));
    assert_eq!(world.chat.posts(&channel).len(), 3);
    world.finish().await;
}

#[tokio::test]
async fn second_start_in_a_direct_message_is_told_to_its_caller_alone() {
    let world = World::start().await;
    let channel = world.chat.direct_channel("ana", "bob");
    let start = |user: &'static str| {
        let (chat, channel) = (&world.chat, channel.clone());
        async move {
            chat.command(user, &channel, "/plugnmeet start Retro", None)
                .await
        }
    };
    start("ana").await;
    posts(&world, &channel, 1).await;
    start("bob").await;
    world
        .see("the offer", |chat| {
            let said = chat.ephemerals("bob");
            said.iter()
                .any(|e| e.text.contains("is running here already"))
                .then_some(())
        })
        .await;
    assert_eq!(world.chat.posts(&channel).len(), 1);
    assert_eq!(world.conference.rooms().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn end_after_the_response_url_has_run_out_is_told_by_the_link_alone() {
    let world = World::start().await;
    let channel = world.chat.direct_channel("ana", "bob");
    world
        .chat
        .command("ana", &channel, "/plugnmeet start Long", None)
        .await;
    let start = posts(&world, &channel, 1).await.remove(0);
    let room = world.room().await;
    world.join(&room, "Ana");
    // The URL's half hour passes on Mattermost's own clock; the relay learns of it by trying.
    world.chat.clock().advance(HALF_AN_HOUR);
    assert!(world.conference.end_room(&room.room_id));
    world.relay.await_log("the response URL has expired").await;
    let lost = r#"meetrelay_answers_lost_total{reason="refused"} 1"#;
    world.relay.await_metric(lost).await;
    assert_eq!(world.chat.posts(&channel).len(), 1);
    let link = attachment(&start)["title_link"].as_str().unwrap();
    let page = crate::harness::client().get(link).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("Over") && page.contains("Long"), "{page}");
    let letters = world.relay.cli_ok(&["dead-letters", "list"]).await;
    assert!(!letters.contains("PostNotice"), "{letters}");
    world.finish().await;
}

#[tokio::test]
async fn fifth_use_of_a_response_url_is_the_last() {
    let world = World::start().await;
    let channel = world.chat.direct_channel("ana", "bob");
    world
        .chat
        .command("ana", &channel, "/plugnmeet start Films", None)
        .await;
    posts(&world, &channel, 1).await;
    let room = world.room().await;
    world.join(&room, "Ana");
    for _ in 0..4 {
        world.conference.start_recording(&room.room_id).unwrap();
        world.conference.finish_recording(&room.room_id).unwrap();
    }
    assert!(world.conference.end_room(&room.room_id));
    let all = posts(&world, &channel, 5).await;
    world.conference.settle_webhooks(PATIENCE).await;
    assert!(all[1].message.contains("ended"), "the end first: {all:?}");
    assert_eq!(world.chat.posts(&channel).len(), 5);
    // A sixth use is not even tried.
    let uses = world.chat.requests();
    let refused = |status: Option<u16>| status != Some(200);
    let tried: Vec<_> = uses
        .iter()
        .filter(|use_| use_.path.contains("/hooks/commands/"))
        .collect();
    assert!(tried.iter().all(|use_| !refused(use_.status)), "{tried:?}");
    assert_eq!(tried.len(), 5);
    world.finish().await;
}

#[tokio::test]
async fn post_whose_answer_never_came_is_repeated_once() {
    let world = Setup::default()
        .set("MATTERMOST__NOTICE_AGAIN_AFTER", "1s")
        .start()
        .await;
    let channel = world.chat.direct_channel("ana", "bob");
    let fault = world::Fault::DropAfter;
    world.chat.faults().next(RESPONSE_URL, 1, fault);
    world
        .chat
        .command("ana", &channel, "/plugnmeet start Doubtful", None)
        .await;
    let both = posts(&world, &channel, 2).await;
    assert_eq!(both[0].message, both[1].message);
    let between = both[1].create_at - both[0].create_at;
    assert!(between >= 1_000, "{between} ms");
    settle(&world, "notice posted").await;
    assert_eq!(world.chat.posts(&channel).len(), 2);
    world.finish().await;
}

/// The fake's name for what goes through a response URL.
const RESPONSE_URL: &str = "hooks.commands";
