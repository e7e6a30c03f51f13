//! The ways out without an account: an incoming webhook and a plugin's endpoint.

use serde_json::Value;
use world::Fault;
use world::mattermost::{Model, Post};

use crate::harness::{DeliveryConfig, PATIENCE, Setup, World, client};

/// The fake's names for the two.
const INCOMING: &str = "hooks.incoming";
const UNLOCKED: DeliveryConfig = DeliveryConfig::IncomingWebhook { is_locked: false };

async fn with_webhook() -> World {
    Setup::default().delivery_method(UNLOCKED).start().await
}

/// What the relay has posted in a channel.
fn notices(chat: &Model, channel: &str) -> Vec<Post> {
    let mut posts = chat.posts(channel);
    posts.retain(|post| !post.attachments().is_empty());
    posts
}

/// Waits until there are so many.
async fn told(world: &World, channel: &str, count: usize) -> Vec<Post> {
    world
        .see(&format!("{count} notices in {channel}"), |chat| {
            let notices = notices(chat, channel);
            (notices.len() >= count).then_some(notices)
        })
        .await
}

async fn ask(world: &World, path: &str) -> (u16, String) {
    let url = format!("{}{path}", world.relay.ports.admin_url());
    let answer = client().get(&url).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.text().await.unwrap())
}

/// Waits for the one dead letter and gives its id and itself.
async fn dead_letter(world: &World) -> (String, String) {
    let id = world.relay.dead_letter().await;
    assert_eq!(world.relay.dead_letters().await.len(), 1);
    let shown = world.relay.cli_ok(&["dead-letters", "show", &id]).await;
    (id, shown)
}

/// What leads in is nowhere that an administrator looks.
async fn assert_silence(world: &World) {
    for path in ["/metrics", "/readyz?verbose"] {
        world.assert_no_way_in(&ask(world, path).await.1);
    }
    for command in [
        &["config", "show"][..],
        &["check"],
        &["dead-letters", "list"],
    ] {
        let output = world.relay.cli(command).await;
        world.assert_no_way_in(&String::from_utf8_lossy(&output.stdout));
        world.assert_no_way_in(&String::from_utf8_lossy(&output.stderr));
    }
    world.assert_no_way_in(&world.relay.log());
}

#[tokio::test]
async fn incoming_webhook_tells_start_end_and_recording_in_the_asked_channel() {
    let world = with_webhook().await;
    world.chat.say("ana", "dev", "meet now: weekly sync").await;
    let start = told(&world, "dev", 1).await.remove(0);
    assert_eq!(
        start.user_id,
        world.chat.user("bob").id,
        "the webhook's owner"
    );
    assert_eq!(start.prop("from_webhook"), Some("true"));
    assert!(start.message.contains("**weekly sync**"), "{start:?}");
    let link = start.attachments()[0]["title_link"].as_str().unwrap();
    assert!(link.contains("/join/"), "{link}");
    let page = client().get(link).send().await.unwrap();
    assert!(page.status().as_u16() < 400, "{page:?}");

    let room = world.room().await;
    world.join(&room, "Ana");
    world.conference.start_recording(&room.room_id).unwrap();
    world.conference.finish_recording(&room.room_id).unwrap();
    let recording = told(&world, "dev", 2).await.remove(1);
    assert!(recording.message.contains("recording"), "{recording:?}");
    assert!(world.conference.end_room(&room.room_id));
    let end = told(&world, "dev", 3).await.remove(2);
    assert!(end.message.starts_with("**weekly sync** ended"), "{end:?}");
    world.conference.settle_webhooks(PATIENCE).await;
    world.relay.await_log("end notice posted").await;
    let all = world.chat.posts("dev");
    assert_eq!(all.len(), 4, "what ana wrote and three notices: {all:?}");
    assert!(all.iter().all(|post| !post.is_edited()));
    assert_eq!(
        world.chat.posts("town-square").len(),
        0,
        "the webhook's own channel"
    );
    for operation in ["posts", "channels", "users"] {
        assert_eq!(world.chat.calls(operation), 0, "{operation}");
    }
    assert_silence(&world).await;
    world.finish().await;
}

