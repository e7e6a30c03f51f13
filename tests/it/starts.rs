//! Starts and ends, and who hears what.

use world::mattermost::{Model, TriggerWhen};

use crate::harness::{Setup, World};

#[tokio::test]
async fn second_phrase_in_a_channel_is_told_in_one_line_at_most_once_a_minute() {
    let world = World::start().await;
    world.chat.say("ana", "dev", "meet now: first").await;
    world.card("dev", "first").await;
    world.chat.say("bob", "dev", "meet now: second").await;
    let lines = |chat: &Model| -> usize {
        let posts = chat.posts("dev");
        posts
            .iter()
            .filter(|post| post.message.contains("already") && post.attachments().is_empty())
            .count()
    };
    world
        .see("the line", |chat| (lines(chat) == 1).then_some(()))
        .await;
    world.chat.say("carol", "dev", "meet now: third").await;
    world
        .relay
        .await_log("was told of the running meeting a moment ago")
        .await;
    world
        .see("still one line", |chat| (lines(chat) == 1).then_some(()))
        .await;
    assert_eq!(world.cards("dev").len(), 1);
    assert_eq!(world.conference.rooms().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn hook_whose_token_is_not_configured_is_refused() {
    let world = World::start().await;
    let base = world.relay.ports.public_url();
    // Every registration has a token of its own, and nobody told the relay of this one.
    let callback = format!("{base}/mattermost/outgoing");
    world.chat.register_outgoing_hook(
        "weekly",
        &["standup"],
        TriggerWhen::ExactMatch,
        &callback,
        "application/json",
    );
    world.chat.say("ana", "weekly", "standup now").await;
    world
        .see("the refusal", |_| {
            let deliveries = world.chat.deliveries();
            deliveries
                .iter()
                .any(|d| matches!(&d.answer, Ok((401, _))))
                .then_some(())
        })
        .await;
    assert!(world.cards("weekly").is_empty());
    world.finish().await;
}

#[tokio::test]
async fn list_and_help_answer_at_once() {
    let world = World::start().await;
    world.chat.say("ana", "dev", "meet now: listed").await;
    world.card("dev", "listed").await;
    let listed = world
        .chat
        .command("bob", "dev", "/plugnmeet list", None)
        .await;
    assert!(listed.text.contains("listed"), "{listed:?}");
    let help = world
        .chat
        .command("bob", "dev", "/plugnmeet help", None)
        .await;
    for word in ["start", "end", "list", "--new"] {
        assert!(help.text.contains(word), "{word}: {}", help.text);
    }
    world.finish().await;
}

#[tokio::test]
async fn end_where_nothing_runs_is_told_to_the_person() {
    let world = World::start().await;
    world
        .chat
        .command("bob", "dev", "/plugnmeet end", None)
        .await;
    world
        .see("the answer", |chat| {
            let said = chat.ephemerals("bob");
            said.iter().any(|e| e.text.contains("ref ")).then_some(())
        })
        .await;
    world.finish().await;
}

#[tokio::test]
async fn end_before_there_is_a_room_cancels_the_meeting() {
    let world = World::start().await;
    world.conference.stop().await;
    world
        .chat
        .command("bob", "dev", "/plugnmeet start Oops", None)
        .await;
    world
        .chat
        .command("bob", "dev", "/plugnmeet end", None)
        .await;
    world
        .relay
        .await_log("\"event.kind\":\"end_requested\",\"source\"")
        .await;
    world.conference.resume().await.unwrap();
    world
        .see("the cancelled card", |chat| {
            let posts = chat.posts("dev");
            posts.into_iter().find(|post| {
                let text = format!("{:?}", post.attachments());
                text.contains("before its room was ready")
            })
        })
        .await;
    assert!(
        world
            .conference
            .rooms()
            .iter()
            .all(|room| !room.is_running())
    );
    world.finish().await;
}

#[tokio::test]
async fn own_posts_and_floods_start_nothing() {
    let world = Setup::default()
        .set("MATTERMOST__STARTS_PER_MINUTE", "2")
        .start()
        .await;
    for number in 0..4 {
        world
            .chat
            .say("ana", "dev", &format!("meet now: number {number}"))
            .await;
    }
    world.card("dev", "number").await;
    world
        .see("two of them refused", |_| {
            (world.chat.deliveries().len() == 4).then_some(())
        })
        .await;
    let http = crate::harness::client();
    let metrics = http.get(format!("{}/metrics", world.relay.ports.admin_url()));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    let refused = r#"webhooks_rejected_total{reason="rate_limited",source="outgoing_webhook"} 2"#;
    assert!(metrics.contains(refused), "{metrics}");
    world
        .chat
        .say("meetrelay", "weekly", "meet now: loop")
        .await;
    world.relay.await_log("own_post").await;
    assert!(world.cards("weekly").is_empty());
    world.finish().await;
}
