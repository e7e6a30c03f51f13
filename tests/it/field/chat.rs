//! What Mattermost, and what stands in front of it, may answer.

use world::Fault;
use world::mattermost::Model;

use crate::harness::{DeliveryConfig, PATIENCE, Setup, World, eventually};

/// One line for what only a person can reverse, however many jobs wait.
const ARCHIVED: &str = "the channel accepts no posts for now";
const WAITS: &str = "job waits until a person has acted";

/// A world in which a card that waits for a person is tried again soon.
async fn soon_again() -> World {
    Setup::default()
        .set("MATTERMOST__OUTSIDE_AGAIN_AFTER", "1s")
        .start()
        .await
}

/// Waits until `operation` was called `times` times more than now.
async fn await_calls(world: &World, operation: &str, times: u64) {
    let seen = world.chat.calls(operation) + times;
    let called = world.chat.wait_for_calls(operation, seen, PATIENCE).await;
    assert!(called.is_ok(), "{}", world.relay.last_words());
}

/// Waits for a direct message to `user` and gives its text.
async fn direct_message(world: &World, user: &str) -> String {
    world
        .see(&format!("a direct message to {user}"), |chat| {
            let said = chat.direct_messages(user);
            said.first().map(|post| post.message.clone())
        })
        .await
}

/// The one room that runs.
async fn running_room(world: &World) -> world::plugnmeet::RoomView {
    world
        .conference
        .wait_for("a running room", PATIENCE, |fake| {
            fake.rooms().into_iter().find(|room| room.is_running())
        })
        .await
}

fn errors(world: &World) -> Vec<String> {
    let log = world.relay.log();
    let errors = log.lines().filter(|line| line.contains("\"ERROR\""));
    errors.map(str::to_owned).collect()
}

#[tokio::test]
async fn f4_a_proxy_that_answers_by_itself_is_a_delay() {
    let world = Setup::default()
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .start()
        .await;
    for status in [302, 401, 403, 404, 405, 200] {
        let (running, fresh) = (format!("running {status}"), format!("fresh {status}"));
        let start = format!("meet now: {running}");
        world.chat.say("ana", "dev", &start).await;
        world.card("dev", &running).await;
        let room = running_room(&world).await;
        world.chat.faults().set("", Fault::intermediary(status));
        let start = format!("meet now: {fresh}");
        world.chat.say("bob", "weekly", &start).await;
        assert!(world.conference.end_room(&room.room_id));
        await_calls(&world, "", 6).await;
        world.chat.faults().clear();
        let card = world.card("weekly", &fresh).await;
        assert!(!card.message.contains("could not"), "{card:?}");
        let is_over = |chat: &Model| {
            let mut cards = chat.posts("dev").into_iter();
            cards.find(|post| post.message.contains(&running) && post.message.contains("ended"))
        };
        world.see("the end", is_over).await;
        for room in world.conference.rooms() {
            world.conference.end_room(&room.room_id);
        }
        let is_over = |chat: &Model| {
            let mut cards = chat.posts("weekly").into_iter();
            cards.find(|post| post.message.contains(&fresh) && post.message.contains("ended"))
        };
        world.see("the end", is_over).await;
    }
    assert_eq!(
        (world.cards("dev").len(), world.cards("weekly").len()),
        (6, 6)
    );
    world.relay.await_metric("meetrelay_dead_letters 0").await;
    let log = world.relay.log();
    assert!(
        !log.contains("refuses the relay's credential"),
        "401 of a stranger"
    );
    world.finish().await;
}

#[tokio::test]
async fn f4_a_proxy_that_stays_is_told_as_a_wrong_address() {
    let world = World::start().await;
    world.chat.faults().set("", Fault::intermediary(302));
    for title in ["one", "two", "three"] {
        let start = format!("meet now: {title}");
        world.chat.say("ana", title_channel(title), &start).await;
    }
    world
        .relay
        .await_log("in this setting is probably wrong")
        .await;
    let log = world.relay.log();
    let line = log.lines().find(|line| line.contains("probably wrong"));
    let line = line.unwrap();
    assert!(
        line.contains("mattermost.url") && line.contains("302") && line.contains("\"WARN\""),
        "{line}"
    );
    world.chat.faults().clear();
    for title in ["one", "two", "three"] {
        world.card(title_channel(title), title).await;
    }
    world.finish().await;
}

fn title_channel(title: &str) -> &'static str {
    match title {
        "one" => "dev",
        "two" => "weekly",
        _ => "off-topic",
    }
}