#[tokio::test]
async fn relay_without_an_account_is_ready_and_asks_nobody_who_it_is() {
    let world = with_webhook().await;
    world
        .relay
        .await_metric(r#"meetrelay_ready{check="mattermost"} 1"#)
        .await;
    let (status, text) = ask(&world, "/readyz?verbose").await;
    assert_eq!(status, 200);
    assert!(text.contains("[+] mattermost ok"), "{text}");
    world.chat.stop().await;
    world.chat.say("ana", "dev", "meet now: dark").await;
    world
        .relay
        .await_metric(r#"meetrelay_circuit_breaker_state{state="open",target="mattermost"} 1"#)
        .await;
    world
        .relay
        .await_metric(r#"meetrelay_ready{check="mattermost"} 0"#)
        .await;
    assert_eq!(
        ask(&world, "/readyz").await.0,
        200,
        "events are still taken"
    );
    world.chat.start_again().await.unwrap();
    told(&world, "dev", 1).await;
    world
        .relay
        .await_metric(r#"meetrelay_ready{check="mattermost"} 1"#)
        .await;
    let log = world.relay.log();
    assert!(!log.contains("report the relay's own user id"), "{log}");
    assert_eq!(world.chat.calls(INCOMING), 1);
    world.finish().await;
}

#[tokio::test]
async fn notice_whose_answer_is_lost_is_repeated_once() {
    let world = Setup::default()
        .delivery_method(UNLOCKED)
        .set("MATTERMOST__NOTICE_AGAIN_AFTER", "1s")
        .start()
        .await;
    world.chat.faults().next(INCOMING, 1, Fault::DropAfter);
    world.chat.say("ana", "dev", "meet now: twice").await;
    let both = told(&world, "dev", 2).await;
    assert_eq!(both[0].message, both[1].message);
    let between = both[1].create_at - both[0].create_at;
    // Counted from when the relay began the first, which the server stored some moments later.
    assert!(between >= 900, "{between} ms");
    world.relay.await_log("start notice posted").await;
    let room = world.room().await;
    assert!(world.conference.end_room(&room.room_id));
    let all = told(&world, "dev", 3).await;
    assert!(all[2].message.contains("**twice**"), "{all:?}");
    assert_eq!(world.chat.calls(INCOMING), 3);
    world.finish().await;
}

#[tokio::test]
async fn mattermost_away_behind_its_proxy_is_a_delay_and_no_doubt() {
    let world = with_webhook().await;
    let page = Fault::Answer {
        status: 503,
        body: "<html><h1>503 Service Unavailable</h1>No server is available.</html>".to_owned(),
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
    };
    world.chat.faults().set(INCOMING, page);
    world.chat.say("ana", "dev", "meet now: patient").await;
    // More than the two of which nobody would know what became.
    world
        .chat
        .wait_for_calls(INCOMING, 4, PATIENCE)
        .await
        .unwrap();
    world.chat.faults().clear();
    told(&world, "dev", 1).await;
    world.relay.await_log("start notice posted").await;
    let log = world.relay.log();
    assert!(!log.contains("nobody knows"), "{log}");
    assert_eq!(world.chat.posts("dev").len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn deleted_webhook_is_tried_a_few_times_and_then_told() {
    let world = with_webhook().await;
    world.chat.delete_incoming_hooks();
    world.chat.say("ana", "dev", "meet now: gone").await;
    let (_, letter) = dead_letter(&world).await;
    assert!(letter.contains("unknown or deleted"), "{letter}");
    assert!(
        letter.contains("mattermost.incoming_webhook_url"),
        "{letter}"
    );
    world.assert_no_way_in(&letter);
    assert!(
        world.chat.calls(INCOMING) > 1,
        "it may be the server's own trouble"
    );
    world.finish().await;
}

#[tokio::test]
async fn locked_webhook_leaves_a_dead_letter_that_says_what_to_change() {
    let delivery_method = DeliveryConfig::IncomingWebhook { is_locked: true };
    let world = Setup::default()
        .delivery_method(delivery_method)
        .start()
        .await;
    world
        .chat
        .say("ana", "dev", "meet now: behind a lock")
        .await;
    let (id, letter) = dead_letter(&world).await;
    assert!(letter.contains("PostNotice"), "{letter}");
    assert!(letter.contains("locked to another channel"), "{letter}");
    assert!(letter.contains("unlock it"), "{letter}");
    world.assert_no_way_in(&letter);
    assert_silence(&world).await;
    world.chat.lock_incoming_hooks(false);
    world.relay.cli_ok(&["dead-letters", "replay", &id]).await;
    told(&world, "dev", 1).await;
    world.finish().await;
}

#[tokio::test]
async fn slack_format_sends_attachments_and_nothing_else() {
    let world = Setup::default()
        .delivery_method(UNLOCKED)
        .set("MATTERMOST__FORMAT", "slack")
        .start()
        .await;
    world.chat.say("ana", "dev", "meet now: R&D").await;
    // Without a channel it stands in the webhook's own.
    let start = told(&world, "town-square", 1).await.remove(0);
    let shown = &start.attachments()[0];
    assert!(
        shown["text"].as_str().unwrap().contains("/join/"),
        "{shown}"
    );
    let room = world.room().await;
    assert!(world.conference.end_room(&room.room_id));
    told(&world, "town-square", 2).await;
    let requests = world.chat.requests();
    let sent: Vec<_> = requests
        .iter()
        .filter(|r| r.operation == INCOMING)
        .collect();
    assert_eq!(sent.len(), 2);
    let known = [
        "color",
        "fallback",
        "fields",
        "footer",
        "mrkdwn_in",
        "text",
        "title",
        "title_link",
    ];
    for request in sent {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let keys: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["attachments"], "{body}");
        for attachment in body["attachments"].as_array().unwrap() {
            let mut keys = attachment.as_object().unwrap().keys();
            assert!(
                keys.all(|key| known.contains(&key.as_str())),
                "{attachment}"
            );
        }
    }
    // Mattermost alone does not know this field, and ignores it.
    for complaint in world.chat.unexpected().take() {
        assert!(complaint.contains("mrkdwn_in"), "{complaint}");
    }
    world.finish().await;
}

#[tokio::test]
async fn plugin_gets_the_authorization_and_posts_what_it_is_told() {
    let world = Setup::default()
        .delivery_method(DeliveryConfig::Plugin)
        .start()
        .await;
    world.chat.say("ana", "dev", "meet now: plugged").await;
    let start = told(&world, "dev", 1).await.remove(0);
    assert_eq!(start.user_id, world.chat.user("notices").id);
    let room = world.room().await;
    assert!(world.conference.end_room(&room.room_id));
    told(&world, "dev", 2).await;
    assert_silence(&world).await;
    // A server before 9.4 keeps the header from its plugins.
    world.chat.drop_authorization(true);
    world.chat.say("ana", "weekly", "meet now: unheard").await;
    world
        .relay
        .await_log(
            "check mattermost.plugin_authorization; Mattermost forwards it since version 9.4",
        )
        .await;
    world.assert_no_way_in(&world.relay.log());
    assert_eq!(told(&world, "weekly", 0).await.len(), 0);
    // Once it lets the relay in, what waited is told by itself.
    world.chat.drop_authorization(false);
    told(&world, "weekly", 1).await;
    assert_silence(&world).await;
    world.finish().await;
}

#[tokio::test]
async fn slash_command_is_answered_at_once_and_told_by_the_webhook() {
    let world = with_webhook().await;
    let line = "/plugnmeet start Retro";
    let answer = world.chat.command("ana", "dev", line, None).await;
    assert_eq!(answer.response_type, "ephemeral");
    assert!(answer.text.contains("/join/"), "{answer:?}");
    assert!(!answer.text.contains("card"), "{answer:?}");
    told(&world, "dev", 1).await;
    // A second start is told of the running meeting, by its response URL.
    world.chat.command("bob", "dev", line, None).await;
    world
        .see("the offer", |chat| {
            let said = chat.ephemerals("bob");
            let mut said = said.iter().map(|shown| shown.text.as_str());
            said.any(|text| text.contains("is running here already"))
                .then_some(())
        })
        .await;
    world
        .chat
        .command("ana", "dev", "/plugnmeet end", None)
        .await;
    let end = told(&world, "dev", 2).await.remove(1);
    assert!(end.message.contains("**Retro**"), "{end:?}");
    world.finish().await;
}
