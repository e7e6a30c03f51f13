//! What plugNmeet and Mattermost do in ordinary operation to make a card untrue.

use std::time::Duration;

use world::Fault;
use world::mattermost::{Model, Post};
use world::plugnmeet::Backend;

use crate::harness::{PATIENCE, Setup, World};

fn shown(post: &Post) -> String {
    format!("{} {}", post.message, post.attachments()[0])
}

fn is_over(chat: &Model, card: &Post) -> Option<()> {
    let text = shown(chat.post(&card.id)?);
    (text.contains("ended") && !text.contains("Join the meeting")).then_some(())
}

#[tokio::test]
async fn doubled_and_reordered_webhooks_lead_to_the_same_card() {
    let world = World::start().await;
    world.chat.say("ana", "dev", "meet now: shuffled").await;
    let card = world.card("dev", "shuffled").await;
    let room = world.room().await;
    world.conference.settle_webhooks(PATIENCE).await;
    world.conference.hold_webhooks();
    world
        .conference
        .join(&room.room_id, "Ana", "u-ana")
        .unwrap();
    world
        .conference
        .join(&room.room_id, "Bob", "u-bob")
        .unwrap();
    world.conference.leave(&room.room_id, "u-bob");
    assert!(world.conference.end_room(&room.room_id));
    let count = world
        .conference
        .wait_for("the end to be told", PATIENCE, |fake| {
            let held = fake.held_webhooks();
            let has = |name: &str| held.iter().any(|webhook| webhook.event == name);
            (has("session_ended") && has("room_finished")).then_some(held.len())
        })
        .await;
    // The last first, and each of them twice.
    let places: Vec<usize> = (0..count).rev().flat_map(|place| [place, place]).collect();
    world.conference.release_webhooks(&places);
    world.conference.stop_holding_webhooks();
    world.see("the end", |chat| is_over(chat, &card)).await;
    let people = |chat: &Model| {
        let text = shown(chat.post(&card.id)?);
        (text.contains("2: ") && text.contains("Ana") && text.contains("Bob")).then_some(())
    };
    world.see("both people", people).await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn back_ends_that_are_away_never_end_a_card() {
    let world = World::start().await;
    world.chat.say("ana", "dev", "meet now: sturdy").await;
    let card = world.card("dev", "sturdy").await;
    let room = world.room().await;
    world
        .conference
        .join(&room.room_id, "Ana", "u-ana")
        .unwrap();
    for backend in [Backend::Nats, Backend::Database, Backend::Redis] {
        world.conference.forget_cache();
        world.conference.set_down(backend, true);
        let asked = world.conference.count("room.active");
        world
            .conference
            .wait_for("two polls", PATIENCE, |fake| {
                (fake.count("room.active") >= asked + 2).then_some(())
            })
            .await;
        world.conference.set_down(backend, false);
    }
    let card_now = world.chat.post(&card.id).unwrap();
    assert!(
        shown(&card_now).contains("Join the meeting"),
        "{}",
        shown(&card_now)
    );
    assert!(world.conference.end_room(&room.room_id));
    world.see("the true end", |chat| is_over(chat, &card)).await;
    world.finish().await;
}

#[tokio::test]
async fn lost_artifact_webhooks_are_made_up_for_by_asking() {
    let world = World::start().await;
    world.chat.say("ana", "dev", "meet now: forgetful").await;
    let card = world.card("dev", "forgetful").await;
    let room = world.room().await;
    world
        .conference
        .join(&room.room_id, "Ana", "u-ana")
        .unwrap();
    world.conference.lose_webhooks("recording_proceeded", None);
    world.conference.lose_webhooks("artifact_created", None);
    world.conference.start_recording(&room.room_id).unwrap();
    world.conference.finish_recording(&room.room_id).unwrap();
    assert!(world.conference.end_room(&room.room_id));
    world
        .conference
        .make_summary(&room.room_id, "<p>All agreed.</p>")
        .unwrap();
    world
        .see("recording and summary", |chat| {
            let thread = chat.thread(&card.id);
            let has = |words: &str| thread.iter().any(|post| post.message.contains(words));
            (has("/artifact/") && has("All agreed")).then_some(())
        })
        .await;
    world.finish().await;
}

#[tokio::test]
async fn breakout_and_foreign_rooms_make_and_change_no_card() {
    let world = World::start().await;
    world.chat.say("ana", "dev", "meet now: groups").await;
    let card = world.card("dev", "groups").await;
    let room = world.room().await;
    world
        .conference
        .join(&room.room_id, "Ana", "u-ana")
        .unwrap();
    let breakout = world.conference.breakout(&room.room_id).unwrap();
    world
        .conference
        .join(&breakout, "Mallory", "u-mallory")
        .unwrap();
    world.conference.leave(&breakout, "u-mallory");
    world.conference.settle_webhooks(PATIENCE).await;
    world
        .see("Ana alone", |chat| {
            let text = shown(chat.post(&card.id)?);
            (text.contains("Ana") && !text.contains("Mallory")).then_some(())
        })
        .await;
    assert!(world.conference.end_room(&room.room_id));
    world.see("the end", |chat| is_over(chat, &card)).await;
    world.conference.settle_webhooks(PATIENCE).await;
    assert!(!shown(&world.chat.post(&card.id).unwrap()).contains("Mallory"));
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn refused_api_key_makes_a_red_card_that_says_what_to_do() {
    let world = World::start().await;
    let body = r#"{"status":false,"msg":"invalid API key","status_code":"INVALID_API_KEY"}"#;
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let answer = Fault::Answer {
        status: 401,
        body: body.to_owned(),
        headers,
    };
    world.conference.faults().set("room.create", answer);
    world.chat.say("ana", "dev", "meet now: locked out").await;
    let card = world
        .see("a red card", |chat| {
            let posts = chat.posts("dev");
            posts.into_iter().find(|post| {
                post.attachments()
                    .iter()
                    .any(|one| one.to_string().contains("API key"))
            })
        })
        .await;
    assert!(shown(&card).contains("ref "), "{}", shown(&card));
    assert!(!shown(&card).contains("Join the meeting"));
    world.finish().await;
}

#[tokio::test]
async fn throttled_mattermost_gets_every_card_in_the_end() {
    let world = World::start().await;
    let answer = Fault::Answer {
        status: 429,
        body: "limit exceeded\n".to_owned(),
        headers: vec![
            ("retry-after".to_owned(), "1".to_owned()),
            ("content-type".to_owned(), "text/plain".to_owned()),
        ],
    };
    world.chat.faults().next("posts.create", 2, answer);
    for channel in ["dev", "weekly", "off-topic"] {
        world.chat.say("ana", channel, "meet now: crowded").await;
    }
    for channel in ["dev", "weekly", "off-topic"] {
        world.card(channel, "crowded").await;
        assert_eq!(world.cards(channel).len(), 1);
    }
    world.finish().await;
}

#[tokio::test]
async fn meeting_that_does_not_come_about_in_time_says_so() {
    let world = Setup::default()
        .configured(
            "[[rule]]
worth = \"10s\"
",
        )
        .start()
        .await;
    world.conference.stop().await;
    world.chat.say("ana", "dev", "meet now: hopeless").await;
    world
        .see("the red card", |chat| {
            let posts = chat.posts("dev");
            posts.into_iter().find(|post| {
                post.attachments()
                    .iter()
                    .any(|one| one.to_string().contains("in time"))
            })
        })
        .await;
    world.conference.resume().await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(
        world.conference.rooms().is_empty(),
        "no room is made any more"
    );
    world.finish().await;
}