#[tokio::test]
async fn f4_a_proxy_before_a_response_url_or_an_incoming_webhook_loses_nothing() {
    let world = Setup::default().bot_outside().start().await;
    let page = Fault::intermediary(403);
    world.chat.faults().set("hooks.commands", page);
    let start = "/plugnmeet start Retro";
    world.chat.command("alice", "secret", start, None).await;
    await_calls(&world, "hooks.commands", 2).await;
    world.chat.faults().clear();
    world
        .see("what the bot needs", |chat| {
            let said = chat.ephemerals("alice");
            let is_there = said.iter().any(|one| one.text.contains("/invite"));
            is_there.then_some(())
        })
        .await;
    world.finish().await;

    let world = Setup::default()
        .delivery_method(DeliveryConfig::IncomingWebhook { is_locked: false })
        .start()
        .await;
    for status in [302, 200] {
        world
            .chat
            .faults()
            .set("hooks.incoming", Fault::intermediary(status));
        let start = format!("meet now: told {status}");
        let channel = if status == 302 { "dev" } else { "weekly" };
        world.chat.say("ana", channel, &start).await;
        // More than the two of which nobody would know what became.
        await_calls(&world, "hooks.incoming", 3).await;
        world.chat.faults().clear();
        world
            .see("the notice", |chat| {
                let said = chat.posts(channel);
                let told = format!("**told {status}**");
                said.iter()
                    .any(|post| post.message.contains(&told))
                    .then_some(())
            })
            .await;
    }
    world.relay.await_metric("meetrelay_dead_letters 0").await;
    world.finish().await;
}

#[tokio::test]
async fn f5_a_change_counts_only_when_mattermost_has_confirmed_it() {
    let world = Setup::default().bot_outside().start().await;
    // A page in the place of the answer to "join this channel".
    world
        .chat
        .faults()
        .set("channels.join", Fault::intermediary(200));
    world.chat.say("ana", "dev", "meet now: steady").await;
    await_calls(&world, "channels.join", 2).await;
    assert_eq!(world.chat.direct_messages("ana").len(), 0);
    world.chat.faults().clear();
    world.card("dev", "steady").await;
    let room = world.room().await;
    world
        .chat
        .faults()
        .set("posts.patch", Fault::intermediary(200));
    assert!(world.conference.end_room(&room.room_id));
    await_calls(&world, "posts.patch", 3).await;
    world.chat.faults().clear();
    world.card("dev", "ended").await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn f13_member_that_may_not_post_says_what_an_administrator_changes() {
    let world = soon_again().await;
    world.chat.set_read_only("dev", true);
    world.chat.say("ana", "dev", "meet now: quiet").await;
    let text = direct_message(&world, "ana").await;
    assert!(
        text.contains("I may not post") && text.contains("Moderation"),
        "{text}"
    );
    assert!(!text.contains("/invite"), "{text}");
    // A private channel, by the command.
    world.chat.set_read_only("secret", true);
    let start = "/plugnmeet start Hushed";
    world.chat.command("alice", "secret", start, None).await;
    let text = world
        .see("why there is no card", |chat| {
            let said = chat.ephemerals("alice");
            said.into_iter()
                .map(|one| one.text)
                .find(|text| text.contains("may not post"))
        })
        .await;
    assert!(
        text.contains("this channel") && !text.contains("/invite"),
        "{text}"
    );
    world.chat.set_read_only("dev", false);
    world.chat.set_read_only("secret", false);
    world.card("dev", "quiet").await;
    world.card("secret", "Hushed").await;
    world.finish().await;
}

#[tokio::test]
async fn f24_direct_message_names_channel_and_team_and_the_remedy_once_an_hour() {
    let world = soon_again().await;
    world.chat.leave_team("meetrelay");
    world.chat.say("ana", "dev", "meet now: first").await;
    let text = direct_message(&world, "ana").await;
    let site = format!("[~dev]({}/", world.chat.url());
    assert!(
        text.contains(&site) && text.contains("/channels/dev)"),
        "{text}"
    );
    assert!(
        text.contains("team administrator") && !text.contains("/invite @meetrelay` there"),
        "{text}"
    );
    assert!(!text.contains("this channel"), "{text}");
    // A second meeting of the same person there within the hour.
    let room = world.room().await;
    assert!(world.conference.end_room(&room.room_id));
    world.conference.settle_webhooks(PATIENCE).await;
    await_no_running(&world).await;
    world.chat.say("ana", "dev", "meet now: second").await;
    await_post_row(&world, "second", "invite").await;
    assert_eq!(world.chat.direct_messages("ana").len(), 1);
    // Another person is told.
    world.chat.say("bob", "weekly", "meet now: third").await;
    direct_message(&world, "bob").await;
    world.chat.join_team("meetrelay");
    world.card("dev", "second").await;
    world.card("weekly", "third").await;
    world.finish().await;
}

/// The meetings with this title, as `meetings list` has them.
async fn meetings(world: &World, title: &str) -> Vec<String> {
    let listed = world
        .relay
        .cli_ok(&["meetings", "list", "--all", "--json"])
        .await;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let all = listed["meetings"].as_array().unwrap();
    let named = all.iter().filter(|one| one["title"] == title);
    named
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn await_no_running(world: &World) {
    eventually("the end of every meeting", async || {
        let listed = world.relay.cli_ok(&["meetings", "list", "--json"]).await;
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let running = listed["meetings"].as_array().unwrap();
        running.is_empty().then_some(())
    })
    .await;
}

/// Waits until the relay has kept a row for this post of the meeting.
async fn await_post_row(world: &World, title: &str, key: &str) {
    eventually(&format!("the row of {key}"), async || {
        for id in meetings(world, title).await {
            let shown = ["meetings", "show", &id, "--json"];
            let shown = world.relay.cli_ok(&shown).await;
            let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
            let posts = shown["posts"].as_array().unwrap();
            if posts.iter().any(|post| post["key"] == key) {
                return Some(());
            }
        }
        None
    })
    .await;
}

#[tokio::test]
async fn f25_revoked_token_is_one_error_and_shown_everywhere_at_once() {
    let mut world = World::start().await;
    world.card_of("ana", "dev", "before").await;
    let ready = r#"meetrelay_ready{check="mattermost"} 1"#;
    let refused = r#"meetrelay_ready{check="mattermost"} 0"#;
    world.relay.await_metric(ready).await;
    let old = world.bot_token();
    world.chat.revoke_token(&old);
    // Who the relay is was asked a moment ago: a job learns it.
    for channel in ["weekly", "off-topic", "town-square"] {
        world.chat.say("ana", channel, "meet now: after").await;
    }
    world.relay.await_metric(refused).await;
    await_calls(&world, "", 12).await;
    let told = errors(&world);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("mattermost.bot_token"), "{told:?}");
    let log = world.relay.log();
    assert!(!log.contains("job will be tried again") && log.contains(WAITS));
    let id = meetings(&world, "after").await.remove(0);
    for command in [&["meetings", "show", &id][..], &["why", &id]] {
        let said = world.relay.cli_ok(command).await;
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("replace mattermost.bot_token"), "{said}");
    }
    // Durability is not concerned.
    assert!(world.relay.cli(&["healthcheck"]).await.status.success());
    let new = world.chat.add_token("meetrelay");
    world.relay.configure(|text| text.replace(&old, &new));
    assert!(world.relay.reload().await);
    world.relay.await_metric(ready).await;
    for channel in ["weekly", "off-topic", "town-square"] {
        world.card(channel, "after").await;
    }
    let again = "accepts the relay's credential again";
    assert_eq!(world.relay.log().matches(again).count(), 1);
    assert_eq!(errors(&world).len(), 1);
    world.relay.await_metric("meetrelay_dead_letters 0").await;
    world.finish().await;
}

#[tokio::test]
async fn f25_deactivated_bot_that_comes_back_needs_no_reload() {
    let world = World::start().await;
    let ready = r#"meetrelay_ready{check="mattermost"} 1"#;
    world.relay.await_metric(ready).await;
    world.chat.set_disabled("meetrelay", true);
    world.chat.say("ana", "dev", "meet now: patient").await;
    let refused = r#"meetrelay_ready{check="mattermost"} 0"#;
    world.relay.await_metric(refused).await;
    world.chat.set_disabled("meetrelay", false);
    world.card("dev", "patient").await;
    world.relay.await_metric(ready).await;
    assert_eq!(errors(&world).len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn f26_archived_channel_is_written_again_when_it_is_unarchived() {
    let world = soon_again().await;
    let (card, room) = world.meeting("dev", "shelved").await;
    world.chat.archive("dev");
    world.join(&room, "Bob");
    world.relay.await_log(ARCHIVED).await;
    assert!(world.conference.end_room(&room.room_id));
    await_calls(&world, "posts.patch", 2).await;
    world.chat.unarchive("dev");
    let is_over = |chat: &Model| chat.post(&card.id)?.message.contains("ended").then_some(());
    world.see("the end", is_over).await;
    assert_eq!(world.relay.log().matches(ARCHIVED).count(), 1);
    assert!(errors(&world).is_empty());
    world.relay.await_metric("meetrelay_dead_letters 0").await;
    world.finish().await;
}
